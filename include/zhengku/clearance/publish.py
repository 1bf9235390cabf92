"""Publishing the lists of daily clearance (日清清单): what is kept of each service, corrections, lists, rates.

Everything happens under one lock, each list in a transaction of its own: a step that dies leaves nothing behind and can
be repeated. Moments carry their zone; days are those of Asia/Shanghai.
"""

import logging
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from functools import cached_property
from typing import Any

from psycopg import sql

from zhengku.catalog.clearance_config import ListKind
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clearance.clearance_settings import ClearanceSettings
from zhengku.clearance.list_writer import LIST_STATES, ListWriter
from zhengku.clearance.lists import Connection, ListRecord, ListVersion, list_record, list_records
from zhengku.clearance.lists import published as published_list
from zhengku.clearance.rates import refresh_rates
from zhengku.clearance.refresh import ServiceState, keep_calendar
from zhengku.clearance.transaction import make_table, one_row
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError

log = logging.getLogger(__name__)

_ALL_SERVICES = sql.Identifier("clearance", "service")
_CANDIDATES = sql.Identifier("candidate")

_EARLIEST_FINISH = datetime(1900, 1, 1, tzinfo=CITY_TIME_ZONE)


class DailyClearance(ClearanceSettings):
    """The daily clearance of one installation: its lists, and the rates and kept state that belong to them."""

    @cached_property
    def _services(self) -> ServiceState:
        return ServiceState(self)

    @cached_property
    def _writer(self) -> ListWriter:
        return ListWriter(self)

    def refresh(self, connection: Connection, now: datetime | None = None) -> int:
        """Take loaded batches into the kept state; return how many services changed (see `ServiceState.refresh`)."""
        return self._services.refresh(connection, now)

    def refresh_rates(self, now: datetime | None = None) -> int:
        """Count the rates of the days anew that loaded batches touched; return how many days."""
        return refresh_rates(self, now)

    def publish_due(self, now: datetime, only_if_fresh: bool) -> list[ListVersion]:
        """Publish every list whose cut-off lies at or before `now` and that has no version yet; oldest first.

        With `only_if_fresh` a list waits until all sources were read at or after its cut-off. Raises what `publish`
        raises; lists that were published before that stay.
        """
        published: list[ListVersion] = []
        for day, kind in self.config.due(now):
            with store_connection(self.settings.database_url) as connection:
                waits = published_list(connection, day, kind) is None and not (
                    only_if_fresh and self._writer.stale_sources(connection, self.config.cutoff(day, kind))
                )
            if waits:
                published.append(self.publish(day, kind, now))
        return published

    def check_day(self, day: date, kind: ListKind, now: datetime) -> None:
        """Raise `ConfigurationError` where a list cannot be published: before its cut-off, or before the calendar."""
        if day < WorkingCalendar.first_day:
            raise ConfigurationError(
                f"The {kind} list of {day} cannot be published: expected a day from {WorkingCalendar.first_day} on, "
                "with which the calendar of working days begins. Name a later day."
            )
        today = now.astimezone(CITY_TIME_ZONE).date()
        if day > today:
            # The last day of all has no end that could be told.
            raise ConfigurationError(
                f"The {kind} list of {day} cannot be published before its cut-off: that day is to come. "
                f"Name a day up to {today}."
            )
        cutoff_at = self.config.cutoff(day, kind)
        if now < cutoff_at:
            raise ConfigurationError(
                f"The {kind} list of {day} cannot be published before its cut-off at {cutoff_at:%Y-%m-%d %H:%M}. "
                "Publish it then, or an earlier list."
            )

    def publish(self, day: date, kind: ListKind, now: datetime) -> ListVersion:
        """Publish a list with the facts that are loaded; return it.

        A final list comes after corrections of earlier ones, a working list without: so each gets one correction a
        night. A list that exists already is returned as it is, or in a new version where the facts have changed, and
        earlier final lists are corrected too. `now`, with a zone, is the time of publishing. Raises what `check_day`
        and `store_connection` raise.
        """
        self.check_day(day, kind, now)
        with self._lock(now) as (connection, changed):
            # What a list is judged against is what was out before it: not the corrections that are made with it.
            newest_before = self._writer.position(connection, day)["next_list"] - 1
            newest = list_record(connection, "clearance/lists.newest_list", {})
            finals = self._final_lists(connection, max(day, newest.day) if newest else day)
            if published_list(connection, day, kind) is None:
                return self._first_version(connection, day, kind, now, newest_before, finals, changed)
            self._compare(connection, finals, now, changed)
            existing = list_record(
                connection, "clearance/lists.list_by_version", {"day": day, "kind": kind, "version": None}
            )
            assert existing is not None
            connection.execute(statement("clearance/corrections.record_compared"))
            if (day, kind) not in {(final.day, final.kind) for final in finals}:
                # What changed since it was last compared with the facts is not known any more.
                values = {**existing.members, **existing.limits}
                make_table(connection, "candidate", statement("clearance/candidates.list_candidates"), values)
                corrected = self._writer.correct(connection, [existing], now)
                return corrected[0] if corrected else existing.published
            return existing.published

    @contextmanager
    def _lock(self, now: datetime) -> Iterator[tuple[Connection, int]]:
        """Open the store for a transaction that no other publishing shares, with the kept state up to date.

        Tells how many services changed, which are to be remembered as touched unless a trunk list takes them in.
        """
        with store_connection(self.settings.database_url) as connection:
            yield connection, self._services.take_batches(connection, now)

    def _final_lists(self, connection: Connection, reference: date) -> list[ListRecord]:
        """Return the final lists that corrections may still change, oldest first; `reference` is the newest day."""
        first_day = date.fromordinal(reference.toordinal() - self.config.correction_days)
        return list_records(connection, "clearance/lists.final_lists", {"first_day": first_day, "last_day": reference})

    def _compare(self, connection: Connection, finals: Sequence[ListRecord], now: datetime, changed: int) -> None:
        """Correct final lists by what changed since they were compared; remember it for the next trunk list."""
        if changed:
            connection.execute(statement("clearance/corrections.touch_services"))
        make_table(connection, "candidate", statement("clearance/candidates.compare_candidates"), {})
        self._writer.correct(connection, finals, now)

    def _first_version(
        self,
        connection: Connection,
        day: date,
        kind: ListKind,
        now: datetime,
        newest_before: int,
        finals: Sequence[ListRecord],
        changed: int,
    ) -> ListVersion:
        """Publish a list that is not out yet; before a final list, correct those that may still change."""
        calendar = self.calendar(day)
        cutoff_at = self.config.cutoff(day, kind)
        before = list_record(connection, "clearance/trunk.trunk_list", {"before": cutoff_at})
        last = list_record(connection, "clearance/trunk.trunk_list", {"before": None})
        is_late = last is not None and last.list_id != (before.list_id if before else None)
        oldest_finish = _oldest_finish(calendar, day, self.config.archive_after_working_days)
        services = _ALL_SERVICES
        if before is not None and not is_late and self._goes_on(connection, before, day, newest_before):
            # What may stand otherwise on this list is looked for once: all that changed since the last is among it.
            moments = {
                "last_cutoff_at": before.cutoff_at,
                "cutoff_at": cutoff_at,
                "last_oldest_finish": before.oldest_finish,
                "oldest_finish": oldest_finish,
            }
            touched = statement("clearance/candidates.changed_keys" if changed else "clearance/candidates.no_keys")
            make_table(
                connection, "candidate", statement("clearance/candidates.candidates").format(changed=touched), moments
            )
            services = _CANDIDATES
            if kind == "final":
                self._writer.correct(connection, finals, now)
        elif kind == "final":
            self._compare(connection, finals, now, changed)
        if kind == "working" and changed:
            # It leaves what changed to the night's final list.
            connection.execute(statement("clearance/corrections.touch_services"))
        against = self._writer.against(connection, day, newest_before)
        values: dict[str, Any] = {
            **against,
            "day": day,
            "kind": kind,
            "version": 1,
            "cutoff_at": cutoff_at,
            "published_at": now,
            "is_trunk": not is_late,
            "base_list": against["list_id"] if not is_late else before.list_id if before else None,
            "corrections": [against["list_id"]] if is_late else [],
            "oldest_finish": oldest_finish,
            "calendar_id": keep_calendar(connection, calendar),
            "calendar_note": calendar.note_zh(day, self.config.longest_term_working_days),
            "archive_after_working_days": self.config.archive_after_working_days,
            "deadline_working_days": self.config.deadline_working_days,
            "archived_total": before.archived_total if before else 0,
        }
        self._writer.enter(connection, values)
        if is_late:
            if kind == "final":
                connection.execute(statement("clearance/corrections.record_compared"))
            # It archives nothing itself: the trunk, which is further, has done that.
            values["archived_total"] += one_row(connection, statement("clearance/trunk.count_too_old"), values)[
                "too_old"
            ]
            make_table(connection, "wanted", _made_of(_wanted_rows(_ALL_SERVICES)), values)
            return self._writer.complete(
                connection, {**values, **one_row(connection, statement("clearance/trunk.branch_off"), values)}
            )
        values["archived_total"] += connection.execute(_of("clearance/trunk.archive", services), values).rowcount
        if before is None:
            states = self._enter_first(connection, values)
        else:
            states = self._advance(connection, before, services, values)
        connection.execute(statement("clearance/corrections.forget_touched"), {"all_compared": kind == "final"})
        return self._writer.complete(connection, {**values, **states})

    def _advance(
        self, connection: Connection, before: ListRecord, services: sql.Composable, values: Mapping[str, Any]
    ) -> dict[str, int]:
        """Go on from a trunk list to the next: write who comes and who goes; return its counts by section and state."""
        make_table(connection, "wanted", _made_of(_wanted_rows(services)), values)
        standing = (
            "clearance/ending_rows.standing_all"
            if services is _ALL_SERVICES
            else "clearance/ending_rows.standing_candidates"
        )
        ending = statement("clearance/ending_rows.ending_rows").format(standing=statement(standing))
        make_table(connection, "ending", ending, {})
        moved = one_row(connection, statement("clearance/trunk.advance_trunk"), values)
        return {name: count + moved[name] for name, count in _counted_from(before, values["day"]).items()}

    @staticmethod
    def _enter_first(connection: Connection, values: Mapping[str, Any]) -> dict[str, int]:
        """Write the rows of the first list there is, and return its counts by section and state."""
        key = connection.execute(statement("clearance/trunk.entry_key")).fetchone()
        assert key is not None
        name, definition = sql.Identifier(key[0]), sql.SQL(key[1])
        # Without its key a million rows are written in half the time; it is made of them afterwards.
        connection.execute(sql.SQL("alter table clearance.entry drop constraint {}").format(name))
        wanted = _wanted_rows(_ALL_SERVICES)
        connection.execute(statement("clearance/trunk.first_list_rows").format(wanted=wanted), values)
        connection.execute(sql.SQL("alter table clearance.entry add constraint {} {}").format(name, definition))
        return {**dict.fromkeys(LIST_STATES, 0), **one_row(connection, statement("clearance/trunk.count_first"), {})}

    def _goes_on(self, connection: Connection, before: ListRecord, day: date, newest_before: int) -> bool:
        """Whether few rows alone may stand otherwise on a list of `day` than on the trunk list before.

        So it is when that list is of the same day, and thus judged against the same, or is yesterday's final list. Else
        the state of any row may be another.
        """
        yesterday = self._writer.against(connection, day, newest_before)["yesterday_day"]
        return before.day == day or (before.kind == "final" and before.day == yesterday)


def _of(name: str, services: sql.Composable) -> sql.Composed:
    return statement(name).format(services=services)


def _made_of(rows: sql.Composed) -> sql.Composed:
    """Return the statement that keeps the rows of a list for this transaction."""
    return sql.SQL("create temp table wanted on commit drop as {}").format(rows)


def _wanted_rows(services: sql.Composable) -> sql.Composed:
    """Return the statement for the rows of a list; among all services yesterday's rows are joined as a whole."""
    yesterday = "%(yesterday_base)s::bigint, %(yesterday_corrections)s::bigint[]"
    if services is _ALL_SERVICES:
        rows = f"clearance.rows_of({yesterday})"
    else:
        rows = f"clearance.row_of(s.record_key, {yesterday})"
    return statement("clearance/trunk.wanted_rows").format(services=services, yesterday=sql.SQL(rows))


def _counted_from(before: ListRecord, day: date) -> dict[str, int]:
    """Return the counts of the trunk list before as they would be on a list of `day` with the same rows."""
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
    """Return the begin of the first day whose services are not too old for a list of `day`."""
    count = calendar.working_days_between(calendar.first_day, day) - archive_after
    first = calendar.days[0].working_days
    if count <= 0:
        return _EARLIEST_FINISH
    position = bisect_left(calendar.days, first + count, key=lambda known: known.working_days)
    return datetime.combine(calendar.days[position].day, time(), CITY_TIME_ZONE)
