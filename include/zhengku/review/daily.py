"""What the review does every morning: time passes for problem records, the report comes out, the ledger goes on."""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from zhengku.catalog import load_catalog
from zhengku.clearance.calendar import WorkingCalendar
from zhengku.database import statement, store_connection
from zhengku.review import problem_ledger, problems
from zhengku.review.config import load_review
from zhengku.review.night import NightReport, NightReports
from zhengku.review.night_files import write_night
from zhengku.review.problems import night_bounds
from zhengku.review.returns import Returns
from zhengku.settings import CITY_TIME_ZONE, Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Passed:
    """How many waivers ended, corrected records were written off, and returns got the files that they lacked."""

    waivers_ended: int
    written_off: int
    returns_finished: int


def let_time_pass(settings: Settings, now: datetime) -> Passed:
    """End waivers, write off what was corrected long enough ago, finish returns whose files were not written.

    `now` carries its zone. Safe to repeat.
    """
    today = now.astimezone(CITY_TIME_ZONE).date()
    config = load_review(settings.catalog_folder)
    calendar = WorkingCalendar.load(settings.catalog_folder, today)
    _, end = night_bounds(_begin_of_term(calendar, today, config.write_off_after_working_days))
    with store_connection(settings.database_url) as connection:
        ended = problems.end_waivers(connection, today)
        closed = problems.close_corrected(connection, end)
    finished = Returns(settings, load_catalog(settings.catalog_folder), config).finish()
    log.info("%d waivers ended, %d problem records written off, %d returns finished", ended, closed, len(finished))
    return Passed(ended, closed, len(finished))


def _begin_of_term(calendar: WorkingCalendar, today: date, working_days: int) -> date:
    """Return the last day since which as many working days have passed."""
    day = today
    while calendar.working_days_between(day, today) < working_days:
        day -= timedelta(days=1)
    return day


def publish_nights(settings: Settings, now: datetime) -> list[NightReport]:
    """Publish the report of today's night, after that of the day before, which may have got more since.

    Their files are written, the store is counted, and the problem ledger is brought to today. Safe to repeat.
    """
    today = now.astimezone(CITY_TIME_ZONE).date()
    catalog = load_catalog(settings.catalog_folder)
    with store_connection(settings.database_url) as connection:
        connection.execute(statement("review/count_store"))
    reports = NightReports(settings, catalog)
    published = [reports.publish(night) for night in (today - timedelta(days=1), today)]
    for report in published:
        write_night(settings, catalog, report)
    problem_ledger.update(settings, catalog, published[-1].figures, today)
    return published
