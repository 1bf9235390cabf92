"""Numbers that were given once (batches, problem records, returns, versions of lists and reports) are not given again.

What was given since the moment that was restored stands on paper, in files and in exchange databases. It is read from
the store that was given up, where that can be read, and from the names of files; then every counter is raised beyond it
by a margin for what neither knows. docs/decisions/0067 says why that is enough.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from psycopg import sql

from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.ledger import Connection

MARGIN = 1_000_000
"""How far a sequence goes beyond the highest number that is known."""

MARGINS: Mapping[str, int] = {"quarantine.problem_return": 1_000, "ledger.restore": 0}
"""The same, of tables whose numbers people write, and of restores, which only this gives."""

VERSION_MARGIN = 10
"""How far versions, and numbers of the problem ledger, go beyond the highest that is known."""

_LIST_FOLDER = re.compile(r"clearance/(\d{4}-\d\d-\d\d)/(working|final)-v(\d{1,6})/")
_NIGHT_FILE = re.compile(r"归集校验日报_(\d{4}-\d\d-\d\d)_第(\d{1,6})版")
_RETURN_FILE = re.compile(r"问题数据退回_(?:.*_)?第(\d{1,18})号")

Scope = tuple[str, str]
"""Kind and scope of versions, as `ledger.next_version` has them."""


@dataclass
class GivenNumbers:
    """The highest numbers that are known to have been given, by table and by scope of versions."""

    tables: dict[str, int] = field(default_factory=dict)
    versions: dict[Scope, int] = field(default_factory=dict)

    def add(self, other: "GivenNumbers") -> None:
        """Keep the higher one of each."""
        for table, number in other.tables.items():
            self.tables[table] = max(self.tables.get(table, 0), number)
        for scope, number in other.versions.items():
            self.versions[scope] = max(self.versions.get(scope, 0), number)


def given_by_store(connection: Connection) -> GivenNumbers:
    """Read the highest numbers that a store has given."""
    given = GivenNumbers()
    for schema, table, column, _ in connection.execute(statement("ledger/restores.sequences")).fetchall():
        query = sql.SQL("select coalesce(max({}), 0) from {}").format(
            sql.Identifier(column), sql.Identifier(schema, table)
        )
        row = connection.execute(query).fetchone()
        assert row is not None
        given.tables[f"{schema}.{table}"] = int(row[0])
    for kind, scope, highest in connection.execute(statement("ledger/restores.given_versions")).fetchall():
        given.versions[kind, scope] = int(highest)
    return given


def given_by_files(*folders: Path) -> GivenNumbers:
    """Read the numbers and versions in the names of the files below the folders of reports and returns."""
    given = GivenNumbers()
    for name in _names(folders):
        if found := _LIST_FOLDER.search(name):
            given.add(GivenNumbers(versions={("list", f"{found[1]} {found[2]}"): int(found[3])}))
        elif found := _NIGHT_FILE.search(name):
            given.add(GivenNumbers(versions={("night_report", found[1]): int(found[2])}))
        elif found := _RETURN_FILE.search(name):
            given.add(GivenNumbers(tables={"quarantine.problem_return": int(found[1])}))
    return given


def _names(folders: tuple[Path, ...]) -> Iterator[str]:
    for folder in dict.fromkeys(folders):
        for path in folder.rglob("*"):
            if path.is_file():
                yield path.relative_to(folder.parent).as_posix()


def raise_numbers(
    connection: Connection, given: GivenNumbers, restored_to: datetime, now: datetime
) -> dict[str, list[int]]:
    """Let every counter go on beyond what was given; return, by table, the highest known number and the first to come.

    Versions are raised for all lists and reports that are known, and for every day since `restored_to`. Only the owner
    of the schema may do it; a counter is never lowered.
    """
    first = {}
    for schema, table, _, sequence in connection.execute(statement("ledger/restores.sequences")).fetchall():
        name = f"{schema}.{table}"
        highest, margin = given.tables.get(name, 0), MARGINS.get(name, MARGIN)
        row = connection.execute(sql.SQL("select last_value from {}").format(sql.SQL(sequence))).fetchone()
        assert row is not None
        # After a recovery a sequence stands up to 32 beyond what it gave.
        base = max(highest, int(row[0]))
        first[name] = [highest, base + margin + 1]
        if margin:
            connection.execute("select setval(%s, %s)", (sequence, base + margin))
    days = _days(restored_to, now)
    scopes = {
        **{("list", f"{day} {kind}"): 0 for day in days for kind in ("working", "final")},
        **{("night_report", f"{day}"): 0 for day in days},
        **{("ledger_entry", f"{day.year}"): 0 for day in days},
        **given.versions,
    }
    for (kind, scope), highest in scopes.items():
        values = {"kind": kind, "scope": scope, "highest": highest + VERSION_MARGIN}
        connection.execute(statement("ledger/restores.raise_floor"), values)
    return first


def _days(restored_to: datetime, now: datetime) -> list[date]:
    """Return the days of which something may have been given unseen; the night before and the day after are among them.

    An empty list where `now` is before.
    """
    first = restored_to.astimezone(CITY_TIME_ZONE).date() - timedelta(days=1)
    last = now.astimezone(CITY_TIME_ZONE).date() + timedelta(days=1)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
