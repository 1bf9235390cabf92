"""The backfill (回溯): what a department's systems hold since 2019, read month by month beside the nightly runs.

A month is read by the time of change that the feed's watermark goes by, and never moves the watermark. What its rows
become follows from their own versions, so it does not matter whether a month is read before a night, after it, or
twice: docs/decisions/0023.
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
"""What approvals produced since then is collected (the city's plan, demand 10)."""

BACKFILLED = ("certificate", "case_result")
"""Data sets that have a past to collect; cases and evaluations are for the lists of the day."""

MONTHS_AT_ONCE = 3
"""Of one department it is one at a time, by its pool: a department that is down does not keep the others back."""

REQUESTS_SHARE = 4
"""Of the requests that a system allows in a minute, a backfill takes the fourth part of a nightly reader's."""

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
    """How far a month of a feed is: `detail` tells why it failed or is held. Counts are rows; times have a zone."""

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

    Raises `ConfigurationError` for what is no month, one before 2019-01, or one that has not begun (Asia/Shanghai).
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

    That instant is read for both months. Systems differ in whether they cut what they are asked for by the second. The
    first month has no begin: the stock that did not change since is with it.
    """
    begin = None if month == FIRST_MONTH else datetime.combine(month, time(), CITY_TIME_ZONE)
    return Window(start=begin, end=min(datetime.combine(_next(month), time(), CITY_TIME_ZONE), now))


def backfilled_feeds(department: Department) -> dict[str, Feed]:
    """Return the feeds of a department that can be read by month: with a watermark, of a data set with a past."""
    return {
        feed_id: feed
        for feed_id, feed in department.feeds.items()
        if feed.dataset in BACKFILLED and isinstance(feed.window, Watermark)
    }


def whole_feeds(department: Department) -> dict[str, Feed]:
    """Return the feeds of a department that have no months: what they hold comes as files or whole registers."""
    return {
        feed_id: feed
        for feed_id, feed in department.feeds.items()
        if feed.dataset in BACKFILLED and not isinstance(feed.window, Watermark)
    }


def backfill_month(
    pipeline: Pipeline, department_id: str, month: date, run_id: str, *, again: bool = False
) -> list[MonthProgress]:
    """Take a month of a department's feeds into the store, feed by feed; return how far each is.

    A feed whose month is done is left as it is, unless `again` is set. One whose month is held is not read once more
    while its batch waits for a decision; once that is released, the month is done without another reading, and once it
    is given back, the month is read anew. One that fails does not keep the others from going on. Safe to repeat after a
    kill, with the same run or another.
    Raises `BackfillIncomplete` when a month of some feed failed or is held; `ConfigurationError` for a department
    without such feeds.
    """
    department = pipeline.catalog.department(department_id)
    feeds = backfilled_feeds(department)
    if not feeds:
        raise ConfigurationError(
            f"{department_id} has no feed that can be read by month: what it holds comes as files or whole registers, "
            "with its nightly run."
        )
    progress = [_one(pipeline, department_id, feed_id, month, run_id, again=again) for feed_id in feeds]
    wrong = [each for each in progress if each.state != "done"]
    if wrong:
        told = " | ".join(f"{each.feed}: {each.state}: {each.detail}" for each in wrong)
        raise BackfillIncomplete(f"{month:%Y-%m}: {len(wrong)} of {len(feeds)} feeds are not done: {told}")
    return progress


def _one(pipeline: Pipeline, department: str, feed: str, month: date, run_id: str, *, again: bool) -> MonthProgress:
    place = {"department": department, "feed": feed, "month": month}
    with store_connection(pipeline.settings.database_url) as connection, connection.cursor() as cursor:
        known = _progress_of(connection, department, feed, month)
        if known is not None and known.state == "done" and not again:
            return known
        run_id = _held_in(connection, place, known) or run_id
        cursor.execute(statement("operations/backfill.begin_month"), {**place, "run_id": run_id})
    state: State = "done"
    details: list[str] = []
    batches: list[Batch] = []
    try:
        window = window_of(month, clock.now())
        pipeline.collect_month(department, feed, run_id, month, window, REQUESTS_SHARE)
        with (
            store_connection(pipeline.settings.database_url) as connection,
            connection.cursor(row_factory=class_row(Batch)) as rows,
        ):
            # Also what a try that was killed had landed.
            waiting = rows.execute(
                statement("operations/backfill.batches_of_month"), {**place, "run_id": run_id}
            ).fetchall()
        batches = [batch if batch.finished else pipeline.load(batch.batch_id) for batch in waiting]
    except ZhengkuError as error:
        log.warning("%s/%s %s: %s", department, feed, f"{month:%Y-%m}", error)
        state = "failed"
        details.append(str(error))
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


def _held_in(connection: Connection, place: Mapping[str, object], known: MonthProgress | None) -> str | None:
    """Return the run whose batch of a month is held or was released since: what it has read is the month."""
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
    """Return how far every month of every feed is that was begun, by department, feed and month."""
    with connection.cursor(row_factory=class_row(MonthProgress)) as cursor:
        return cursor.execute(statement("operations/backfill.months"), {"department": department}).fetchall()


@dataclass(frozen=True)
class DepartmentMonths:
    """A department's line in the table of progress: the state of each month, None where nothing was begun.

    `whole` are the titles of its feeds that have no months.
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
    """Lay progress out by department and month; of several feeds the worst state counts, and done is only all done."""
    lines = []
    for department_id, department in catalog.departments.items():
        feeds, whole = backfilled_feeds(department), whole_feeds(department)
        if not feeds and not whole:
            continue
        mine = [each for each in known if each.department == department_id and each.feed in feeds]
        lines.append(
            DepartmentMonths(
                department_id,
                department.name,
                len(feeds),
                {
                    month: _together([each.state for each in mine if each.month == month], len(feeds))
                    for month in months
                },
                sum(each.fetched for each in mine),
                sum(each.written for each in mine),
                tuple(feed.title for feed in whole.values()),
            )
        )
    return lines


def _together(states: Sequence[State], feeds: int) -> State | None:
    for state in ("failed", "held", "running"):
        if state in states:
            return state
    if not states:
        return None
    return "done" if len(states) == feeds else "running"
