"""What is found to be too old, and the record of its removal: written before it, completed after it.

A run that is killed in between leaves a record that is not complete; the next run removes what is still there and
completes it. So nothing is ever removed without a record.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from psycopg.rows import class_row

from zhengku.database import statement
from zhengku.ledger import Connection

Kind = Literal["landed", "report", "return", "task_log", "rows", "airflow"]

Reason = Literal["unsettled", "problem", "newest", "awaited", "backup", "current"]
"""Why something that is too old stays.

`unsettled`: a batch or return that is not settled; `problem`: an unsettled problem record is processed from it;
`newest`: nothing newer of its kind; `awaited`: the department was asked to deliver again and has not; `backup`: a
database that is restored would need it; `current`: the program itself replaces or removes it.
"""


@dataclass(frozen=True)
class Old:
    """A file or folder that is too old: `name` is its path below the area or folder of its kind; sizes in bytes."""

    name: str
    bytes: int
    newest_at: datetime
    files: int = 1
    batch_ids: list[int] = field(default_factory=list)
    sha256: str | None = None
    kept: Reason | None = None


@dataclass
class Planned:
    """What of a kind (of `name`, for rows) is too old by a rule: what would be removed, and what stays and why."""

    kind: Kind
    name: str
    rule: str
    number: int = 0
    bytes: int | None = None
    oldest: datetime | None = None
    kept: dict[str, int] = field(default_factory=dict)
    note: str | None = None

    def add(self, old: Old) -> None:
        """Count something that is too old."""
        if old.kept is not None:
            self.kept[old.kept] = self.kept.get(old.kept, 0) + 1
            return
        self.number += 1
        self.bytes = (self.bytes or 0) + old.bytes
        self.oldest = old.newest_at if self.oldest is None else min(self.oldest, old.newest_at)


@dataclass(frozen=True)
class DayOfRemovals:
    """What was removed on a day (Asia/Shanghai) by a rule; `unfinished` removals are completed by the next run."""

    day: date
    kind: Kind
    rule: str
    files: int
    bytes: int
    removed_rows: int
    unfinished: int


def record_removals(connection: Connection, kind: Kind, rule: str, found: Iterable[Old]) -> list[int]:
    """Record what is going to be removed; return the numbers of the records, in the same order."""
    return [
        _record(
            connection,
            kind,
            rule,
            name=one.name,
            batch_ids=one.batch_ids,
            files=one.files,
            bytes=one.bytes,
            sha256=one.sha256,
            newest_at=one.newest_at,
        )
        for one in found
    ]


def record_rows(connection: Connection, kind: Kind, rule: str, name: str, removed_rows: int) -> None:
    """Record that rows of a table are going to be removed."""
    _record(connection, kind, rule, name=name, removed_rows=removed_rows)


def unfinished_of_airflow(connection: Connection) -> list[int]:
    """Return the numbers of removals of Airflow's rows that are not complete: the next cleaning completes them."""
    found = connection.execute(statement("retention/removals.unfinished_of_airflow")).fetchall()
    return [removal_id for (removal_id,) in found]


def complete(connection: Connection, removal_ids: Sequence[int]) -> None:
    """Record that what was recorded is removed now."""
    connection.execute(statement("retention/removals.complete"), {"removal_ids": list(removal_ids)})


def removals_by_day(connection: Connection, limit: int = 100) -> list[DayOfRemovals]:
    """Return what was removed, by day, kind and rule, the newest first."""
    with connection.cursor(row_factory=class_row(DayOfRemovals)) as cursor:
        return cursor.execute(statement("retention/removals.by_day"), {"limit": limit}).fetchall()


def _record(connection: Connection, kind: Kind, rule: str, **values: Any) -> int:
    blank = dict.fromkeys(("files", "bytes", "sha256", "removed_rows", "newest_at"))
    row = connection.execute(
        statement("retention/removals.record_removal"), {**blank, "batch_ids": [], **values, "kind": kind, "rule": rule}
    ).fetchone()
    assert row is not None
    return int(row[0])
