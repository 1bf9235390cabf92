"""The DAG of a department: its feeds, each along collect → stage → validate → load. Made from the department's file."""

from datetime import datetime, timedelta

from airflow.sdk import (
    DAG,
    Asset,
    AssetAlias,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    TriggerRule,
    get_current_context,
    task,
    task_group,
)

from zhengku.catalog import load_department
from zhengku.road import Road
from zhengku.settings import CITY_TIME_ZONE, Settings

FIRST_NIGHT = datetime(2026, 1, 1, tzinfo=CITY_TIME_ZONE)

# What another try cannot mend: somebody has to look.
FINAL_ERRORS = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[
                f"zhengku.errors.{name}"
                for name in ("ConfigurationError", "CatalogError", "BatchesFailed", "BalanceError")
            ],
            action=RetryAction.FAIL,
            reason="another try would end the same; the message says what to mend",
        )
    ]
)


def loaded_asset(license_type: str) -> Asset:
    """Return the asset that stands for a license type in the store; other DAGs are scheduled by it."""
    return Asset(name=f"license_store.{license_type}", uri=f"zhengku://license_store/{license_type}")


def department_dag(department_id: str, doc: str | None) -> DAG:
    """Build the DAG of one department from its file in the catalogue; reads nothing else.

    Its file's docstring becomes the DAG's documentation. Raises `CatalogError` when the file is wrong: the DAG is then
    an import error in the interface, and the other departments' DAGs are not touched.
    """
    department = load_department(Settings.load().catalog_folder, department_id)
    loaded = AssetAlias(name=f"loaded.{department_id}")
    titles = {feed_id: feed.title for feed_id, feed in department.feeds.items()}

    @task(map_index_template="{{ feed_title }}")
    def collect(feed: str) -> list[int]:
        """Lay what the feed delivered into the landing area."""
        context = get_current_context()
        context["feed_title"] = titles[feed]  # type: ignore[typeddict-unknown-key]
        batches = Road(Settings.load()).collect(department_id, feed, context["run_id"])
        return [batch.batch_id for batch in batches]

    @task(map_index_template="{{ feed_title }}")
    def stage(feed: str, batch_ids: list[int]) -> list[int]:
        """Read the landed files into staging tables, cleaned and typed."""
        get_current_context()["feed_title"] = titles[feed]  # type: ignore[typeddict-unknown-key]
        road = Road(Settings.load())
        return [batch.batch_id for batch in road.each(road.stage, batch_ids)]

    @task(map_index_template="{{ feed_title }}")
    def validate(feed: str, batch_ids: list[int]) -> list[int]:
        """Check the rows against the feed's suites and mark those that fail."""
        get_current_context()["feed_title"] = titles[feed]  # type: ignore[typeddict-unknown-key]
        road = Road(Settings.load())
        return [batch.batch_id for batch in road.each(road.validate, batch_ids)]

    @task(map_index_template="{{ feed_title }}", outlets=[loaded])
    def load(feed: str, batch_ids: list[int]) -> dict[str, int]:
        """Merge the rows into the license store, balanced."""
        context = get_current_context()
        context["feed_title"] = titles[feed]  # type: ignore[typeddict-unknown-key]
        road = Road(Settings.load())
        batches = road.each(road.load, batch_ids)
        totals: dict[str, int] = {}
        for batch in batches:
            for outcome, count in batch.counts().items():
                totals[outcome] = totals.get(outcome, 0) + count
        if any(batch.status == "loaded" for batch in batches):
            asset = loaded_asset(batches[0].license_type)
            context["outlet_events"][loaded].add(asset, extra={"feed": feed, "batches": batch_ids, **totals})
        return totals

    # Also when a feed failed: the others have their report, and this task is red then as well.
    @task(trigger_rule=TriggerRule.ALL_DONE)
    def conclude() -> str:
        """Write the run's report; red when a delivery was rejected or is held, so that somebody looks."""
        return str(Road(Settings.load()).conclude(department_id, get_current_context()["run_id"]))

    @task_group(group_id="feed")
    def road_of(feed: str) -> None:
        load(feed, validate(feed, stage(feed, collect(feed))))

    with DAG(
        dag_id=department_id,
        dag_display_name=f"{department.name}·证照归集",
        description=f"{department.name}：{'、'.join(titles.values())}",
        doc_md=doc,
        schedule=CronTriggerTimetable(department.schedule, timezone="Asia/Shanghai"),
        start_date=FIRST_NIGHT,
        catchup=False,
        max_active_runs=1,
        tags=["证照归集", department.name],
        default_args={
            "owner": department.owner,
            "pool": department.pool.name,
            "retries": department.retries,
            "retry_delay": timedelta(seconds=department.retry_delay_seconds),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=30),
            "retry_policy": FINAL_ERRORS,
            "execution_timeout": timedelta(minutes=department.timeout_minutes),
        },
    ) as dag:
        road_of.expand(feed=list(department.feeds)) >> conclude()
    return dag
