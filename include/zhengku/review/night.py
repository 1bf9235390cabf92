"""The nightly validation report (归集校验日报): what a night fetched, loaded and quarantined, and what is out of order.

The figures of a report are kept with a version: the same night run again gives the same ones, and another version only
where a batch came late. A night is a day of Asia/Shanghai. No figure holds anything of a person.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, TypeVar, get_args

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from zhengku.catalog import Catalog, Feed, load_catalog
from zhengku.catalog.review_config import ReviewConfig, load_review
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.ledger import Connection
from zhengku.masking import mask_identity, mask_text
from zhengku.readers.row_rules import ROW_RULES
from zhengku.review import problems
from zhengku.review.problems import night_bounds
from zhengku.settings import Settings
from zhengku.validate.suites import BATCH_SUITE, load_suites, reasons

log = logging.getLogger(__name__)

FeedState = Literal["never", "silent", "rejected", "held", "unfinished", "small", "stale", "good"]
FEED_STATES = get_args(FeedState)
FEED_STATE_NAMES: Mapping[FeedState, str] = {
    "never": "从未归集",
    "silent": "无数据送达",
    "rejected": "整份退回",
    "held": "暂扣待审",
    "unfinished": "未处理完",
    "small": "数据偏少",
    "stale": "久未更新",
    "good": "正常",
}
"""In the order of their urgency."""

DRIFT_NAMES = {"came": "新出现", "went": "不再送来", "changed": "形态改变"}

SHAPE_ROWS = 20
"""Rows that a column must have in both deliveries for its shape to be compared."""

_WEEK, _MONTH = 7, 30
_PROBLEM_COUNTS = ("open", "unreturned", "returned", "overdue", "due_soon", "waived", "corrected")
_T = TypeVar("_T")


@dataclass(frozen=True)
class FeedFigures:
    """A feed on a night; counts are rows, `share` figures the part of what was fetched that was quarantined.

    `share_7` and `share_30` are those of the 7 and 30 nights before, None where nothing came then. `usual_rows` is the
    median of nights of the same kind (working days, or days off). `idle_working_days` counts from the last loaded batch
    that was no repetition, None where there is none.
    """

    department: str
    department_name: str
    feed: str
    title: str
    dataset: str
    license_type: str | None
    state: FeedState
    batches: int
    fetched: int
    loaded: int
    unchanged: int
    quarantined: int
    warned: int
    held: int
    disappeared: int
    held_batches: int
    rejected_batches: int
    share: float | None
    share_7: float | None
    share_30: float | None
    usual_rows: float | None
    idle_working_days: int | None
    last_loaded_at: str | None


@dataclass(frozen=True)
class RuleFigures:
    """A rule that rows of a feed failed on a night, with its share in the 7 and 30 nights before.

    `is_new`: no row of the feed failed it in the 30 nights before, in which it was asked.
    """

    department: str
    feed: str
    rule_id: str
    severity: str
    reason: str
    failed: int
    share: float | None
    share_7: float | None
    share_30: float | None
    is_new: bool


@dataclass(frozen=True)
class Drift:
    """A column that came, went or changed its shape; `is_unknown` when the feed neither maps nor ignores it."""

    department: str
    feed: str
    column_name: str
    change: Literal["came", "went", "changed"]
    is_unknown: bool
    detail: str | None


@dataclass(frozen=True)
class WaitingBatch:
    """A batch that somebody has to look at."""

    batch_id: int
    department: str
    feed: str
    status: str
    source_name: str
    fetched: int | None
    rule_id: str
    reason: str
    recorded_at: str


@dataclass(frozen=True)
class DepartmentProblems:
    """How many problem records of a department are not written off, and since when the oldest waits.

    `unreturned` of the open ones wait too long to be returned; of the returned ones `overdue` are past their term and
    `due_soon` near it.
    """

    department: str
    department_name: str
    open: int
    unreturned: int
    returned: int
    overdue: int
    due_soon: int
    waived: int
    corrected: int
    oldest: str | None


@dataclass(frozen=True)
class QuietRule:
    """A rule that no row failed for a long time; `was_asked` tells whether any feed has the field it looks at."""

    rule_id: str
    reason: str
    was_asked: bool


@dataclass(frozen=True)
class NightFigures:
    """All figures of a night."""

    feeds: list[FeedFigures]
    rules: list[RuleFigures]
    drift: list[Drift]
    waiting: list[WaitingBatch]
    problems: list[DepartmentProblems]
    quiet_rules: list[QuietRule]
    never_fired_days: int

    def total(self, name: str) -> int:
        """Return the sum of a count over all feeds."""
        return sum(getattr(feed, name) for feed in self.feeds)

    def in_state(self, *states: FeedState) -> list[FeedFigures]:
        """Return the feeds in some states."""
        return [feed for feed in self.feeds if feed.state in states]

    @property
    def new_rules(self) -> list[RuleFigures]:
        """Kinds of problems that had not come in the 30 nights before."""
        return [rule for rule in self.rules if rule.is_new]

    @property
    def departments(self) -> dict[str, list[FeedFigures]]:
        """The feeds by department."""
        found: dict[str, list[FeedFigures]] = {}
        for feed in self.feeds:
            found.setdefault(feed.department, []).append(feed)
        return found

    def title(self, department: str, feed: str) -> str:
        """Return the Chinese names of a feed and its department."""
        for one in self.feeds:
            if (one.department, one.feed) == (department, feed):
                return f"{one.department_name} {one.title}"
        return f"{department}/{feed}"


@dataclass(frozen=True)
class NightReport:
    """A published report."""

    night: date
    version: int
    made_at: datetime
    figures: NightFigures


class NightReports:
    """The reports of one installation."""

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
        """The numbers of the review."""
        return load_review(self.settings.catalog_folder)

    def calendar(self, day: date) -> WorkingCalendar:
        """Return the calendar that a report of `day` counts with."""
        return self._calendar or WorkingCalendar.load(self.settings.catalog_folder, day)

    def publish(self, night: date) -> NightReport:
        """Return the report of a night: the one that is there, or another version where its figures are others now.

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
                "version": existing.version + 1 if existing else 1,
                "figures": Jsonb(asdict(figures)),
            }
            with connection.cursor(row_factory=dict_row) as cursor:
                row = cursor.execute(statement("review/night.enter_night"), values).fetchone()
            assert row is not None
            made = _report(row)
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
        """Count a night as the ledger tells it now."""
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
        told = self._reasons()
        return NightFigures(
            feeds=[
                self._feed_figures(feed, counted.get((feed.department, feed.id)), night, calendar)
                for department in self.catalog.departments.values()
                for feed in department.feeds.values()
            ],
            rules=[_rule_figures(row, told) for row in failed],
            drift=drift,
            waiting=[WaitingBatch(**{**row, "recorded_at": _city_text(row["recorded_at"])}) for row in waiting],
            problems=self._problem_figures(connection, night),
            quiet_rules=self._quiet_rules(connection, night, told),
            never_fired_days=self.config.never_fired_days,
        )

    def _moments(self, night: date) -> dict[str, Any]:
        begin, end = night_bounds(night)
        calendar = self.calendar(night)
        days = [night - timedelta(days=back) for back in range(_MONTH, 0, -1)]
        is_working = _is_working(calendar, night)
        return {
            "night": night,
            "night_begin": begin,
            "night_end": end,
            "history_begin": begin - timedelta(days=_MONTH),
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

    def _quiet_rules(self, connection: Connection, night: date, told: Mapping[str, str]) -> list[QuietRule]:
        begin, end = night_bounds(night)
        values = {"since": begin - timedelta(days=self.config.never_fired_days), "night_end": end}
        known = {
            rule_id: (fired, skipped)
            for rule_id, fired, skipped in connection.execute(statement("review/night.fired_rules"), values).fetchall()
        }
        return [
            QuietRule(rule_id, reason, was_asked=rule_id in known and not known[rule_id][1])
            for rule_id, reason in sorted(told.items())
            if rule_id not in ROW_RULES and not known.get(rule_id, (False, True))[0]
        ]

    def _reasons(self) -> dict[str, str]:
        """Return the Chinese reason of every rule that a feed of the catalogue meets, by rule id."""
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
    """Read the report of a night (None: the newest) in a version (None: the last); None when there is none."""
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
    night: date,
    *,
    department: str | None = None,
    feed: str | None = None,
    rule_id: str | None = None,
    limit: int = 100_000,
) -> list[WarnedRow]:
    """Return the first rows of each batch of a night that were loaded with a warning, by feed and rule."""
    begin, end = night_bounds(night)
    values = {
        "night_begin": begin,
        "night_end": end,
        "department": department,
        "feed": feed,
        "rule_id": rule_id,
        "limit": limit,
    }
    with connection.cursor(row_factory=class_row(WarnedRow)) as cursor:
        found = cursor.execute(statement("review/night.warned_rows"), values).fetchall()
    return [
        replace(row, record_key=None if row.record_key is None else mask_text(mask_identity(row.record_key)))
        for row in found
    ]


def nights(connection: Connection, limit: int = 60) -> list[tuple[date, int]]:
    """Return the nights that have a report, the newest first, each with its last version."""
    return connection.execute(statement("review/night.nights"), {"limit": limit}).fetchall()


def _report(row: Mapping[str, Any]) -> NightReport:
    kept = row["figures"]
    return NightReport(
        night=row["night"],
        version=row["version"],
        made_at=row["made_at"],
        figures=NightFigures(
            feeds=_made(FeedFigures, kept["feeds"]),
            rules=_made(RuleFigures, kept["rules"]),
            drift=_made(Drift, kept["drift"]),
            waiting=_made(WaitingBatch, kept["waiting"]),
            problems=_made(DepartmentProblems, kept["problems"]),
            quiet_rules=_made(QuietRule, kept["quiet_rules"]),
            never_fired_days=kept["never_fired_days"],
        ),
    )


def _made(kind: type[_T], rows: Iterable[Mapping[str, Any]]) -> list[_T]:
    names = {part.name for part in fields(kind)}  # type: ignore[arg-type]  # All are dataclasses.
    return [kind(**{name: value for name, value in row.items() if name in names}) for row in rows]


def _rule_figures(row: Mapping[str, Any], told: Mapping[str, str]) -> RuleFigures:
    return RuleFigures(
        department=row["department"],
        feed=row["feed"],
        rule_id=row["rule_id"],
        severity=row["severity"],
        reason=told.get(row["rule_id"], row["rule_id"]),
        failed=int(row["failed"]),
        share=_share(row["failed"], row["fetched"]),
        share_7=_share(row["failed_7"], row["fetched_7"]),
        share_30=_share(row["failed_30"], row["fetched_30"]),
        is_new=not row["failed_30"] and bool(row["fetched_30"]),
    )


def _share(part: Any, whole: Any) -> float | None:
    """Return a part of a whole, rounded so that it comes back from JSON as it was; None of nothing."""
    return round(float(part) / float(whole), 6) if whole else None


def _city_text(moment: datetime) -> str:
    return f"{moment.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M}"


def _is_working(calendar: WorkingCalendar, day: date) -> bool:
    return calendar.days[(day - calendar.first_day).days].is_working


def _working_days_since(calendar: WorkingCalendar, moment: datetime | None, night: date) -> int | None:
    if moment is None:
        return None
    return calendar.working_days_between(min(moment.astimezone(CITY_TIME_ZONE).date(), night), night)


def by_feed(rules: Sequence[RuleFigures]) -> dict[tuple[str, str], list[RuleFigures]]:
    """Return the rules by department and feed."""
    found: dict[tuple[str, str], list[RuleFigures]] = {}
    for rule in rules:
        found.setdefault((rule.department, rule.feed), []).append(rule)
    return found
