"""The one notifier: it looks at what is out of order, and tells people what they do not know yet.

Wherever Airflow calls it, it does the same: after a failed task, with the question about a held batch, when a list or
report has missed its deadline, and every few minutes from the DAG `watch`. What people were told is in the store, so
that one message tells of all failures of a night, and nothing twice (docs/decisions/0060).
"""

from collections.abc import Sequence
from typing import Any, Literal

from airflow.sdk.bases.notifier import BaseNotifier

# Every DAG file imports this module: what looks and tells is imported when it does so.

Occasion = Literal["watch", "failure", "question", "deadline"]
"""When Airflow calls the notifier."""


class CityNotifier(BaseNotifier):
    """Looks at what an occasion concerns, and tells what is new.

    `failure` only records the task, with its reason: the next run of `watch` tells of all failures together.
    """

    template_fields: Sequence[str] = ()

    def __init__(self, occasion: Occasion, context: Any = None) -> None:
        super().__init__(context)
        self.occasion = occasion

    def notify(self, context: Any) -> None:
        """Do it in a task; raises `NoticeFailed` when a channel did not take its message, and errors of the store."""
        if self.occasion == "failure":
            from zhengku_airflow.task_failures import record_failure

            record_failure(context)
            return
        from zhengku_airflow import look_and_tell

        if self.occasion == "watch":
            look_and_tell.watch()
        else:
            look_and_tell.tell(is_quiet=False)

    async def async_notify(self, context: Any) -> None:
        """Look at what is late, in the triggerer, and tell it: no worker is needed. `context` has the run."""
        from zhengku_airflow import look_and_tell

        await look_and_tell.tell_what_is_late(context["dag_run"])
