"""The DAG that counts the stock by its validity once a week, and writes the departments' lists."""

from datetime import timedelta

from airflow.sdk import DAG, Asset, CronTriggerTimetable, get_current_context, task
from clearance_dag import TASK_ARGS
from department_dag import FIRST_NIGHT

from zhengku.review.config import load_review
from zhengku.settings import CITY_TIME_ZONE, Settings

EXPIRY = Asset(name="expiry", uri="zhengku://stock/expiry")
LONGEST_COUNT = timedelta(hours=1)


def expiry(doc: str | None) -> DAG:
    """Build the DAG; reads `review.yaml` and nothing else."""
    review = load_review(Settings.load().catalog_folder)

    @task(execution_timeout=LONGEST_COUNT, outlets=[EXPIRY])
    def publish() -> dict[str, int]:
        """Count and list as of the day on which the run is due, today for a run by hand; totals of the city."""
        from datetime import datetime

        from zhengku.catalog import load_catalog
        from zhengku.stock.expiry import publish_expiry

        due = get_current_context()["dag_run"].logical_date or datetime.now(tz=CITY_TIME_ZONE)
        settings = Settings.load()
        found = publish_expiry(settings, load_catalog(settings.catalog_folder), due.astimezone(CITY_TIME_ZONE).date())
        return {
            "expiring": sum(each.expiring for each in found),
            "expired": sum(each.expired for each in found),
        }

    with DAG(
        dag_id="expiry",
        dag_display_name="临期与过期证照",
        description="每周统计在库证照的有效期，按部门列出临期与过期的证照",
        doc_md=doc,
        schedule=CronTriggerTimetable(
            f"{review.expiry_at.minute} {review.expiry_at.hour} * * {review.expiry_weekday}", timezone="Asia/Shanghai"
        ),
        start_date=FIRST_NIGHT,
        catchup=False,
        max_active_runs=1,
        tags=["存量"],
        default_args=TASK_ARGS,
    ) as dag:
        publish()
    return dag
