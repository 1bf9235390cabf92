"""The collection rate: what is due, what of it lacks, once and for its reason; the list of what lacks."""

from datetime import date, datetime, timedelta

import openpyxl
import pytest
from tests.support.command_line import zhengku
from tests.support.small_city import write_small_catalog

from simulator.business_licenses import credit_code
from zhengku.catalog import load_catalog
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.errors import FileNotWritten
from zhengku.review.problems import close, waive
from zhengku.settings import Settings
from zhengku.stock.collection_rate import (
    CollectionRate,
    count_collection,
    lacking_file,
    newest_collection,
    publish_collection,
    rate,
    sum_of,
    summed,
)

DAY = date(2026, 11, 24)
HOME = ("market_supervision", "business_license")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CITY_TIME_ZONE)


@pytest.fixture
def stock(installation, make_row):
    """Ten business licenses in the store, issued in 2020 and without an end."""
    installation.deliver_rows("a.csv", *(make_row(number, 注册日期="2020-05-01") for number in range(10)))
    assert installation.run_one().inserted == 10
    return installation


def produce(installation, number: str, name: str = "营业执照", when: str = "2021-03-01 10:00", **known: object) -> None:
    """Let a case have produced a certificate."""
    [(serial,)] = installation.query("select count(*) from store.case_result")
    values = {
        "record_key": f"C{serial}|1",
        "case_number": f"C{serial}",
        "result_number": "1",
        "result_type": "certificate",
        "certificate_name": name,
        "certificate_number": number,
        "issuing_authority": "鄂州市虚构局",
        "produced_at": at(when),
        "extension": "{}",
        "version_at": at(when),
        "version_no": 1,
        "row_hash": 0,
        "department": "unified_acceptance",
        "feed": "case_results",
        "batch_id": 1,
        "row_no": 1,
        "loaded_at": at(when),
        **known,
    }
    columns, places = ", ".join(values), ", ".join(["%s"] * len(values))
    installation.query(f"insert into store.case_result ({columns}) values ({places})", *values.values())  # noqa: S608


def change(installation, number: int, **values: object) -> None:
    for column, value in values.items():
        installation.query(
            f"update store.certificate set {column} = %s where record_key = %s",  # noqa: S608
            value,
            credit_code(number),
        )


def counted(installation) -> dict[tuple[str, str, int], tuple[int, int, int, int]]:
    with store_connection(installation.settings.database_url) as connection:
        found = count_collection(connection, load_catalog(installation.settings.catalog_folder), DAY)
    return {
        (each.department, each.license_type, each.year): (
            each.collected, each.lacking_of_cases, each.lacking_of_problems, each.lacking_of_comparison,
        )
        for each in found
    }  # fmt: skip


def test_what_stands_and_is_valid_or_of_these_years_is_collected(stock):
    assert counted(stock) == {(*HOME, 2020): (10, 0, 0, 0)}
    # Older stock is due as long as it is valid; its last day belongs to it.
    change(stock, 0, issue_date="2015-01-01", valid_to=DAY, status="valid")
    change(stock, 1, issue_date="2015-01-01", valid_to=DAY - timedelta(days=1), status="valid")
    change(stock, 2, issue_date="2015-01-01", status="cancelled")
    change(stock, 3, issue_date="2018-12-31", status=None)
    # What was issued since 2019 is due whatever became of it, unless it was removed.
    change(stock, 4, issue_date="2019-01-01", status="revoked")
    stock.query(
        "update store.certificate set removal = 'deleted', removed_at = now() where record_key = %s", credit_code(5)
    )
    change(stock, 6, issue_date=None)
    assert counted(stock) == {
        (*HOME, 0): (1, 0, 0, 0),
        (*HOME, 2015): (1, 0, 0, 0),
        (*HOME, 2018): (1, 0, 0, 0),
        (*HOME, 2019): (1, 0, 0, 0),
        (*HOME, 2020): (3, 0, 0, 0),
    }
    # A case that produced it makes it due, too.
    produce(stock, credit_code(1))
    assert counted(stock)[*HOME, 2015] == (2, 0, 0, 0)


def test_what_cases_produced_lacks_once_unless_it_is_there(stock):
    produce(stock, credit_code(1))
    produce(stock, credit_code(901), when="2021-03-01 10:00")
    # Produced again: it lacks once, in the year of the newest.
    produce(stock, credit_code(901), when="2023-03-01 10:00")
    produce(stock, credit_code(902), when="2018-12-31 23:59")
    produce(stock, credit_code(903), when="2019-01-01 00:00")
    produce(stock, credit_code(904), result_type="document")
    produce(stock, credit_code(905), removal="deleted", removed_at=at("2022-01-01"))
    # It was in the store, and its department said that it is no more.
    change(stock, 5, status="cancelled")
    stock.query(
        "update store.certificate set removal = 'deleted', removed_at = now() where record_key = %s", credit_code(5)
    )
    produce(stock, credit_code(5))
    assert counted(stock) == {
        (*HOME, 2019): (0, 1, 0, 0),
        (*HOME, 2020): (9, 0, 0, 0),
        (*HOME, 2023): (0, 1, 0, 0),
    }


def test_same_number_of_another_type_is_another_certificate(stock):
    produce(stock, credit_code(1), name="食品经营许可证")
    produce(stock, credit_code(2), name="虚构许可证")
    produce(stock, credit_code(2), name="另一虚构许可证")
    # Nobody collects these here: whoever told of the case is to say what became of them.
    assert counted(stock) == {
        (*HOME, 2020): (10, 0, 0, 0),
        ("unified_acceptance", "food_business_license", 2021): (0, 1, 0, 0),
        ("unified_acceptance", "other_certificate", 2021): (0, 2, 0, 0),
    }


def test_result_of_a_type_that_nobody_collects_is_not_for_who_collects_other_types(stock, tmp_path):
    folder = tmp_path / "with_others"
    feeds = {"market_supervision": ["business_license"], "government_services": ["other_certificates"]}
    write_small_catalog(folder, feeds)
    environment = {**stock.settings.environment, "ZHENGKU_CATALOG_DIR": str(folder)}
    stock.settings = Settings(home=stock.settings.home, environment=environment)
    produce(stock, credit_code(1), name="食品经营许可证")
    produce(stock, credit_code(2), name="虚构许可证")
    assert counted(stock) == {
        (*HOME, 2020): (10, 0, 0, 0),
        ("unified_acceptance", "food_business_license", 2021): (0, 1, 0, 0),
        ("government_services", "other_certificate", 2021): (0, 1, 0, 0),
    }


def test_certificate_of_another_type_is_found_under_its_name_and_number(stock):
    change(stock, 2, license_type_name="虚构许可证")
    stock.query(
        "create table certificate_of.other_certificate partition of store.certificate"
        " for values in ('other_certificate')"
    )
    stock.query("update store.certificate set license_type = 'other_certificate' where record_key = %s", credit_code(2))
    produce(stock, credit_code(2), name="虚构许可证")
    produce(stock, credit_code(2), name="另一虚构许可证")
    found = counted(stock)
    assert found["market_supervision", "other_certificate", 2020] == (1, 0, 0, 0)
    assert found["unified_acceptance", "other_certificate", 2021] == (0, 1, 0, 0)


def test_problem_record_lacks_for_its_reason_and_not_twice(stock, make_row):
    stock.deliver_rows(
        "b.csv",
        make_row(20, 企业名称=""),
        make_row(21, 注册日期="2020-02-30"),
        make_row(22, 统一社会信用代码=""),
        make_row(23, 统一社会信用代码=""),
        # A newer version of one that is in the store: it is there, if not as it should be.
        make_row(3, 企业名称=""),
        # And some that are right, so that the delivery is not held as a whole.
        *(make_row(number, 注册日期="2020-05-01") for number in (5, 6, 7)),
        minutes_ago=5,
    )
    assert stock.run_one().quarantined == 5
    produce(stock, credit_code(20))
    assert counted(stock) == {(*HOME, 2020): (10, 0, 0, 0), (*HOME, 0): (0, 0, 4, 0)}
    # One wrong in another way is the same certificate.
    stock.deliver_rows("c.csv", make_row(20, 企业名称="", 注册日期="2020-02-30"), minutes_ago=1)
    stock.run_one()
    assert counted(stock)[*HOME, 0] == (0, 0, 4, 0)
    stock.query(
        "update quarantine.problem_row set rules = '{reconciliation.missing_in_store}' where record_key = %s",
        credit_code(21),
    )
    assert counted(stock)[*HOME, 0] == (0, 0, 3, 1)
    [(problem,)] = stock.query(
        "select problem_id from quarantine.problem_row where record_key = %s and status = 'open'", credit_code(20)
    )
    # Waived, it is not in the store for all that.
    with store_connection(stock.settings.database_url) as connection:
        assert waive(connection, [problem], "虚构甲", "限期补录", None, DAY) == 1
    assert counted(stock)[*HOME, 0] == (0, 0, 3, 1)
    with store_connection(stock.settings.database_url) as connection:
        assert close(connection, [problem], "虚构甲", "核实") == 1
    # Closed by a person, it is no problem any more; the case still says that there is such a certificate.
    assert counted(stock) == {(*HOME, 0): (0, 0, 2, 1), (*HOME, 2020): (10, 0, 0, 0), (*HOME, 2021): (0, 1, 0, 0)}


def test_list_tells_what_lacks_by_what_its_department_finds_it(stock, make_row):
    stock.deliver_rows("b.csv", make_row(20, 企业名称=""), minutes_ago=5)
    stock.run_one()
    produce(stock, "420704199001011234")
    catalog = load_catalog(stock.settings.catalog_folder)
    publish_collection(stock.settings, catalog, DAY)
    path = lacking_file(stock.settings, catalog, "market_supervision", DAY)
    book = openpyxl.load_workbook(path)
    header, *rows = ([cell.value for cell in row] for row in book["待归集"].iter_rows())
    shown = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(row["依据"], row["办件编号"], row["问题数据编号"], row["证照类型"]) for row in shown] == [
        ("办件结果", "C0", None, "营业执照"),
        ("问题数据", None, 1, "营业执照"),
    ]
    assert shown[0]["证照编号或关键字段"] == "420***********1234"
    assert shown[0]["出证时间"] == datetime(2021, 3, 1, 10)
    assert "持证主体" in shown[1]["未入库原因"]
    cover = [[cell.value for cell in row] for row in book["封面"].iter_rows()]
    [line] = [line for line in cover if line[0] == "营业执照"]
    assert line[1:3] == [12, 10]
    assert line[3].startswith("83.33%；待归集 2：办件结果 1，问题数据 1")
    assert path.stat().st_mode & 0o077 == 0


def test_counted_again_the_day_has_the_new_counts_and_lists_alone(stock):
    catalog = load_catalog(stock.settings.catalog_folder)
    produce(stock, credit_code(901))
    publish_collection(stock.settings, catalog, DAY)
    path = lacking_file(stock.settings, catalog, "market_supervision", DAY)
    first = path.read_bytes()
    publish_collection(stock.settings, catalog, DAY)
    assert path.read_bytes() == first
    stock.query("delete from store.case_result returning 1")
    publish_collection(stock.settings, catalog, DAY)
    assert not path.exists()
    with store_connection(stock.settings.database_url) as connection:
        [kept] = newest_collection(connection)
    assert (kept.day, kept.due, kept.collected) == (DAY, 10, 10)


def test_list_that_cannot_be_written_keeps_the_counts_as_they_were(stock):
    produce(stock, credit_code(901))
    stock.settings.report_folder.mkdir(parents=True, exist_ok=True)
    (stock.settings.report_folder / "collection").write_text("in the way")
    with pytest.raises(FileNotWritten, match="collection"):
        publish_collection(stock.settings, load_catalog(stock.settings.catalog_folder), DAY)
    assert stock.query("select count(*) from stock.collection_rate") == [(0,)]


def test_sums_and_rates():
    parts = [
        CollectionRate("a", "x", 2019, 999_999, 1, 0, 0),
        CollectionRate("a", "y", 2020, 0, 0, 2, 0),
        CollectionRate("b", "x", 2020, 1, 0, 0, 3),
    ]
    by_department = dict(summed(parts, "department"))
    assert (by_department["a"].due, by_department["a"].lacking) == (1_000_002, 3)
    assert [key for key, _ in summed(parts, "year")] == [2019, 2020]
    assert sum_of(parts).due == 1_000_006
    assert [rate(each) for each in parts] == [">99.99%", "0.00%", "25.00%"]
    assert rate(sum_of([])) == "—"


def test_by_the_command_line(stock):
    produce(stock, credit_code(901))
    done = zhengku(stock.settings.environment, "stock", "collection", "--by", "year")
    assert done.returncode == 0, done.stderr
    assert "2021" in done.stdout
    assert stock.query("select count(*) from stock.collection_rate") == [(0,)]
    done = zhengku(stock.settings.environment, "stock", "collection", "--publish")
    assert "90.91%" in done.stdout
    assert stock.query("select count(*) from stock.collection_rate") == [(2,)]
