"""Redrive (重新处理): after a rule or a mapping was fixed, process the rows of unsolved problem records again.

The department need not deliver them again. Rows that were read as records are processed as they are stored in the
quarantine. Where a delivery has rows that could not be read, its landed file is read again (reread), and only the rows
of unsolved problem records are processed. Both are batches of their own, as old as the delivery: they replace nothing
that was delivered since, and do not move the watermark.
"""

import io
import logging
from collections.abc import Sequence
from typing import Any, Literal

from zhengku import clock, ledger
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError, ZhengkuError
from zhengku.landed.landing import Landed
from zhengku.landed.row_file import first_line, last_line, row_lines
from zhengku.ledger import Batch, Connection
from zhengku.operations.replay import new_run_id, record_landed_file, require_name_and_reason
from zhengku.pipeline.pipeline import Pipeline

log = logging.getLogger(__name__)

MOST_NAMED = 20
"""Deliveries that the log names."""

FIRST_ROW_NO = 2
"""Number of the first row in a file of stored rows: its line."""


def redrive(
    pipeline: Pipeline,
    department: str,
    feed_id: str,
    done_by: str,
    reason: str,
    problem_ids: Sequence[int] | None = None,
) -> list[Batch]:
    """Process the unsolved problem records of a feed (all, or `problem_ids`) again; return the new batches.

    If a batch fails, the others are processed all the same: the first error is raised at the end.
    Raises `ConfigurationError` without a name and a reason, or when there is nothing to redrive, and what the steps of
    the pipeline raise.
    """
    require_name_and_reason("redrives", done_by, reason)
    feed = pipeline.catalog.feed(department, feed_id)
    values: dict[str, Any] = {
        "department": department,
        "feed": feed_id,
        "problem_ids": None if problem_ids is None else list(problem_ids),
    }
    with store_connection(pipeline.settings.database_url) as connection:
        sources = connection.execute(statement("operations/redrive.unsolved_batches"), values).fetchall()
    if not sources:
        raise ConfigurationError(
            f"{feed.name} has no unsolved problem records to redrive. `zhengku problems list` shows what there is."
        )
    run_id = new_run_id("redrive")
    done: list[Batch] = []
    failures: list[ZhengkuError] = []
    for batch_id, origin, _, unreadable in sources:
        try:
            with store_connection(pipeline.settings.database_url) as connection:
                source = ledger.batch_by_id(connection, batch_id)
                batch = (
                    _reread(pipeline, connection, source, run_id, origin, done_by, reason, values)
                    if unreadable
                    else _redrive(pipeline, connection, source, run_id, done_by, reason, values)
                )
            done.append(pipeline.load(batch.batch_id))
        except ZhengkuError as error:
            log.warning("The problem records of batch %d are not redriven: %s", batch_id, error)
            failures.append(error)
    _log_replaced(pipeline, values)
    if failures:
        raise failures[0]
    return done


def _log_replaced(pipeline: Pipeline, values: dict[str, Any]) -> None:
    """Log how many older wrong rows were not redriven, if any, since a newer wrong row of the record replaced them.

    Their problem records are closed, and only the newest row of a record is redriven.
    """
    with store_connection(pipeline.settings.database_url) as connection:
        row = connection.execute(statement("operations/redrive.replaced_batches"), values).fetchone()
    assert row is not None
    number, batches = row
    if number:
        named = " ".join(f"--batch {batch_id}" for batch_id in batches[:MOST_NAMED])
        more = f" (and {len(batches) - MOST_NAMED} more)" if len(batches) > MOST_NAMED else ""
        log.warning(
            "%d older rows of records that are still wrong were not redriven: a newer wrong row replaced each. Where "
            "the older one is right today, `zhengku replay %s%s` processes its delivery again.",
            number,
            named,
            more,
        )


def _redrive(
    pipeline: Pipeline,
    connection: Connection,
    source: Batch,
    run_id: str,
    done_by: str,
    reason: str,
    values: dict[str, Any],
) -> Batch:
    """Write the stored rows of a batch to the landing area, and record them as a batch."""
    stored = connection.execute(
        statement("operations/redrive.unsolved_payloads"), {**values, "batch_id": source.batch_id}
    ).fetchall()
    columns = list(dict.fromkeys(name for _, payload in stored for name in payload))
    rows = [[payload.get(name) for name in columns] for _, payload in stored]
    content = first_line(source.source_name, columns) + row_lines(rows, columns) + last_line(len(rows))
    day = clock.today().isoformat()
    path = f"{source.department}/{source.feed}/{day}/{run_id.rsplit('_', 1)[-1]}-redrive-{source.batch_id}.rows"
    landed = pipeline.landing.put(io.BytesIO(content), path)
    batch = record_landed_file(pipeline, connection, source, landed, run_id, "redrive", done_by, reason)
    with (
        connection.cursor() as cursor,
        cursor.copy("copy quarantine.redriven_row (batch_id, row_no, problem_id) from stdin") as copy,
    ):
        for row_no, (problem_id, _) in enumerate(stored, FIRST_ROW_NO):
            copy.write_row((batch.batch_id, row_no, problem_id))
    _record_events(connection, batch, done_by, reason)
    return batch


def _reread(
    pipeline: Pipeline,
    connection: Connection,
    source: Batch,
    run_id: str,
    origin: str,
    done_by: str,
    reason: str,
    values: dict[str, Any],
) -> Batch:
    """Record the landed file of a batch as a new batch that processes only rows of unsolved problem records."""
    assert source.landing_path is not None
    assert source.sha256 is not None
    landed = Landed(source.landing_path, source.source_bytes, {"sha256": source.sha256})
    form: Literal["redrive", "reread"] = "redrive" if origin == "redrive" else "reread"
    batch = record_landed_file(pipeline, connection, source, landed, run_id, form, done_by, reason)
    connection.execute(
        statement("operations/replay.reread_rows"),
        {**values, "batch_id": batch.batch_id, "redrives_batch_id": source.batch_id},
    )
    _record_events(connection, batch, done_by, reason)
    return batch


def _record_events(connection: Connection, batch: Batch, done_by: str, reason: str) -> None:
    """Record in the problem records that they are redriven, by whom and why."""
    values = {"batch_id": batch.batch_id, "done_by": done_by, "reason": reason}
    connection.execute(statement("operations/redrive.redriven_events"), values)
