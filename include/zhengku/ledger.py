"""The batch ledger (批次台账): which deliveries were received, their outcome, and a balance of their rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from zhengku.database import statement
from zhengku.errors import ConfigurationError, RecordNotFound, RemovedByRetention
from zhengku.transports.source import Position, UntakenFile

OUTCOMES = ("inserted", "updated", "unchanged", "deleted", "superseded", "duplicate", "quarantined", "held")
"""The outcomes of a fetched row; their counts add up to `fetched` for every finished batch."""

FINISHED = ("loaded", "held", "rejected")
"""States of a batch that no step processes any more."""

GIVEN_BACK = "file.given_back"
"""The rule of a batch that a person rejected before it was loaded."""

STEP_CRASHED = "file.step_died"
"""The rule of a batch one of whose steps crashed `MAX_STEP_CRASHES` times."""

MAX_STEP_CRASHES = 3
"""How often a step may crash on one batch before the batch is rejected."""


@dataclass(frozen=True)
class Batch:
    """One delivery of one feed; counts are rows. Times have a zone."""

    batch_id: int
    department: str
    feed: str
    dataset: str
    license_type: str | None
    run_id: str
    taken_up_by: str | None
    status: str
    source_name: str
    source_bytes: int
    source_modified_at: datetime
    sha256: str | None
    landing_path: str | None
    landed_at: datetime
    manifest: dict[str, Any] | None
    window_start: datetime | None
    window_end: datetime | None
    position_at: datetime | None
    position_key: list[str]
    config_digest: str
    repeats_batch_id: int | None
    absent_fields: list[str]
    unknown_columns: list[str]
    blank_lines: int
    footers: int
    notes: list[str]
    fetched: int | None
    staged: int | None
    inserted: int
    updated: int
    unchanged: int
    deleted: int
    superseded: int
    duplicate: int
    quarantined: int
    held: int
    disappeared: int
    compared: str | None
    rule_id: str | None
    reason: str | None
    detail: str | None
    released_by: str | None
    release_reason: str | None
    recorded_at: datetime
    origin: Literal["delivery", "backfill", "replay", "redrive", "reread", "reconciliation"]
    redrives_batch_id: int | None
    columns: list[str]
    warned: int
    recognised: int
    recognised_after: int | None
    backfill_month: date | None
    staged_at: datetime | None
    validated_at: datetime | None
    finished_at: datetime | None
    sheets: list[dict[str, Any]] | None
    begun_step: Literal["stage", "validate", "load"] | None
    step_deaths: int

    @property
    def subject(self) -> str:
        """The license type of certificates, the data set of other rows."""
        return self.license_type or self.dataset

    @property
    def finished(self) -> bool:
        """Whether no step processes the batch any more."""
        return self.status in FINISHED

    @property
    def written(self) -> int:
        """Number of rows that were inserted, updated or deleted in the store."""
        return self.inserted + self.updated + self.deleted

    def counts(self) -> dict[str, int]:
        """Return the balance: `fetched` and how many of those rows had each outcome."""
        return {"fetched": self.fetched or 0, **{outcome: getattr(self, outcome) for outcome in OUTCOMES}}


@dataclass(frozen=True)
class RuleResult:
    """How many rows of a batch failed a rule; `skipped` when the feed does not have the field that the rule checks."""

    rule_id: str
    severity: str
    failed_rows: int
    skipped: bool


Connection = psycopg.Connection[Any]


WARNED_ROWS = 100
"""How many rows with a warning the ledger stores for each rule and batch."""


def record_batch(connection: Connection, values: Mapping[str, Any]) -> Batch:
    """Record a delivery once per run: a task that runs again gets the batch that it recorded before.

    Raises `RemovedByRetention` when its landed file was removed because it was too old.
    """
    row = {
        "origin": "delivery",
        **dict.fromkeys(("redrives_batch_id", "released_by", "release_reason", "backfill_month")),
        **values,
    }
    row["manifest"] = Jsonb(row["manifest"]) if row.get("manifest") is not None else None
    # Until the end of the transaction the retention removes no landed file.
    connection.execute(statement("ledger/batches.keep_landed"))
    if row["landing_path"] is not None:
        expect_not_removed(connection, row["landing_path"])
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        batch = cursor.execute(statement("ledger/batches.record_batch"), row).fetchone()
    assert batch is not None
    return batch


def expect_not_removed(connection: Connection, landing_path: str) -> None:
    """Raise `RemovedByRetention` if a landed file was removed, or is to be, because it was too old."""
    row = connection.execute(statement("ledger/batches.landed_removal"), {"name": landing_path}).fetchone()
    if row is not None:
        removal_id, rule, day = row
        raise RemovedByRetention(
            f"The landed file {landing_path} was removed on {day} because it was too old ({rule} of "
            f"include/catalog/retention.yaml; removal {removal_id}). It is not lost: what was loaded of it is in the "
            "store. To process it again, ask the department to deliver it again."
        )


def batch_by_id(connection: Connection, batch_id: int) -> Batch:
    """Return a batch. Raises `RecordNotFound` when there is none of that number."""
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        batch = cursor.execute(statement("ledger/batches.batch_by_id"), {"batch_id": batch_id}).fetchone()
    if batch is None:
        raise RecordNotFound(f"There is no batch {batch_id}. `zhengku batches` lists them.")
    return batch


def batches(
    connection: Connection,
    *,
    department: str | None = None,
    feed: str | None = None,
    run_id: str | None = None,
    status: str | None = None,
    limit: int = 50,
) -> list[Batch]:
    """List at most `limit` batches, the newest first; each other argument is a filter."""
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        cursor.execute(
            statement("ledger/batches.batches"),
            {"department": department, "feed": feed, "run_id": run_id, "status": status, "limit": limit},
        )
        return cursor.fetchall()


DeliveryIdentity = tuple[str, int, datetime]
"""Identifies a delivery before it is read: name, bytes, time of its last change."""


@dataclass(frozen=True)
class SeenDelivery:
    """The newest batch of a delivery that was collected before; `rule_id` is the rule that rejected it.

    `config_digest` is that of the configuration with which it was read.
    """

    status: str
    finished_at: datetime | None
    config_digest: str
    rule_id: str | None


def has_older_unfinished(connection: Connection, batch: Batch) -> bool:
    """Return whether an older delivery of the same feed may still be loaded."""
    found = connection.execute(
        statement("ledger/batches.has_older_unfinished"),
        {
            "department": batch.department,
            "feed": batch.feed,
            "batch_id": batch.batch_id,
            "landed_at": batch.landed_at,
        },
    ).fetchone()
    return found is not None and bool(found[0])


def unstage(connection: Connection, batch_id: int) -> None:
    """Let a batch be staged again from its landed file."""
    connection.execute(statement("ledger/batches.unstage_batch"), {"batch_id": batch_id})


def seen_deliveries(connection: Connection, department: str, feed: str) -> dict[DeliveryIdentity, SeenDelivery]:
    """Return the deliveries of a feed that have a batch, with their newest batch."""
    rows = connection.execute(
        statement("ledger/batches.seen_before"), {"department": department, "feed": feed}
    ).fetchall()
    return {(name, size, modified_at): SeenDelivery(*state) for name, size, modified_at, *state in rows}


def watermark(connection: Connection, department: str, feed: str) -> Position | None:
    """Return the watermark of a feed: how far its loaded batches read; None when none of them advanced it yet."""
    row = connection.execute(statement("ledger/batches.watermark"), {"department": department, "feed": feed}).fetchone()
    return Position(row[0], tuple(row[1])) if row else None


def take_up_unfinished(connection: Connection, department: str, feed: str, run_id: str) -> None:
    """Assign the unfinished batches of earlier runs of the feed to this run as well."""
    connection.execute(
        statement("ledger/batches.take_up_unfinished"), {"department": department, "feed": feed, "run_id": run_id}
    )


def first_delivered(connection: Connection, department: str, feed: str, sha256: str) -> datetime | None:
    """Return when a file with this digest was first received; None when none was loaded."""
    row = connection.execute(
        statement("ledger/batches.first_delivered"), {"department": department, "feed": feed, "sha256": sha256}
    ).fetchone()
    return row[0] if row else None


@dataclass(frozen=True)
class Untaken:
    """A file in a file drop that no feed takes; `name` is its path below the address. Times have a zone."""

    connection: str
    name: str
    source_bytes: int
    source_modified_at: datetime
    department: str
    reason: str
    first_run_id: str
    first_seen_at: datetime


def record_untaken(
    connection: Connection, department: str, run_id: str, connection_id: str, files: Sequence[UntakenFile]
) -> list[Untaken]:
    """Record the files in a file drop that no feed takes; return those that were not recorded before.

    Recorded files that are not among `files` are marked as gone from the file drop.
    """
    values = {
        "connection": connection_id,
        "department": department,
        "run_id": run_id,
        "names": [file.name for file in files],
        "sizes": [file.size for file in files],
        "times": [file.modified_at for file in files],
        "reasons": [file.reason for file in files],
    }
    connection.execute(statement("ledger/untaken_files.untaken_gone"), values)
    with connection.cursor(row_factory=class_row(Untaken)) as cursor:
        return cursor.execute(statement("ledger/untaken_files.record_untaken"), values).fetchall()


def untaken(connection: Connection, *, department: str | None = None, run_id: str | None = None) -> list[Untaken]:
    """List the files that no feed takes: those that a run found first, or all that are in the file drops now."""
    with connection.cursor(row_factory=class_row(Untaken)) as cursor:
        cursor.execute(statement("ledger/untaken_files.untaken_files"), {"department": department, "run_id": run_id})
        return cursor.fetchall()


def reject(connection: Connection, batch_id: int, rule_id: str, reason: str, detail: str) -> Batch:
    """Close a batch as rejected: none of its rows is loaded."""
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        batch = cursor.execute(
            statement("ledger/decisions.reject_batch"),
            {"batch_id": batch_id, "rule_id": rule_id, "reason": reason, "detail": detail},
        ).fetchone()
    assert batch is not None
    return batch


def begin_step(connection: Connection, batch_id: int, step: str) -> int:
    """Record the start of a step of a batch; return how often it crashed before. The caller holds the batch's lock."""
    row = connection.execute(statement("ledger/batches.begin_step"), {"batch_id": batch_id, "step": step}).fetchone()
    assert row is not None
    crashes: int = row[0]
    return crashes


def end_step(connection: Connection, batch_id: int, *, done: bool) -> None:
    """Record the end of the step that was started: `done`, or failed with an error that was reported."""
    connection.execute(statement("ledger/batches.end_step"), {"batch_id": batch_id, "done": done})


def release(connection: Connection, batch: Batch, released_by: str, reason: str) -> None:
    """Release a held batch, so that it is loaded. Raises `NotHeld`; `ConfigurationError` without a name or a reason."""
    _require_name_and_reason(released_by, reason)
    released = connection.execute(
        statement("ledger/decisions.release_batch"),
        {"batch_id": batch.batch_id, "released_by": released_by, "reason": reason},
    )
    if not released.rowcount:
        raise _not_held(batch)
    _record_decision(connection, batch.batch_id, "released", released_by, reason)


def reject_unfinished(connection: Connection, batch: Batch, rejected_by: str, reason: str) -> Batch:
    """Close a batch as rejected that is held, or that no step has finished.

    A step that processes it now is ended and rolled back. Raises `NotHeld` for a batch that is loaded or rejected;
    `ConfigurationError` without a name or a reason.
    """
    _require_name_and_reason(rejected_by, reason)
    if batch.status in ("loaded", "rejected"):
        raise _not_held(batch)
    connection.execute(statement("ledger/batches.end_worker"), {"batch_id": batch.batch_id})
    # Another step may have waited for the lock of the one that was ended.
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended('zhengku.batch.' || %(id)s, 0))", {"id": batch.batch_id}
    )
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        rejected = cursor.execute(
            statement("ledger/decisions.reject_unfinished_batch"),
            {
                "batch_id": batch.batch_id,
                "rule_id": GIVEN_BACK,
                "reason": f"处理完成前由工作人员退回：{reason}",
                "detail": f"{batch.source_name}: given back by {rejected_by} when it was {batch.status}",
            },
        ).fetchone()
    if rejected is None:
        raise _not_held(batch_by_id(connection, batch.batch_id))
    _record_decision(connection, batch.batch_id, "rejected", rejected_by, reason)
    return rejected


def next_version(connection: Connection, kind: Literal["list", "night_report"], scope: str, newest: int) -> int:
    """Return the number of the version after `newest`; after a restore, those that may have been given are passed over.

    `scope` names what has the versions: `<day> <kind>` of a list, the night of a report.
    """
    values = {"kind": kind, "scope": scope}
    row = connection.execute(statement("ledger/restores.highest_given"), values).fetchone()
    assert row is not None
    return max(newest, int(row[0])) + 1


@dataclass(frozen=True)
class Decision:
    """The decision of a person about a held or unfinished batch."""

    decision: Literal["released", "rejected"]
    decided_by: str
    reason: str
    decided_at: datetime


def decisions(connection: Connection, batch_id: int) -> list[Decision]:
    """Return the decisions about a batch, the oldest first."""
    with connection.cursor(row_factory=class_row(Decision)) as cursor:
        return cursor.execute(statement("ledger/decisions.decisions"), {"batch_id": batch_id}).fetchall()


def _record_decision(connection: Connection, batch_id: int, decision: str, decided_by: str, reason: str) -> None:
    values = {"batch_id": batch_id, "decision": decision, "decided_by": decided_by, "reason": reason}
    connection.execute(statement("ledger/decisions.record_decision"), values)


class NotHeld(ConfigurationError):
    """A decision about a batch that is not held: there is nothing to decide."""


def _not_held(batch: Batch) -> NotHeld:
    return NotHeld(
        f"Batch {batch.batch_id} is {batch.status}, not held: there is nothing to decide. "
        "`zhengku batches --status held` lists those that are; one that is landed, staged or validated can be rejected."
    )


def _require_name_and_reason(decided_by: str, reason: str) -> None:
    if not decided_by.strip() or not reason.strip():
        raise ConfigurationError(
            "Expected who decides and why, got a blank. Give both: the ledger records them with the decision."
        )


def record_rule_results(connection: Connection, batch_id: int, results: Sequence[RuleResult]) -> None:
    """Replace the rule results of a batch."""
    connection.execute(statement("ledger/rule_results.forget_rule_results"), {"batch_id": batch_id})
    with connection.cursor() as cursor:
        cursor.executemany(
            statement("ledger/rule_results.record_rule_result"),
            [
                {
                    "batch_id": batch_id,
                    "rule_id": result.rule_id,
                    "severity": result.severity,
                    "failed_rows": result.failed_rows,
                    "skipped": result.skipped,
                }
                for result in results
            ],
        )


def rule_results(connection: Connection, batch_id: int) -> list[RuleResult]:
    """Return the rule results of a batch, those with most failed rows first."""
    with connection.cursor(row_factory=class_row(RuleResult)) as cursor:
        cursor.execute(statement("ledger/rule_results.rule_results"), {"batch_id": batch_id})
        return cursor.fetchall()


def problem_rows(connection: Connection, batch_id: int, limit: int) -> list[dict[str, Any]]:
    """List the quarantined rows of a batch with their unmasked payload, which must be masked before it is shown."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statement("ledger/rule_results.problem_rows"), {"batch_id": batch_id, "limit": limit})
        return cursor.fetchall()
