"""Airflow's alert for a run whose list or report is late; the triggerer sends it, so no worker is needed."""

from datetime import timedelta

# The type stub of Airflow 3.3.2 lacks what deadlines need.
from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference  # type: ignore[attr-defined]

from zhengku.catalog.notices_config import load_notices
from zhengku.settings import Settings
from zhengku_airflow.notifier import CityNotifier


def late_alert(name: str) -> DeadlineAlert:
    """Return the alert of a DAG that publishes at a fixed hour; `name` is what Airflow shows of a missed deadline.

    Its callback runs in the triggerer: one that Airflow 3.3 runs by its executor cannot read connections from the
    database (https://github.com/apache/airflow/pull/66141).
    """
    minutes = load_notices(Settings.load().catalog_folder).late_after_minutes
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=timedelta(minutes=minutes),
        callback=AsyncCallback(CityNotifier, kwargs={"occasion": "deadline"}),
        name=name,
    )
