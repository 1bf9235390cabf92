"""The report of a restore (数据库恢复报告) for the sections: which numbers are void, what was done again."""

from pathlib import Path

from zhengku.clock import CITY_TIME_ZONE
from zhengku.operations.restore.finish import FinishedRestore
from zhengku.report.sheets import atomic_write
from zhengku.report.templates import templates

_KINDS = {"list": "日清清单", "night_report": "归集校验日报", "ledger_entry": "问题台账"}
_TABLES = {
    "ledger.batch": "批次",
    "ledger.decision": "暂扣批次的处理决定",
    "ledger.published_file": "报告与清单文件的摘要",
    "quarantine.problem_row": "问题数据",
    "quarantine.problem_event": "问题数据的处理记录",
    "quarantine.problem_return": "退回单",
    "quarantine.hand_over": "退回文件的交接记录",
    "review.request": "页面提交的申请",
    "review.ledger_entry": "问题台账",
    "clearance.reveal": "查看电话号码的记录",
}


def write_restore_report(finished: FinishedRestore, report_folder: Path) -> Path:
    """Write the page of a finished restore below the folder of reports; return its path. Raises `FileNotWritten`."""
    moment = finished.restored_to.astimezone(CITY_TIME_ZONE)
    path = report_folder / "restore" / f"数据库恢复报告_{finished.restore_id}_{moment:%Y-%m-%d_%H%M}.html"
    text = (
        templates()
        .get_template("restore_report.html.j2")
        .render(finished=finished, kinds=_KINDS, tables=_TABLES, list_kinds={"working": "工作时段", "final": "全日"})
    )
    with atomic_write(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return path
