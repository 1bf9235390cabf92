"""The versions of the lists of daily clearance (日清清单): what each is, found by day, kind and version; who opened it.

Moments carry their zone; days are those of Asia/Shanghai. docs/daily-clearance.md describes the lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from zhengku.catalog.clearance_config import ListKind
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.ledger import Connection


@dataclass(frozen=True)
class StaleSource:
    """A source (`name`: department/feed) that was not read at or after a list's cut-off; `read_at` None: never read."""

    name: str
    title: str
    read_at: datetime | None


@dataclass(frozen=True)
class ListCounts:
    """The rows of a list by section and by state, and the services that left since yesterday's final list, by reason.

    `archived_total` counts all services archived up to the list, including those that were never on a list.
    """

    unrated: int
    default_rated: int
    new: int
    carried_over: int
    reopened: int
    cleared: int
    withdrawn: int
    archived: int
    archived_total: int


@dataclass(frozen=True)
class ListVersion:
    """One published version of a list; it never changes.

    `calendar_note` says in Chinese which working days had to be assumed; None where all were known.
    """

    list_id: int
    day: date
    kind: ListKind
    version: int
    cutoff_at: datetime
    published_at: datetime
    counts: ListCounts
    stale: tuple[StaleSource, ...]
    calendar_note: str | None


@dataclass(frozen=True)
class OpenedVersion:
    """A version of a list that a login opened, and the time of the first opening."""

    version: int
    opened_at: datetime


@dataclass(frozen=True)
class ListRecord(ListCounts):
    """A row of `clearance.list`: everything that the store records about a version of a list."""

    list_id: int
    day: date
    kind: ListKind
    version: int
    cutoff_at: datetime
    published_at: datetime
    written_at: datetime
    is_trunk: bool
    base_list: int | None
    corrections: list[int]
    yesterday_list: int | None
    last_shown: int
    oldest_finish: datetime
    calendar_id: int
    calendar_note: str | None
    archive_after_working_days: int
    deadline_working_days: int
    stale: list[dict[str, Any]]

    @property
    def list_version(self) -> ListVersion:
        """The part of the record that readers of the list need."""
        return ListVersion(
            list_id=self.list_id,
            day=self.day,
            kind=self.kind,
            version=self.version,
            cutoff_at=self.cutoff_at.astimezone(CITY_TIME_ZONE),
            published_at=self.published_at.astimezone(CITY_TIME_ZONE),
            counts=ListCounts(**{count.name: getattr(self, count.name) for count in fields(ListCounts)}),
            stale=tuple(
                StaleSource(
                    name=source["name"],
                    title=source["title"],
                    read_at=None if source["read_at"] is None else datetime.fromisoformat(source["read_at"]),
                )
                for source in self.stale
            ),
            calendar_note=self.calendar_note,
        )

    @property
    def members(self) -> dict[str, Any]:
        """The parameters with which a statement finds the rows of this version."""
        return {"base_list": self.base_list, "corrections": self.corrections, "day": self.day}

    @property
    def limits(self) -> dict[str, Any]:
        """The parameters with which a statement decides which services belong on this list."""
        return {"cutoff_at": self.cutoff_at, "kind": self.kind, "oldest_finish": self.oldest_finish}


def list_record(connection: Connection, name: str, values: Mapping[str, Any]) -> ListRecord | None:
    """Run a statement of `sql/clearance/` that returns at most one row of `clearance.list`."""
    with connection.cursor(row_factory=class_row(ListRecord)) as cursor:
        return cursor.execute(statement(name), values).fetchone()


def list_records(connection: Connection, name: str, values: Mapping[str, Any]) -> list[ListRecord]:
    """Run a statement of `sql/clearance/` that returns rows of `clearance.list`."""
    with connection.cursor(row_factory=class_row(ListRecord)) as cursor:
        return cursor.execute(statement(name), values).fetchall()


def list_scope(day: date, kind: ListKind) -> str:
    """Return the name under which the versions of one list are counted (`ledger.next_version`)."""
    return f"{day} {kind}"


def published_version(
    connection: Connection, day: date, kind: ListKind, version: int | None = None
) -> ListVersion | None:
    """Return a version of a list (`version` None: the newest); None when there is no such version."""
    found = list_record(connection, "clearance/lists.list_by_version", {"day": day, "kind": kind, "version": version})
    return None if found is None else found.list_version


def newest_version(connection: Connection) -> ListVersion | None:
    """Return the newest version of the list with the latest cut-off; None before the first list."""
    found = list_record(connection, "clearance/lists.newest_list", {})
    return None if found is None else found.list_version


def versions_of_day(connection: Connection, day: date) -> list[ListVersion]:
    """Return all versions of the lists of a day: first the working list's, then the final list's, each oldest first."""
    return [found.list_version for found in list_records(connection, "clearance/lists.list_versions", {"day": day})]


def record_of(connection: Connection, list_version: ListVersion) -> ListRecord:
    """Return the record of a version."""
    record = list_record(connection, "clearance/lists.list_by_id", {"list_id": list_version.list_id})
    assert record is not None
    return record


def record_opening(connection: Connection, list_version: ListVersion, login: str) -> OpenedVersion | None:
    """Record that a login opened a version of a list; return the newest earlier version that this login opened, if any.

    Commits.
    """
    connection.execute(statement("clearance/lists.record_opened"), {"list_id": list_version.list_id, "login": login})
    connection.commit()
    values = {
        "login": login,
        "day": list_version.day,
        "kind": list_version.kind,
        "version": list_version.version,
    }
    with connection.cursor(row_factory=class_row(OpenedVersion)) as cursor:
        return cursor.execute(statement("clearance/lists.opened_before"), values).fetchone()
