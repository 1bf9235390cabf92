"""Replay: process landed deliveries again completely, without the department, under today's mapping and rules.

A replayed batch is as old as its delivery: it replaces nothing that was delivered since, moves no watermark, and is not
counted as a delivery of a night. docs/decisions/0025 has the reasons.
"""

import logging
import uuid
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Literal

from psycopg.rows import class_row

from zhengku import clock, ledger
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError, DeliveryUnavailable, LandingDamaged, ZhengkuError
from zhengku.landed.landing import Landed
from zhengku.ledger import Batch, Connection
from zhengku.pipeline.pipeline import Pipeline

log = logging.getLogger(__name__)


def replayable(
    connection: Connection,
    *,
    batch_ids: Sequence[int] | None = None,
    department: str | None = None,
    feed: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
) -> list[Batch]:
    """Return the batches that can be replayed, the oldest first.

    They are selected by number, or by department, feed and the days (Asia/Shanghai, both included) of their delivery.
    Raises `ConfigurationError` with the reason when a batch that is selected by number cannot be replayed.
    """
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        batches = cursor.execute(
            statement("operations/replay.replayable"),
            {
                "batch_ids": None if batch_ids is None else list(batch_ids),
                "department": department,
                "feed": feed,
                "since": _start_of(first_day) if first_day else None,
                "before": _start_of(last_day + timedelta(days=1)) if last_day else None,
            },
        ).fetchall()
    found = {batch.batch_id for batch in batches}
    for batch_id in batch_ids or ():
        if batch_id not in found:
            raise ConfigurationError(_why_not(ledger.batch_by_id(connection, batch_id)))
    return batches


def replay(
    pipeline: Pipeline, batches: Sequence[Batch], done_by: str, reason: str, run_id: str | None = None
) -> list[Batch]:
    """Process landed deliveries again completely, in the order given; return their new batches.

    If a batch fails, the others are processed all the same: the first error is raised at the end. With the same
    `run_id`, a second call continues what an earlier one has done.
    Raises `ConfigurationError` without a name and a reason, `DeliveryUnavailable` for a file that is gone,
    `RemovedByRetention` for one that was removed because it was too old,
    `LandingDamaged` for a file that was changed since it was landed, and what the steps of the pipeline raise.
    """
    require_name_and_reason("replays", done_by, reason)
    run_id = run_id or new_run_id("replay")
    done: list[Batch] = []
    failures: list[ZhengkuError] = []
    for source in batches:
        try:
            with store_connection(pipeline.settings.database_url) as connection:
                landed = verified_file(pipeline, connection, source)
                batch = record_landed_file(pipeline, connection, source, landed, run_id, "replay", done_by, reason)
                # Connects the rows that were quarantined with their problem records.
                connection.execute(
                    statement("operations/replay.reread_rows"),
                    {
                        "department": source.department,
                        "feed": source.feed,
                        "problem_ids": None,
                        "batch_id": batch.batch_id,
                        "redrives_batch_id": source.batch_id,
                    },
                )
            done.append(pipeline.load(batch.batch_id))
        except ZhengkuError as error:
            log.warning("Batch %d is not replayed: %s", source.batch_id, error)
            failures.append(error)
    if failures:
        raise failures[0]
    return done


def new_run_id(what: Literal["replay", "redrive"]) -> str:
    """Return a new, unique run id for a replay or a redrive, with the present time."""
    return f"{what}__{clock.now().isoformat(timespec='seconds')}__{uuid.uuid4().hex[:6]}"


def require_name_and_reason(does_what: str, done_by: str, reason: str) -> None:
    """Raise `ConfigurationError` unless both are given."""
    if not done_by.strip() or not reason.strip():
        raise ConfigurationError(f"Expected who {does_what} and why, got a blank. Both are recorded: name them.")


def record_landed_file(
    pipeline: Pipeline,
    connection: Connection,
    source: Batch,
    landed: Landed,
    run_id: str,
    origin: Literal["replay", "redrive", "reread"],
    done_by: str,
    reason: str,
) -> Batch:
    """Record a landed file as a new batch, as old as the delivery `source` that it belongs to."""
    feed = pipeline.catalog.feed(source.department, source.feed)
    return ledger.record_batch(
        connection,
        {
            "department": source.department,
            "feed": source.feed,
            "dataset": source.dataset,
            "license_type": source.license_type,
            "run_id": run_id,
            "status": "landed",
            "source_name": f"{source.source_name}（重新处理批次{source.batch_id}）",
            "source_bytes": landed.size,
            "source_modified_at": source.source_modified_at,
            "sha256": landed.digests["sha256"],
            "landing_path": landed.path,
            "landed_at": source.landed_at,
            "manifest": source.manifest if origin == "replay" else None,
            "window_start": None,
            "window_end": None,
            "position_at": None,
            "position_key": [],
            "config_digest": pipeline.config_digest(feed),
            "absent_fields": sorted(feed.absent_fields),
            "rule_id": None,
            "reason": None,
            "detail": None,
            "origin": origin,
            "redrives_batch_id": source.batch_id,
            # Batch rules do not hold it: it is no delivery of a night, and most redriven rows were wrong before.
            "released_by": done_by,
            "release_reason": reason,
        },
    )


def verified_file(pipeline: Pipeline, connection: Connection, source: Batch) -> Landed:
    """Return the landed file of a batch after checking its size and SHA-256 against the ledger."""
    assert source.landing_path is not None
    assert source.sha256 is not None
    ledger.expect_not_removed(connection, source.landing_path)
    # No transaction stays open while the file is read.
    connection.commit()
    if not pipeline.landing.holds(source.landing_path, source.source_bytes):
        raise DeliveryUnavailable(
            f"Batch {source.batch_id}: expected {source.source_bytes} bytes at {source.landing_path} in the landing "
            "area, and they are not there. Restore the file from a backup, or ask the department to deliver it again."
        )
    digest = pipeline.landing.sha256(source.landing_path)
    if digest != source.sha256:
        raise LandingDamaged(
            f"Batch {source.batch_id}: {source.landing_path} in the landing area has the SHA-256 {digest}, and what "
            f"was landed had {source.sha256}: it was changed since. Nothing was loaded. Restore the file from a "
            "backup, or ask the department to deliver it again."
        )
    return Landed(source.landing_path, source.source_bytes, {"sha256": source.sha256})


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), CITY_TIME_ZONE)


def _why_not(batch: Batch) -> str:
    """Return the message of a batch that cannot be replayed."""
    if batch.origin == "reconciliation":
        why = "it holds what a comparison with the source found, and nothing was delivered"
    elif batch.origin not in ("delivery", "backfill"):
        why = f"it is a {batch.origin} of batch {batch.redrives_batch_id}: replay that one"
    elif batch.repeats_batch_id is not None:
        why = f"it has the same file as batch {batch.repeats_batch_id}: replay that one"
    elif batch.status == "held":
        why = "it is held: release it (`zhengku release`), and all steps process it"
    elif batch.status == "rejected" and batch.landing_path is not None:
        why = f"it was given back ({batch.rule_id}): the department has to deliver it anew"
    elif batch.landing_path is None:
        why = "nothing of it was landed"
    else:
        why = f"it is {batch.status} and goes on by itself with the next run of its department"
    return f"Batch {batch.batch_id} cannot be replayed: {why}."
