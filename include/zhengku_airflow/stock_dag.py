"""The DAG that counts collection rate and validity of the stock once a week, and writes the departments' lists."""

from datetime import date, timedelta

from airflow.sdk import DAG, CronTriggerTimetable, get_current_context, task

from zhengku import clock
from zhengku.catalog.review_config import load_review
from zhengku.clock import CITY_TIME_ZONE
from zhengku.settings import Settings
from zhengku_airflow.assets import counted_asset
from zhengku_airflow.defaults import FIRST_NIGHT, SECTION_TASK_ARGS
from zhengku_airflow.section_dags import SECTION_DAGS

COLLECTION = counted_asset("collection_rate")
EXPIRY = counted_asset("expiry")
LONGEST_COUNT = timedelta(hours=1)


def stock(doc: str | None) -> DAG:
    """Build the DAG; reads `review.yaml` and nothing else."""
    review = load_review(Settings.load().catalog_folder)

    @task(task_display_name="归集率", execution_timeout=LONGEST_COUNT, outlets=[COLLECTION])
    def collection_rate() -> dict[str, int]:
        """Count and list the certificates that are missing on the run's day; return totals of the city."""
        from zhengku.catalog import load_catalog
        from zhengku.stock.collection_rate import publish_collection

        settings = Settings.load()
        found = publish_collection(settings, load_catalog(settings.catalog_folder), _day())
        return {"due": sum(each.due for each in found), "collected": sum(each.collected for each in found)}

    @task(task_display_name="临期与过期", execution_timeout=LONGEST_COUNT, outlets=[EXPIRY])
    def expiry() -> dict[str, int]:
        """Count and list the certificates that expire, as of the run's day; return totals of the city."""
        from zhengku.catalog import load_catalog
        from zhengku.stock.expiry import publish_expiry

        settings = Settings.load()
        found = publish_expiry(settings, load_catalog(settings.catalog_folder), _day())
        return {"expiring": sum(each.expiring for each in found), "expired": sum(each.expired for each in found)}

    with DAG(
        dag_id="stock",
        dag_display_name=SECTION_DAGS["stock"],
        description="每周统计归集率、临期与过期证照，按部门列出待归集、临期和过期的证照",
        doc_md=doc,
        schedule=CronTriggerTimetable(
            f"{review.stock_at.minute} {review.stock_at.hour} * * {review.stock_weekday}", timezone="Asia/Shanghai"
        ),
        start_date=FIRST_NIGHT,
        catchup=False,
        max_active_runs=1,
        tags=["存量"],
        default_args=SECTION_TASK_ARGS,
    ) as dag:
        collection_rate()
        expiry()
    return dag


def _day() -> date:
    """Return the day for which the run is scheduled; today for a run without a logical date."""
    due = get_current_context()["dag_run"].logical_date or clock.now()
    return due.astimezone(CITY_TIME_ZONE).date()
