"""Validity without end, distorted numbers and zero times in the whole pipeline, and what was stored before."""

import logging
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql
from tests.support.every_field import KEY, VERSIONS, deliver
from tests.support.schema_at_revision import at_revision

from zhengku.database import upgrade

pytestmark = pytest.mark.slow_except(
    "test_end_beyond_every_calendar_is_no_end", "test_zero_update_time_is_a_row_without_a_time"
)


def ends(installation, table: str = "certificate") -> list[tuple[object, ...]]:
    statement = "select version_no, valid_to::text, valid_without_end from {} where record_key = %s order by version_no"
    return installation.query(sql.SQL(statement).format(sql.Identifier("store", table)), KEY)


def version(end: str, at: str) -> dict[str, str]:
    return VERSIONS[0] | {"valid_to": end, "validity": "", "source_updated_at": f"2024-05-0{at} 08:00:00"}


def test_for_good_and_not_told_are_versions_of_their_own_now_and_as_it_was(whole):
    deliver(whole, "1.csv", "I", version("", "1"), 60)
    assert ends(whole) == [(1, None, False)]
    known_at = datetime.now(UTC)
    assert deliver(whole, "2.csv", "U", version("长期", "2"), 50).updated == 1
    assert ends(whole) == [(2, None, True)]
    # Written otherwise, it is the same.
    assert deliver(whole, "3.csv", "U", version("2099-12-31", "3"), 40).updated == 1
    assert deliver(whole, "4.csv", "U", version("永久", "3"), 30).unchanged == 1
    assert deliver(whole, "5.csv", "U", version("-", "4"), 20).updated == 1
    assert deliver(whole, "6.csv", "U", version("2030-01-01", "5"), 10).updated == 1
    assert ends(whole) == [(5, "2030-01-01", False)]
    assert ends(whole, "certificate_history") == [(1, None, False), (2, None, True), (3, None, True), (4, None, False)]
    then = whole.query(
        "select valid_without_end, version_no, replaced_by_batch_id is null from store.certificate_as_of(%s)"
        " where record_key = %s",
        known_at,
        KEY,
    )
    assert then == [(False, 1, False)]
    stood = whole.query(
        "select valid_without_end from store.certificate_valid_at('2024-05-03 12:00+08', now()) where record_key = %s",
        KEY,
    )
    assert stood == [(True,)]


def test_what_was_stored_before_is_set_right_when_it_comes_again(whole):
    deliver(whole, "1.csv", "I", version("", "1"), 60)
    stored_before = "update store.certificate set valid_without_end = null, received_hash = 0"
    whole.query(stored_before)
    # Nothing is told, as before: no new version.
    assert deliver(whole, "2.csv", "U", version("NULL", "1"), 50).unchanged == 1
    assert ends(whole) == [(1, None, False)]
    whole.query(stored_before)
    assert deliver(whole, "3.csv", "U", version("长期", "1"), 40).updated == 1
    assert ends(whole) == [(2, None, True)]
    assert ends(whole, "certificate_history") == [(1, None, None)]


def problems(installation) -> list[tuple[object, ...]]:
    return installation.query("select record_key, rules, reasons from quarantine.problem_row order by problem_id")


def test_rounded_number_is_quarantined_for_that_alone_and_is_no_key(whole):
    deliver(whole, "1.csv", "I", VERSIONS[0], 60)
    batch = deliver(whole, "2.csv", "U", VERSIONS[0] | {"service_item_code": "4.20703E+17"}, 50)
    assert (batch.quarantined, batch.updated) == (1, 0)
    [(key, rules, reasons)] = problems(whole)
    assert (key, rules) == (KEY, ["certificate.codes.exact"])
    assert "近似数" in reasons[0]
    path = whole.drop / "2.csv"
    whole.deliver("3.csv", path.read_text(encoding="utf-8").replace(KEY, "4.2070320200101E+17"), minutes_ago=40)
    assert whole.run_one().quarantined == 1
    assert [(key, rules) for key, rules, _ in problems(whole)][1:] == [(None, ["certificate.codes.exact"])]


def test_zero_update_time_is_a_row_without_a_time(whole):
    batch = deliver(whole, "1.csv", "I", VERSIONS[0] | {"source_updated_at": "0000-00-00 00:00:00"}, 60)
    assert (batch.inserted, batch.quarantined) == (2, 0)
    [(updated_at, version_at)] = whole.query(
        "select source_updated_at, version_at from store.certificate where record_key = %s", KEY
    )
    assert (updated_at, version_at.year) == (None, 1900)
    marked = whole.query(
        "select rule_id, failed_rows from ledger.rule_result where rule_id like '%%source_updated_at.present'"
    )
    assert marked == [("certificate.source_updated_at.present", 2)]


def test_migration_marks_what_can_be_known_and_says_how_many(empty_database_url, caplog):
    at_revision(empty_database_url, "0012")
    stored = [
        ("1", "2030-01-01", None),
        ("2", None, "长期"),
        ("3", None, "2020-01-01至长期"),
        ("4", None, "5年"),
        ("5", None, None),
    ]
    with psycopg.connect(empty_database_url.replace("+psycopg", "")) as connection:
        connection.execute("create table store.certificate_of_x partition of store.certificate for values in ('x')")
        connection.cursor().executemany(
            "insert into store.certificate (license_type, record_key, valid_to, validity, extension, version_at,"
            " version_no, row_hash, department, feed, batch_id, row_no, loaded_at)"
            " values ('x', %s, %s, %s, '{}', now(), 1, 0, 'd', 'f', 1, 1, now())",
            stored,
        )
        connection.execute(
            "insert into store.certificate_history (license_type, record_key, valid_to, validity, extension,"
            " version_at, version_no, row_hash, department, feed, batch_id, row_no, loaded_at, replaced_by_batch_id,"
            " replaced_at)"
            " select license_type, record_key, valid_to, validity, extension, version_at, version_no, row_hash,"
            " department, feed, batch_id, row_no, loaded_at, 1, now() from store.certificate"
        )
        connection.execute("insert into stock.expiry values ('2026-11-01', 'd', 'x', 1, 4, 0, 0, 0, 90)")
    with caplog.at_level(logging.WARNING):
        upgrade(empty_database_url)
    told = [record.getMessage() for record in caplog.records if record.name == "zhengku.migrations"]
    assert len(told) == 2
    assert all(
        "of 4 versions without an end, 2 are valid for good" in line and "of 2 it is not" in line for line in told
    )
    with psycopg.connect(empty_database_url.replace("+psycopg", "")) as connection:
        for table in ("certificate", "certificate_history"):
            statement = sql.SQL("select valid_without_end from {} order by record_key")
            marked = connection.execute(statement.format(sql.Identifier("store", table)))
            assert marked.fetchall() == [(False,), (True,), (True,), (None,), (None,)]
        assert connection.execute("select endless, untold, unknown from stock.expiry").fetchall() == [(4, None, None)]
        # A version that is stored from now on has the value that it is given, and none by itself.
        default = connection.execute(
            "select count(*) from information_schema.columns where column_name = 'valid_without_end'"
            " and column_default is not null"
        ).fetchone()
    assert default == (0,)


@pytest.mark.parametrize("end", ["infinity", "9999-12-31 23:59:59+00"])
def test_end_beyond_every_calendar_is_no_end(whole, end):
    assert deliver(whole, "1.csv", "I", version(end, "1"), 60).quarantined == 0
    assert ends(whole) == [(1, None, True)]
