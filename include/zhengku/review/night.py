"""The nightly validation report (归集校验日报): what a night fetched, loaded and quarantined, and what is out of order.

The figures of a report are stored with a version. Publishing the same night again stores another version only where its
figures have changed, for example because a batch arrived late. A night is a day in Asia/Shanghai.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from zhengku import ledger
from zhengku.catalog import Catalog, Feed, load_catalog
from zhengku.catalog.record_masks import mask_key
from zhengku.catalog.review_config import ReviewConfig, load_review
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.ledger import Connection
from zhengku.readers.row_rules import ROW_RULES
from zhengku.review import problems
from zhengku.review.night_figures import (
    DepartmentProblems,
    Drift,
    FeedFigures,
    FeedState,
    NightFigures,
    QuietRule,
    RuleFigures,
    WaitingBatch,
)
from zhengku.review.problems import night_bounds
from zhengku.settings import Settings
from zhengku.validate.suites import BATCH_SUITE, load_suites, reasons

log = logging.getLogger(__name__)

SHAPE_ROWS = 20
"""Rows that a column must have in both deliveries before its shapes are compared."""

_WEEK, _MONTH = 7, 30
_PROBLEM_COUNTS = ("open", "unreturned", "returned", "overdue", "due_soon", "waived", "corrected")
_T = TypeVar("_T")


@dataclass(frozen=True)
class PrintedSeal:
    """The seal of the evidence whose head (64 hexadecimal digits) a report prints."""

    seal_id: int
    sealed_until: datetime
    head: str


@dataclass(frozen=True)
class NightReport:
    """A published report; `seal` is None when nothing was sealed before it."""

    night: date
    version: int
    made_at: datetime
    figures: NightFigures
    seal: PrintedSeal | None


class NightReports:
    """Counts and publishes the reports of one installation."""

    def __init__(
        self, settings: Settings, catalog: Catalog | None = None, calendar: WorkingCalendar | None = None
    ) -> None:
        self.settings = settings
        self._catalog = catalog
        self._calendar = calendar

    @cached_property
    def catalog(self) -> Catalog:
        """The catalogue of this installation."""
        return self._catalog or load_catalog(self.settings.catalog_folder)

    @cached_property
    def config(self) -> ReviewConfig:
        """The settings of the review (`review.yaml`)."""
        return load_review(self.settings.catalog_folder)

    def calendar(self, day: date) -> WorkingCalendar:
        """Return the calendar with which a report of `day` counts working days."""
        return self._calendar or WorkingCalendar.load(self.settings.catalog_folder, day)

    def publish(self, night: date) -> NightReport:
        """Return the report of a night: the stored one, or a new version where its figures have changed.

        Raises what `store_connection` raises.
        """
        with store_connection(self.settings.database_url) as connection:
            connection.execute("select pg_advisory_xact_lock(hashtextextended('zhengku.night_report', 0))")
            existing = report_of(connection, night)
            figures = self.figures(connection, night)
            if existing is not None and existing.figures == figures:
                return existing
            values = {
                "night": night,
                "version": ledger.next_version(
                    connection, "night_report", f"{night}", existing.version if existing else 0
                ),
                "figures": Jsonb(asdict(figures)),
            }
            connection.execute(statement("review/night.enter_night"), values)
            made = report_of(connection, night)
            assert made is not None
        log.info(
            "Report of %s, version %d: %d rows fetched, %d quarantined, %d of %d feeds out of order",
            night,
            made.version,
            figures.total("fetched"),
            figures.total("quarantined"),
            len(figures.feeds) - len(figures.in_state("good")),
            len(figures.feeds),
        )
        return made

    def figures(self, connection: Connection, night: date) -> NightFigures:
        """Count a night by the present content of the ledger."""
        values = self._moments(night)
        with connection.cursor(row_factory=dict_row) as cursor:
            counted = {
                (row["department"], row["feed"]): row
                for row in cursor.execute(statement("review/night_feeds.night_feeds"), values).fetchall()
            }
            failed = cursor.execute(statement("review/night.night_rules"), values).fetchall()
            waiting = cursor.execute(statement("review/night.waiting_batches"), values).fetchall()
        with connection.cursor(row_factory=class_row(Drift)) as drifting:
            drift = drifting.execute(statement("review/drift.drift"), {**values, "rows": SHAPE_ROWS}).fetchall()
        calendar = self.calendar(night)
        reasons_by_rule = self._reasons()
        return NightFigures(
            feeds=[
                self._feed_figures(feed, counted.get((feed.department, feed.id)), night, calendar)
                for department in self.catalog.departments.values()
                for feed in department.feeds.values()
            ],
            rules=[_rule_figures(row, reasons_by_rule) for row in failed],
            drift=drift,
            waiting=[WaitingBatch(**{**row, "recorded_at": _city_text(row["recorded_at"])}) for row in waiting],
            problems=self._problem_figures(connection, night),
            quiet_rules=self._quiet_rules(connection, night, reasons_by_rule),
            never_fired_days=self.config.never_fired_days,
        )

    def _moments(self, night: date) -> dict[str, Any]:
        start, end = night_bounds(night)
        calendar = self.calendar(night)
        days = [night - timedelta(days=back) for back in range(_MONTH, 0, -1)]
        is_working = _is_working(calendar, night)
        return {
            "night": night,
            "night_begin": start,
            "night_end": end,
            "history_begin": start - timedelta(days=_MONTH),
            "week_begin": night - timedelta(days=_WEEK),
            "like_nights": [day for day in days if _is_working(calendar, day) == is_working],
        }

    def _feed_figures(
        self, feed: Feed, row: Mapping[str, Any] | None, night: date, calendar: WorkingCalendar
    ) -> FeedFigures:
        counts = {name: int(row[name]) if row else 0 for name in _COUNTS}
        idle = _working_days_since(calendar, row["last_new_at"], night) if row else None
        return FeedFigures(
            department=feed.department,
            department_name=self.catalog.department(feed.department).name,
            feed=feed.id,
            title=feed.title,
            dataset=feed.dataset,
            license_type=feed.license_type,
            state=self._state(row, night, calendar, idle),
            **counts,
            share=_share(counts["quarantined"], counts["fetched"] - counts["held"]),
            share_7=_share(row["quarantined_7"], row["fetched_7"]) if row else None,
            share_30=_share(row["quarantined_30"], row["fetched_30"]) if row else None,
            usual_rows=None if row is None or row["usual_rows"] is None else float(row["usual_rows"]),
            idle_working_days=idle,
            last_loaded_at=_city_text(row["last_loaded_at"]) if row and row["last_loaded_at"] else None,
        )

    def _state(
        self, row: Mapping[str, Any] | None, night: date, calendar: WorkingCalendar, idle: int | None
    ) -> FeedState:
        config = self.config
        if row is None:
            return "never"
        if not row["batches"]:
            unseen = _working_days_since(calendar, row["last_seen_at"], night)
            return "silent" if unseen is not None and unseen >= config.silent_after_working_days else "good"
        if row["held_batches"]:
            return "held"
        if row["rejected_batches"] and not row["loaded_batches"]:
            return "rejected"
        if row["unfinished_batches"]:
            return "unfinished"
        usual = row["usual_rows"]
        if usual is not None and usual >= config.small_from_rows and row["fetched"] < config.small_share * float(usual):
            return "small"
        if idle is None or idle >= config.ledger_stale_working_days:
            return "stale"
        return "good"

    def _problem_figures(self, connection: Connection, night: date) -> list[DepartmentProblems]:
        counted: dict[str, dict[str, Any]] = {}
        for one in problems.tally(connection, night, self.config, self.calendar(night)):
            if one.status == "closed":
                continue
            sums = counted.setdefault(
                one.department,
                {**dict.fromkeys(_PROBLEM_COUNTS, 0), "oldest": None},
            )
            sums[one.status] += one.number
            for name in ("overdue", "due_soon", "unreturned"):
                sums[name] += getattr(one, name)
            if one.oldest is not None:
                sums["oldest"] = one.oldest if sums["oldest"] is None else min(sums["oldest"], one.oldest)
        return [
            DepartmentProblems(
                department=department,
                department_name=self.catalog.department_name(department),
                **{**sums, "oldest": _city_text(sums["oldest"]) if sums["oldest"] else None},
            )
            for department, sums in counted.items()
        ]

    def _quiet_rules(self, connection: Connection, night: date, reasons_by_rule: Mapping[str, str]) -> list[QuietRule]:
        start, end = night_bounds(night)
        values = {"since": start - timedelta(days=self.config.never_fired_days), "night_end": end}
        known = {
            rule_id: (fired, skipped)
            for rule_id, fired, skipped in connection.execute(statement("review/night.fired_rules"), values).fetchall()
        }
        return [
            QuietRule(rule_id, reason, was_asked=rule_id in known and not known[rule_id][1])
            for rule_id, reason in sorted(reasons_by_rule.items())
            if rule_id not in ROW_RULES and not known.get(rule_id, (False, True))[0]
        ]

    def _reasons(self) -> dict[str, str]:
        """Return the Chinese reason of every rule that checks a feed of the catalogue, by rule id."""
        names = dict.fromkeys(
            name
            for department in self.catalog.departments.values()
            for feed in department.feeds.values()
            for name in feed.suites
        )
        return {**ROW_RULES, **reasons(load_suites(self.settings.suite_folder, [*names, BATCH_SUITE]))}


_COUNTS = (
    "batches",
    "fetched",
    "loaded",
    "unchanged",
    "quarantined",
    "warned",
    "held",
    "disappeared",
    "held_batches",
    "rejected_batches",
)


def report_of(connection: Connection, night: date | None = None, version: int | None = None) -> NightReport | None:
    """Return the report of a night (None: the newest) in a version (None: the last); None when there is none."""
    values = {"night": night, "version": version}
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(statement("review/night.newest_night"), values).fetchone()
    return None if row is None else _report(row)


@dataclass(frozen=True)
class WarnedRow:
    """A row that was loaded with a warning; `row_no` is its line in the landed delivery, `record_key` is masked."""

    department: str
    feed: str
    batch_id: int
    source_name: str
    rule_id: str
    row_no: int
    record_key: str | None


def warned_rows(
    connection: Connection,
    catalog: Catalog,
    night: date,
    *,
    department: str | None = None,
    feed: str | None = None,
    rule_id: str | None = None,
    limit: int = 100_000,
) -> list[WarnedRow]:
    """Return the first rows of each batch of a night that were loaded with a warning, by feed and rule."""
    start, end = night_bounds(night)
    values = {
        "night_begin": start,
        "night_end": end,
        "department": department,
        "feed": feed,
        "rule_id": rule_id,
        "limit": limit,
    }
    with connection.cursor(row_factory=class_row(WarnedRow)) as cursor:
        found = cursor.execute(statement("review/night.warned_rows"), values).fetchall()
    return [
        replace(row, record_key=row.record_key and mask_key(row.record_key, row.department, row.feed, catalog))
        for row in found
    ]


def nights(connection: Connection, limit: int = 60) -> list[tuple[date, int]]:
    """Return the nights that have a report, the newest first, each with its last version."""
    return connection.execute(statement("review/night.nights"), {"limit": limit}).fetchall()


def _report(row: Mapping[str, Any]) -> NightReport:
    figures = row["figures"]
    return NightReport(
        night=row["night"],
        version=row["version"],
        made_at=row["made_at"],
        figures=NightFigures(
            feeds=_made(FeedFigures, figures["feeds"]),
            rules=_made(RuleFigures, figures["rules"]),
            drift=_made(Drift, figures["drift"]),
            waiting=_made(WaitingBatch, figures["waiting"]),
            problems=_made(DepartmentProblems, figures["problems"]),
            quiet_rules=_made(QuietRule, figures["quiet_rules"]),
            never_fired_days=figures["never_fired_days"],
        ),
        seal=None if row["seal_id"] is None else PrintedSeal(row["seal_id"], row["sealed_until"], row["head"]),
    )


def _made(kind: type[_T], rows: Iterable[Mapping[str, Any]]) -> list[_T]:
    names = {part.name for part in fields(kind)}  # type: ignore[arg-type]  # All are dataclasses.
    return [kind(**{name: value for name, value in row.items() if name in names}) for row in rows]


def _rule_figures(row: Mapping[str, Any], reasons_by_rule: Mapping[str, str]) -> RuleFigures:
    return RuleFigures(
        department=row["department"],
        feed=row["feed"],
        rule_id=row["rule_id"],
        severity=row["severity"],
        reason=reasons_by_rule.get(row["rule_id"], row["rule_id"]),
        failed=int(row["failed"]),
        share=_share(row["failed"], row["fetched"]),
        share_7=_share(row["failed_7"], row["fetched_7"]),
        share_30=_share(row["failed_30"], row["fetched_30"]),
        is_new=not row["failed_30"] and bool(row["fetched_30"]),
    )


def _share(part: Any, whole: Any) -> float | None:
    """Return `part / whole`, rounded so that JSON stores it exactly; None where `whole` is 0 or None."""
    return round(float(part) / float(whole), 6) if whole else None


def _city_text(moment: datetime) -> str:
    return f"{moment.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M}"


def _is_working(calendar: WorkingCalendar, day: date) -> bool:
    return calendar.days[(day - calendar.first_day).days].is_working


def _working_days_since(calendar: WorkingCalendar, moment: datetime | None, night: date) -> int | None:
    if moment is None:
        return None
    return calendar.working_days_between(min(moment.astimezone(CITY_TIME_ZONE).date(), night), night)
