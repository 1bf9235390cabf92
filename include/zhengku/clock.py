"""The clock of the package: every module reads the current time and day here, and nowhere else.

A test that needs another day replaces `now`. `make test DAY=2028-02-29` runs all tests on another day, which the
database (`now()` of the statements) and the child processes get as well.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

CITY_TIME_ZONE = ZoneInfo("Asia/Shanghai")
"""Days and cut-offs are in this zone, whatever the zone of the machine is; stored times have a zone."""


def now() -> datetime:
    """Return the current time, in Asia/Shanghai."""
    return datetime.now(tz=CITY_TIME_ZONE)


def today() -> date:
    """Return the current day in Asia/Shanghai."""
    return now().date()
