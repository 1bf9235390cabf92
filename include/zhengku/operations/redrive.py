"""Redrive (重新处理): after a rule or a mapping was fixed, kept problem records go the whole pipeline again.

The department is not asked. Rows that could be told apart go as they were kept; where some could not, the landed file
is read again, and all else in it is left out. Either is a batch of its own, as old as the delivery that the rows came
with: it overtakes nothing that came since, and the watermark stays.
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
from zhengku.operations.replay import again_run_id, expect_said, record_again
from zhengku.pipeline.pipeline import Pipeline

log = logging.getLogger(__name__)

MOST_NAMED = 20
"""Deliveries that a hint names."""

FIRST_ROW_NO = 2
"""Number of the first row in a file of kept rows: its line."""


def redrive(
    pipeline: Pipeline,
    department: str,
    feed_id: str,
    done_by: str,
    reason: str,
    problem_ids: Sequence[int] | None = None,
) -> list[Batch]:
    """Let the unsolved problem records of a feed (or those that are named) go the whole pipeline; return the batches.

    One that fails does not keep the others from going on: its error is raised in the end, of several the first.
    Raises `ConfigurationError` without a name and a reason, or when there is nothing to redrive, and what the steps of
    the pipeline raise.
    """
    expect_said("redrives", done_by, reason)
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
    run_id = again_run_id("redrive")
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
            log.warning("The problems of batch %d: %s", batch_id, error)
            failures.append(error)
    _tell_replaced(pipeline, values)
    if failures:
        raise failures[0]
    return done


def _tell_replaced(pipeline: Pipeline, values: dict[str, Any]) -> None:
    """Log that older rows of records that are still wrong were not redriven, where there are some.

    Their problems are closed: a newer row of the record came, and was wrong too. Only what came last is redriven.
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
            "the older one is right today, `zhengku replay %s%s` takes its delivery through the pipeline again.",
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
    """Lay the kept rows of a batch into the landing area, and enter them as a batch."""
    kept = connection.execute(
        statement("operations/redrive.unsolved_payloads"), {**values, "batch_id": source.batch_id}
    ).fetchall()
    columns = list(dict.fromkeys(name for _, payload in kept for name in payload))
    rows = [[payload.get(name) for name in columns] for _, payload in kept]
    content = first_line(source.source_name, columns) + row_lines(rows, columns) + last_line(len(rows))
    day = clock.today().isoformat()
    path = f"{source.department}/{source.feed}/{day}/{run_id.rsplit('_', 1)[-1]}-redrive-{source.batch_id}.rows"
    landed = pipeline.landing.put(io.BytesIO(content), path)
    batch = record_again(pipeline, connection, source, landed, run_id, "redrive", done_by, reason)
    with (
        connection.cursor() as cursor,
        cursor.copy("copy quarantine.redriven_row (batch_id, row_no, problem_id) from stdin") as copy,
    ):
        for row_no, (problem_id, _) in enumerate(kept, FIRST_ROW_NO):
            copy.write_row((batch.batch_id, row_no, problem_id))
    _tell(connection, batch, done_by, reason)
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
    """Enter the landed file of a batch as a batch once more."""
    assert source.landing_path is not None
    assert source.sha256 is not None
    landed = Landed(source.landing_path, source.source_bytes, {"sha256": source.sha256})
    form: Literal["redrive", "reread"] = "redrive" if origin == "redrive" else "reread"
    batch = record_again(pipeline, connection, source, landed, run_id, form, done_by, reason)
    connection.execute(
        statement("operations/replay.reread_rows"),
        {**values, "batch_id": batch.batch_id, "redrives_batch_id": source.batch_id},
    )
    _tell(connection, batch, done_by, reason)
    return batch


def _tell(connection: Connection, batch: Batch, done_by: str, reason: str) -> None:
    values = {"batch_id": batch.batch_id, "done_by": done_by, "reason": reason}
    connection.execute(statement("operations/redrive.redriven_events"), values)
