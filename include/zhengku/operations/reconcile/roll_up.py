"""The roll-up of the store by feed and day, brought up to date from the batches loaded since it was last used."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from zhengku.catalog import Catalog
from zhengku.database import statement, store_connection
from zhengku.ledger import Connection
from zhengku.transports.source import DaySum


def refresh(url: str, catalog: Catalog, *, rebuild: bool = False) -> None:
    """Bring the roll-up up to date: from the batches that it does not include yet, or from all rows with `rebuild`.

    One process at a time, in one snapshot of the store. Raises what `store_connection` raises.
    """
    with _lock_roll_up(url) as connection:
        row = connection.execute(statement("reconcile/roll_up.has_store_days")).fetchone()
        assert row is not None
        if rebuild or not row[0]:
            _count_all_rows(connection, catalog)
        else:
            _add_new(connection)


@dataclass(frozen=True)
class RecountedDay:
    """A day on which roll-up and table differ: `kept` is the number of rows in the roll-up, `counted` in the table.

    Where both numbers are equal, the rows or their times differ.
    """

    department: str
    feed: str
    license_type: str
    day: date
    kept: int
    counted: int


def recount(url: str, catalog: Catalog) -> list[RecountedDay]:
    """Rebuild the roll-up from all rows; return the days on which it differed from the table.

    Such a difference was made by no load: rows that were changed or deleted by hand, a damaged table, an error of the
    roll-up. One process at a time, in one snapshot of the store. Reads the complete store. Raises what
    `store_connection` raises.
    """
    with _lock_roll_up(url) as connection:
        row = connection.execute(statement("reconcile/roll_up.has_store_days")).fetchone()
        assert row is not None
        if not row[0]:
            # There is no earlier roll-up to compare.
            _count_all_rows(connection, catalog)
            return []
        _add_new(connection)
        connection.execute(statement("reconcile/roll_up.kept_day"))
        _count_all_rows(connection, catalog)
        with connection.cursor(row_factory=class_row(RecountedDay)) as cursor:
            return cursor.execute(statement("reconcile/roll_up.recounted_days")).fetchall()


@contextmanager
def _lock_roll_up(url: str) -> Iterator[Connection]:
    """Open the store with one snapshot for all statements, once no other process works on the roll-up."""
    with store_connection(url) as connection:
        # The lock belongs to the session: the snapshot is taken only when it is held.
        connection.execute("select pg_advisory_lock(hashtextextended('zhengku.store_day', 0))")
        connection.commit()
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


def _count_all_rows(connection: Connection, catalog: Catalog) -> None:
    connection.execute(statement("reconcile/roll_up.forget_store_batches"))
    connection.execute(statement("reconcile/roll_up.forget_store_days"))
    for dataset in catalog.reference.standard_fields:
        connection.execute(statement("reconcile/roll_up.whole_store_days").format(**_names(dataset)))
        connection.execute(statement("reconcile/roll_up.keep_store_sums"), {"dataset": dataset})
        connection.execute("drop table pg_temp.store_sum")
    connection.execute(statement("reconcile/roll_up.loaded_batches"))


def _add_new(connection: Connection) -> None:
    for dataset, batches in connection.execute(statement("reconcile/roll_up.uncounted_batches")).fetchall():
        values = {"dataset": dataset, "batches": batches}
        connection.execute(statement("reconcile/roll_up.add_store_days").format(**_names(dataset)), values)
        connection.execute(statement("reconcile/roll_up.keep_batches"), values)
    connection.execute(statement("reconcile/roll_up.forget_empty_days"))


def store_days(
    connection: psycopg.Connection[tuple[object, ...]], department: str, feed: str, since: date, until: date
) -> dict[date, DaySum]:
    """Return count and checksum of what the store has of a feed, by day of Asia/Shanghai, both ends inclusive."""
    values = {"department": department, "feed": feed, "since": since, "until": until}
    rows = connection.execute(statement("reconcile/roll_up.store_days"), values).fetchall()
    return {day: DaySum(int(number), int(total)) for day, number, total in rows}  # type: ignore[misc, call-overload]


def _names(dataset: str) -> dict[str, sql.Composable]:
    return {
        "store": sql.Identifier("store", dataset),
        "history": sql.Identifier("store", f"{dataset}_history"),
        "type_of": sql.SQL("s.license_type" if dataset == "certificate" else "''::text"),
    }
