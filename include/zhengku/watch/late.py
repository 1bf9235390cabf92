"""Lists and reports that are not published though their hour has passed."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from zhengku.catalog.clearance_config import DUE_DAYS, KINDS, ClearanceConfig, ListKind, load_clearance
from zhengku.catalog.notices_config import load_notices
from zhengku.catalog.review_config import load_review
from zhengku.clearance.workbook import KIND_NAMES
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.ledger import Connection
from zhengku.settings import Settings
from zhengku.watch.finding import Finding, Link
from zhengku.watch.paths import dag_path

LIST_DAG, REPORT_DAG = "daily_clearance_cutoff", "validation_report"
"""The DAGs that publish at a fixed hour. While one is paused on purpose, what it publishes is not late."""

DueList = tuple[date, ListKind]


def find_late(
    connection: Connection, settings: Settings, now: datetime, moment: datetime | None = None
) -> list[Finding]:
    """Return the lists and the report that are late at `now`; with `moment`, also the list whose hour came last then.

    Raises `CatalogError` for a mistake in the catalogue's hours.
    """
    notices = load_notices(settings.catalog_folder)
    late_since = now - timedelta(minutes=notices.late_after_minutes)
    found: list[Finding] = []
    if LIST_DAG not in notices.may_be_paused:
        found += [
            _finding_of_list(*one)
            for one in _late_lists(connection, load_clearance(settings.catalog_folder), late_since, moment)
        ]
    if REPORT_DAG not in notices.may_be_paused:
        night = _night_due(settings, late_since)
        row = connection.execute(statement("watch/findings.published_report"), {"night": night}).fetchone()
        if row == (False,):
            found.append(
                Finding(
                    "report_late",
                    f"{night}",
                    f"{night} 归集校验日报到规定时刻仍未发布",
                    links=(Link("任务流", dag_path(REPORT_DAG)),),
                )
            )
    return found


def _late_lists(
    connection: Connection, config: ClearanceConfig, late_since: datetime, moment: datetime | None
) -> list[DueList]:
    due = list(due_lists(config, late_since))
    named = list(due_lists(config, moment))[-1:] if moment else []
    values = {"since": min(day for day, _ in [*due, *named])}
    rows = connection.execute(statement("watch/findings.published_lists"), values).fetchall()
    # Of the time before the first list of all, only the newest is due: nothing had been set up then.
    first_day = rows[0][2] if rows else date.max
    expected = {one for one in due if one[0] >= first_day} | {due[-1], *named}
    return sorted(expected - {(day, kind) for day, kind, _ in rows})


def due_lists(config: ClearanceConfig, moment: datetime) -> Iterator[DueList]:
    """Return the lists of the last days whose hour came at or before a moment, in the order of their hours."""
    today = moment.astimezone(CITY_TIME_ZONE).date()
    days = [today - timedelta(days=back) for back in range(DUE_DAYS + 1)]
    hours = sorted((config.latest(day, kind), day, kind) for day in days for kind in KINDS)
    return ((day, kind) for hour, day, kind in hours if hour <= moment)


def _finding_of_list(day: date, kind: ListKind) -> Finding:
    text = f"{day} {KIND_NAMES[kind]}到规定时刻仍未发布"
    return Finding("list_late", f"{day}/{kind}", text, links=(Link("任务流", dag_path(LIST_DAG)),))


def _night_due(settings: Settings, late_since: datetime) -> date:
    """Return the newest night whose report was to be published before a moment."""
    moment = late_since.astimezone(CITY_TIME_ZONE)
    is_out = moment.time() >= load_review(settings.catalog_folder).report_at
    return moment.date() if is_out else moment.date() - timedelta(days=1)
