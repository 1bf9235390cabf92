"""The clock of the package: every module reads the current time and day here, and nowhere else.

A test that needs another day replaces `now`. `make test DAY=2028-02-29` runs all tests on another day, which the
database (`now()` of the statements) and the child processes get as well.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

CITY_TIME_ZONE = ZoneInfo("Asia/Shanghai")
"""Days and cut-offs are in this zone, whatever the zone of the machine is; stored times have a zone."""


FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
"""The days that a person may name: from any of them, days and zones can be added and subtracted."""


def now() -> datetime:
    """Return the current time, in Asia/Shanghai."""
    return datetime.now(tz=CITY_TIME_ZONE)


def today() -> date:
    """Return the current day in Asia/Shanghai."""
    return now().date()


def read_day(text: str) -> date:
    """Return the day that a person wrote in ISO 8601; raises `ValueError` for other text, and outside of the range."""
    return usable(date.fromisoformat(text))


def usable(day: date) -> date:
    """Return the day; raises `ValueError` unless it is between `FIRST_DAY` and `LAST_DAY`."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"expected a day from {FIRST_DAY} to {LAST_DAY}, got {day}")
    return day
