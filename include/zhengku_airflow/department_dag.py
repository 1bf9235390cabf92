"""The DAG of a department: for each of its systems collect, then stage → validate → load its batches; then the report.

It is built, and documented, from the department's file. Why it has two steps and not four, and goes by system and not
by feed: docs/decisions/0010 and 0063.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import (
    DAG,
    AssetAlias,
    CronTriggerTimetable,
    Param,
    TriggerRule,
    get_current_context,
    task,
    task_group,
)
from airflow.sdk.exceptions import AirflowSkipException

from zhengku.catalog import load_department
from zhengku.catalog.department import Department
from zhengku.collect.window import interval_of
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings
from zhengku.transports.window import Watermark
from zhengku_airflow.assets import loaded_alias, loaded_asset
from zhengku_airflow.defaults import FINAL_ERRORS, FIRST_NIGHT, TOLD_ARGS
from zhengku_airflow.department_doc import department_doc, department_work

_INTERVAL_HELP = "只在补采某一时段时填写，如 2024-01-31 或 2024-01-31T18:00；水位不动。"


def department_dag(department_id: str) -> DAG:
    """Build the DAG of one department from its file in the catalogue; reads nothing else.

    Raises `CatalogError` when the file is wrong: the interface then shows an import error of this DAG, and the DAGs of
    the other departments work.
    """
    department = load_department(Settings.load().catalog_folder, department_id)
    work = department_work(department)
    loaded = loaded_alias(department_id)
    with_watermark = {feed_id for feed_id, feed in department.feeds.items() if isinstance(feed.window, Watermark)}
    subjects = sorted({feed.license_type or feed.dataset for feed in department.feeds.values()})
    titles = {feed_id: feed.title for feed_id, feed in department.feeds.items()}

    def name_instance(feeds: list[str]) -> None:
        """Name the running instance of a mapped task by its feeds."""
        get_current_context()["feed_titles"] = "、".join(titles[feed] for feed in feeds)  # type: ignore[typeddict-unknown-key]

    @task(task_display_name="采集", map_index_template="{{ feed_titles }}")
    def collect(feeds: list[str]) -> list[int]:
        """Write what the feeds of one system delivered to the landing area; return the numbers of the batches."""
        context = get_current_context()
        name_instance(feeds)
        interval = interval_of(context["params"]["since"], context["params"]["until"])
        chosen = [feed for feed in feeds if feed in with_watermark] if interval else feeds
        if not chosen:
            raise AirflowSkipException("the run is for an interval, and no feed of this system has a watermark")
        batches = Pipeline(Settings.load()).collect_feeds(department_id, chosen, context["run_id"], interval=interval)
        return [batch.batch_id for batch in batches]

    # Runs also when the system could not be read: what came from it before, or in this run, is loaded.
    @task(
        task_display_name="校验入库",
        map_index_template="{{ feed_titles }}",
        trigger_rule=TriggerRule.ALL_DONE,
        outlets=[loaded],
    )
    def load(feeds: list[str]) -> dict[str, dict[str, int]]:
        """Stage, validate and load what the feeds of one system delivered; return the counts of each data set."""
        name_instance(feeds)
        return _load(department_id, feeds, loaded)

    # A system that is away is tried again for an hour: what came from the others does not wait for it.
    @task_group(
        group_id="system", group_display_name="来源系统", prefix_group_id=False, tooltip="逐个来源系统采集、校验、入库"
    )
    def system(feeds: list[str]) -> None:
        collect(feeds) >> load(feeds)

    # An asset that only an alias names would be known after its first load, and then without its group.
    @task(
        task_display_name="结论与报告",
        trigger_rule=TriggerRule.ALL_DONE,
        inlets=[loaded_asset(subject) for subject in subjects],
    )
    def conclude() -> str:
        """Write the run's report; fail when a delivery was rejected, is held or is missing, so that a person looks."""
        context = get_current_context()
        interval = interval_of(context["params"]["since"], context["params"]["until"])
        feeds = sorted(with_watermark) if interval else None
        return str(Pipeline(Settings.load()).conclude(department_id, context["run_id"], feeds))

    with DAG(
        dag_id=department_id,
        dag_display_name=f"{department.name}·{work}",
        description=f"{department.name}：{'、'.join(titles.values())}",
        doc_md=department_doc(department),
        schedule=CronTriggerTimetable(department.schedule, timezone="Asia/Shanghai"),
        start_date=FIRST_NIGHT,
        catchup=False,
        max_active_runs=1,
        tags=[work, department.name],
        params={
            "since": Param(None, type=["null", "string"], title="起", description=_INTERVAL_HELP),
            "until": Param(None, type=["null", "string"], title="止", description=_INTERVAL_HELP),
        },
        default_args=_task_args(department),
    ) as dag:
        system.expand(feeds=list(department.systems.values())) >> conclude()
    return dag


def _task_args(department: Department) -> dict[str, Any]:
    return {
        **TOLD_ARGS,
        "owner": department.owner,
        "pool": department.pool.name,
        "retries": department.retries,
        "retry_delay": timedelta(seconds=department.retry_delay_seconds),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=30),
        "retry_policy": FINAL_ERRORS,
        "execution_timeout": timedelta(minutes=department.timeout_minutes),
    }


def _load(department_id: str, feeds: list[str], loaded: AssetAlias) -> dict[str, dict[str, int]]:
    """Load the run's batches of some feeds and update the assets; return data set or license type → outcome → rows."""
    context = get_current_context()
    instance = context["ti"]
    batches = Pipeline(Settings.load()).load_run(
        department_id, context["run_id"], feeds, last_try=instance.try_number > instance.max_tries
    )
    totals: dict[str, dict[str, int]] = {}
    for batch in batches:
        if batch.status == "loaded":
            counted = totals.setdefault(batch.subject, dict.fromkeys(batch.counts(), 0))
            for outcome, count in batch.counts().items():
                counted[outcome] += count
    for subject, counted in totals.items():
        context["outlet_events"][loaded].add(loaded_asset(subject), extra=dict(counted))
    return totals
