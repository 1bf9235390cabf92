"""What tasks of Airflow do, called as Airflow calls it, without one that runs."""

from typing import Any


def call(dags: Any, dag_id: str, task_id: str, *arguments: Any, **context: Any) -> Any:
    """Call what a task does, as Airflow does, with as much of its context as it asks for."""
    from airflow.sdk.definitions._internal.contextmanager import _CURRENT_CONTEXT

    _CURRENT_CONTEXT.append(context)
    try:
        return dags[dag_id].get_task(task_id).python_callable(*arguments)
    finally:
        _CURRENT_CONTEXT.pop()


def skipped() -> Any:
    from airflow.sdk.exceptions import AirflowSkipException

    return AirflowSkipException
