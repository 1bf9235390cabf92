"""What the pages have of each DAG of Airflow: of a department its runs, of any other where its results are shown."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

LONGEST_ID = 250
"""Characters of an id of Airflow."""


@dataclass(frozen=True)
class Elsewhere:
    """A DAG that is no department: in Chinese what it leaves behind, the tabs that show it, and its runbook."""

    text: str
    tabs: tuple[str, ...] = ()
    runbook: str | None = None


LISTS = Elsewhere("日清清单及其各版本见“日清清单”页面。", runbook="daily-clearance#a-list-is-late")
_SECTION_RUNBOOK = "notices#a-task-of-the-section-failed"
_REVIEW_RUNBOOK = "validation-review#when-something-is-late-or-wrong"

ELSEWHERE: Mapping[str, Elsewhere] = {
    "daily_clearance": LISTS,
    "daily_clearance_cutoff": LISTS,
    "validation_report": Elsewhere("每日报告及其各版本见“验证报告”。", ("report",), _REVIEW_RUNBOOK),
    "held_batches": Elsewhere("等待审批的批次见“待审批次”。", ("batches",), _REVIEW_RUNBOOK),
    "review_requests": Elsewhere("页面上提出的请求及办理结果见“处理请求”。", ("requests",), _REVIEW_RUNBOOK),
    "backfill": Elsewhere("各月进度见“回溯进度”。", ("backfill",), "backfill"),
    "replay": Elsewhere("重走的批次列在运行的页面上。", runbook="replay-and-time-travel"),
    "reconcile": Elsewhere("与来源比对的结果见“比对”。", ("reconciliation",), _SECTION_RUNBOOK),
    "stock": Elsewhere("归集率、临期与过期证照见各自页面。", ("collection", "expiry"), _SECTION_RUNBOOK),
    "retention": Elsewhere("清理了什么、保留了什么见“清理记录”。", ("removals",), "retention"),
    "watch": Elsewhere(
        "巡检发现的异常见“当前异常”，其通知指向出现异常的运行和批次。", ("notices",), "notices#the-watch-does-not-run"
    ),
}
"""By DAG id, what to show of the DAGs that are no department."""

DEPARTMENT_RUNBOOK = "department-dag-is-red"


def runbook_of(dag_id: str, departments: Container[str]) -> str | None:
    """Return the runbook of a DAG as `<name>` or `<name>#<heading>`; None when none is about it."""
    if dag_id in departments:
        return DEPARTMENT_RUNBOOK
    elsewhere = ELSEWHERE.get(dag_id)
    return elsewhere.runbook if elsewhere else None
