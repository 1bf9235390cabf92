"""Decisions of people about batches: a held one is released, or one that is not loaded is rejected.

Each decision is recorded in `ledger.decision`; a notice for the department is written into the folder of its returns.
"""

from pathlib import Path

from zhengku import ledger
from zhengku.catalog import Catalog
from zhengku.database import store_connection
from zhengku.ledger import Batch, Connection
from zhengku.masking import mask_text
from zhengku.pipeline.pipeline import Pipeline
from zhengku.report.sheets import atomic_write, city_time
from zhengku.settings import Settings
from zhengku.stage.staging import discard

DECISION_NAMES = {"released": "放行入库", "rejected": "整批退回"}


def release(pipeline: Pipeline, batch_id: int, released_by: str, reason: str) -> Batch:
    """Release a held batch, load it, write the department's notice, and return the batch.

    The same decision may be repeated. Raises `NotHeld`, also when another decision was made before;
    `ConfigurationError` without a name and a reason; what the steps of the pipeline raise.
    """
    with store_connection(pipeline.settings.database_url) as connection:
        # Read now: once it is loaded, the batch has no longer the reason why it was held.
        why = ledger.batch_by_id(connection, batch_id).reason
        is_decided = _is_decided(connection, batch_id, "released", released_by, reason)
    # The process of an earlier identical decision may have crashed before the load or before the notice.
    batch = pipeline.load(batch_id) if is_decided else pipeline.release(batch_id, released_by, reason)
    _write_notice(pipeline.settings, pipeline.catalog, batch, why)
    return batch


def reject(settings: Settings, catalog: Catalog, batch_id: int, rejected_by: str, reason: str) -> Batch:
    """Reject a batch that is not loaded, write the department's notice, and return the batch.

    It may be held or unfinished; a step that is processing it is ended. Raises and may be repeated as `release`.
    """
    with store_connection(settings.database_url) as connection:
        batch = ledger.batch_by_id(connection, batch_id)
        if not _is_decided(connection, batch_id, "rejected", rejected_by, reason):
            batch = ledger.reject_unfinished(connection, batch, rejected_by, reason)
            discard(connection, batch_id)
    _write_notice(settings, catalog, batch, batch.reason)
    return batch


def finish(pipeline: Pipeline, batch_id: int) -> Batch:
    """Finish what the last decision about a batch began, in the name of who decided, and return the batch.

    The process that recorded the decision may have crashed before the load or before the notice. A batch that is still
    held, or that nobody decided about, is left as it is. Raises what the steps of the pipeline raise.
    """
    with store_connection(pipeline.settings.database_url) as connection:
        batch = ledger.batch_by_id(connection, batch_id)
        decided = ledger.decisions(connection, batch_id)
    is_closed = batch.status in ("loaded", "rejected") and _notice_path(pipeline.settings, batch).exists()
    if batch.status == "held" or not decided or is_closed:
        return batch
    last = decided[-1]
    if last.decision == "released":
        return release(pipeline, batch_id, last.decided_by, last.reason)
    return reject(pipeline.settings, pipeline.catalog, batch_id, last.decided_by, last.reason)


def _is_decided(connection: Connection, batch_id: int, decision: str, decided_by: str, reason: str) -> bool:
    """Return whether a batch is no longer held and its last decision equals this one."""
    decided = ledger.decisions(connection, batch_id)
    is_held = ledger.batch_by_id(connection, batch_id).status == "held"
    return (
        not is_held
        and bool(decided)
        and (decided[-1].decision, decided[-1].decided_by, decided[-1].reason) == (decision, decided_by, reason)
    )


def _write_notice(settings: Settings, catalog: Catalog, batch: Batch, why: str | None) -> None:
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
    with atomic_write(_notice_path(settings, batch)) as aside:
        aside.write_text("\r\n".join(map(mask_text, lines)) + "\r\n", encoding="utf-8-sig")


def _notice_path(settings: Settings, batch: Batch) -> Path:
    return settings.return_folder / batch.department / f"批次处理通知_{batch.batch_id}.txt"
