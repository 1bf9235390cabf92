"""What a person decides about a batch: a held one goes on after all, or one that is not loaded is given back. The
department is told.

Either stands in `ledger.decision`; the department's notice lies beside its returns.
"""

from zhengku import ledger
from zhengku.catalog import Catalog
from zhengku.database import store_connection
from zhengku.ledger import Batch, Connection
from zhengku.pipeline.pipeline import Pipeline
from zhengku.report.sheets import atomic_write, city_time
from zhengku.settings import Settings
from zhengku.stage.staging import discard

DECISION_NAMES = {"released": "放行入库", "rejected": "整批退回"}


def release(pipeline: Pipeline, batch_id: int, released_by: str, reason: str) -> Batch:
    """Let a held batch go on, tell the department, and return the batch; decided once more it is the same decision.

    Raises `NotHeld`, also when somebody decided otherwise; `ConfigurationError` without a name and a reason; what the
    steps of the pipeline raise.
    """
    with store_connection(pipeline.settings.database_url) as connection:
        # Once it is loaded, the batch does not tell any more why it was held.
        why = ledger.batch_by_id(connection, batch_id).reason
        is_decided = _is_decided(connection, batch_id, "released", released_by, reason)
    # Whoever decided it before may have died before it was loaded, or before the department was told.
    batch = pipeline.load(batch_id) if is_decided else pipeline.release(batch_id, released_by, reason)
    _tell(pipeline.settings, pipeline.catalog, batch, why)
    return batch


def reject(settings: Settings, catalog: Catalog, batch_id: int, rejected_by: str, reason: str) -> Batch:
    """Close a batch that is not loaded as rejected, tell the department, and return it.

    It may be held, or not have come to its end: a step that works on it is ended. Raises and repeats as `release`.
    """
    with store_connection(settings.database_url) as connection:
        batch = ledger.batch_by_id(connection, batch_id)
        if not _is_decided(connection, batch_id, "rejected", rejected_by, reason):
            batch = ledger.reject_unfinished(connection, batch, rejected_by, reason)
            discard(connection, batch_id)
    _tell(settings, catalog, batch, batch.reason)
    return batch


def _is_decided(connection: Connection, batch_id: int, decision: str, decided_by: str, reason: str) -> bool:
    """Tell whether the last decision about a batch that is not held any more is this very one."""
    decided = ledger.decisions(connection, batch_id)
    is_held = ledger.batch_by_id(connection, batch_id).status == "held"
    return (
        not is_held
        and bool(decided)
        and (decided[-1].decision, decided[-1].decided_by, decided[-1].reason) == (decision, decided_by, reason)
    )


def _tell(settings: Settings, catalog: Catalog, batch: Batch, why: str | None) -> None:
    """Write the notice of the last decision about a batch into the department's folder."""
    with store_connection(settings.database_url) as connection:
        decided = ledger.decisions(connection, batch.batch_id)[-1]
    feed = catalog.feed(batch.department, batch.feed)
    lines = [
        f"{catalog.department(batch.department).name}：",
        "",
        f"贵单位提供的“{feed.title}”（{batch.source_name}）曾因下列原因暂缓入库：",
        f"    {why or '整批数据未通过校验'}",
        "",
        f"处理结果：{DECISION_NAMES[decided.decision]}",
        f"处理意见：{decided.reason}",
        f"处理时间：{city_time(decided.decided_at)}",
        f"批次编号：{batch.batch_id}",
        "",
        "请核对后重新提供。"
        if decided.decision == "rejected"
        else "其中未通过逐行校验的数据另行退回，请留意问题数据退回单。",
    ]
    path = settings.return_folder / batch.department / f"批次处理通知_{batch.batch_id}.txt"
    with atomic_write(path) as aside:
        aside.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig")
