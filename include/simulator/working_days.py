"""The working days of 2025 and 2026, for the made-up cases and their truth; days are of Asia/Shanghai.

Source: the notices of the General Office of the State Council on public holidays, 国办发明电〔2024〕12号 for 2025 and
国办发明电〔2025〕7号 for 2026.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

IsWorkingDay = Callable[[date], bool]

_HOLIDAYS: Final = (
    (date(2025, 1, 1), date(2025, 1, 1)),
    (date(2025, 1, 28), date(2025, 2, 4)),
    (date(2025, 4, 4), date(2025, 4, 6)),
    (date(2025, 5, 1), date(2025, 5, 5)),
    (date(2025, 5, 31), date(2025, 6, 2)),
    (date(2025, 10, 1), date(2025, 10, 8)),
    (date(2026, 1, 1), date(2026, 1, 3)),
    (date(2026, 2, 15), date(2026, 2, 23)),
    (date(2026, 4, 4), date(2026, 4, 6)),
    (date(2026, 5, 1), date(2026, 5, 5)),
    (date(2026, 6, 19), date(2026, 6, 21)),
    (date(2026, 9, 25), date(2026, 9, 27)),
    (date(2026, 10, 1), date(2026, 10, 7)),
)
"""First and last day of each holiday."""

_WORKED_WEEKEND_DAYS: Final = frozenset(
    {
        date(2025, 1, 26), date(2025, 2, 8), date(2025, 4, 27), date(2025, 9, 28), date(2025, 10, 11),
        date(2026, 1, 4), date(2026, 2, 14), date(2026, 2, 28), date(2026, 5, 9), date(2026, 9, 20), date(2026, 10, 10),
    }
)  # fmt: skip
"""Saturdays and Sundays that are worked in exchange."""


def is_working_day(day: date) -> bool:
    """Return whether offices work on a day; raises `ValueError` for a day outside the two years."""
    if day.year not in (2025, 2026):
        raise ValueError(f"expected a day of 2025 or 2026, whose holidays are known here, got {day}")
    if any(first <= day <= last for first, last in _HOLIDAYS):
        return False
    return day.weekday() < 5 or day in _WORKED_WEEKEND_DAYS


def working_days_after(day: date, number: int, is_working: IsWorkingDay = is_working_day) -> date:
    """Return the `number`-th working day after a day (from 1); 0 gives the day itself."""
    for _ in range(number):
        day += timedelta(days=1)
        while not is_working(day):
            day += timedelta(days=1)
    return day


def working_days_before(day: date, number: int, is_working: IsWorkingDay = is_working_day) -> date:
    """Return the `number`-th working day before a day (from 1); 0 gives the day itself."""
    for _ in range(number):
        day -= timedelta(days=1)
        while not is_working(day):
            day -= timedelta(days=1)
    return day


def count_working_days(after: date, until: date, is_working: IsWorkingDay = is_working_day) -> int:
    """Return how many working days are after one day and up to another, included; 0 where it is before."""
    count = 0
    while after < until:
        after += timedelta(days=1)
        count += is_working(after)
    return count
