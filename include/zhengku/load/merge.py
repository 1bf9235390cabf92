"""Load: the outcome of each staged row, the merge into the store, and the balance, in one transaction."""

import logging
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from zhengku import ledger
from zhengku.catalog import Catalog, Feed
from zhengku.database import statement, use_batch_schema
from zhengku.errors import BalanceError
from zhengku.ledger import Batch
from zhengku.load.recognise import writing_batches
from zhengku.load.repeated import find_repeated_of_batch
from zhengku.load.store_table import StoreTable
from zhengku.stage.staging import discard
from zhengku.transports.source import EARLIEST

log = logging.getLogger(__name__)


ANALYSED = ("license_type", "record_key", "department", "feed", "batch_id", "removal")
"""Columns whose statistics the planner needs for statements that compare a delivery with the store."""


@dataclass(frozen=True)
class Balance:
    """The rows of a batch by outcome; the counts of all fields add up to the rows fetched."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    superseded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    held: int = 0

    def check(self, batch_id: int, fetched: int) -> None:
        """Raise `BalanceError` when the counts do not add up to `fetched`."""
        total = sum(asdict(self).values())
        if total != fetched:
            shown = " + ".join(f"{name} {count}" for name, count in asdict(self).items())
            raise BalanceError(
                f"Batch {batch_id}: fetched {fetched} rows, accounted for {total} ({shown}). Nothing was loaded; "
                "the landed file is kept. This is a fault of zhengku: report it with this line."
            )


def load(
    connection: psycopg.Connection[Any], batch: Batch, feed: Feed, catalog: Catalog, reasons: dict[str, str]
) -> Batch:
    """Merge the staged rows of a validated batch into the store and close the batch; return it.

    In the same transaction, the caller's, the feed's watermark advances, and the records of the store that a snapshot
    no longer has are marked. No other batch of the license type or data set is loaded meanwhile. `reasons` gives the
    Chinese text of each rule. The caller has checked `recognised_rows_are_current`.
    Raises `BalanceError`, and then nothing may be committed.
    """
    assert batch.fetched is not None
    assert batch.staged is not None
    table = StoreTable.of(batch, catalog.standard_fields(batch.dataset))
    lock_subject(connection, batch.subject)
    use_batch_schema(connection, batch.batch_id)
    values = _statement_values(connection, batch, feed, table, reasons)
    classify(connection, table, values)
    outcomes = connection.execute(statement("load/batch.count_outcomes")).fetchall()
    counts = {outcome: number for outcome, number, _ in outcomes}
    replaced = sum(known for outcome, _, known in outcomes if outcome in ("updated", "deleted"))
    unreadable = batch.fetched - batch.staged
    balance = Balance(
        **{
            **counts,
            # The merge checks that as many rows are inserted.
            "inserted": batch.staged - batch.recognised - sum(counts.values()),
            "unchanged": counts.get("unchanged", 0) + batch.recognised,
            "quarantined": counts.get("quarantined", 0) + unreadable,
        }
    )
    balance.check(batch.batch_id, batch.fetched)
    _write_versions(connection, batch, table, values, balance, replaced)
    if counts.get("unchanged"):
        _confirm_unchanged(connection, batch, table, values)
    _write_problems(connection, batch, values, balance.quarantined)
    compared, disappeared = _compare_snapshot(connection, batch, feed, table, values, unreadable)
    discard(connection, batch.batch_id)
    connection.execute(statement("load/batch.move_watermark"), values)
    return _finish(connection, batch, "loaded", balance, compared=compared, disappeared=disappeared)


def _statement_values(
    connection: psycopg.Connection[Any], batch: Batch, feed: Feed, table: StoreTable, reasons: dict[str, str]
) -> dict[str, Any]:
    """Return the parameters of the statements of `sql/load`."""
    return {
        **_feed(batch),
        "dataset": batch.dataset,
        "license_type": batch.license_type,
        "batch_id": batch.batch_id,
        "reasons": Jsonb(reasons),
        "landed_at": batch.landed_at,
        "undated": EARLIEST,
        "is_delivery": batch.origin in ("delivery", "backfill"),
        "is_replay": batch.origin == "replay",
        "is_dated": feed.version == "source_updated_at",
        # A redrive or a reread has only some rows of the register.
        "is_register": feed.deliveries == "snapshots" and batch.origin in ("delivery", "replay"),
        "is_first": table.license_type is not None and not _exists(connection, table.names["target"]),
    }


def _write_versions(
    connection: psycopg.Connection[Any],
    batch: Batch,
    table: StoreTable,
    values: dict[str, Any],
    balance: Balance,
    replaced: int,
) -> None:
    """Move the `replaced` versions to the history, and write the new ones."""
    if replaced:
        moved = connection.execute(statement("load/merge.keep_history").format(**table.names), values)
        _expect(batch, "versions kept", moved, replaced)
    connection.execute(statement("load/merge.remember_warnings"))
    written = balance.inserted + balance.updated + balance.deleted
    if written:
        _expect(batch, "rows merged", _merge(connection, table, values), written)


def _confirm_unchanged(
    connection: psycopg.Connection[Any], batch: Batch, table: StoreTable, values: dict[str, Any]
) -> None:
    """Record how unchanged rows were received and, while an older delivery waits, that this one confirms them."""
    if ledger.has_older_unfinished(connection, batch):
        connection.execute(statement("load/merge.confirm").format(**table.names), values)
        # It changes times without a new version, which the roll-up by day cannot see.
        connection.execute(statement("reconcile/roll_up.forget_store_batches"))
    connection.execute(statement("load/merge.remember_received").format(**table.names), values)


def _write_problems(
    connection: psycopg.Connection[Any], batch: Batch, values: dict[str, Any], quarantined: int
) -> None:
    """Write the `quarantined` rows as problem records, and close the problem records that the batch solves."""
    if quarantined:
        written = connection.execute(statement("load/quarantine.quarantine"), values)
        if batch.origin != "replay":
            _expect(batch, "rows quarantined", written, quarantined)
    open_problems = connection.execute(statement("load/batch.has_open_problems"), values).fetchone()
    if open_problems is not None and open_problems[0]:
        connection.execute(statement("load/settle.settle"), values)


def _compare_snapshot(
    connection: psycopg.Connection[Any],
    batch: Batch,
    feed: Feed,
    table: StoreTable,
    values: dict[str, Any],
    unreadable: int,
) -> tuple[str | None, int]:
    """Mark the records that a snapshot no longer has; return what `_compare_keys` does, of an increment nothing."""
    if feed.deliveries != "snapshots":
        return None, 0
    values["unreadable"] = unreadable
    # Of replayed snapshots, only the newest is compared with the store.
    compared, disappeared = _compare_keys(connection, table, values, is_register=values["is_register"])
    if compared != "overtaken" and batch.origin == "delivery":
        connection.execute(statement("load/disappeared.gone"), values)
    if disappeared and compared != "compared":
        log.info(
            "Batch %d: %d certificates are marked as gone, as newer registers had it.", batch.batch_id, disappeared
        )
    return compared, disappeared


def recognised_rows_are_current(connection: psycopg.Connection[Any], batch: Batch) -> bool:
    """Return whether the rows that were recognised when a batch was staged are still the same as in the store.

    No other batch writes to the license type or data set until the caller's transaction ends.
    """
    lock_subject(connection, batch.subject)
    if not batch.recognised:
        return True
    return (
        not ledger.has_older_unfinished(connection, batch)
        and writing_batches(connection, batch)[0] == batch.recognised_after
    )


def classify(connection: psycopg.Connection[Any], table: StoreTable, values: dict[str, Any]) -> None:
    """Write the staging table `outcome` with the outcome of every staged row that is not inserted."""
    find_repeated_of_batch(connection)
    connection.execute("drop table if exists outcome")
    connection.execute(statement("load/classify.classify").format(**table.names), values)
    connection.execute("analyze outcome")


def _exists(connection: psycopg.Connection[Any], table: sql.Composable) -> bool:
    row = connection.execute("select to_regclass(%(name)s)", {"name": table.as_string()}).fetchone()
    return row is not None and row[0] is not None


def _compare_keys(
    connection: psycopg.Connection[Any], table: StoreTable, values: dict[str, Any], *, is_register: bool
) -> tuple[str | None, int]:
    """Mark the records that a snapshot no longer has; return the result of the comparison and how many were marked.

    The result is None unless the batch `is_register`, with all rows of the snapshot. A snapshot that is loaded after
    newer ones does not bring back records that these no longer have: such records are marked as gone since the newer
    snapshot. Where the next newer snapshot found the same record gone, it is marked as gone since this one.
    """
    row = connection.execute(statement("load/disappeared.comparable"), values).fetchone()
    assert row is not None
    compared, overtaken_at, compared_at = row
    marked = 0
    if compared_at is not None:
        marked += connection.execute(
            statement("load/disappeared.mark_overtaken").format(**table.names), values
        ).rowcount
    if not is_register:
        return None, marked
    if compared == "overtaken" and compared_at == overtaken_at:
        values = {**values, "overtaken_at": overtaken_at}
        marked += connection.execute(statement("load/disappeared.gone_since").format(**table.names), values).rowcount
    if compared == "compared":
        marked += connection.execute(
            statement("load/disappeared.mark_disappeared").format(**table.names), values
        ).rowcount
    return compared, marked


def _merge(connection: psycopg.Connection[Any], table: StoreTable, values: dict[str, Any]) -> psycopg.Cursor[Any]:
    """Merge the staged rows into the table of the data set, of certificates into the partition of the license type.

    A type that has no partition yet (`is_first`) gets one here: the rows are written to a table that is attached
    afterwards, which builds the key and the indexes once, in less than half the time of building them row by row.
    """
    names = {**table.names, "written_rows": statement("load/merge.written_rows")}
    if not values["is_first"]:
        return connection.execute(statement("load/merge.merge").format(**names), values)
    written = connection.execute(statement("load/merge.first_rows").format(**names), values)
    # Without statistics, until autovacuum collects them, the next batches would get wrong plans: the planner would
    # expect one row in two hundred to be of the type and read the complete table for every batch, and expect no row to
    # be of the feed.
    connection.execute(statement("load/merge.attach"), {"license_type": table.license_type, "analysed": list(ANALYSED)})
    return written


def hold(connection: psycopg.Connection[Any], batch: Batch, rule_id: str, reason: str, detail: str) -> Batch:
    """Close a batch as held: nothing is loaded until a person decides."""
    assert batch.fetched is not None
    discard(connection, batch.batch_id)
    return _finish(
        connection, batch, "held", Balance(held=batch.fetched), rule_id=rule_id, reason=reason, detail=detail
    )


def close_repeat(connection: psycopg.Connection[Any], batch: Batch) -> Batch | None:
    """Close a batch as a repeat: its file was loaded before, and no batch has written to its rows since.

    Its rows count as unchanged, duplicate or quarantined. Returns None for a batch that is no repeat, and while an
    older delivery waits: then all steps have to process the batch, so that the load confirms its rows and the older
    delivery does not overwrite them.
    """
    lock_subject(connection, batch.subject)
    if ledger.has_older_unfinished(connection, batch):
        return None
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        earlier = cursor.execute(
            statement("load/batch.loaded_before"),
            {**_feed(batch), "sha256": batch.sha256, "config_digest": batch.config_digest},
        ).fetchone()
    if earlier is None:
        return None
    assert earlier.fetched is not None
    balance = Balance(
        unchanged=earlier.inserted + earlier.updated + earlier.unchanged + earlier.deleted,
        duplicate=earlier.duplicate,
        quarantined=earlier.quarantined,
    )
    balance.check(batch.batch_id, earlier.fetched)
    connection.execute(
        statement("load/batch.copy_rule_results"), {"from_batch_id": earlier.batch_id, "batch_id": batch.batch_id}
    )
    connection.execute(statement("load/batch.move_watermark"), {"batch_id": batch.batch_id})
    return _finish(
        connection,
        batch,
        "loaded",
        balance,
        fetched=earlier.fetched,
        repeats_batch_id=earlier.batch_id,
        compared=earlier.compared,
        warned=earlier.warned,
    )


def _feed(batch: Batch) -> dict[str, Any]:
    return {"department": batch.department, "feed": batch.feed}


def lock_subject(connection: psycopg.Connection[Any], subject: str) -> None:
    """Lock a license type, or another data set (`subject`), against other loads until the transaction ends."""
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended('zhengku.load.' || %(subject)s, 0))", {"subject": subject}
    )


def _expect(batch: Batch, what: str, result: psycopg.Cursor[Any], expected: int) -> None:
    if result.rowcount != expected:
        raise BalanceError(
            f"Batch {batch.batch_id}: {what}: expected {expected}, got {result.rowcount}. Nothing was loaded; "
            "the landed file is kept. This is a fault of zhengku: report it with this line."
        )


def _finish(
    connection: psycopg.Connection[Any],
    batch: Batch,
    status: str,
    balance: Balance,
    *,
    fetched: int | None = None,
    repeats_batch_id: int | None = None,
    compared: str | None = None,
    disappeared: int = 0,
    warned: int | None = None,
    rule_id: str | None = None,
    reason: str | None = None,
    detail: str | None = None,
) -> Batch:
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        finished = cursor.execute(
            statement("load/batch.finish_batch"),
            {
                "batch_id": batch.batch_id,
                "status": status,
                "fetched": batch.fetched if fetched is None else fetched,
                **asdict(balance),
                "repeats_batch_id": repeats_batch_id,
                "compared": compared,
                "disappeared": disappeared,
                "warned": warned,
                "rule_id": rule_id,
                "reason": reason,
                "detail": detail,
            },
        ).fetchone()
    assert finished is not None
    return finished
