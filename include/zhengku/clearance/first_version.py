"""Publishing the first version of a list: on the trunk, or as a branch of it when the list is published late.

The first versions in the order of publishing are the trunk: each is stored as what changed since the one before. A list
whose day is before that of the newest trunk list is late; docs/daily-clearance.md describes both.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from psycopg import sql

from zhengku import ledger
from zhengku.catalog.clearance_config import ListKind
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clearance.clearance_settings import ClearanceSettings
from zhengku.clearance.list_versions import ListRecord, ListVersion, list_record, list_scope
from zhengku.clearance.list_writer import LIST_STATES, ListWriter
from zhengku.clearance.refresh import store_calendar
from zhengku.clearance.transaction import make_table, one_row
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.ledger import Connection

_ALL_SERVICES = sql.Identifier("clearance", "service")
_CANDIDATES = sql.Identifier("candidate")

_EARLIEST_FINISH = datetime(1900, 1, 1, tzinfo=CITY_TIME_ZONE)


@dataclass(frozen=True)
class NewList:
    """A list that has no version yet.

    `newest_before` is the number of the newest list before this publishing, `changed` how many services the batches of
    this transaction changed, `finals` the final lists that may still be corrected.
    """

    day: date
    kind: ListKind
    now: datetime
    newest_before: int
    changed: int
    finals: Sequence[ListRecord]


@dataclass(frozen=True)
class _Limits:
    """The cut-off of a new list, the trunk list `before` it, and whether a later trunk list exists already."""

    calendar: WorkingCalendar
    cutoff_at: datetime
    oldest_finish: datetime
    before: ListRecord | None
    is_late: bool


class FirstVersion:
    """Publishes first versions of lists, in the transaction of a connection."""

    def __init__(self, settings: ClearanceSettings, writer: ListWriter, connection: Connection) -> None:
        self._settings = settings
        self._writer = writer
        self._connection = connection

    def publish(self, new: NewList) -> ListVersion:
        """Publish a list; before a final list, correct the final lists that may still change."""
        limits = self._limits(new)
        services = self._compare_services(new, limits)
        values = self._values(new, limits)
        self._writer.enter(self._connection, values)
        if limits.is_late:
            return self._publish_late(new, values)
        return self._publish_on_trunk(new, limits.before, services, values)

    def _limits(self, new: NewList) -> _Limits:
        calendar = self._settings.calendar(new.day)
        cutoff_at = self._settings.config.cutoff(new.day, new.kind)
        before = list_record(self._connection, "clearance/trunk.trunk_list", {"before": cutoff_at})
        last = list_record(self._connection, "clearance/trunk.trunk_list", {"before": None})
        return _Limits(
            calendar=calendar,
            cutoff_at=cutoff_at,
            oldest_finish=_oldest_finish(calendar, new.day, self._settings.config.archive_after_working_days),
            before=before,
            is_late=last is not None and last.list_id != (before.list_id if before else None),
        )

    def _compare_services(self, new: NewList, limits: _Limits) -> sql.Composable:
        """Correct earlier final lists before a final one; return the services whose rows may differ from the trunk's.

        A working list leaves the changed services to the night's final list.
        """
        services: sql.Composable = _ALL_SERVICES
        if limits.before is not None and not limits.is_late and self._differs_little(new, limits.before):
            # One table of candidates serves both: everything that changed since the trunk list before is in it.
            self._make_candidates(new, limits, limits.before)
            services = _CANDIDATES
            if new.kind == "final":
                self._writer.correct(self._connection, new.finals, new.now)
        elif new.kind == "final":
            self._writer.correct_changed(self._connection, new.finals, new.now, new.changed)
        if new.kind == "working" and new.changed:
            self._connection.execute(statement("clearance/corrections.touch_services"))
        return services

    def _differs_little(self, new: NewList, before: ListRecord) -> bool:
        """Return whether only candidates can have another row on a new list than on the trunk list before it.

        This holds when that list is of the same day, and thus compared with the same list of yesterday, or is
        yesterday's final list. Otherwise the state of every row may differ.
        """
        yesterday = self._writer.against(self._connection, new.day, new.newest_before)["yesterday_day"]
        return before.day == new.day or (before.kind == "final" and before.day == yesterday)

    def _make_candidates(self, new: NewList, limits: _Limits, before: ListRecord) -> None:
        moments = {
            "last_cutoff_at": before.cutoff_at,
            "cutoff_at": limits.cutoff_at,
            "last_oldest_finish": before.oldest_finish,
            "oldest_finish": limits.oldest_finish,
        }
        touched = statement("clearance/candidates.changed_keys" if new.changed else "clearance/candidates.no_keys")
        query = statement("clearance/candidates.candidates").format(changed=touched)
        make_table(self._connection, "candidate", query, moments)

    def _values(self, new: NewList, limits: _Limits) -> dict[str, Any]:
        """Return the parameters of the statements that write the list."""
        config, before = self._settings.config, limits.before
        against = self._writer.against(self._connection, new.day, new.newest_before)
        number = against["list_id"]
        return {
            **against,
            "day": new.day,
            "kind": new.kind,
            "version": ledger.next_version(self._connection, "list", list_scope(new.day, new.kind), 0),
            "cutoff_at": limits.cutoff_at,
            "published_at": new.now,
            "is_trunk": not limits.is_late,
            "base_list": number if not limits.is_late else before.list_id if before else None,
            "corrections": [number] if limits.is_late else [],
            "oldest_finish": limits.oldest_finish,
            "calendar_id": store_calendar(self._connection, limits.calendar),
            "calendar_note": limits.calendar.note_zh(new.day, config.longest_term_working_days),
            "archive_after_working_days": config.archive_after_working_days,
            "deadline_working_days": config.deadline_working_days,
            "archived_total": before.archived_total if before else 0,
        }

    def _publish_late(self, new: NewList, values: dict[str, Any]) -> ListVersion:
        """Write the rows of a late list as their difference from the trunk list before it."""
        if new.kind == "final":
            self._connection.execute(statement("clearance/corrections.record_compared"))
        # It archives nothing itself: later trunk lists have done that.
        too_old = one_row(self._connection, statement("clearance/trunk.count_too_old"), values)["too_old"]
        values["archived_total"] += too_old
        make_table(self._connection, "wanted", _as_table(_listed_services(_ALL_SERVICES)), values)
        states = one_row(self._connection, statement("clearance/trunk.branch_off"), values)
        return self._writer.complete(self._connection, {**values, **states})

    def _publish_on_trunk(
        self, new: NewList, before: ListRecord | None, services: sql.Composable, values: dict[str, Any]
    ) -> ListVersion:
        """Archive services that are too old, and write how the list differs from the trunk list before it."""
        archive = statement("clearance/trunk.archive").format(services=services)
        values["archived_total"] += self._connection.execute(archive, values).rowcount
        states = self._write_first_list(values) if before is None else self._advance_trunk(before, services, values)
        all_compared = {"all_compared": new.kind == "final"}
        self._connection.execute(statement("clearance/corrections.forget_touched"), all_compared)
        return self._writer.complete(self._connection, {**values, **states})

    def _advance_trunk(self, before: ListRecord, services: sql.Composable, values: Mapping[str, Any]) -> dict[str, int]:
        """Write the rows that come and go between two trunk lists; return the counts of the new one by state."""
        make_table(self._connection, "wanted", _as_table(_listed_services(services)), values)
        standing = (
            "clearance/ending_rows.standing_all"
            if services is _ALL_SERVICES
            else "clearance/ending_rows.standing_candidates"
        )
        ending = statement("clearance/ending_rows.ending_rows").format(standing=statement(standing))
        make_table(self._connection, "ending", ending, {})
        moved = one_row(self._connection, statement("clearance/trunk.advance_trunk"), values)
        return {name: count + moved[name] for name, count in _counts_carried_over(before, values["day"]).items()}

    def _write_first_list(self, values: Mapping[str, Any]) -> dict[str, int]:
        """Write the rows of the very first list; return its counts by section and state."""
        # Without the primary key a million rows are written in half the time; it is created again afterwards.
        self._connection.execute(statement("clearance/trunk.drop_entry_key"))
        rows = statement("clearance/trunk.first_list_rows").format(wanted=_listed_services(_ALL_SERVICES))
        self._connection.execute(rows, values)
        self._connection.execute(statement("clearance/trunk.add_entry_key"))
        counts = one_row(self._connection, statement("clearance/trunk.count_first"), {})
        return {**dict.fromkeys(LIST_STATES, 0), **counts}


def _as_table(rows: sql.Composed) -> sql.Composed:
    """Return the statement that stores the rows of a list in a table of this transaction."""
    return sql.SQL("create temp table wanted on commit drop as {}").format(rows)


def _listed_services(services: sql.Composable) -> sql.Composed:
    """Return the query for the rows of a list; among all services yesterday's rows are joined as one set."""
    yesterday = "%(yesterday_base)s::bigint, %(yesterday_corrections)s::bigint[]"
    if services is _ALL_SERVICES:
        rows = f"clearance.rows_of({yesterday})"
    else:
        rows = f"clearance.row_of(s.record_key, {yesterday})"
    return statement("clearance/trunk.wanted_rows").format(services=services, yesterday=sql.SQL(rows))


def _counts_carried_over(before: ListRecord, day: date) -> dict[str, int]:
    """Return the counts that a list of `day` has when its rows are those of the trunk list before it."""
    if before.day == day:
        return {name: getattr(before, name) for name in LIST_STATES}
    return {
        "unrated": before.unrated,
        "default_rated": before.default_rated,
        "new": 0,
        "carried_over": before.unrated + before.default_rated,
        "reopened": 0,
    }


def _oldest_finish(calendar: WorkingCalendar, day: date, archive_after: int) -> datetime:
    """Return the start of the first day whose services are not too old for a list of `day`."""
    count = calendar.working_days_between(calendar.first_day, day) - archive_after
    first = calendar.days[0].working_days
    if count <= 0:
        return _EARLIEST_FINISH
    position = bisect_left(calendar.days, first + count, key=lambda known: known.working_days)
    return datetime.combine(calendar.days[position].day, time(), CITY_TIME_ZONE)
