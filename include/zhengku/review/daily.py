"""What the review does every morning: time passes for problem records, the report comes out, the ledger goes on."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from zhengku.catalog import load_catalog
from zhengku.catalog.review_config import load_review
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.review import problem_ledger, problems
from zhengku.review.night import NightReport, NightReports
from zhengku.review.night_files import write_night
from zhengku.review.problems import day_before, night_bounds
from zhengku.review.returns import Returns
from zhengku.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Passed:
    """How many waivers ended and records were written off, and which departments were reminded."""

    waivers_ended: int
    written_off: int
    reminded: tuple[str, ...]


def let_time_pass(settings: Settings, now: datetime) -> Passed:
    """End waivers, write off what was corrected long enough ago, remind departments of what is due.

    `now` carries its zone. Safe to repeat.
    """
    today = now.astimezone(CITY_TIME_ZONE).date()
    config = load_review(settings.catalog_folder)
    calendar = WorkingCalendar.load(settings.catalog_folder, today)
    _, end = night_bounds(day_before(calendar, today, config.write_off_after_working_days))
    with store_connection(settings.database_url) as connection:
        ended = problems.end_waivers(connection, today)
        closed = problems.close_corrected(connection, end)
    reminded = Returns(settings, load_catalog(settings.catalog_folder), config).remind(now)
    log.info("%d waivers ended, %d problem records written off, reminded: %s", ended, closed, ", ".join(reminded))
    return Passed(ended, closed, tuple(reminded))


def finish_returns(settings: Settings) -> int:
    """Write the files of the returns that have none, because what made them died; return how many. Safe to repeat."""
    return len(Returns(settings, load_catalog(settings.catalog_folder)).finish())


def publish_nights(settings: Settings, now: datetime) -> list[NightReport]:
    """Publish the report of today's night, after that of the day before (if it had any), which may have got more since.

    Their files are written, the store is counted, and the problem ledger is brought to today. Safe to repeat.
    """
    today = now.astimezone(CITY_TIME_ZONE).date()
    catalog = load_catalog(settings.catalog_folder)
    with store_connection(settings.database_url) as connection:
        connection.execute(statement("review/store_counts.count_store"))
    reports = NightReports(settings, catalog)
    nights = (today - timedelta(days=1), today)
    with store_connection(settings.database_url) as connection:
        # Before the very first batch there is nothing to report.
        is_first = not any(feed.state != "never" for feed in reports.figures(connection, nights[0]).feeds)
    published = [reports.publish(night) for night in nights[is_first:]]
    for report in published:
        write_night(settings, catalog, report)
    problem_ledger.update(settings, catalog, published[-1].figures, today)
    return published
