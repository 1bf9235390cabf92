"""What the store and the catalogue tell: waiting batches, stale feeds, and days that run out."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from psycopg.rows import dict_row

from zhengku.catalog import Catalog
from zhengku.catalog.notices_config import NoticesConfig, load_notices
from zhengku.catalog.working_days import WARNED_DAYS_AHEAD, WorkingCalendar
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.ledger import Connection
from zhengku.masking import mask_text
from zhengku.operations.restore.backup import backup_state
from zhengku.review.night import report_of
from zhengku.review.night_figures import FEED_STATE_NAMES
from zhengku.watch.finding import Finding, Link, Urgency
from zhengku.watch.paths import REVIEW

_SOON_DAYS = 3
"""So near its last day, what expires is no reminder any more."""

_REPORTS_DAYS = 3
"""An older report says nothing about today's feeds: it is late, which is told by itself."""


def find_in_store(connection: Connection, catalog: Catalog, now: datetime) -> list[Finding]:
    """Return held and rejected batches, stale feeds, and what expires, as of now."""
    config = load_notices(catalog.folder)
    today = now.astimezone(CITY_TIME_ZONE).date()
    return [
        *_batches(connection, catalog, config, now),
        *_stale_feeds(connection, today),
        *_backups(connection, config, now),
        *_working_days(catalog, today),
        *_expiries(connection, config, today),
    ]


def _batches(connection: Connection, catalog: Catalog, config: NoticesConfig, now: datetime) -> Iterator[Finding]:
    values = {"rejected_since": now - timedelta(days=config.rejected_days)}
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement("watch/findings.batches_to_tell_of"), values).fetchall()
    for row in rows:
        title = catalog.feed_title(row["department"], row["feed"])
        reason = row["reason"] or "原因见台账"
        yield Finding(
            "batch_held" if row["status"] == "held" else "batch_rejected",
            f"{row['batch_id']}",
            mask_text(f"{title} 批次 {row['batch_id']}（{row['source_name']}）：{reason}"),
            links=(Link("批次", f"{REVIEW}batches?batch={row['batch_id']}"),),
        )


def _stale_feeds(connection: Connection, today: date) -> Iterator[Finding]:
    report = report_of(connection)
    if report is None or report.night < today - timedelta(days=_REPORTS_DAYS):
        return
    for feed in [*report.figures.in_state("silent"), *report.figures.in_state("stale")]:
        since = f"，上次入库 {feed.last_loaded_at}" if feed.last_loaded_at else "，从未入库"
        yield Finding(
            "feed_stale",
            f"{feed.department}/{feed.feed}",
            f"{feed.department_name} {feed.title}：{FEED_STATE_NAMES[feed.state]}{since}",
            links=(Link("日报", f"{REVIEW}report?night={report.night}"),),
        )


def _backups(connection: Connection, config: NoticesConfig, now: datetime) -> Iterator[Finding]:
    if not config.watch_backups:
        return
    state = backup_state(connection)
    complaints = state.complaints(now)
    if complaints:
        # Where nothing was ever set up, somebody has yet to decide; where it stopped working, minutes count.
        is_set_up = state.archiving or state.last_backup_at is not None
        yield Finding(
            "backup",
            "state",
            "；".join(complaints),
            state=f"{state.archiving} {state.failing_since is not None} {len(complaints)}",
            urgency="urgent" if is_set_up else "problem",
        )


def _working_days(catalog: Catalog, today: date) -> Iterator[Finding]:
    known = WorkingCalendar.load(catalog.folder, today).known_until
    if known < today + timedelta(days=WARNED_DAYS_AHEAD):
        yield Finding(
            "calendar",
            "working_days",
            f"工作日安排仅确知至 {known}，请在国务院办公厅公布放假安排后补全 include/catalog/working_days.csv",
            state=f"{known} {_urgency_of(known, today)}",
            urgency=_urgency_of(known, today),
        )


def _expiries(connection: Connection, config: NoticesConfig, today: date) -> Iterator[Finding]:
    read = connection.execute(statement("watch/findings.expiries")).fetchall()
    known = [(one.name, one.last_day) for one in config.known_expiries]
    for name, last_day in [*known, *read]:
        if last_day <= today + timedelta(days=config.expiry_days):
            yield Finding(
                "expiry",
                name,
                f"{name} 已于 {last_day} 到期" if last_day < today else f"{name} 将于 {last_day} 到期",
                state=f"{last_day} {last_day < today}",
                urgency=_urgency_of(last_day, today),
            )


def _urgency_of(last_day: date, today: date) -> Urgency:
    """Return how urgent a last day is: a reminder, a problem a few days before it, urgent when it is over."""
    if last_day < today:
        return "urgent"
    return "problem" if last_day <= today + timedelta(days=_SOON_DAYS) else "reminder"
