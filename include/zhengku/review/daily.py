"""The steps of the review of every morning: due days of problem records, the report, and the problem ledger."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from zhengku.audit import close_evidence
from zhengku.catalog import load_catalog
from zhengku.catalog.review_config import load_review
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.review import problem_ledger, problems
from zhengku.review.night import NightReport, NightReports
from zhengku.review.night_files import write_night
from zhengku.review.problems import night_bounds, working_days_ago
from zhengku.review.returns import Returns
from zhengku.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DueDaysApplied:
    """How many waivers ended and records were written off, and which departments were reminded."""

    waivers_ended: int
    written_off: int
    reminded: tuple[str, ...]


def apply_due_days(settings: Settings, now: datetime) -> DueDaysApplied:
    """End waivers, write off records that were corrected long enough ago, remind departments of due records.

    `now` carries its zone. Safe to repeat.
    """
    today = now.astimezone(CITY_TIME_ZONE).date()
    config = load_review(settings.catalog_folder)
    calendar = WorkingCalendar.load(settings.catalog_folder, today)
    _, end = night_bounds(working_days_ago(calendar, today, config.write_off_after_working_days))
    with store_connection(settings.database_url) as connection:
        ended = problems.end_waivers(connection, today)
        closed = problems.close_corrected(connection, end)
    reminded = Returns(settings, load_catalog(settings.catalog_folder), config).remind(now)
    log.info("%d waivers ended, %d problem records written off, reminded: %s", ended, closed, ", ".join(reminded))
    return DueDaysApplied(ended, closed, tuple(reminded))


def finish_returns(settings: Settings) -> int:
    """Write the files of returns whose process crashed before it wrote them; return how many. Safe to repeat."""
    return len(Returns(settings, load_catalog(settings.catalog_folder)).finish())


def publish_nights(settings: Settings, now: datetime) -> list[NightReport]:
    """Publish the reports of yesterday and today; yesterday's again, since batches may have been added to it.

    Their files are written, the store is counted, the problem ledger is updated, and what was recorded since the last
    report is sealed: a new report prints the head. Safe to repeat.
    """
    today = now.astimezone(CITY_TIME_ZONE).date()
    catalog = load_catalog(settings.catalog_folder)
    with store_connection(settings.database_url) as connection:
        connection.execute(statement("review/store_counts.count_store"))
        close_evidence(connection)
    reports = NightReports(settings, catalog)
    nights = (today - timedelta(days=1), today)
    with store_connection(settings.database_url) as connection:
        # Before the very first batch there is nothing to report.
        is_first = not any(feed.state != "never" for feed in reports.figures(connection, nights[0]).feeds)
    published = [reports.publish(night) for night in nights[is_first:]]
    for report in published:
        write_night(settings, catalog, report)
    problem_ledger.update_ledger(settings, catalog, published[-1].figures, today)
    return published
