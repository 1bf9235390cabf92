"""Working days: the official calendar, the catalogue's changes to it, and Monday to Friday after the end of both.

All days are days in Asia/Shanghai.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import ClassVar

import chinese_calendar  # type: ignore[import-untyped]  # It has no types.

from zhengku.catalog.problem import Problem
from zhengku.catalog.reference import CALENDAR_START, WORKING_DAYS_FILE, Table, WorkingDay, read_working_days
from zhengku.errors import CatalogError

OFFICIAL_UNTIL = date(max(chinese_calendar.holidays).year, 12, 31)
"""Last day of the official calendar (国务院办公厅放假安排), which is announced for one year at a time."""

WARNED_DAYS_AHEAD = 60
"""How many days before the last known working day `zhengku catalog check` starts to warn."""

_DAYS_AHEAD = 400
_LONGEST_TERM = 15


@dataclass(frozen=True)
class CalendarDay:
    """One day; `working_days` counts from the calendar's first day to this one, both included.

    `is_assumed`: neither the official calendar nor the catalogue has it.
    """

    day: date
    is_working: bool
    working_days: int
    is_assumed: bool


class WorkingCalendar:
    """All days from `first_day` to `last_day`."""

    first_day: ClassVar[date] = CALENDAR_START

    def __init__(self, last_day: date, changes: Iterable[WorkingDay] = ()) -> None:
        """Build the calendar to `last_day`; `changes` override the official calendar; later ones are ignored.

        Raises `ValueError` when `last_day` is before `first_day`.
        """
        if last_day < self.first_day:
            raise ValueError(f"expected a last day from {self.first_day} on, got {last_day}")
        self.last_day = last_day
        self.days: Sequence[CalendarDay] = tuple(_days(self.first_day, last_day, changes))
        self._counts = [day.working_days for day in self.days]

    @classmethod
    def load(cls, folder: Path, day: date) -> "WorkingCalendar":
        """Return the calendar of a catalogue folder, long enough for every term of a list of `day`.

        It ends with the year that has the 400th day after `day`, so that lists of a year share one calendar. Raises
        `CatalogError` (file, line, fix) when `working_days.csv` is wrong.
        """
        table = read_working_days(folder)
        if table.problems:
            raise CatalogError(str(table.problems[0]))
        return _shared(date((day + timedelta(days=_DAYS_AHEAD)).year, 12, 31), tuple(table))

    @cached_property
    def known_until(self) -> date:
        """Last day before the first assumed one; `last_day` when none is assumed."""
        return next((day.day - timedelta(days=1) for day in self.days if day.is_assumed), self.last_day)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all days, hexadecimal: equal calendars have equal digests."""
        lines = "".join(f"{day.day} {day.is_working:d} {day.is_assumed:d}\n" for day in self.days)
        return hashlib.sha256(lines.encode()).hexdigest()

    def working_days_between(self, start: date, end: date) -> int:
        """Return the number of working days after `start` up to and including `end`, negative when `end` is earlier.

        Any day before `first_day` counts like the day before it: both are older than any term. Raises `ValueError` for
        a day after `last_day`.
        """
        return self._count(end) - self._count(start)

    def add_working_days(self, day: date, number: int) -> date:
        """Return the `number`-th working day after `day`, `day` itself for 0.

        Raises `ValueError` for a negative number, and when the result is after `last_day`.
        """
        if number < 0:
            raise ValueError(f"expected 0 or more working days, got {number}")
        if number == 0:
            return day
        # The first day of a count is the working day that reached it.
        position = bisect_left(self._counts, self._count(day) + number)
        if position == len(self.days):
            raise ValueError(
                f"{number} working days after {day} are after {self.last_day}, where the calendar ends. "
                "Build it with a later last day."
            )
        return self.days[position].day

    def note_zh(self, day: date, term_working_days: int = _LONGEST_TERM) -> str | None:
        """Return the Chinese remark of a list of `day` on assumed working days, None when its terms need none.

        `term_working_days` is the longest term counted from `day` on; the default is that of the release's
        `clearance.yaml`. Raises `ValueError` when the term ends after `last_day`.
        """
        known = self.known_until
        if day > known:
            what = "本清单的工作日龄、评价截止日及差评回访、整改期限"
        elif self.add_working_days(day, term_working_days) > known:
            what = "本清单中晚于该日的评价截止日及差评回访、整改期限"
        else:
            return None
        return (
            f"工作日安排仅确知至{known.year}年{known.month}月{known.day}日，其后暂按周一至周五推定，{what}可能有出入。"
            f"请在国务院办公厅公布放假安排后补全 include/catalog/{WORKING_DAYS_FILE}。"
        )

    def _count(self, day: date) -> int:
        if day < self.first_day:
            return 0
        if day > self.last_day:
            raise ValueError(
                f"expected a day up to {self.last_day}, where the calendar ends, got {day}. "
                "Build it with a later last day."
            )
        return self._counts[(day - self.first_day).days]


def check_working_days(table: Table[WorkingDay], today: date | None = None) -> list[Problem]:
    """Return the mistakes in the catalogue's working days, and rows without effect as `info`.

    With `today` it also warns when the working days of the next 60 days are not all known.
    """
    problems = [*table.problems]
    for line, row in table.rows:
        closes_its_year = row.day > OFFICIAL_UNTIL and (row.day.month, row.day.day) == (12, 31)
        if row.is_working == _usually_works(row.day) and not closes_its_year:
            basis = "the official calendar has it" if row.day <= OFFICIAL_UNTIL else "Monday to Friday has it"
            message = f"day {row.day} is marked {'working' if row.is_working else 'not working'}, as {basis} anyway"
            problems.append(Problem(table.file, line, message, "Remove the row, or correct it.", "info"))
    if today is not None and table.is_complete:
        last = today + timedelta(days=WARNED_DAYS_AHEAD)
        known = WorkingCalendar(max(last, CALENDAR_START), table).known_until
        if known < last:
            year = known.year + 1 if (known.month, known.day) == (12, 31) else known.year
            message = f"working days are known to {known} only, {(known - today).days} days from today"
            fix = (
                f"When 国务院办公厅 has announced the holidays of {year} (mostly in November), upgrade to a "
                "chinesecalendar that has them; or add the weekdays off and the weekend days worked here, and "
                f"{year}-12-31, which says that {year} is complete."
            )
            problems.append(Problem(table.file, None, message, fix, "warning"))
    return problems


@lru_cache(maxsize=8)
def _shared(last_day: date, changes: tuple[WorkingDay, ...]) -> WorkingCalendar:
    """Build a calendar once per process: each has several thousand days."""
    return WorkingCalendar(last_day, changes)


def _days(first_day: date, last_day: date, changes: Iterable[WorkingDay]) -> Iterable[CalendarDay]:
    changed = {row.day: row.is_working for row in changes}
    count = 0
    for offset in range((last_day - first_day).days + 1):
        day = first_day + timedelta(days=offset)
        is_working = changed.get(day, _usually_works(day))
        is_known = day <= OFFICIAL_UNTIL or day in changed or date(day.year, 12, 31) in changed
        count += is_working
        yield CalendarDay(day, is_working, count, is_assumed=not is_known)


def _usually_works(day: date) -> bool:
    # Not chinese_calendar.is_workday: it raises for later years, for which this rule gives Monday to Friday.
    return day in chinese_calendar.workdays or (day.weekday() < 5 and day not in chinese_calendar.holidays)
