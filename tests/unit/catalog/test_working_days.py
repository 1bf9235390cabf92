"""Working days: the official calendar, what the catalogue says otherwise, and what is only assumed."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.working_days import is_working_day
from zhengku.catalog import load_catalog
from zhengku.catalog.reference import WorkingDay, read_working_days
from zhengku.catalog.working_days import OFFICIAL_UNTIL, WorkingCalendar, check_working_days
from zhengku.check.configuration import check_catalog
from zhengku.errors import CatalogError

SHIPPED = Path(__file__).resolve().parents[3] / "include" / "catalog"
HEADER = "day,is_working,note\n"
CALENDAR = WorkingCalendar(date(2027, 12, 31))
DAYS = st.dates(date(2019, 1, 1), date(2027, 10, 31))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "catalog"
    shutil.copytree(SHIPPED, copy, ignore=shutil.ignore_patterns("departments"))
    return copy


def write(folder: Path, rows: str) -> None:
    (folder / "working_days.csv").write_text(HEADER + rows, encoding="utf-8")


def changed(*rows: tuple[date, bool], last_day: date = date(2028, 12, 31)) -> WorkingCalendar:
    return WorkingCalendar(last_day, [WorkingDay(day=day, is_working=is_working) for day, is_working in rows])


def test_two_years_are_those_of_the_notices() -> None:
    days = [day for day in CALENDAR.days if day.day.year in (2025, 2026)]
    assert len(days) == 730
    assert [day.day for day in days if day.is_working] == [day.day for day in days if is_working_day(day.day)]
    assert not any(day.is_assumed for day in days)


def test_days_have_no_gap_and_count_up() -> None:
    first = CALENDAR.days[0]
    assert (first.day, first.is_working, first.working_days) == (date(2019, 1, 1), False, 0)
    assert [day.day for day in CALENDAR.days] == [first.day + timedelta(number) for number in range(len(CALENDAR.days))]
    assert CALENDAR.days[-1].day == CALENDAR.last_day == date(2027, 12, 31)
    count = 0
    for day in CALENDAR.days:
        count += day.is_working
        assert day.working_days == count


def test_beyond_the_official_calendar_monday_to_friday_is_assumed() -> None:
    beyond = [day for day in CALENDAR.days if day.day > OFFICIAL_UNTIL]
    assert len(beyond) == (CALENDAR.last_day - OFFICIAL_UNTIL).days
    assert all(day.is_assumed and day.is_working == (day.day.weekday() < 5) for day in beyond)
    assert CALENDAR.known_until == OFFICIAL_UNTIL


@given(DAYS, DAYS)
def test_working_days_between_is_a_count(one: date, other: date) -> None:
    start, end = sorted((one, other))
    counted = sum(day.is_working for day in CALENDAR.days if start < day.day <= end)
    assert CALENDAR.working_days_between(start, end) == counted
    assert CALENDAR.working_days_between(end, start) == -counted


@given(DAYS, st.integers(1, 40))
def test_the_nth_working_day_is_a_working_day_n_away(day: date, number: int) -> None:
    found = CALENDAR.add_working_days(day, number)
    assert CALENDAR.working_days_between(day, found) == number
    assert CALENDAR.working_days_between(day, found - timedelta(days=1)) == number - 1


@pytest.mark.parametrize(
    ("day", "number", "expected"),
    [
        (date(2026, 9, 24), 0, date(2026, 9, 24)),
        (date(2026, 9, 24), 1, date(2026, 9, 28)),  # over the Mid-Autumn Festival
        (date(2026, 9, 30), 1, date(2026, 10, 8)),  # over the National Day
        (date(2026, 10, 8), 2, date(2026, 10, 10)),  # a Saturday that is worked
        (date(2026, 10, 4), 1, date(2026, 10, 8)),
        (date(2026, 2, 13), 1, date(2026, 2, 14)),  # a Saturday that is worked
        (date(2015, 6, 1), 1, date(2019, 1, 2)),
    ],
)
def test_terms(day: date, number: int, expected: date) -> None:
    assert CALENDAR.add_working_days(day, number) == expected


def test_a_day_before_the_first_is_as_old_as_the_first() -> None:
    assert CALENDAR.working_days_between(date(2015, 6, 1), date(2019, 1, 3)) == 2


def test_what_lies_beyond_the_end_is_refused() -> None:
    with pytest.raises(ValueError, match="2028-01-01"):
        CALENDAR.working_days_between(date(2026, 1, 1), date(2028, 1, 1))
    with pytest.raises(ValueError, match="later last day"):
        CALENDAR.add_working_days(date(2027, 12, 30), 5)
    with pytest.raises(ValueError, match="0 or more"):
        CALENDAR.add_working_days(date(2026, 12, 30), -1)
    with pytest.raises(ValueError, match="2019-01-01"):
        WorkingCalendar(date(2018, 12, 31))


def test_a_row_wins_over_the_official_calendar() -> None:
    calendar = changed((date(2026, 11, 25), False), (date(2026, 11, 28), True))
    assert calendar.add_working_days(date(2026, 11, 24), 3) == date(2026, 11, 28)
    assert calendar.known_until == OFFICIAL_UNTIL


def test_single_rows_do_not_make_a_year_known() -> None:
    calendar = changed((date(2027, 1, 1), False), (date(2027, 2, 6), False))
    assumed = {day.day for day in calendar.days if day.is_assumed}
    assert date(2027, 1, 1) not in assumed
    assert date(2027, 1, 2) in assumed
    assert calendar.known_until == date(2027, 1, 1)


def test_the_last_day_of_a_year_says_that_the_year_is_complete() -> None:
    calendar = changed((date(2027, 1, 1), False), (date(2027, 12, 31), True))
    assert calendar.known_until == date(2027, 12, 31)
    assert not calendar.days[(date(2027, 1, 4) - calendar.first_day).days].is_assumed
    # It does so although the calendar ends before it.
    assert changed((date(2027, 12, 31), True), last_day=date(2027, 6, 30)).known_until == date(2027, 6, 30)


def test_digest_tells_calendars_apart() -> None:
    assert CALENDAR.digest == WorkingCalendar(date(2027, 12, 31)).digest
    others = [changed(last_day=date(2027, 12, 30)), changed((date(2027, 1, 1), False), last_day=date(2027, 12, 31))]
    # The same days, of which one is no longer assumed.
    others.append(changed((date(2027, 1, 4), True), last_day=date(2027, 12, 31)))
    assert len({CALENDAR.digest, *(other.digest for other in others)}) == 4
    assert len(CALENDAR.digest) == 64


def test_the_calendar_that_is_loaded_is_the_same_for_months(folder: Path) -> None:
    calendars = [WorkingCalendar.load(folder, day) for day in (date(2026, 1, 1), date(2026, 11, 1))]
    assert {calendar.last_day for calendar in calendars} == {date(2027, 12, 31)}
    assert len({calendar.digest for calendar in calendars}) == 1


@pytest.mark.parametrize(
    ("day", "says"),
    [
        (date(2026, 11, 24), None),
        (date(2026, 12, 10), None),
        (date(2026, 12, 11), "晚于该日"),
        (date(2026, 12, 31), "晚于该日"),
        (date(2027, 1, 1), "工作日龄"),
    ],
)
def test_a_list_says_when_it_rests_on_assumed_days(day: date, says: str | None) -> None:
    note = CALENDAR.note_zh(day)
    if says is None:
        assert note is None
    else:
        assert note is not None
        assert says in note
        assert "2026年12月31日" in note
        assert "include/catalog/working_days.csv" in note


def test_a_shorter_term_reaches_less_far() -> None:
    assert CALENDAR.note_zh(date(2026, 12, 11), 14) is None
    assert CALENDAR.note_zh(date(2026, 12, 30), 1) is None
    assert CALENDAR.note_zh(date(2026, 12, 31), 0) is None


@pytest.mark.parametrize(
    ("rows", "line", "message", "fix"),
    [
        ("2027-01-01,no,\n2027-01-01,yes,\n", 3, "is repeated, first at line 2", "Keep one"),
        ("2018-12-31,no,\n", 2, "before 2019-01-01", "Remove the row"),
        ("2027/1/1,no,\n", 2, "day: expected a day as year-month-day, got '2027/1/1'", "2027-01-01"),
        ("20270101,no,\n", 2, "got '20270101'", "2027-01-01"),
        ("2027-02-29,no,\n", 2, "got '2027-02-29'", "2027-01-01"),
        ("2027-01-01,休,\n", 2, "is_working: expected yes or no, got '休'", "Use one of these"),
        ("2027-01-01,,元旦\n", 2, "is_working is blank", "Fill it in"),
        ("2027-01-01,no\n", 2, "expected 3 cells as in the header, got 2", "blank cell"),
    ],
)
def test_mistakes_are_told_with_line_and_fix(folder: Path, rows: str, line: int, message: str, fix: str) -> None:
    write(folder, rows)
    [told] = [p for p in check_catalog(folder, folder) if p.file.name == "working_days.csv" and p.severity == "error"]
    assert told.line == line
    assert message in told.message
    assert fix in told.fix
    with pytest.raises(CatalogError, match=rf"working_days\.csv:{line}: "):
        WorkingCalendar.load(folder, date(2026, 11, 24))
    # The night's rows come in all the same.
    assert load_catalog(folder).districts


def test_a_missing_file_is_told(folder: Path) -> None:
    (folder / "working_days.csv").unlink()
    with pytest.raises(CatalogError, match="cannot be read"):
        WorkingCalendar.load(folder, date(2026, 11, 24))
    assert load_catalog(folder).districts


@pytest.mark.parametrize(
    ("row", "basis"),
    [
        ("2027-01-02,no,\n", "not working, as Monday to Friday has it"),
        ("2027-01-04,yes,\n", "working, as Monday to Friday has it"),
        ("2026-10-01,no,\n", "not working, as the official calendar has it"),
        ("2026-12-31,yes,\n", "working, as the official calendar has it"),
    ],
)
def test_a_row_that_changes_nothing_is_a_note(folder: Path, row: str, basis: str) -> None:
    write(folder, row)
    [told] = check_working_days(read_working_days(folder))
    assert (told.severity, told.line) == ("info", 2)
    assert basis in told.message


@pytest.mark.parametrize("row", ["2027-01-01,no,\n", "2026-10-10,no,\n", "2027-12-31,yes,\n"])
def test_a_row_that_says_something_is_no_note(folder: Path, row: str) -> None:
    write(folder, row)
    assert check_working_days(read_working_days(folder)) == []


def test_the_end_of_what_is_known_is_warned_of_60_days_before(folder: Path) -> None:
    table = read_working_days(folder)
    assert check_working_days(table, OFFICIAL_UNTIL - timedelta(days=60)) == []
    [told] = check_working_days(table, OFFICIAL_UNTIL - timedelta(days=59))
    year = OFFICIAL_UNTIL.year + 1
    assert (told.severity, told.line, told.file.name) == ("warning", None, "working_days.csv")
    assert f"known to {OFFICIAL_UNTIL} only, 59 days" in told.message
    assert f"{year}-12-31" in told.fix
    write(folder, f"{year}-12-31,yes,全年已录入\n")
    assert check_working_days(read_working_days(folder), OFFICIAL_UNTIL) == []


def test_the_shipped_table_says_nothing_yet() -> None:
    assert check_working_days(read_working_days(SHIPPED)) == []
