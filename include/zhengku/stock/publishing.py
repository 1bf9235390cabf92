"""Storing the counts of the stock, and writing the lists of departments."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from zhengku.database import statement, store_connection
from zhengku.ledger import Connection

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RowT = TypeVar("RowT")


@contextmanager
def snapshot_connection(url: str) -> Iterator[Connection]:
    """Open the store for a transaction that reads one state of it throughout; raises what `store_connection` raises."""
    with store_connection(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


def write_lists(
    rows: Iterator[RowT], place: Callable[[str], Path], write: Callable[[Path, str, Iterator[RowT]], None]
) -> list[Path]:
    """Write a list for each department of `rows`, which are sorted by department; return the paths of the lists.

    `place` returns the path of the list of a department, all in one folder. Lists of an earlier count are removed.
    """
    written = []
    for department, part in groupby(rows, attrgetter("department")):
        path = place(department)
        write(path, department, part)
        written.append(path)
    for path in place("").parent.glob("*.xlsx"):
        if path not in written:
            path.unlink()
    return written


def store_counts(
    connection: Connection,
    delete: str,
    insert: str,
    day: date,
    counts: "Sequence[DataclassInstance]",
    **more: object,
) -> None:
    """Replace the counts of a day with the statements `delete` and `insert`; `more` are columns equal in all rows."""
    connection.execute(statement(delete), {"day": day})
    values: list[dict[str, Any]] = [{**asdict(each), "day": day, **more} for each in counts]
    connection.cursor().executemany(statement(insert), values)
