"""Failed tasks, recorded by themselves: which task, and why, in words for a notice."""

import logging
from collections.abc import Mapping
from typing import Any

from zhengku import clock, errors
from zhengku.database import store_connection
from zhengku.masking import mask_text
from zhengku.settings import Settings
from zhengku.watch import state
from zhengku.watch.state import FailedTask

log = logging.getLogger(__name__)

LONGEST_REASON = 140
"""Characters of a reason in a notice; the log has all of it."""

_CAUSES: Mapping[type[BaseException], str] = {
    errors.FeedsRefused: "来源拒绝",
    errors.FeedsUnavailable: "来源不可用",
    errors.SourceRefused: "来源拒绝",
    errors.DeliveryUnavailable: "来源不可用",
    errors.DeliveryRejected: "交付有误",
    errors.CatalogError: "配置有误",
    errors.ConfigurationError: "配置有误",
    errors.StoreUnavailable: "证照库无法连接",
    errors.StoreError: "证照库拒绝语句",
    errors.LandingUnavailable: "落地区不可用",
    errors.LandingDamaged: "落地文件被改动",
    errors.StorageFull: "磁盘已满",
    errors.FileNotWritten: "文件未能写出",
    errors.FileChanged: "文件被改动",
    errors.BalanceError: "批次不平",
    errors.WorkerKilled: "进程被终止",
    errors.BackfillIncomplete: "回溯未完成",
    errors.BatchesFailed: "有批次须人工处理",
}
"""The Chinese cause of each of our errors; its own message, in English, follows."""


def record_failure(context: Mapping[str, Any]) -> None:
    """Record a task that failed after its last try, from the context of the task; raises what the store raises."""
    task = context["ti"]
    failed = FailedTask(
        dag_id=task.dag_id,
        run_id=task.run_id,
        task_id=task.task_id,
        map_index=_map_index(task),
        label=_label(context),
        reason=reason_of(context.get("exception")),
        failed_at=clock.now(),
    )
    with store_connection(Settings.load().database_url) as connection:
        state.record_failed_task(connection, failed)


def settle(context: Mapping[str, Any]) -> None:
    """Forget the failures of a task that succeeded; called by Airflow after every success, which it must not spoil."""
    task = context["ti"]
    try:
        with store_connection(Settings.load().database_url) as connection:
            state.settle_task(connection, task.dag_id, task.task_id, _map_index(task))
    except errors.ZhengkuError as error:
        log.warning("Whether this task had failed before cannot be looked up, a notice may stay: %s", error)


def reason_of(error: BaseException | str | None) -> str:
    """Return in Chinese why a task failed, with the masked message of our own errors; others may quote a row."""
    if error is None:
        return "原因见日志"
    if isinstance(error, str):
        return _cut(mask_text(error))
    cause = next((words for kind, words in _CAUSES.items() if isinstance(error, kind)), None)
    if cause is None:
        return "超时" if "Timeout" in type(error).__name__ else f"程序异常（{type(error).__name__}）"
    return f"{cause}（{_cut(mask_text(' '.join(str(error).split())))}）"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}……"


def _map_index(task: Any) -> int:
    return -1 if task.map_index is None else int(task.map_index)


def _label(context: Mapping[str, Any]) -> str:
    """Return the name of the task as the grid shows it, with that of its mapped instance."""
    task = context["ti"]
    name = str(getattr(context.get("task"), "task_display_name", None) or task.task_id)
    instance = getattr(task, "rendered_map_index", None)
    if instance:
        return f"{name} {instance}"
    return name if _map_index(task) < 0 else f"{name} {_map_index(task) + 1}"
