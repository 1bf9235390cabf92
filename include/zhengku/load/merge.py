"""Load: what becomes of each staged row, the merge into the store, and the balance, in one transaction."""

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
from zhengku.load.recognise import writings
from zhengku.load.repeated import find_repeated_of_batch
from zhengku.load.store_table import StoreTable
from zhengku.stage.staging import discard
from zhengku.transports.source import EARLIEST

log = logging.getLogger(__name__)


ANALYSED = ("license_type", "record_key", "department", "feed", "batch_id", "removal")
"""What statements that compare a delivery with the store ask of the type's rows."""


@dataclass(frozen=True)
class Balance:
    """What became of the rows of a batch; the counts of all fields add up to the rows fetched."""

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

    The feed's watermark moves with them; of a snapshot, what the store has and it no longer holds is marked.

    Runs in the caller's transaction, alone for its license type or data set. `reasons` gives the Chinese text of each
    rule. What was recognised when the batch was staged must stand still: `recognised_stands`.
    Raises `BalanceError`, and then nothing may be committed.
    """
    assert batch.fetched is not None
    assert batch.staged is not None
    table = StoreTable.of(batch, catalog.standard_fields(batch.dataset))
    alone(connection, batch.subject)
    use_batch_schema(connection, batch.batch_id)
    values: dict[str, Any] = {
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
        # What is redriven is not the whole register.
        "is_register": feed.deliveries == "snapshots" and batch.origin in ("delivery", "replay"),
        "is_first": table.license_type is not None and not _exists(connection, table.names["target"]),
    }
    classify(connection, table, values)
    outcomes = connection.execute(statement("load/batch.count_outcomes")).fetchall()
    counts = {outcome: number for outcome, number, _ in outcomes}
    replaced = sum(known for outcome, _, known in outcomes if outcome in ("updated", "deleted"))
    unreadable = batch.fetched - batch.staged
    balance = Balance(
        **{
            **counts,
            # Whether that many rows were there to be inserted is seen when they are merged.
            "inserted": batch.staged - batch.recognised - sum(counts.values()),
            "unchanged": counts.get("unchanged", 0) + batch.recognised,
            "quarantined": counts.get("quarantined", 0) + unreadable,
        }
    )
    balance.check(batch.batch_id, batch.fetched)
    if replaced:
        kept = connection.execute(statement("load/merge.keep_history").format(**table.names), values)
        _expect(batch, "versions kept", kept, replaced)
    connection.execute(statement("load/merge.remember_warnings"))
    written = balance.inserted + balance.updated + balance.deleted
    if written:
        _expect(batch, "rows merged", _merge(connection, table, values), written)
    if counts.get("unchanged"):
        if ledger.has_older_unfinished(connection, batch):
            connection.execute(statement("load/merge.confirm").format(**table.names), values)
            # It moves times without a new version, which the roll-up by day cannot see.
            connection.execute(statement("reconcile/roll_up.forget_store_batches"))
        connection.execute(statement("load/merge.remember_received").format(**table.names), values)
    if balance.quarantined:
        quarantined = connection.execute(statement("load/quarantine.quarantine"), values)
        if batch.origin != "replay":
            _expect(batch, "rows quarantined", quarantined, balance.quarantined)
    open_problems = connection.execute(statement("load/batch.has_open_problems"), values).fetchone()
    if open_problems is not None and open_problems[0]:
        connection.execute(statement("load/settle.settle"), values)
    compared, disappeared = None, 0
    if feed.deliveries == "snapshots":
        values["unreadable"] = unreadable
        # Of replayed ones, only the newest is compared with the store.
        compared, disappeared = _compare_keys(connection, table, values, is_whole=values["is_register"])
        if compared != "overtaken" and batch.origin == "delivery":
            connection.execute(statement("load/disappeared.gone"), values)
    if disappeared and compared != "compared":
        log.info(
            "Batch %d: %d certificates are marked as gone, as newer registers had it.", batch.batch_id, disappeared
        )
    discard(connection, batch.batch_id)
    connection.execute(statement("load/batch.move_watermark"), values)
    return _finish(connection, batch, "loaded", balance, compared=compared, disappeared=disappeared)


def recognised_stands(connection: psycopg.Connection[Any], batch: Batch) -> bool:
    """Tell whether the rows that were recognised when a batch was staged are still what the store has.

    Nobody else writes to its license type or data set until the caller's transaction ends.
    """
    alone(connection, batch.subject)
    if not batch.recognised:
        return True
    return (
        not ledger.has_older_unfinished(connection, batch) and writings(connection, batch)[0] == batch.recognised_after
    )


def classify(connection: psycopg.Connection[Any], table: StoreTable, values: dict[str, Any]) -> None:
    """Write the staging table `outcome`: what becomes of each staged row that is not simply inserted."""
    find_repeated_of_batch(connection)
    connection.execute("drop table if exists outcome")
    connection.execute(statement("load/classify.classify").format(**table.names), values)
    connection.execute("analyze outcome")


def _exists(connection: psycopg.Connection[Any], table: sql.Composable) -> bool:
    row = connection.execute("select to_regclass(%(name)s)", {"name": table.as_string()}).fetchone()
    return row is not None and row[0] is not None


def _compare_keys(
    connection: psycopg.Connection[Any], table: StoreTable, values: dict[str, Any], *, is_whole: bool
) -> tuple[str | None, int]:
    """Mark what a snapshot no longer holds; return whether that could be done, and how many were marked.

    One that is loaded behind newer ones brings back nothing that these no longer held: what it brought is marked as of
    them. Where the next one showed the same disappearance, it has been so since this one. Rows of a snapshot that is
    not there in whole mark nothing else.
    """
    row = connection.execute(statement("load/disappeared.comparable"), values).fetchone()
    assert row is not None
    compared, overtaken_at, compared_at = row
    marked = 0
    if compared_at is not None:
        marked += connection.execute(
            statement("load/disappeared.mark_overtaken").format(**table.names), values
        ).rowcount
    if not is_whole:
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

    A type that has none yet (`is_first`) gets it now: made of its rows and attached then, which builds its key and
    indexes from the whole in less than half the time of building them row by row.
    """
    names = {**table.names, "written_rows": statement("load/merge.written_rows")}
    if not values["is_first"]:
        return connection.execute(statement("load/merge.merge").format(**names), values)
    partition = names["target"]
    written = connection.execute(statement("load/merge.first_rows").format(**names), values)
    constraints = connection.execute(statement("load/merge.constraints"), values).fetchone()
    assert constraints is not None
    connection.execute(sql.SQL("alter table {} {}").format(partition, sql.SQL(constraints[0])))
    connection.execute(
        sql.SQL("alter table store.certificate attach partition {} for values in ({})").format(
            partition, sql.Literal(table.license_type)
        )
    )
    connection.execute(sql.SQL("alter table {} drop constraint one_type").format(partition))
    # Until the server gets round to it, the next batches would be planned for a table of which nothing is known: with
    # no figures for the type, one row in two hundred seems to be of it, and the whole would be read for every batch.
    # With none for the feed, none of them seems to be the feed's.
    connection.execute(sql.SQL("analyze {} ({})").format(partition, sql.SQL(", ").join(map(sql.Identifier, ANALYSED))))
    return written


def hold(connection: psycopg.Connection[Any], batch: Batch, rule_id: str, reason: str, detail: str) -> Batch:
    """Close a batch as held: the store stays as it was, and a person decides."""
    assert batch.fetched is not None
    discard(connection, batch.batch_id)
    return _finish(
        connection, batch, "held", Balance(held=batch.fetched), rule_id=rule_id, reason=reason, detail=detail
    )


def repeat(connection: psycopg.Connection[Any], batch: Batch) -> Batch | None:
    """Close a batch whose file was loaded before and whose rows nothing has touched since; None when it is no such.

    Its rows are unchanged, or what they were the first time. While an older delivery waits it is no such either: only
    on the whole pipeline are its rows confirmed, and outlive what may still be loaded.
    """
    alone(connection, batch.subject)
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


def alone(connection: psycopg.Connection[Any], subject: str) -> None:
    """Wait until no other transaction loads the same license type, or the same other data set (`subject`)."""
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
