"""Settings that several DAGs share: start, owner of the tasks, retries and timeouts."""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import ZhengkuError
from zhengku_airflow.last_lines import end_plainly
from zhengku_airflow.notifier import CityNotifier
from zhengku_airflow.task_failures import settle

FIRST_NIGHT = datetime(2026, 1, 1, tzinfo=CITY_TIME_ZONE)

FINAL_ERRORS = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[
                f"{error.__module__}.{error.__name__}" for error in ZhengkuError.__subclasses__() if error.final
            ],
            action=RetryAction.FAIL,
            reason="another try would fail in the same way; the message says what to fix",
        )
    ]
)
"""Fails a task at once after an error that a retry cannot correct."""

TOLD_ARGS: dict[str, Any] = {
    "on_execute_callback": end_plainly,
    "on_failure_callback": CityNotifier("failure"),
    "on_success_callback": settle,
}
"""Default arguments of every task: its log ends plainly, and people are told of its failure, and that it is over."""

SECTION_TASK_ARGS: dict[str, Any] = {
    **TOLD_ARGS,
    "owner": "big-data-section",
    "retries": 2,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": FINAL_ERRORS,
    "execution_timeout": timedelta(minutes=30),
}
"""Default arguments of the tasks that the big-data section owns; tasks of the departments have others."""
