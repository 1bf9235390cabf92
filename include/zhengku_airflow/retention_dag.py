"""The DAG that removes what is too old every day, and cleans Airflow's own tables once a week."""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param, get_current_context, task

from zhengku import clock
from zhengku.catalog.retention_config import load_retention
from zhengku.clock import CITY_TIME_ZONE
from zhengku.settings import Settings
from zhengku_airflow.defaults import FIRST_NIGHT, SECTION_TASK_ARGS
from zhengku_airflow.section_dags import SECTION_DAGS

LONGEST_REMOVAL = timedelta(hours=2)


def retention(doc: str | None) -> DAG:
    """Build the DAG; reads `retention.yaml` and nothing else."""
    config = load_retention(Settings.load().catalog_folder)

    @task(task_display_name="清理到期文件与明细", execution_timeout=LONGEST_REMOVAL)
    def remove_old() -> dict[str, int]:
        """Remove files and rows that are too old, or count them in a dry run; return the number of each kind."""
        from zhengku.retention.run import Retention

        retention = Retention(Settings.load(), config, clock.now())
        if get_current_context()["params"]["dry_run"]:
            return {one.name or one.kind: one.number for one in retention.plan()}
        return retention.apply()

    @task(task_display_name="清理 Airflow 自身的表", execution_timeout=LONGEST_REMOVAL)
    def clean_airflow() -> dict[str, int]:
        """Clean Airflow's own tables on their day of the week, or in any run that a person started."""
        from airflow.sdk.exceptions import AirflowSkipException

        from zhengku_airflow.airflow_tables import AddressUnknown, clean_airflow_tables

        context = get_current_context()
        due = context["dag_run"].logical_date
        # `isoweekday` is 7 on a Sunday, which is 0 in the file.
        if due is not None and due.astimezone(CITY_TIME_ZONE).isoweekday() % 7 != config.airflow_weekday:
            raise AirflowSkipException("Not today: airflow_weekday of retention.yaml says when.")
        try:
            return clean_airflow_tables(
                Settings.load().database_url, config, clock.now(), dry_run=context["params"]["dry_run"]
            )
        except AddressUnknown as error:
            raise AirflowSkipException(str(error)) from error

    with DAG(
        dag_id="retention",
        dag_display_name=SECTION_DAGS["retention"],
        description="每日清理超过保存期限的落地文件、报表、日志与技术明细，并逐项登记",
        doc_md=doc,
        schedule=CronTriggerTimetable(
            f"{config.retention_at.minute} {config.retention_at.hour} * * *", timezone="Asia/Shanghai"
        ),
        start_date=FIRST_NIGHT,
        catchup=False,
        max_active_runs=1,
        tags=["清理"],
        params={"dry_run": Param(False, type="boolean", title="试运行", description="只统计应清理的数量，不清理。")},
        default_args=SECTION_TASK_ARGS,
    ) as dag:
        remove_old()
        clean_airflow()
    return dag
