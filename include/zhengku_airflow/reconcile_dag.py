"""The DAG of the weekly reconciliation: a task for each department, in the department's own pool."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, task

from zhengku.catalog import load_catalog
from zhengku.catalog.review_config import load_review
from zhengku.errors import CatalogError
from zhengku.operations.reconcile.comparison import Reconciliation, since_of
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings
from zhengku_airflow.defaults import FIRST_NIGHT, SECTION_TASK_ARGS
from zhengku_airflow.section_dags import SECTION_DAGS

# Listing ten million keys may take long, because requests are limited.
LONGEST_COMPARISON = timedelta(hours=6)


def reconcile(doc: str | None) -> DAG:
    """Build the DAG that compares every source with the store once a week; reads the catalogue and nothing else."""
    folder = Settings.load().catalog_folder
    catalog, review = load_catalog(folder), load_review(folder)

    @task(execution_timeout=LONGEST_COMPARISON)
    def compare(department: str) -> dict[str, int]:
        """Compare the feeds of a department; return the unexplained differences by feed."""
        results = Reconciliation(Pipeline(Settings.load())).compare_department(
            department, since_of(review.reconcile_days)
        )
        return {result.feed: result.differences for result in results}

    with DAG(
        dag_id="reconcile",
        dag_display_name=SECTION_DAGS["reconcile"],
        description="每周比对各来源与证照库：逐日条数与校验和，不一致的逐条核对",
        doc_md=doc,
        schedule=CronTriggerTimetable(
            f"{review.reconcile_at.minute} {review.reconcile_at.hour} * * {review.reconcile_weekday}",
            timezone="Asia/Shanghai",
        ),
        start_date=FIRST_NIGHT,
        catchup=False,
        max_active_runs=1,
        tags=["比对"],
        default_args=SECTION_TASK_ARGS,
    ) as dag:
        for name in catalog.department_ids:
            placed: dict[str, Any] = {"task_id": name, "task_display_name": catalog.department_name(name)}
            # With a wrong file only the task of this department fails, and its message names the line.
            with suppress(CatalogError):
                placed["pool"] = catalog.department(name).pool.name
            compare.override(**placed)(name)
    return dag
