"""The records of returns (退回): who returned which problem records when, their files, and each hand-over."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from zhengku.database import statement
from zhengku.errors import RecordNotFound
from zhengku.ledger import Connection

CHANNEL_NAMES = {"folder": "放入部门目录", "exchange_table": "写入前置库", "download": "经页面下载"}


@dataclass(frozen=True)
class ProblemReturn:
    """A return; `files` is None until they are written.

    `waiting`, `waived` and `solved` count its problem records that are still unsolved, waived, or solved.
    """

    return_id: int
    department: str
    made_at: datetime
    made_by: str
    due_on: date
    problems: int
    files: list[dict[str, Any]] | None
    waiting: int
    waived: int
    solved: int


@dataclass(frozen=True)
class HandOver:
    """A hand-over: `item` of a return (a file or a table) was handed over through `channel`."""

    channel: str
    item: str
    handed_over_by: str
    handed_over_at: datetime


def list_returns(
    connection: Connection,
    *,
    return_id: int | None = None,
    department: str | None = None,
    unwritten: bool = False,
    limit: int = 50,
) -> list[ProblemReturn]:
    """Return the returns, the newest first; with `unwritten` only those whose files are not written yet."""
    values = {"return_id": return_id, "department": department, "unwritten": unwritten, "limit": limit}
    with connection.cursor(row_factory=class_row(ProblemReturn)) as cursor:
        return cursor.execute(statement("review/returns.returns"), values).fetchall()


def return_by_id(connection: Connection, return_id: int) -> ProblemReturn:
    """Return one return. Raises `RecordNotFound` when there is none of that number."""
    found = list_returns(connection, return_id=return_id, limit=1)
    if not found:
        raise RecordNotFound(f"There is no return {return_id}. `zhengku problems returns` lists them.")
    return found[0]


def hand_overs(connection: Connection, return_id: int) -> list[HandOver]:
    """Return the hand-overs of a return, the oldest first."""
    with connection.cursor(row_factory=class_row(HandOver)) as cursor:
        return cursor.execute(statement("review/returns.hand_overs"), {"return_id": return_id}).fetchall()
