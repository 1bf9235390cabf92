"""The DAGs of the daily clearance: publish → rates → workbooks, and notices; see docs/daily-clearance.md.

One is started by loaded data, the other at fixed hours. Both have the same steps, and no list is published twice.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

# The type stub of Airflow 3.3.2 lacks what deadlines need.
from airflow.sdk import (  # type: ignore[attr-defined]
    DAG,
    Asset,
    DeadlineAlert,
    MultipleCronTriggerTimetable,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowSkipException

from zhengku import clock
from zhengku.catalog.clearance_config import SOURCE_DATASETS, ListKind, load_clearance
from zhengku.clearance import list_versions
from zhengku.clock import CITY_TIME_ZONE
from zhengku.settings import Settings
from zhengku_airflow.assets import loaded_asset
from zhengku_airflow.clearance_notices import publication
from zhengku_airflow.defaults import FIRST_NIGHT, SECTION_TASK_ARGS
from zhengku_airflow.late_alert import late_alert
from zhengku_airflow.notices import MAIL_CONNECTION, ROBOT_CONNECTION, connection_or_skip, send_mail, send_to_robot
from zhengku_airflow.section_dags import SECTION_DAGS

if TYPE_CHECKING:
    from zhengku.clearance.publish import DailyClearance

# Day, kind and version of a list, which one task passes to the next.
ListName = tuple[str, ListKind, int]


def by_loaded_data(doc: str | None) -> DAG:
    """Build the DAG that publishes what is due as soon as cases and evaluations were loaded after the cut-off."""
    return _clearance_dag(
        "daily_clearance",
        SECTION_DAGS["daily_clearance"],
        doc,
        schedule=[loaded_asset(dataset) for dataset in SOURCE_DATASETS],
        only_if_fresh=True,
    )


def by_the_clock(doc: str | None) -> DAG:
    """Build the DAG that publishes at fixed hours every list that is due, from the data loaded by then."""
    config = load_clearance(Settings.load().catalog_folder)
    hours = (config.working_latest, config.final_latest)
    return _clearance_dag(
        "daily_clearance_cutoff",
        SECTION_DAGS["daily_clearance_cutoff"],
        doc,
        schedule=MultipleCronTriggerTimetable(
            *(f"{hour.minute} {hour.hour} * * *" for hour in hours), timezone="Asia/Shanghai"
        ),
        only_if_fresh=False,
        deadline=late_alert("清单未按时发布"),
    )


def _clearance_dag(
    dag_id: str,
    title: str,
    doc: str | None,
    *,
    schedule: list[Asset] | MultipleCronTriggerTimetable,
    only_if_fresh: bool,
    deadline: DeadlineAlert | None = None,
) -> DAG:
    @task(task_display_name="发布清单")
    def publish() -> list[ListName]:
        """Publish every list that is due; return the lists and corrections that this run made."""
        return _publish(only_if_fresh=only_if_fresh)

    # Runs also without a new list: newly loaded evaluations change the rates of past days.
    @task(task_display_name="计算评价指标")
    def rates() -> int:
        """Count the rates again for the days whose data changed; return the number of days."""
        from zhengku.clearance.publish import DailyClearance

        return DailyClearance(Settings.load()).refresh_rates()

    @task(task_display_name="生成表格")
    def workbooks(names: list[ListName]) -> list[str]:
        """Write the workbooks of the city and of each district; return their paths."""
        return _write_workbooks(_or_skip(names))

    @task(task_display_name="邮件通知")
    def notify_by_mail(names: list[ListName]) -> int:
        """Send a mail that the lists are published; return the number of addresses."""
        connection = connection_or_skip(MAIL_CONNECTION)
        return send_mail(publication(_or_skip(names)), connection)

    @task(task_display_name="群机器人通知")
    def notify_by_robot(names: list[ListName]) -> None:
        """Send a message that the lists are published by the robot of 企业微信 or 钉钉."""
        connection = connection_or_skip(ROBOT_CONNECTION)
        send_to_robot(publication(_or_skip(names)), connection)

    with DAG(
        dag_id=dag_id,
        dag_display_name=title,
        description="未评办件日清清单：发布、评价指标、表格、通知",
        doc_md=doc,
        schedule=schedule,
        start_date=FIRST_NIGHT,
        catchup=False,
        max_active_runs=1,
        deadline=deadline,
        tags=["日清日结"],
        default_args=SECTION_TASK_ARGS,
    ) as dag:
        names: Any = publish()
        names >> rates() >> workbooks(names)
        # People are notified of a published list even when another step fails.
        notify_by_mail(names)
        notify_by_robot(names)
    return dag


def _publish(*, only_if_fresh: bool) -> list[ListName]:
    from zhengku.clearance.publish import DailyClearance

    context = get_current_context()
    clearance = DailyClearance(Settings.load())
    now = clock.now()
    clearance.publish_due(now, only_if_fresh=only_if_fresh)
    # The notices also name the lists that an earlier try of this run published before it was killed.
    first_try = context["dag_run"].start_date
    since = now if context["ti"].try_number == 1 or first_try is None else first_try
    return _published_since(clearance, since, now)


def _published_since(clearance: "DailyClearance", since: datetime, now: datetime) -> list[ListName]:
    """Return the versions of lists that were published at or after `since`, oldest day first."""
    from zhengku.catalog.clearance_config import DUE_DAYS
    from zhengku.clearance.list_versions import versions_of_day
    from zhengku.database import store_connection

    back = max(DUE_DAYS, clearance.config.correction_days) + 1
    today = now.astimezone(CITY_TIME_ZONE).date()
    with store_connection(clearance.settings.database_url) as connection:
        return [
            (f"{published.day}", published.kind, published.version)
            for day in (today - timedelta(days=number) for number in range(back, -1, -1))
            for published in versions_of_day(connection, day)
            if published.published_at >= since
        ]


def _write_workbooks(names: list[ListName]) -> list[str]:
    from zhengku.catalog import load_catalog
    from zhengku.clearance.delivery import write_workbooks
    from zhengku.database import store_connection

    settings = Settings.load()
    catalog = load_catalog(settings.catalog_folder)
    written: list[str] = []
    for day, kind, version in names:
        with store_connection(settings.database_url) as connection:
            published = list_versions.published_version(connection, datetime.fromisoformat(day).date(), kind, version)
            assert published is not None
            written += map(str, write_workbooks(connection, catalog, published, settings.report_folder))
    return written


def _or_skip(names: list[ListName]) -> list[ListName]:
    if not names:
        raise AirflowSkipException("this run published no list")
    return names
