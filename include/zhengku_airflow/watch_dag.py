"""The DAG that looks every few minutes at what is out of order, and tells people what they do not know yet."""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, get_current_context, task

from zhengku_airflow.defaults import FIRST_NIGHT, SECTION_TASK_ARGS
from zhengku_airflow.notifier import CityNotifier
from zhengku_airflow.section_dags import SECTION_DAGS

EVERY_MINUTES = 5


def watch(doc: str | None) -> DAG:
    """Build the DAG; its next run does what one that failed has left."""

    @task(task_display_name="巡检并通知", retries=0, execution_timeout=timedelta(minutes=4))
    def look_and_tell() -> None:
        """Look at runs, batches, lists, feeds, disks, certificates and the calendar; tell what is new."""
        CityNotifier("watch").notify(get_current_context())

    with DAG(
        dag_id="watch",
        dag_display_name=SECTION_DAGS["watch"],
        description="每五分钟检查运行、批次、清单、数据源、磁盘、证书与工作日历，有新情况即通知",
        doc_md=doc,
        schedule=CronTriggerTimetable(f"*/{EVERY_MINUTES} * * * *", timezone="Asia/Shanghai"),
        start_date=FIRST_NIGHT,
        catchup=False,
        max_active_runs=1,
        tags=["巡检"],
        default_args=SECTION_TASK_ARGS,
    ) as dag:
        look_and_tell()
    return dag
