"""The DAG of the backfill: a run for each month, a task for each department, in the department's backfill pool.

Airflow's backfill creates the runs, from its interface or by `zhengku backfill run`. On the first of every month
the DAG reads the previous month once more, to find rows that were committed late.
"""

from datetime import datetime, timedelta

from airflow.sdk import DAG, CronPartitionTimetable, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from zhengku.catalog import load_department
from zhengku.catalog.catalog import department_files
from zhengku.catalog.department import Department
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import CatalogError
from zhengku.operations.backfill import FIRST_MONTH, MONTHS_AT_ONCE, backfilled_feeds
from zhengku.settings import Settings
from zhengku_airflow.assets import backfilled_asset
from zhengku_airflow.defaults import FINAL_ERRORS, TOLD_ARGS
from zhengku_airflow.section_dags import SECTION_DAGS


def backfill(doc: str | None) -> DAG:
    """Build the DAG. A department with a wrong file gets no task: its own DAG shows the error."""
    with DAG(
        dag_id="backfill",
        dag_display_name=SECTION_DAGS["backfill"],
        description="2019年1月以来各部门证照按月回溯归集",
        doc_md=doc,
        # The partition key is the month before the run: the run of 2019-02-01 has the key 2019-01.
        schedule=CronPartitionTimetable("0 12 1 * *", timezone="Asia/Shanghai", run_offset=-1, key_format="%Y-%m"),
        start_date=datetime.combine(FIRST_MONTH, datetime.min.time(), CITY_TIME_ZONE),
        catchup=False,
        max_active_runs=MONTHS_AT_ONCE,
        tags=["证照归集", "回溯"],
        params={
            "departments": Param(
                [], type="array", items={"type": "string"}, title="部门", description="留空为全部部门。"
            ),
            "again": Param(False, type="boolean", title="重做", description="已完成的月份也重新读取。"),
        },
        default_args={
            **TOLD_ARGS,
            "owner": "data-engineers",
            "retry_policy": FINAL_ERRORS,
            "retry_exponential_backoff": 2.0,
        },
    ) as dag:
        for file in department_files(Settings.load().catalog_folder):
            try:
                department = load_department(Settings.load().catalog_folder, file.stem)
            except CatalogError:
                continue
            if backfilled_feeds(department):
                _month_of(department)
    return dag


def _month_of(department: Department) -> None:
    department_id = department.department

    @task(
        task_id=department_id,
        task_display_name=department.name,
        pool=department.backfill_pool,
        retries=department.retries,
        retry_delay=timedelta(seconds=department.retry_delay_seconds),
        max_retry_delay=timedelta(minutes=30),
        execution_timeout=timedelta(minutes=department.timeout_minutes),
        outlets=[backfilled_asset(department_id)],
    )
    def month() -> dict[str, int]:
        """Collect and load the month of the run's partition; return the rows fetched of each feed."""
        from zhengku.operations.backfill import backfill_month, month_of
        from zhengku.pipeline.pipeline import Pipeline

        context = get_current_context()
        requested = context["params"]["departments"]
        if requested and department_id not in requested:
            raise AirflowSkipException("the backfill is for other departments")
        run = context["dag_run"]
        if run.partition_key is None:
            raise AirflowSkipException("a manual run has no month: start a backfill for the months that you need")
        progress = backfill_month(
            Pipeline(Settings.load()),
            department_id,
            month_of(run.partition_key),
            run.run_id,
            # A second try continues where the first one stopped.
            again=context["params"]["again"] and context["ti"].try_number == 1,
        )
        return {each.feed: each.fetched for each in progress}

    month()
