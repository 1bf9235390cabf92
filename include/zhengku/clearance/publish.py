"""Publishing the lists of daily clearance (日清清单): what is kept of each service, corrections, lists, rates.

Everything happens under one lock, each list in a transaction of its own: a step that dies leaves nothing behind and can
be repeated. Moments carry their zone; days are those of Asia/Shanghai.
"""

import logging
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from typing import Any

from psycopg import sql
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from zhengku import clock
from zhengku.catalog import Catalog, load_catalog
from zhengku.clearance.calendar import WorkingCalendar
from zhengku.clearance.config import ClearanceConfig, ListKind, load_clearance
from zhengku.clearance.lists import Connection, KeptList, PublishedList, StaleSource, kept_list, kept_lists
from zhengku.clearance.lists import published as published_list
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.errors import CatalogError, ConfigurationError
from zhengku.settings import Settings

log = logging.getLogger(__name__)

_ALL_SERVICES = sql.Identifier("clearance", "service")
_CANDIDATES = sql.Identifier("candidate")

_STATES = ("unrated", "default_rated", "new", "carried_over", "reopened")
_LEFT = ("cleared", "withdrawn", "archived")

_EARLIEST_FINISH = datetime(1900, 1, 1, tzinfo=CITY_TIME_ZONE)


@dataclass(frozen=True)
class Discrepancy:
    """A service whose section on a list is not what the store says now; None: not on it, or not to be on it."""

    record_key: str
    listed: str | None
    by_store: str | None


class DailyClearance:
    """The publishing of one installation.

    What is not given is read from its catalogue folder when it is needed; a `calendar` that is given serves all days.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog | None = None,
        config: ClearanceConfig | None = None,
        calendar: WorkingCalendar | None = None,
    ) -> None:
        self.settings = settings
        self._catalog = catalog
        self._config = config
        self._calendar = calendar

    @cached_property
    def catalog(self) -> Catalog:
        """The catalogue of this installation."""
        return self._catalog or load_catalog(self.settings.catalog_folder)

    @cached_property
    def config(self) -> ClearanceConfig:
        """The numbers of the daily clearance."""
        return self._config or load_clearance(self.settings.catalog_folder)

    def calendar(self, day: date) -> WorkingCalendar:
        """Return the calendar that a list of `day` counts with."""
        return self._calendar or WorkingCalendar.load(self.settings.catalog_folder, day)

    def publish_due(self, now: datetime, only_if_fresh: bool) -> list[PublishedList]:
        """Publish every list whose cut-off lies at or before `now` and that has no version yet; oldest first.

        With `only_if_fresh` a list waits until all sources were read at or after its cut-off. Raises what `publish`
        raises; lists that were published before that stay.
        """
        published: list[PublishedList] = []
        for day, kind in self.config.due(now):
            with store_connection(self.settings.database_url) as connection:
                waits = published_list(connection, day, kind) is None and not (
                    only_if_fresh and self._stale(connection, self.config.cutoff(day, kind))
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

    def publish(self, day: date, kind: ListKind, now: datetime) -> PublishedList:
        """Publish a list with the facts that are loaded; return it.

        A final list comes after corrections of earlier ones, a working list without: so each gets one correction a
        night. A list that exists already is returned as it is, or in a new version where the facts have changed, and
        earlier final lists are corrected too. `now`, with a zone, is the time of publishing. Raises what `check_day`
        and `store_connection` raise.
        """
        self.check_day(day, kind, now)
        with self._alone(now) as (connection, changed):
            # What a list is judged against is what was out before it: not the corrections that are made with it.
            newest_before = self._position(connection, day)["next_list"] - 1
            newest = kept_list(connection, "clearance/lists.newest_list", {})
            finals = self._final_lists(connection, max(day, newest.day) if newest else day)
            if published_list(connection, day, kind) is None:
                return self._first_version(connection, day, kind, now, newest_before, finals, changed)
            self._compare(connection, finals, now, changed)
            existing = kept_list(
                connection, "clearance/lists.list_by_version", {"day": day, "kind": kind, "version": None}
            )
            assert existing is not None
            connection.execute(statement("clearance/corrections.record_compared"))
            if (day, kind) not in {(final.day, final.kind) for final in finals}:
                # What changed since it was last compared with the facts is not known any more.
                values = {**existing.members, **existing.limits}
                self._make(connection, "candidate", statement("clearance/candidates.list_candidates"), values)
                corrected = self._correct(connection, [existing], now)
                return corrected[0] if corrected else existing.published
            return existing.published

    def refresh(self, connection: Connection, now: datetime | None = None) -> int:
        """Take the loaded batches that are not in it yet into the kept state; return how many services changed.

        Runs in the caller's transaction, alone. Services that no batch touched are not looked at.
        """
        changed = self._refresh(connection, now or clock.now())
        if changed:
            connection.execute(statement("clearance/corrections.touch_services"))
        return changed

    def _refresh(self, connection: Connection, now: datetime) -> int:
        """Do the same, but leave it to the caller to remember what was touched: the services of the table `changed`."""
        connection.execute("select pg_advisory_xact_lock(hashtextextended('zhengku.clearance', 0))")
        # Thousands of keys are looked up among millions: by the index, which is in memory or on a fast disk.
        connection.execute("set local random_page_cost = 1.1")
        calendar_id, is_other_basis = self._keep_basis(connection, now)
        found = connection.execute(statement("clearance/services.has_services")).fetchone()
        is_first = found is not None and not found[0]
        values: dict[str, Any] = {
            "batches": [
                row[0] for row in connection.execute(statement("clearance/services.batches_to_apply")).fetchall()
            ],
            "calendar_id": calendar_id,
            "rectification_working_days": self.config.rectification_working_days,
        }
        changed = 0
        if values["batches"]:
            scope = sql.SQL("true")
            if not is_first:
                self._make(connection, "touched_key", statement("clearance/services.touched_keys"), values)
                scope = sql.SQL("c.record_key in (select t.record_key from touched_key as t)")
            self._make(connection, "refreshed", statement("clearance/services.read_services").format(scope=scope), {})
            connection.execute(statement("clearance/services.add_places"))
            connection.execute(statement("clearance/services.add_items"))
            self._make(connection, "changed", statement("clearance/services.changed_services"), {})
            changed = connection.execute(statement("clearance/services.write_services")).rowcount
            connection.execute(statement("clearance/services.record_applied"), values)
            log.info("%d batches of cases and evaluations: %d services changed", len(values["batches"]), changed)
        if is_first or is_other_basis:
            connection.execute(statement("clearance/rates.touch_all_days"), values)
        elif values["batches"]:
            connection.execute(statement("clearance/rates.touch_days"), values)
        return changed

    def refresh_rates(self, now: datetime | None = None) -> int:
        """Count the rates of the days anew that loaded batches touched; return how many days."""
        now = now or clock.now()
        with store_connection(self.settings.database_url) as connection:
            self.refresh(connection, now)
            # Lists may be published while the counting takes its time.
            connection.commit()
            connection.execute("select pg_advisory_xact_lock(hashtextextended('zhengku.clearance.rates', 0))")
            touched = connection.execute(statement("clearance/rates.take_days")).fetchall()
            days = sorted({row[0] for row in touched})
            basis = connection.execute(statement("clearance/basis.basis")).fetchone()
            if not days or basis is None:
                return 0
            values = {
                "days": days,
                "working_cutoffs": [self.config.cutoff(day, "working") for day in days],
                "calendar_id": basis[0],
                "callback_working_days": self.config.callback_working_days,
                "rectification_working_days": self.config.rectification_working_days,
            }
            connection.execute(statement("clearance/rates.forget_rates"), values)
            connection.execute(statement("clearance/count_rates.count_rates"), values)
            return len(days)

    def verify(self, connection: Connection, published: PublishedList) -> list[Discrepancy]:
        """Compare a list with the store by a plain search of it all; return the services where they differ.

        For the newest list: whatever was loaded since it was published is a difference too.
        """
        kept = kept_list(connection, "clearance/lists.list_by_id", {"list_id": published.list_id})
        assert kept is not None
        values = {**kept.members, **kept.limits}
        with connection.cursor(row_factory=class_row(Discrepancy)) as cursor:
            return cursor.execute(statement("clearance/verify_list.verify_list"), values).fetchall()

    @contextmanager
    def _alone(self, now: datetime) -> Iterator[tuple[Connection, int]]:
        """Open the store for a transaction that no other publishing shares, with the kept state up to date.

        Tells how many services changed, which are to be remembered as touched unless a trunk list takes them in.
        """
        with store_connection(self.settings.database_url) as connection:
            yield connection, self._refresh(connection, now)

    def _final_lists(self, connection: Connection, reference: date) -> list[KeptList]:
        """Return the final lists that corrections may still change, oldest first; `reference` is the newest day."""
        first_day = date.fromordinal(reference.toordinal() - self.config.correction_days)
        return kept_lists(connection, "clearance/lists.final_lists", {"first_day": first_day, "last_day": reference})

    def _compare(self, connection: Connection, finals: Sequence[KeptList], now: datetime, changed: int) -> None:
        """Correct final lists by what changed since they were compared; remember it for the next trunk list."""
        if changed:
            connection.execute(statement("clearance/corrections.touch_services"))
        self._make(connection, "candidate", statement("clearance/candidates.compare_candidates"), {})
        self._correct(connection, finals, now)

    def _correct(self, connection: Connection, lists: Sequence[KeptList], now: datetime) -> list[PublishedList]:
        """Give each list that the candidates' facts contradict one more version; return these."""
        listed = {"lists": [kept.list_id for kept in lists]}
        self._make(connection, "difference", statement("clearance/corrections.differences"), listed)
        found = connection.execute(statement("clearance/corrections.differing_lists")).fetchall()
        differing = {row[0] for row in found}
        versions = [self._next_version(connection, kept, now) for kept in lists if kept.list_id in differing]
        connection.execute(statement("clearance/corrections.touch_differences"))
        return versions

    def _next_version(self, connection: Connection, kept: KeptList, now: datetime) -> PublishedList:
        against = self._against(connection, kept.day)
        values = {
            **vars(kept),
            **against,
            "corrected_list": kept.list_id,
            "corrections": [*kept.corrections, against["list_id"]],
            "version": kept.version + 1,
            "published_at": now,
            "is_trunk": False,
        }
        self._enter(connection, values)
        moved = _one(connection, "clearance/corrections.correct_list", values)
        states = {name: getattr(kept, name) + moved[name] for name in _STATES}
        return self._complete(connection, {**values, **states})

    def _first_version(
        self,
        connection: Connection,
        day: date,
        kind: ListKind,
        now: datetime,
        newest_before: int,
        finals: Sequence[KeptList],
        changed: int,
    ) -> PublishedList:
        """Publish a list that is not out yet; before a final list, correct those that may still change."""
        calendar = self.calendar(day)
        cutoff_at = self.config.cutoff(day, kind)
        before = kept_list(connection, "clearance/trunk.trunk_list", {"before": cutoff_at})
        last = kept_list(connection, "clearance/trunk.trunk_list", {"before": None})
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
            self._make(
                connection, "candidate", statement("clearance/candidates.candidates").format(changed=touched), moments
            )
            services = _CANDIDATES
            if kind == "final":
                self._correct(connection, finals, now)
        elif kind == "final":
            self._compare(connection, finals, now, changed)
        if kind == "working" and changed:
            # It leaves what changed to the night's final list.
            connection.execute(statement("clearance/corrections.touch_services"))
        against = self._against(connection, day, newest_before)
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
            "calendar_id": _keep_calendar(connection, calendar),
            "calendar_note": calendar.note_zh(day, self.config.longest_term_working_days),
            "archive_after_working_days": self.config.archive_after_working_days,
            "deadline_working_days": self.config.deadline_working_days,
            "archived_total": before.archived_total if before else 0,
        }
        self._enter(connection, values)
        if is_late:
            if kind == "final":
                connection.execute(statement("clearance/corrections.record_compared"))
            # It archives nothing itself: the trunk, which is further, has done that.
            values["archived_total"] += _one(connection, "clearance/trunk.count_too_old", values)["too_old"]
            self._make(connection, "wanted", _made_of(_wanted_rows(_ALL_SERVICES)), values)
            return self._complete(connection, {**values, **_one(connection, "clearance/trunk.branch_off", values)})
        values["archived_total"] += connection.execute(_of("clearance/trunk.archive", services), values).rowcount
        if before is None:
            states = self._enter_first(connection, values)
        else:
            states = self._advance(connection, before, services, values)
        connection.execute(statement("clearance/corrections.forget_touched"), {"all_compared": kind == "final"})
        return self._complete(connection, {**values, **states})

    def _advance(
        self, connection: Connection, before: KeptList, services: sql.Composable, values: Mapping[str, Any]
    ) -> dict[str, int]:
        """Go on from a trunk list to the next: write who comes and who goes; return its counts by section and state."""
        self._make(connection, "wanted", _made_of(_wanted_rows(services)), values)
        standing = (
            "clearance/ending_rows.standing_all"
            if services is _ALL_SERVICES
            else "clearance/ending_rows.standing_candidates"
        )
        ending = statement("clearance/ending_rows.ending_rows").format(standing=statement(standing))
        self._make(connection, "ending", ending, {})
        moved = _one(connection, "clearance/trunk.advance_trunk", values)
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
        return {**dict.fromkeys(_STATES, 0), **_one(connection, "clearance/trunk.count_first", {})}

    def _goes_on(self, connection: Connection, before: KeptList, day: date, newest_before: int) -> bool:
        """Whether few rows alone may stand otherwise on a list of `day` than on the trunk list before.

        So it is when that list is of the same day, and thus judged against the same, or is yesterday's final list. Else
        the state of any row may be another.
        """
        yesterday = self._against(connection, day, newest_before)["yesterday_day"]
        return before.day == day or (before.kind == "final" and before.day == yesterday)

    @staticmethod
    def _position(connection: Connection, day: date, newest_before: int = 0) -> dict[str, Any]:
        return _one(connection, "clearance/trunk.trunk_position", {"day": day, "newest_before": newest_before})

    def _against(self, connection: Connection, day: date, newest_before: int = 0) -> dict[str, Any]:
        """Return what a list of `day` is judged against, as parameters: yesterday's list; and the number it gets.

        All lists of a day are judged against the same; `newest_before` counts for the first of them.
        """
        position = self._position(connection, day, newest_before)
        yesterday = kept_list(connection, "clearance/trunk.yesterday_list", {"day": day, **position})
        return {
            "list_id": position["next_list"],
            "last_before": position["last_before"],
            "last_shown": position["last_shown"],
            "yesterday_list": yesterday and yesterday.list_id,
            "yesterday_base": yesterday and yesterday.base_list,
            "yesterday_corrections": yesterday.corrections if yesterday else [],
            "yesterday_day": yesterday and yesterday.day,
        }

    def _enter(self, connection: Connection, values: Mapping[str, Any]) -> None:
        stale = [
            {
                "name": source.name,
                "title": source.title,
                "read_at": None if source.read_at is None else source.read_at.isoformat(),
            }
            for source in self._stale(connection, values["cutoff_at"])
        ]
        connection.execute(statement("clearance/count_list.enter_list"), {**values, "stale": Jsonb(stale)})

    @staticmethod
    def _complete(connection: Connection, values: Mapping[str, Any]) -> PublishedList:
        """Enter the counts of a list: `values` has those by state, who left is counted here."""
        left = dict.fromkeys(_LEFT, 0)
        if values["yesterday_list"] is not None:
            left = _one(connection, "clearance/count_list.count_left", values)
        kept = kept_list(connection, "clearance/count_list.count_list", {**values, **left})
        assert kept is not None
        log.info("%s list of %s, version %d: %s", kept.kind, kept.day, kept.version, kept.published.counts)
        return kept.published

    def _stale(self, connection: Connection, cutoff_at: datetime) -> list[StaleSource]:
        """Return the sources that were not read at or after a cut-off, in the order of the configuration."""
        names = [source.partition("/") for source in self.config.sources]
        found = connection.execute(
            statement("clearance/services.sources_read"),
            {"departments": [name[0] for name in names], "feeds": [name[2] for name in names]},
        ).fetchall()
        read = {f"{department}/{feed}": read_at for department, feed, read_at in found}
        return [
            StaleSource(name, self._title(name), read[name] and read[name].astimezone(CITY_TIME_ZONE))
            for name in self.config.sources
            if read[name] is None or read[name] < cutoff_at
        ]

    def _title(self, source: str) -> str:
        department, _, feed = source.partition("/")
        try:
            return self.catalog.feed(department, feed).title
        except CatalogError:
            # A department's broken file keeps no list from coming out.
            return source

    def _keep_basis(self, connection: Connection, now: datetime) -> tuple[int, bool]:
        """Keep the calendar and the numbers; return the calendar's, and whether any is another than before."""
        calendar_id = _keep_calendar(connection, self.calendar(now.astimezone(CITY_TIME_ZONE).date()))
        numbers = self.config.model_dump(mode="json", exclude={"sources"})
        values = {"calendar_id": calendar_id, "numbers": Jsonb(numbers)}
        return calendar_id, connection.execute(statement("clearance/basis.keep_basis"), values).fetchone() is not None

    @staticmethod
    def _make(
        connection: Connection,
        table: str,
        query: sql.SQL | sql.Composed,
        values: Mapping[str, Any],
    ) -> None:
        """Make a table of this transaction anew, and let the planner know how many rows it has."""
        name = sql.Identifier("pg_temp", table)
        connection.execute(sql.SQL("drop table if exists {}").format(name))
        connection.execute(query, values)
        connection.execute(sql.SQL("analyze {} (record_key)").format(name))


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


def _one(connection: Connection, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return _row(connection, statement(name), values)


def _row(connection: Connection, query: sql.SQL | sql.Composed, values: Mapping[str, Any]) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query, values).fetchone()
    assert row is not None
    return row


def _counted_from(before: KeptList, day: date) -> dict[str, int]:
    """Return the counts of the trunk list before as they would be on a list of `day` with the same rows."""
    if before.day == day:
        return {name: getattr(before, name) for name in _STATES}
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


def _keep_calendar(connection: Connection, calendar: WorkingCalendar) -> int:
    """Keep the days of a calendar, once; return its number."""
    row = connection.execute(statement("clearance/basis.calendar_by_digest"), {"digest": calendar.digest}).fetchone()
    if row is None:
        row = connection.execute(statement("clearance/basis.keep_calendar"), {"digest": calendar.digest}).fetchone()
        assert row is not None
        connection.execute(
            statement("clearance/basis.keep_calendar_days"),
            {
                "calendar_id": row[0],
                "days": [day.day for day in calendar.days],
                "is_working": [day.is_working for day in calendar.days],
                "working_days": [day.working_days for day in calendar.days],
                "is_assumed": [day.is_assumed for day in calendar.days],
            },
        )
    return int(row[0])
