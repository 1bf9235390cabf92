"""What was removed because it was too old."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.frame import Tab, View, store
from zhengku.pages.host import Reviewer
from zhengku.retention.removal import Kind, removals_by_day

TAB = Tab("removals", "清理记录", place=125, right=SEE_PROBLEMS)
router = APIRouter()

KIND_NAMES: Mapping[Kind, str] = {
    "landed": "落地文件",
    "report": "报表与清单文件",
    "return": "退回文件",
    "task_log": "任务日志",
    "rows": "技术明细",
    "airflow": "Airflow 自身的表",
}
ROWS = 500


@router.get("/removals")
def show_removals(request: Request, access: Reviewer) -> Response:
    """Show what was removed, by day, kind and rule."""
    with store(request) as connection:
        found = removals_by_day(connection, ROWS)
    return View(request, access, TAB).page("removals.html.j2", removals=found, kind_names=KIND_NAMES)
