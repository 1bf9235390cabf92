"""The store as it was: at any moment, and by the departments' own clocks."""

import csv
import io
import random
from datetime import datetime, timedelta

import pytest
from psycopg import sql
from tests.support.changes_feed import row
from tests.support.command_line import zhengku
from tests.support.installation import Installation
from tests.support.random_deliveries import delivery

from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.operations.replay import replay, replayable

pytestmark = pytest.mark.slow_except(
    "test_one_certificate_of_many_is_looked_up_by_its_key", "test_functions_have_every_column_of_every_data_set"
)

COMPARED = (
    "license_type, record_key, holder, district, issue_date, extension, version_at, version_no, row_hash, department,"
    " feed, batch_id, row_no, loaded_at, removed_at, removal"
)


def keep_copy(installation: Installation, number: int) -> datetime:
    """Keep the store as it is now, and return the moment."""
    copy = sql.Identifier(f"copy_{number}")
    installation.query(sql.SQL("create table {} as select * from store.certificate").format(copy))
    [(moment,)] = installation.query("select clock_timestamp()")
    return moment


def differing(installation: Installation, number: int, moment: datetime) -> list[tuple[object, ...]]:
    then = sql.SQL("select {} from {}").format(sql.SQL(COMPARED), sql.Identifier(f"copy_{number}"))
    now = sql.SQL("select {} from store.certificate_as_of(%s)").format(sql.SQL(COMPARED))
    both = sql.SQL("select count(*) from (({0} except all {1}) union all ({1} except all {0})) as d")
    return installation.query(both.format(then, now), moment, moment)


@pytest.mark.parametrize("form", ["increments", "snapshots"])
def test_store_of_every_night_is_told_row_by_row(request, installation, form):
    if form == "snapshots":
        request.getfixturevalue("register")
    rng = random.Random(form)
    moments = [keep_copy(installation, 0)]
    for number in range(1, 13):
        installation.deliver_rows(f"{number}.csv", *delivery(rng, number), minutes_ago=100 - number)
        batch = installation.run_one()
        if number % 5 == 0:
            with store_connection(installation.settings.database_url) as connection:
                chosen = replayable(connection, batch_ids=[batch.batch_id - 1, batch.batch_id])
            replay(installation.pipeline, chosen, "虚构甲", "演练")
        moments.append(keep_copy(installation, number))
    assert installation.query("select count(*) > 20 from store.certificate_history") == [(True,)]
    for number, moment in enumerate(moments):
        assert differing(installation, number, moment) == [(0,)], number
    # The comparison can fail: the store of one night is not that of another.
    assert differing(installation, 3, moments[7]) != [(0,)]


def test_delete_is_seen_from_its_load_on_and_holds_from_its_own_time(exchange, make_row):
    exchange.deliver_operations(row(make_row, 1, "I", "1 08:00:00"), row(make_row, 2, "I", "1 09:00:00"))
    before = keep_copy(exchange, 1)
    exchange.deliver_operations(
        row(make_row, 1, "D", "3 08:00:00"), row(make_row, 2, "U", "4 08:00:00", 企业名称="鄂州市虚构改名有限公司")
    )
    [(now,)] = exchange.query("select clock_timestamp()")

    def stood(valid: str, known: datetime) -> list[tuple[object, ...]]:
        return exchange.query(
            "select holder from store.certificate_valid_at(%s, %s) order by holder",
            datetime.fromisoformat(f"2024-05-0{valid}+08:00"),
            known,
        )

    first, second, renamed = (
        ("鄂州市虚构第0001号商贸有限公司",),
        ("鄂州市虚构第0002号商贸有限公司",),
        ("鄂州市虚构改名有限公司",),
    )
    assert stood("1T07:59:59", now) == []
    assert stood("1T08:00:00", now) == [first]
    assert stood("3T07:59:59", now) == [first, second]
    assert stood("3T08:00:00", now) == [second]
    assert stood("5T00:00:00", now) == [renamed]
    # Before the second delivery nobody knew.
    assert stood("5T00:00:00", before) == [first, second]
    removed = "select removal from store.certificate_as_of(%s) order by record_key"
    assert exchange.query(removed, before) == [(None,), (None,)]
    assert exchange.query(removed, now) == [("deleted",), (None,)]


def test_functions_have_every_column_of_every_data_set(installation):
    names = [
        name
        for (name,) in installation.query(
            "select tablename from pg_tables where schemaname = 'store' and tablename like '%%\\_history'"
        )
    ]
    assert {"certificate_history", "service_case_history", "evaluation_history"} <= set(names)
    for name in names:
        dataset = name.removesuffix("_history")
        for function, arguments in (("as_of", "now()"), ("valid_at", "now(), now()")):
            call = sql.SQL("{}({})").format(sql.Identifier("store", f"{dataset}_{function}"), sql.SQL(arguments))
            assert installation.query(sql.SQL("select * from {}").format(call)) == []
    # What was received is no part of a version; all else of the store is in its history.
    for dataset in ("certificate", "service_case", "case_result", "evaluation"):
        columns = [
            {
                column
                for (column,) in installation.query(
                    "select column_name from information_schema.columns where table_schema = 'store'"
                    " and table_name = %s",
                    table,
                )
            }
            for table in (dataset, f"{dataset}_history")
        ]
        assert columns[0] - columns[1] == {"received_hash", "warning_set"}


def test_one_certificate_of_many_is_looked_up_by_its_key(installation, make_row):
    installation.deliver_rows("a.csv", *(make_row(n) for n in range(3000)))
    installation.run_one()
    installation.query("analyze store.certificate")
    plan = "\n".join(
        line
        for (line,) in installation.query(
            "explain select * from store.certificate_as_of(now())"
            " where license_type = 'business_license' and record_key = 'x'"
        )
    )
    assert "Index Scan using business_license_pkey" in plan
    assert "Seq Scan on business_license" not in plan


def test_by_the_command_line(exchange, make_row):
    exchange.deliver_operations(
        row(make_row, 1, "I", "1 08:00:00", 企业名称="张虚构", 法人代表="张虚构"), row(make_row, 2, "I", "1 09:00:00")
    )
    exchange.deliver_operations(row(make_row, 2, "D", "3 08:00:00"))
    environment = dict(exchange.settings.environment)
    today = datetime.now(tz=CITY_TIME_ZONE).date()
    yesterday = today - timedelta(days=1)
    assert zhengku(environment, "as-of", f"{yesterday}").stdout == "0 present, 0 marked as removed.\n"
    counted = zhengku(environment, "as-of", f"{today}", "--type", "business_license")
    assert (counted.stdout, counted.stderr) == ("1 present, 1 marked as removed.\n", "")
    counted = zhengku(environment, "as-of", f"{today}", "--valid", "2024-05-02T10:00")
    assert counted.stdout == "2 present, 0 marked as removed.\n"
    listed = list(csv.DictReader(io.StringIO(zhengku(environment, "as-of", f"{today}", "--csv").stdout)))
    assert [row["removal"] for row in listed] == ["", "deleted"]
    assert listed[0]["holder"] == "张**"
    assert "extension" not in listed[0]
    [(key,)] = exchange.query("select record_key from store.certificate where removal is null")
    one = zhengku(environment, "as-of", f"{today}", "--type", "business_license", "--key", key).stdout
    assert "张**" in one
    assert "张虚构" not in one
    # A key is masked like the fields that it is made of; of a feed that is gone, as a person's number.
    person = "420704199001011234"
    exchange.query("update store.certificate set record_key = %s, certificate_number = %s where removal is null",
                   person, person)  # fmt: skip
    exchange.query(
        "update store.certificate set record_key = %s, feed = 'gone' where removal is not null", "K" + person
    )
    for arguments in (("--csv",), ("--key", person), ("--key", "K" + person)):
        shown = zhengku(environment, "as-of", f"{today}", *arguments).stdout
        assert person not in shown
        assert "1234" in shown
    assert zhengku(environment, "as-of", f"{today}", "--key", "nothing").stdout == "There was no such record then.\n"
    for arguments, told in [
        (("yesterday",), "Expected a day as YYYY-MM-DD"),
        ((f"{today}", "--type", "nothing"), "nothing"),
        ((f"{today}", "--dataset", "nothing"), "Expected one of the data sets"),
        ((f"{today}", "--dataset", "evaluation", "--type", "business_license"), "no license type"),
    ]:
        refused = zhengku(environment, "as-of", *arguments)
        assert refused.returncode == 1
        assert told in refused.stderr
