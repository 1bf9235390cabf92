"""What the cleaning makes of the dates and times that departments, drivers and clerks write."""

import datetime
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from tests.support.cleaned_rows import cleaned

Connection = psycopg.Connection[dict[str, Any]]
ALL_FORMS = [
    "iso",
    "slash",
    "compact",
    "chinese",
    "chinese_numerals",
    "spreadsheet_serial",
    "epoch_seconds",
    "epoch_milliseconds",
]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    url = database_url.replace("+psycopg", "")
    with psycopg.connect(url, row_factory=dict_row, options="-c TimeZone=Asia/Shanghai") as connection:
        yield connection


def days_of(connection: Connection, texts: list[str], field: str = "issue_date", **mapping: Any) -> list[str | None]:
    """Return the day of each text as it is stored; the text behind a question mark where it could not be read."""
    found = cleaned(connection, [{"日": text} for text in texts], **{field: {"column": "日", **mapping}})
    return [
        f"?{row[f'{field}_unparsed']}" if row[f"{field}_unparsed"] is not None else row[field] and str(row[field])
        for row in found
    ]


MARCH_5 = [
    # A moment is the city's day, whatever zone it is written in.
    "2021-03-04T16:00:00.000+00:00",
    "2021-03-04T16:00:00.000+0000",
    "2021-03-04T16:00:00Z",
    "2021-03-04T16:00Z",
    "2021-03-04 16:00:00 UTC",
    "2021-03-04 16:00:00+00",
    "2021-03-05T00:00:00+08:00",
    "2021-03-05T23:59:59.999999+08:00",
    "2021-03-05 00:00:00 +08:00",
    "2021-03-05T00:00:00+08:00[Asia/Shanghai]",
    "2021-03-04T12:00:00-04:00",
    "20210304T160000Z",
    "20210304T1600+0000",
    "2021/03/04 16:00:00Z",
    "2021-03-05 24:00:00",
    "2021-03-05T08:00:00,123",
    # What clerks write.
    "2021年3月5日",
    "2021 年 3 月 5 日",
    "2021　年　3　月　5　日",
    "2021年3月5号",
    "2021年03月05日 下午3时",
    "2021年3月5日15时30分",
    "2021年3月5日 下午3点半",
    "2021年3月5日星期五",
    "2021年3月5日 24时",
    "2021/3/5 下午 3:00:00",
    "2021/3/5 3:00:00 PM",
    "2021-03-05 上午9:00",
    # What a column of numbers makes of 20210305.
    "20210305.0",
    "2.0210305E7",
]


def test_a_moment_is_the_citys_day_and_every_writing_of_a_day_is_read(connection: Connection) -> None:
    assert days_of(connection, MARCH_5) == ["2021-03-05"] * len(MARCH_5)


NUMERALS = {
    "二〇一九年一月一日": "2019-01-01",
    "二○一九年十二月三十一日": "2019-12-31",
    "二零二一年十月二十日": "2021-10-20",
    "二〇二一年十一月十五日": "2021-11-15",
    "二〇二一年二月廿五日": "2021-02-25",
    "二〇二一年3月5日": "2021-03-05",
    "贰零贰壹年零叁月零伍日": "2021-03-05",
    "一九八六年五月一号": "1986-05-01",
    "二〇二一年十三月一日": "?二〇二一年十三月一日",
    "二〇二一年二月三十日": "?二〇二一年二月三十日",
    "二〇二一年二月": "?二〇二一年二月",
    "二〇二八年底": "?二〇二八年底",
    "二一年二月一日": "?二一年二月一日",
    "二〇二一年二月十十日": "?二〇二一年二月十十日",
}


def test_days_in_numerals_are_read_by_default(connection: Connection) -> None:
    assert days_of(connection, list(NUMERALS)) == list(NUMERALS.values())


def test_days_in_numerals_are_left_where_a_feed_names_other_forms(connection: Connection) -> None:
    assert days_of(connection, ["二〇一九年一月一日"], date_forms=["iso", "chinese"]) == ["?二〇一九年一月一日"]


def test_seconds_and_milliseconds_are_read_where_the_feed_names_them(connection: Connection) -> None:
    forms = ["iso", "epoch_seconds", "epoch_milliseconds"]
    texts = ["1614873600", "1614873600.0", "1614873600000", "1614873600123", "1614873599", "315504000000"]
    texts += ["16148736", "16148736000", "16148736001234", "2021-03-05"]
    assert days_of(connection, texts, date_forms=forms) == [
        *["2021-03-05"] * 4,
        "2021-03-04",
        "1980-01-01",
        "?16148736",
        "?16148736000",
        "?16148736001234",
        "2021-03-05",
    ]
    assert days_of(connection, ["1614873600", "1614873600000"]) == ["?1614873600", "?1614873600000"]


AMBIGUOUS = [
    "03/04/2021",
    "3/4/21",
    "21-03-04",
    "05-3月 -21",
    "2021-03-04T16:00:00 CST",
    "2021-03-04T16:00:00+25:00",
    "2021年3月",
    "12020-03-04",
    "10000-01-01 00:00:00",
    "0044-03-15 BC",
    "2021-03-04T99:00:00Z",
    "infinity",
    "-infinity",
]


def test_what_could_be_another_day_is_never_guessed(connection: Connection) -> None:
    assert days_of(connection, AMBIGUOUS, date_forms=ALL_FORMS) == [f"?{text}" for text in AMBIGUOUS]


def test_spreadsheets_day_has_its_time_behind_the_point(connection: Connection) -> None:
    forms = ["iso", "spreadsheet_serial"]
    texts = ["44260.75", "44260", "44260.0", "44260.354166666664", "2021-03-05 08:30", "44260.999999"]
    assert times_of(connection, texts, date_forms=forms) == [
        "2021-03-05 18:00:00",
        "2021-03-05 00:00:00",
        "2021-03-05 00:00:00",
        "2021-03-05 08:30:00",
        "2021-03-05 08:30:00",
        "2021-03-06 00:00:00",
    ]


def times_of(connection: Connection, texts: list[str], **mapping: Any) -> list[str | None]:
    found = cleaned(connection, [{"改": text} for text in texts], source_updated_at={"column": "改", **mapping})
    return [
        f"?{row['source_updated_at_unparsed']}"
        if row["source_updated_at_unparsed"] is not None
        else row["source_updated_at"] and row["source_updated_at"].isoformat(" ").removesuffix("+08:00")
        for row in found
    ]


TIMES = {
    "2021-03-04T16:00:00.000+00:00": "2021-03-05 00:00:00",
    "2021-03-04T16:30:15Z": "2021-03-05 00:30:15",
    "2021-03-05T00:30:15.5+08:00": "2021-03-05 00:30:15.500000",
    "2021-03-05 00:30:15+0800": "2021-03-05 00:30:15",
    "2021-03-05 00:30:15": "2021-03-05 00:30:15",
    "2021-03-05 0:30": "2021-03-05 00:30:00",
    "20210305003015": "2021-03-05 00:30:15",
    "20210304T163015Z": "2021-03-05 00:30:15",
    "2021-03-05 24:00:00": "2021-03-06 00:00:00",
    "2021年3月5日 下午3时": "2021-03-05 15:00:00",
    "2021年3月5日下午3时20分": "2021-03-05 15:20:00",
    "2021 年 3 月 5 日 15 时 20 分 7 秒": "?2021 年 3 月 5 日 15 时 20 分 7 秒",
    "2021年3月5日15时20分07秒": "2021-03-05 15:20:07",
    "2021年3月5日 上午9点半": "2021-03-05 09:30:00",
    "2021年3月5日 24时": "2021-03-06 00:00:00",
    "2021年3月5日 晚上8时": "2021-03-05 20:00:00",
    "2021/3/5 下午 3:05:06": "2021-03-05 15:05:06",
    "2021/3/5 12:05:06 AM": "2021-03-05 00:05:06",
    "2021/3/5 12:05:06 PM": "2021-03-05 12:05:06",
    "2021-03-05": "2021-03-05 00:00:00",
    # 12 at midnight or at noon, one hour after midnight or after noon: nobody can tell.
    "2021年3月5日 上午12时": "?2021年3月5日 上午12时",
    "2021年3月5日 晚上1时": "?2021年3月5日 晚上1时",
    "2021-03-05 25:00:00": "?2021-03-05 25:00:00",
    "2021-03-05 24:30:00": "?2021-03-05 24:30:00",
    "2021年3月5日 下午3时75分": "?2021年3月5日 下午3时75分",
    # No year that a clock shows.
    "9999-12-31 23:59:59+00": "?9999-12-31 23:59:59+00",
    "9999-12-31 24:00:00": "?9999-12-31 24:00:00",
    "12020-03-04 00:00:00": "?12020-03-04 00:00:00",
    "infinity": "?infinity",
    # A row without a time.
    "0000-00-00 00:00:00": None,
    "0000-00-00": None,
    "0001-01-01T00:00:00": None,
    "1970-01-01 08:00:00": None,
    "1970-01-01T00:00:00Z": None,
    "1900-01-01 00:00:00": None,
    "1900/1/1 0:00:00": None,
    "00000000000000": None,
    "0": None,
}


def test_times_are_read_to_the_second_or_told(connection: Connection) -> None:
    assert times_of(connection, list(TIMES)) == list(TIMES.values())


def test_seconds_and_milliseconds_are_moments(connection: Connection) -> None:
    forms = ["epoch_milliseconds", "epoch_seconds"]
    assert times_of(connection, ["1614875415", "1614875415500", "1614875415000", "0", "161487"], date_forms=forms) == [
        "2021-03-05 00:30:15",
        "2021-03-05 00:30:15.500000",
        "2021-03-05 00:30:15",
        None,
        "?161487",
    ]


NO_DATE = [
    "0000-00-00",
    "0000-00-00 00:00:00",
    "00000000",
    "0000/00/00",
    "0000年00月00日",
    "1900-01-01",
    "1900/1/1",
    "19000101",
    "1900-01-01 00:00:00",
    "1900-1-0",
    "1970-01-01",
    "1970年1月1日",
    "1969-12-31T16:00:00Z",
    "1899-12-30",
    "0001-01-01 00:00:00",
    "１９７０－０１－０１",
]


@pytest.mark.parametrize("field", ["issue_date", "valid_from", "valid_to"])
def test_days_that_stand_for_no_date_are_none(connection: Connection, field: str) -> None:
    assert days_of(connection, NO_DATE, field) == [None] * len(NO_DATE)


def test_days_beside_those_are_days(connection: Connection) -> None:
    assert days_of(connection, ["1970-01-02", "1900-01-02", "1969-12-31"]) == ["1970-01-02", "1900-01-02", "1969-12-31"]


ENDS = {
    "长期": (None, True),
    "永久有效": (None, True),
    "终身": (None, True),
    "2099-12-31": (None, True),
    "9999/12/31 23:59:59": (None, True),
    "9999-12-31 23:59:59+00": (None, True),
    "9999-12-31T23:59:59.999999+08:00": (None, True),
    "2099-12-30T16:00:00Z": (None, True),
    "infinity": (None, True),
    "Infinity": (None, True),
    "": (None, False),
    "-": (None, False),
    "NULL": (None, False),
    "0000-00-00": (None, False),
    "1970-01-01": (None, False),
    "1970-01-01 00:00:00": (None, False),
    "2030-05-01": ("2030-05-01", False),
    "2030-04-30T16:00:00Z": ("2030-05-01", False),
    "-infinity": ("?-infinity", False),
    "12020-01-01": ("?12020-01-01", False),
}


def test_for_good_and_not_told_are_two_things(connection: Connection) -> None:
    found = cleaned(connection, [{"止": text} for text in ENDS], valid_to={"column": "止"})
    assert days_of(connection, list(ENDS), "valid_to") == [day for day, _ in ENDS.values()]
    assert [row["valid_without_end"] for row in found] == [endless for _, endless in ENDS.values()]


def test_validity_in_words_tells_where_the_end_is_empty(connection: Connection) -> None:
    rows = [
        {"止": "", "期限": "长期"},
        {"止": "", "期限": "2020-05-01至长期"},
        {"止": "-", "期限": "2020.05.01-长期"},
        {"止": "", "期限": "5年"},
        {"止": "", "期限": ""},
        {"止": "2030-05-01", "期限": "长期"},
        {"止": "某年某月", "期限": "长期"},
        {"止": "", "期限": "非长期"},
    ]
    found = cleaned(connection, rows, valid_to={"column": "止"}, validity={"column": "期限"})
    assert [row["valid_without_end"] for row in found] == [True, True, True, False, False, False, False, False]


def test_only_what_is_told_to_be_for_good_hashes_otherwise_than_no_end(connection: Connection) -> None:
    texts = ["长期", "2099-12-31", "", "0000-00-00", "2030-01-01"]
    found = cleaned(connection, [{"止": text} for text in texts], valid_to={"column": "止"})
    hashes = [row["row_hash"] for row in found]
    assert hashes[0] == hashes[1]
    assert hashes[2] == hashes[3]
    assert len(set(hashes)) == 3


def test_far_day_for_all_rows_is_for_good(connection: Connection) -> None:
    [row] = cleaned(connection, [{}], valid_to={"constant": "2099-12-31"})
    assert (row["valid_to"], row["valid_without_end"]) == (None, True)
    [row] = cleaned(connection, [{}], valid_to={"constant": "2030-12-31"})
    assert (row["valid_to"], row["valid_without_end"]) == (datetime.date(2030, 12, 31), False)


DAYS_ALONE = {
    "2021-03-05": "2021-03-05 23:59:59",
    "2021/3/5": "2021-03-05 23:59:59",
    "20210305": "2021-03-05 23:59:59",
    "2021年3月5日": "2021-03-05 23:59:59",
    # So does a database write a day into a column of times, and Java one into JSON.
    "2021-03-05 00:00:00": "2021-03-05 23:59:59",
    "2021-03-05T00:00:00+08:00": "2021-03-05 23:59:59",
    "2021-03-04T16:00:00Z": "2021-03-05 23:59:59",
    # What has a time keeps it; 24:00 is the next day's begin, and was told.
    "2021-03-05 00:00:01": "2021-03-05 00:00:01",
    "2021-03-05 16:30": "2021-03-05 16:30:00",
    "2021-03-04 24:00:00": "2021-03-05 00:00:00",
    "2021-02-30": "?2021-02-30",
    "1900-01-01": None,
    "": None,
}


def test_days_alone_of_a_feed_that_says_so_are_at_their_end(connection: Connection) -> None:
    assert times_of(connection, list(DAYS_ALONE), date_only=True) == list(DAYS_ALONE.values())
    assert times_of(connection, ["2021-03-05", "20210305"]) == ["2021-03-05 00:00:00"] * 2
