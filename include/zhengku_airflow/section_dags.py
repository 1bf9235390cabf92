"""The DAGs that the big-data section owns and that run by a schedule, with their Chinese titles."""

from collections.abc import Mapping

SECTION_DAGS: Mapping[str, str] = {
    "backfill": "证照回溯·按月",
    "daily_clearance": "日清清单·入库后发布",
    "daily_clearance_cutoff": "日清清单·定时发布",
    "held_batches": "归集校验·暂扣批次审批",
    "reconcile": "比对·来源与证照库",
    "retention": "清理·保存期限",
    "review_requests": "归集校验·处理请求",
    "stock": "存量·归集率与到期",
    "validation_report": "归集校验·每日报告",
    "watch": "巡检·异常通知",
}
"""Title by DAG id. Beside them run the DAGs of the departments, whose ids are those of the catalogue."""
