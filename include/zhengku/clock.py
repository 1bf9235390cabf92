"""The clock of the package: what asks for the moment or the day asks here, and nowhere else.

Days and cut-offs are counted in the city's zone, whatever the zone of the machine is; what is stored carries its zone.
A test in which another day is meant replaces `now`; a whole run on another day is `make test DAY=2028-02-29`, which
gives that day to the database (`now()` of the statements) and to processes of their own as well.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

CITY_TIME_ZONE = ZoneInfo("Asia/Shanghai")
"""Days and cut-offs are counted in this zone; what is stored carries its zone."""


def now() -> datetime:
    """Return this moment, in the city's zone."""
    return datetime.now(tz=CITY_TIME_ZONE)


def today() -> date:
    """Return the day that it is in the city."""
    return now().date()
