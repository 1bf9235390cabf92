"""Certificates about to expire and expired: counted, listed, masked."""

from datetime import date, timedelta

import openpyxl
import pytest
from tests.support.command_line import zhengku

from zhengku.catalog import load_catalog
from zhengku.database import store_connection
from zhengku.errors import FileNotWritten
from zhengku.stock.expiry import Expiry, count_expiry, expiry_file, newest_expiry, publish_expiry

pytestmark = pytest.mark.slow_except(
    "test_every_certificate_is_counted_as_what_it_is", "test_empty_store_is_counted_and_nothing_is_listed"
)

DAY = date(2026, 11, 24)
EXPIRING, EXPIRED = 90, 365


WITHOUT_END = {"for good": True, "unknown": None}


def of_days(days: int | str | None) -> date | None:
    return DAY + timedelta(days=days) if isinstance(days, int) else None


CASES = [
    # (days from the day on, status, removed, counted as, listed as)
    (EXPIRING + 1, "valid", False, "later", None),
    (EXPIRING, "valid", False, "expiring", "临期"),
    (0, "valid", False, "expiring", "临期"),
    (0, None, False, "expiring", "临期"),
    (-1, "valid", False, "expired", "已过期"),
    (-1, None, False, "expired", "已过期"),
    (-1, "expired", False, "expired", "已过期"),
    (None, "expired", False, "expired", "已过期"),
    (400, "expired", False, "expired", "已过期"),
    (-EXPIRED, "valid", False, "expired", "已过期"),
    (-EXPIRED - 1, "valid", False, "expired", None),
    (None, "valid", False, "untold", None),
    (None, None, False, "untold", None),
    ("for good", "valid", False, "endless", None),
    ("for good", None, False, "endless", None),
    ("for good", "expired", False, "expired", "已过期"),
    ("unknown", "valid", False, "unknown", None),
    *[(10, status, False, None, None) for status in ("replaced", "cancelled", "withdrawn", "revoked")],
    (10, "transferred_out", False, None, None),
    (10, "valid", True, None, None),
    (-10, "expired", True, None, None),
]


@pytest.fixture
def stock(installation, make_row):
    """A store whose certificates are the cases, in their order, with the key of each."""
    installation.deliver_rows("a.csv", *(make_row(number) for number in range(len(CASES))))
    assert installation.run_one().inserted == len(CASES)
    keys = [key for (key,) in installation.query("select record_key from store.certificate order by record_key")]
    for key, (days, status, removed, _, _) in zip(keys, CASES, strict=True):
        installation.query(
            "update store.certificate set valid_to = %s::date, valid_without_end = %s, status = %s, removal = %s,"
            " removed_at = case when %s then now() end where record_key = %s",
            of_days(days),
            WITHOUT_END.get(days, False),
            status,
            "deleted" if removed else None,
            removed,
            key,
        )
    return installation, keys


def lists(path) -> dict[str, list[tuple]]:
    book = openpyxl.load_workbook(path)
    return {name: [tuple(cell.value for cell in row) for row in book[name].iter_rows()] for name in book.sheetnames}


def test_every_certificate_is_counted_as_what_it_is(stock):
    installation, _ = stock
    with store_connection(installation.settings.database_url) as connection:
        [counted] = count_expiry(connection, DAY, EXPIRING)
    told = [case[3] for case in CASES]
    assert counted == Expiry(
        "market_supervision",
        "business_license",
        later=told.count("later"),
        endless=told.count("endless"),
        untold=told.count("untold"),
        unknown=told.count("unknown"),
        expiring=told.count("expiring"),
        expired=told.count("expired"),
        expired_as_valid=sum(case[3] == "expired" and case[1] != "expired" for case in CASES),
    )
    assert counted.total == len([one for one in told if one])


def test_list_holds_what_runs_out_and_nothing_else_by_day_and_masked(stock):
    installation, keys = stock
    catalog = load_catalog(installation.settings.catalog_folder)
    installation.query("update store.certificate set holder = '张某某' where record_key = %s", keys[1])
    installation.query("update store.certificate set certificate_identifier = 'ID' || record_key")
    publish_expiry(installation.settings, catalog, DAY)
    path = expiry_file(installation.settings, catalog, "market_supervision", DAY)
    found = lists(path)
    numbers = dict(installation.query("select certificate_number, record_key from store.certificate"))
    for sheet in ("临期", "已过期"):
        header, *rows = found[sheet]
        place = header.index("证照编号")
        listed = sorted(keys.index(numbers[row[place]]) for row in rows)
        assert listed == [number for number, case in enumerate(CASES) if case[4] == sheet], sheet
        days = [row[header.index("有效期截止日期")] for row in rows]
        assert [day for day in days if day] == sorted(day for day in days if day)
        why = [row[header.index("截止说明")] for row in rows]
        assert why == [
            None if day else "长期有效" if CASES[keys.index(numbers[row[place]])][0] else "未填"
            for day, row in zip(days, rows, strict=True)
        ]
    header, *rows = found["临期"]
    assert [row[header.index("剩余天数")] for row in rows] == [0, 0, EXPIRING]
    assert [row[header.index("持证主体")] for row in rows][-1] == "张**"
    assert [row[header.index("电子证照标识")] for row in rows] == [f"ID{keys[place]}" for place in (2, 3, 1)]
    assert path.stat().st_mode & 0o077 == 0


def test_counted_again_the_day_has_the_new_counts_and_lists_alone(stock):
    installation, _ = stock
    catalog = load_catalog(installation.settings.catalog_folder)
    publish_expiry(installation.settings, catalog, DAY)
    path = expiry_file(installation.settings, catalog, "market_supervision", DAY)
    first = path.read_bytes()
    publish_expiry(installation.settings, catalog, DAY)
    assert path.read_bytes() == first
    installation.query("update store.certificate set valid_to = null, status = 'valid'")
    publish_expiry(installation.settings, catalog, DAY)
    assert not path.exists()
    with store_connection(installation.settings.database_url) as connection:
        [kept] = newest_expiry(connection)
    assert (kept.day, kept.expiring, kept.expired, kept.expiring_days) == (DAY, 0, 0, EXPIRING)
    assert (kept.endless, kept.unknown, kept.untold) == (3, 1, len(CASES) - 6)
    installation.query("update store.certificate set valid_to = %s", DAY)
    publish_expiry(installation.settings, catalog, DAY + timedelta(days=7))
    with store_connection(installation.settings.database_url) as connection:
        [kept] = newest_expiry(connection)
    assert (kept.day, kept.expired) == (DAY + timedelta(days=7), len(CASES) - 2)
    assert installation.query("select count(distinct day) from stock.expiry") == [(2,)]


def test_empty_store_is_counted_and_nothing_is_listed(installation):
    catalog = load_catalog(installation.settings.catalog_folder)
    assert publish_expiry(installation.settings, catalog, DAY) == []
    assert not (installation.settings.report_folder / "expiry").exists()


def test_list_that_cannot_be_written_keeps_the_counts_as_they_were(stock):
    installation, _ = stock
    catalog = load_catalog(installation.settings.catalog_folder)
    installation.settings.report_folder.mkdir(parents=True, exist_ok=True)
    (installation.settings.report_folder / "expiry").write_text("in the way")
    with pytest.raises(FileNotWritten, match="expiry"):
        publish_expiry(installation.settings, catalog, DAY)
    assert installation.query("select count(*) from stock.expiry") == [(0,)]


def test_by_the_command_line(stock):
    installation, _ = stock
    done = zhengku(installation.settings.environment, "stock", "expiry")
    assert done.returncode == 0, done.stderr
    assert "business_license" in done.stdout
    assert installation.query("select count(*) from stock.expiry") == [(0,)]
    assert zhengku(installation.settings.environment, "stock", "expiry", "--publish").returncode == 0
    assert installation.query("select count(*) from stock.expiry") == [(1,)]
