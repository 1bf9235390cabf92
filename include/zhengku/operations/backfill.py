"""Backfill (回溯): read what a department's systems have since 2019, month by month, in addition to the nightly runs.

A month is selected by the time of change that the feed's watermark uses, and does not move the watermark. Which row of
a record is newest follows from the rows' own versions, so a month may be read before a nightly run, after it, or twice:
docs/decisions/0023.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal

from psycopg.rows import class_row

from zhengku import clock
from zhengku.catalog import Catalog, Department, Feed
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.errors import BackfillIncomplete, ConfigurationError, ZhengkuError
from zhengku.ledger import Batch, Connection
from zhengku.pipeline.pipeline import Pipeline
from zhengku.transports.source import Window
from zhengku.transports.window import Watermark

log = logging.getLogger(__name__)

FIRST_MONTH = date(2019, 1, 1)
"""Certificates and results since then are collected (the city's plan, demand 10)."""

BACKFILLED = ("certificate", "case_result")
"""Data sets whose past is collected; cases and evaluations are only needed for the lists of the day."""

MONTHS_AT_ONCE = 3
"""Months read at the same time, one of each department by its pool: a system that is down delays no other one."""

REQUESTS_SHARE = 4
"""A backfill sends a quarter of the requests per minute that a nightly reader may send to a system."""

State = Literal["running", "done", "held", "failed"]

STATE_NAMES: dict[State | None, str] = {
    None: "未开始",
    "running": "进行中",
    "done": "完成",
    "held": "被暂扣",
    "failed": "失败",
}
STATE_SIGNS: dict[State | None, str] = {None: "·", "running": "…", "done": "✓", "held": "暂", "failed": "✗"}


@dataclass(frozen=True)
class MonthProgress:
    """How far a month of a feed is; `detail` says why it failed or is held. Counts are rows; times have a zone."""

    department: str
    feed: str
    month: date
    state: State
    run_id: str
    batches: int
    fetched: int
    written: int
    quarantined: int
    detail: str | None
    started_at: datetime
    finished_at: datetime | None


def month_of(text: str) -> date:
    """Return the first day of a month written as `2019-01`, which is also the key of its partition.

    Raises `ConfigurationError` for other text, a month before 2019-01, or a future one (Asia/Shanghai).
    """
    try:
        month = datetime.strptime(text, "%Y-%m").date()
    except ValueError:
        raise ConfigurationError(f"Expected a month as YYYY-MM, for instance 2019-01; got {text!r:.20}.") from None
    newest = clock.today().replace(day=1)
    if not FIRST_MONTH <= month <= newest:
        raise ConfigurationError(
            f"Expected a month from {FIRST_MONTH:%Y-%m} to {newest:%Y-%m}, the present one; got {text}."
        )
    return month


def months_between(first: date, last: date) -> list[date]:
    """Return the first days of the months from one to another, both included."""
    return list(_months(first, last))


def _months(first: date, last: date) -> Iterator[date]:
    month = first
    while month <= last:
        yield month
        month = _next(month)


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def window_of(month: date, now: datetime) -> Window:
    """Return the part of a feed that is read for a month: up to the first instant of the next one, or to `now`.

    That instant is read for both months, since some systems cut times to the second. The first month has no start: it
    includes the stock that has not changed since.
    """
    start = None if month == FIRST_MONTH else datetime.combine(month, time(), CITY_TIME_ZONE)
    return Window(start=start, end=min(datetime.combine(_next(month), time(), CITY_TIME_ZONE), now))


def backfilled_feeds(department: Department) -> dict[str, Feed]:
    """Return the feeds of a department that can be read by month: with a watermark, of a data set in `BACKFILLED`."""
    return {
        feed_id: feed
        for feed_id, feed in department.feeds.items()
        if feed.dataset in BACKFILLED and isinstance(feed.window, Watermark)
    }


def feeds_without_months(department: Department) -> dict[str, Feed]:
    """Return the other feeds of data sets in `BACKFILLED`: they deliver files or complete registers."""
    return {
        feed_id: feed
        for feed_id, feed in department.feeds.items()
        if feed.dataset in BACKFILLED and not isinstance(feed.window, Watermark)
    }


def backfill_month(
    pipeline: Pipeline, department_id: str, month: date, run_id: str, *, again: bool = False
) -> list[MonthProgress]:
    """Read and load a month of a department's feeds, feed by feed; return how far each is.

    A month that is done is not read again, unless `again` is set. Nor is a month while a batch of it is held: when the
    batch is released, the month is done; when it is given back, the month is read again. If a feed fails, the others
    are processed all the same. Can be called again after a crash, with the same run or another.
    Raises `BackfillIncomplete` when a month of some feed failed or is held; `ConfigurationError` for a department
    without such feeds.
    """
    department = pipeline.catalog.department(department_id)
    feeds = backfilled_feeds(department)
    if not feeds:
        raise ConfigurationError(
            f"{department_id} has no feed that can be read by month: it delivers files or complete registers, with its "
            "nightly run."
        )
    progress = [_backfill_feed(pipeline, department_id, feed_id, month, run_id, again=again) for feed_id in feeds]
    wrong = [each for each in progress if each.state != "done"]
    if wrong:
        listed = " | ".join(f"{each.feed}: {each.state}: {each.detail}" for each in wrong)
        raise BackfillIncomplete(f"{month:%Y-%m}: {len(wrong)} of {len(feeds)} feeds are not done: {listed}")
    return progress


def _backfill_feed(
    pipeline: Pipeline, department: str, feed: str, month: date, run_id: str, *, again: bool
) -> MonthProgress:
    """Read and load a month of one feed, and record how it ended."""
    place = {"department": department, "feed": feed, "month": month}
    with store_connection(pipeline.settings.database_url) as connection, connection.cursor() as cursor:
        known = _progress_of(connection, department, feed, month)
        if known is not None and known.state == "done" and not again:
            return known
        run_id = _run_with_held_batch(connection, place, known) or run_id
        cursor.execute(statement("operations/backfill.begin_month"), {**place, "run_id": run_id})
    batches: list[Batch] = []
    error: ZhengkuError | None = None
    try:
        window = window_of(month, clock.now())
        pipeline.collect_month(department, feed, run_id, month, window, REQUESTS_SHARE)
        with (
            store_connection(pipeline.settings.database_url) as connection,
            connection.cursor(row_factory=class_row(Batch)) as rows,
        ):
            # Includes what a killed try landed.
            waiting = rows.execute(
                statement("operations/backfill.batches_of_month"), {**place, "run_id": run_id}
            ).fetchall()
        batches = [batch if batch.finished else pipeline.load(batch.batch_id) for batch in waiting]
    except ZhengkuError as raised:
        log.warning("%s/%s %s: %s", department, feed, f"{month:%Y-%m}", raised)
        error = raised
    state, details = _state_of(batches, error)
    with (
        store_connection(pipeline.settings.database_url) as connection,
        connection.cursor(row_factory=class_row(MonthProgress)) as cursor_of_progress,
    ):
        ended = cursor_of_progress.execute(
            statement("operations/backfill.end_month"),
            {
                **place,
                "state": state,
                "batches": len(batches),
                "fetched": sum(batch.fetched or 0 for batch in batches),
                "written": sum(batch.written for batch in batches),
                "quarantined": sum(batch.quarantined for batch in batches),
                "detail": " | ".join(details) or None,
            },
        ).fetchone()
    assert ended is not None
    return ended


def _state_of(batches: Sequence[Batch], error: ZhengkuError | None) -> tuple[State, list[str]]:
    """Return the state of a month, from its batches and the error that ended it, and the reasons if it is not done."""
    state: State = "done" if error is None else "failed"
    details = [] if error is None else [str(error)]
    for batch in batches:
        if batch.status == "rejected":
            state = "failed"
        elif batch.status == "held" and state == "done":
            state = "held"
        if batch.status == "held":
            details.append(
                f"batch {batch.batch_id} is held ({batch.rule_id}); release it (`zhengku release`) or give it back "
                "(`zhengku reject`), then start the month again"
            )
        elif batch.status != "loaded":
            details.append(f"batch {batch.batch_id} is {batch.status} ({batch.rule_id})")
    return state, details


def _run_with_held_batch(
    connection: Connection, place: Mapping[str, object], known: MonthProgress | None
) -> str | None:
    """Return the run that has read the month and whose batch is held or was released since: no other reads it."""
    if known is None:
        return None
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        batches = cursor.execute(
            statement("operations/backfill.batches_of_month"), {**place, "run_id": known.run_id}
        ).fetchall()
    held = [batch.run_id for batch in batches if batch.status == "held"]
    if held:
        return held[-1]
    is_released = known.state == "held" and all(batch.status == "loaded" for batch in batches)
    return known.run_id if is_released else None


def _progress_of(connection: Connection, department: str, feed: str, month: date) -> MonthProgress | None:
    with connection.cursor(row_factory=class_row(MonthProgress)) as cursor:
        values = {"department": department, "feed": feed, "month": month}
        return cursor.execute(statement("operations/backfill.month"), values).fetchone()


def progress(connection: Connection, department: str | None = None) -> list[MonthProgress]:
    """Return how far every started month of every feed is, by department, feed and month."""
    with connection.cursor(row_factory=class_row(MonthProgress)) as cursor:
        return cursor.execute(statement("operations/backfill.months"), {"department": department}).fetchall()


@dataclass(frozen=True)
class DepartmentMonths:
    """A department's line in the table of progress: the state of each month, None for a month that was not started.

    `whole` are the titles of its feeds that cannot be read by month.
    """

    department: str
    name: str
    feeds: int
    months: dict[date, State | None]
    fetched: int
    written: int
    whole: tuple[str, ...]


def table_of_progress(
    catalog: Catalog, known: Sequence[MonthProgress], months: Sequence[date]
) -> list[DepartmentMonths]:
    """Return progress by department and month: the worst state of its feeds, and done only when all are done."""
    lines = []
    for department_id, department in catalog.departments.items():
        feeds, without_months = backfilled_feeds(department), feeds_without_months(department)
        if not feeds and not without_months:
            continue
        mine = [each for each in known if each.department == department_id and each.feed in feeds]
        lines.append(
            DepartmentMonths(
                department_id,
                department.name,
                len(feeds),
                {
                    month: _worst_state([each.state for each in mine if each.month == month], len(feeds))
                    for month in months
                },
                sum(each.fetched for each in mine),
                sum(each.written for each in mine),
                tuple(feed.title for feed in without_months.values()),
            )
        )
    return lines


def _worst_state(states: Sequence[State], feeds: int) -> State | None:
    for state in ("failed", "held", "running"):
        if state in states:
            return state
    if not states:
        return None
    return "done" if len(states) == feeds else "running"
