"""The figures of the installation as it stands: ages of feeds, waiting batches, problems, lists that are late.

They are read from the store, by one process and once a minute (`zhengku metrics observe`), and are right also when
Airflow stands still. docs/metrics.md lists them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from zhengku.catalog import Catalog
from zhengku.catalog.clearance_config import DUE_DAYS, ClearanceConfig
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.ledger import Connection
from zhengku.metrics import Labels, Metric, Recorder

FEED_AGE: Final = Metric(
    "gauge", "zhengku.feed.age", "s", "Time since a delivery of the feed was loaded last.", ("department", "feed")
)
NEVER_LOADED: Final = Metric(
    "gauge", "zhengku.feeds.never_loaded", "{feed}", "Feeds of which nothing was ever loaded.", ("department",)
)
WAITING_BATCHES: Final = Metric(
    "gauge", "zhengku.batches.waiting", "{batch}", "Batches not finished, and held ones.", ("department", "status")
)
WAITING_AGE: Final = Metric(
    "gauge", "zhengku.batches.age", "s", "Time since the oldest of them was collected.", ("department", "status")
)
PROBLEMS: Final = Metric(
    "gauge", "zhengku.problems.unsolved", "{row}", "Problem records, open or returned.", ("department", "status")
)
LIST_LATENESS: Final = Metric(
    "gauge",
    "zhengku.list.lateness",
    "s",
    "How much later than its fixed hour the newest list due was published, or how long it is overdue.",
    ("kind",),
)
MISSING_LISTS: Final = Metric(
    "gauge", "zhengku.lists.missing", "{list}", "Lists of the last eight days that are overdue.", ("kind",)
)
WAITING_REQUESTS: Final = Metric("gauge", "zhengku.requests.waiting", "{request}", "Requests of the pages.", ())
REQUEST_AGE: Final = Metric("gauge", "zhengku.requests.age", "s", "Time since the oldest of them was made.", ())
STORE_ROWS: Final = Metric(
    "gauge", "zhengku.store.rows", "{row}", "Records of a data set, as the server estimates them.", ("dataset",)
)
OBSERVED: Final = Metric("gauge", "zhengku.observed", "s", "When these figures were read, in seconds since 1970.", ())

STANDING_METRICS: Final = (
    *(FEED_AGE, NEVER_LOADED, WAITING_BATCHES, WAITING_AGE, PROBLEMS, LIST_LATENESS, MISSING_LISTS),
    *(WAITING_REQUESTS, REQUEST_AGE, STORE_ROWS, OBSERVED),
)


@dataclass(frozen=True)
class Figure:
    """The value of a metric for its labels."""

    metric: Metric
    value: float
    labels: Labels


def standing(connection: Connection, catalog: Catalog, clearance: ClearanceConfig, now: datetime) -> list[Figure]:
    """Return all figures as of `now`, a time with its zone."""
    return [
        *_feeds(connection, catalog, now),
        *_waiting(connection, catalog, now),
        *_lists(connection, clearance, now),
        *(
            Figure(STORE_ROWS, rows, {"dataset": table})
            for table, rows in estimated_rows(connection).items()
            if rows is not None and not table.endswith("_history")
        ),
        Figure(OBSERVED, now.timestamp(), {}),
    ]


def observe(metrics: Recorder, figures: list[Figure]) -> bool:
    """Send figures to the collector; return whether it has them."""
    for figure in figures:
        metrics.record(figure.metric, figure.value, figure.labels)
    return metrics.send()


def estimated_rows(connection: Connection) -> dict[str, int | None]:
    """Return the rows of each table of the store, by name, as the server estimates them; None: it never counted."""
    return dict(connection.execute(statement("operations/standing.estimated_rows")).fetchall())


def _feeds(connection: Connection, catalog: Catalog, now: datetime) -> Iterator[Figure]:
    loaded = {
        (department, feed): at
        for department, feed, at in connection.execute(statement("operations/standing.loaded_feeds"))
    }
    for department in catalog.departments.values():
        at = {feed: loaded.get((department.department, feed)) for feed in department.feeds}
        labels = {"department": department.department}
        for feed, moment in at.items():
            if moment is not None:
                yield Figure(FEED_AGE, (now - moment).total_seconds(), {**labels, "feed": feed})
        yield Figure(NEVER_LOADED, sum(moment is None for moment in at.values()), labels)


def _waiting(connection: Connection, catalog: Catalog, now: datetime) -> Iterator[Figure]:
    """Return what waits, with 0 where nothing does: a panel or an alarm tells 0 from unknown."""
    held = {department: (0, now) for department in catalog.departments}
    for department, status, number, oldest in connection.execute(statement("operations/standing.unfinished_batches")):
        if status == "held":
            held[department] = (number, oldest)
        else:
            yield from _batches(department, status, number, oldest, now)
    for department, (number, oldest) in held.items():
        yield from _batches(department, "held", number, oldest, now)
    problems: Counter[tuple[str, str]] = Counter(
        {(department, status): 0 for department in catalog.departments for status in ("open", "returned")}
    )
    for department, status, number in connection.execute(statement("operations/standing.unsolved_problems")):
        problems[department, status] = number
    for (department, status), number in problems.items():
        yield Figure(PROBLEMS, number, {"department": department, "status": status})
    row = connection.execute(statement("operations/standing.waiting_requests")).fetchone()
    assert row is not None
    yield Figure(WAITING_REQUESTS, row[0], {})
    yield Figure(REQUEST_AGE, (now - (row[1] or now)).total_seconds(), {})


def _batches(department: str, status: str, number: int, oldest: datetime, now: datetime) -> Iterator[Figure]:
    labels = {"department": department, "status": status}
    yield Figure(WAITING_BATCHES, number, labels)
    yield Figure(WAITING_AGE, (now - oldest).total_seconds(), labels)


def _lists(connection: Connection, clearance: ClearanceConfig, now: datetime) -> Iterator[Figure]:
    first_day = now.astimezone(CITY_TIME_ZONE).date() - timedelta(days=DUE_DAYS)
    published = {
        (day, kind): at
        for day, kind, at in connection.execute(
            statement("operations/standing.first_publications"), {"first_day": first_day}
        )
    }
    due = clearance.due(now)
    for kind in sorted({kind for _, kind in due}):
        late = [
            ((published.get((day, kind)) or now) - clearance.latest(day, kind)).total_seconds()
            for day, each in due
            if each == kind
        ]
        missing = sum(
            (day, kind) not in published and clearance.latest(day, kind) < now for day, each in due if each == kind
        )
        yield Figure(LIST_LATENESS, max(late[-1], 0), {"kind": kind})
        yield Figure(MISSING_LISTS, missing, {"kind": kind})
