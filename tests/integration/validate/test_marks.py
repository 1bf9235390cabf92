"""The shipped suites against rows that break one rule each: Great Expectations and the marks must agree."""

import datetime
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from tests.support.staged_table import (
    SCHEMA,
    TABLE,
    create_staged_table,
    fill_staged_table,
    marked_rows,
    marks_of,
    share_keys,
)

from simulator.business_licenses import credit_code
from zhengku.database import statement
from zhengku.validate.marks import mark_rows
from zhengku.validate.run import ValidationOutcome, validate_rows
from zhengku.validate.suites import BATCH_SUITE, Rule, load_suites, rules_for_upserts

PROJECT = Path(__file__).resolve().parents[3]
TODAY = datetime.date(2026, 11, 23)
TYPE_CODE = "11100000MB0143028R001"
# As of a business license, whose validity and holders the catalogue leaves open.
PARAMETERS = {
    "today": TODAY,
    "dated": True,
    "license_type_name": "营业执照",
    "license_type_code": TYPE_CODE,
    "expires": None,
    "permanent": None,
    "validity_years": None,
    "foreign_holder_code_types": None,
    "one_holder": True,
}
BY_THE_CATALOGUE = {
    "certificate.valid_to.expires",
    "certificate.valid_to.permanent",
    "certificate.valid_to.within_validity_years",
    "certificate.holder_code_type.of_license_type",
}
"""Rules that a business license is not asked: `test_license_types.py` asks them of others."""
BASE = rules_for_upserts(load_suites(PROJECT / "expectations", ["certificate"]))
BUSINESS = rules_for_upserts(load_suites(PROJECT / "expectations", ["certificate", "business_license"]))

CODE = credit_code(1)
BAD_CODE = CODE[:-1] + ("0" if CODE[-1] != "0" else "1")
EXTENSION = {"经营范围": "虚构货物的零售", "住所": "鄂州市虚构路1号", "法定代表人/经营者": "张某某", "类型": "虚构类型"}

GOOD: dict[str, Any] = {
    "record_key": CODE,
    "certificate_identifier": "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F",
    "certificate_number": CODE,
    "certificate_name": "营业执照",
    "certificate_version": "001",
    "license_type_code": TYPE_CODE,
    "license_type_name": "营业执照",
    "issue_date": datetime.date(2020, 5, 1),
    "issuing_authority": "虚构市市场监督管理局",
    "issuing_authority_code": credit_code(2),
    "district": "420704",
    "district_delivered": "鄂城区",
    "holder": "鄂州市虚构商贸有限公司",
    "holder_code": CODE,
    "holder_code_type": "001",
    "file_url": "https://files.example/1.ofd",
    "status": "valid",
    "defining_authority_code": credit_code(3),
    "valid_from": datetime.date(2020, 5, 1),
    "valid_to": datetime.date(2030, 4, 30),
    "source_updated_at": datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC),
    "extension": EXTENSION,
}


def identity_number(front: str) -> str:
    total = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(front))
    return front + "10X98765432"[total % 11]


PERSON = {**GOOD, "holder": "张某某", "holder_code_type": "111", "holder_code": identity_number("42070019900101001")}
BAD_PERSON_CODE = PERSON["holder_code"][:-1] + ("0" if PERSON["holder_code"][-1] != "0" else "1")


def checked_code(front: str) -> str:
    """17 characters with their check character: GB 32100-2015."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(alphabet.index(character) * pow(3, place, 31) for place, character in enumerate(front))
    return front + alphabet[-total % 31]


PUBLIC_CODE = checked_code("11420700000000001")


def without(field: str) -> dict[str, str]:
    return {key: value for key, value in EXTENSION.items() if key != field}


BREAKS_BASE: dict[str, dict[str, Any]] = {
    "certificate.record_key.present": {**GOOD, "record_key": None},
    "certificate.record_key.number": {**GOOD, "record_key": None, "key_unusable": "待办理"},
    "certificate.record_key.one_holder": GOOD,
    "certificate.record_key.one_name": GOOD,
    "certificate.certificate_number.present": {**GOOD, "certificate_number": None},
    "certificate.holder.present": {**GOOD, "holder": None},
    "certificate.holder_code.present": {**GOOD, "holder_code": None},
    "certificate.issue_date.present": {**GOOD, "issue_date": None},
    "certificate.certificate_identifier.present": {**GOOD, "certificate_identifier": None},
    "certificate.certificate_name.present": {**GOOD, "certificate_name": None},
    "certificate.certificate_version.present": {**GOOD, "certificate_version": None},
    "certificate.license_type_code.present": {**GOOD, "license_type_code": None},
    "certificate.license_type_name.present": {**GOOD, "license_type_name": None},
    "certificate.issuing_authority.present": {**GOOD, "issuing_authority": None},
    "certificate.issuing_authority.readable": {**GOOD, "issuing_authority": "鐜嬫煇"},
    "certificate.issuing_authority.undoubted": {**GOOD, "issuing_authority": "虚构市?局"},
    "certificate.issuing_authority_code.present": {**GOOD, "issuing_authority_code": None},
    "certificate.holder_code_type.present": {**GOOD, "holder_code_type": None},
    "certificate.file_url.present": {**GOOD, "file_url": None},
    "certificate.district.present": {**GOOD, "district": None, "district_delivered": None},
    "certificate.status.present": {**GOOD, "status": None},
    "certificate.holder_code_type.known": {**GOOD, "holder_code_type": "01"},
    "certificate.holder_code.credit_code": {**GOOD, "holder_code": BAD_CODE},
    "certificate.holder_code.credit_code_category": {**GOOD, "holder_code": checked_code("98420700000000014")},
    "certificate.holder_code.not_made_up": {**GOOD, "holder_code_type": "099", "holder_code": "0" * 18},
    "certificate.holder_code.identity_number": {**PERSON, "holder_code": BAD_PERSON_CODE},
    "certificate.holder_code.identity_number_province": {**PERSON, "holder_code": identity_number("98070019900101001")},
    "certificate.holder_code.identity_number_18": {**PERSON, "holder_code": "420700900101001"},
    "certificate.holder_code.birthday": {**PERSON, "extension": {**EXTENSION, "出生日期": "1991年1月1日"}},
    "certificate.holder_code.sex": {**PERSON, "extension": {**EXTENSION, "性别": "女"}},
    "certificate.certificate_identifier.valid": {
        **GOOD,
        "certificate_identifier": "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.0",
    },
    "certificate.issuing_authority_code.credit_code": {**GOOD, "issuing_authority_code": BAD_CODE},
    "certificate.defining_authority_code.credit_code": {**GOOD, "defining_authority_code": BAD_CODE},
    "certificate.license_type_name.catalogue": {**GOOD, "license_type_name": "营业执照正本"},
    "certificate.license_type_code.catalogue": {**GOOD, "license_type_code": "11100000000000000A999"},
    "certificate.issue_date.parseable": {**GOOD, "issue_date": None, "issue_date_unparsed": "2019-02-30"},
    "certificate.valid_from.parseable": {**GOOD, "valid_from": None, "valid_from_unparsed": "2019-02-30"},
    "certificate.valid_to.parseable": {**GOOD, "valid_to": None, "valid_to_unparsed": "2019-02-30"},
    "certificate.source_updated_at.parseable": {
        **GOOD,
        "source_updated_at": None,
        "source_updated_at_unparsed": "2019-02-30",
    },
    "certificate.source_updated_at.present": {**GOOD, "source_updated_at": None},
    "certificate.issue_date.not_before_1949": {**GOOD, "issue_date": datetime.date(1949, 9, 30)},
    "certificate.issue_date.not_future": {**GOOD, "issue_date": TODAY + datetime.timedelta(days=1)},
    "certificate.valid_to.not_before_valid_from": {
        **GOOD,
        "valid_from": datetime.date(2021, 1, 1),
        "valid_to": datetime.date(2020, 12, 31),
    },
    "certificate.valid_to.not_before_issue_date": {
        **GOOD,
        "valid_from": datetime.date(2019, 1, 1),
        "valid_to": datetime.date(2020, 4, 30),
    },
    "certificate.valid_from.not_long_after_issue_date": {**GOOD, "valid_from": datetime.date(2021, 5, 2)},
    "certificate.source_updated_at.not_future": {
        **GOOD,
        "source_updated_at": datetime.datetime(2026, 11, 24, 16, 0, tzinfo=datetime.UTC),
    },
    "certificate.status.known": {**GOOD, "status": "正常"},
    "certificate.status.mapped": {**GOOD, "status": None, "status_unmapped": "99"},
    "certificate.codes.mapped": {**GOOD, "holder_code_type": None, "codes_unmapped": "holder_code_type"},
    "certificate.error_cells.none": {**GOOD, "error_cells": "holder"},
    "certificate.extension.no_error_cells": {**GOOD, "extension_error_cells": "住所"},
    "certificate.codes.exact": {**GOOD, "record_key": None, "codes_distorted": "certificate_number"},
    "certificate.operation.known": {**GOOD, "operation_unmapped": "X"},
    "certificate.district.known": {**GOOD, "district": None, "district_delivered": "武汉市"},
    "certificate.holder.readable": {**GOOD, "holder": "鄂州市虚\ufffd商贸有限公司"},
    "certificate.holder.undoubted": {**GOOD, "holder": "虚**"},
    "certificate.certificate_number.readable": {**GOOD, "certificate_number": "虚构\u0007号"},
    "certificate.record_key.length": {**GOOD, "record_key": "9" * 201},
    # Of a kind of which no other rule asks more than a length.
    "certificate.holder_code.length": {**GOOD, "holder_code_type": "999", "holder_code": "9" * 101},
    "certificate.holder.length": {**GOOD, "holder": "某"},
    "certificate.certificate_number.length": {**GOOD, "certificate_number": "1"},
    "certificate.holder.not_a_code": {**GOOD, "holder": CODE},
    "certificate.file_url.form": {**GOOD, "file_url": "D:\\证照\\1.ofd"},
    "certificate.certificate_version.form": {**GOOD, "certificate_version": "1"},
}
BREAKS_BUSINESS: dict[str, dict[str, Any]] = {
    "business_license.certificate_number.credit_code": {**PERSON, "certificate_number": BAD_CODE},
    "business_license.certificate_number.market_entity": {
        **GOOD,
        "certificate_number": PUBLIC_CODE,
        "holder_code": PUBLIC_CODE,
    },
    "business_license.holder_code.is_certificate_number": {**GOOD, "holder_code": credit_code(4)},
    "business_license.business_scope.present": {**GOOD, "extension": without("经营范围")},
    "business_license.address.present": {**GOOD, "extension": without("住所")},
    "business_license.legal_representative.present": {**GOOD, "extension": without("法定代表人/经营者")},
    "business_license.entity_type.present": {**GOOD, "extension": without("类型")},
}


SHARED = {"certificate.record_key.one_holder": "other_holder", "certificate.record_key.one_name": "other_name"}
"""Rules about what a row shares with another one, and how."""


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        create_staged_table(connection, "certificate")
        yield connection


@pytest.mark.parametrize(
    ("suites", "breaks"),
    [(BASE, BREAKS_BASE), (BUSINESS, BREAKS_BUSINESS)],
    ids=["certificate", "business_license"],
)
def test_every_rule_finds_the_row_that_only_it_rejects(
    database_url: str, connection: psycopg.Connection[Any], suites: list[Any], breaks: dict[str, dict[str, Any]]
) -> None:
    rules: dict[str, Rule] = {rule.rule_id: rule for rule in suites[-1].rules}
    assert list(breaks) == [rule_id for rule_id in rules if rule_id not in BY_THE_CATALOGUE], (
        "every rule of the suite has one row that breaks it"
    )
    fill_staged_table(connection, [*breaks.values(), GOOD, PERSON])
    share_keys(connection, {list(breaks).index(rule) + 1: how for rule, how in SHARED.items() if rule in breaks})

    outcome = validate_rows(database_url, SCHEMA, TABLE, suites, PARAMETERS)
    mark_rows(connection, SCHEMA, {TABLE: outcome})

    assert {rule.rule_id for rule in outcome.skipped} == BY_THE_CATALOGUE
    assert {rule.rule_id for rule in outcome.failed} >= set(breaks)
    assert marked_rows(connection) == {rule.rule_id: rule.failed_rows for rule in outcome.failed}
    found = marks_of(connection)
    assert set(found) == set(range(1, len(breaks) + 1)), "rows without a fault are not marked"
    for row_no, rule_id in enumerate(breaks, start=1):
        critical, warning = found[row_no]
        if rules[rule_id].severity == "critical":
            assert critical == [rule_id]
            assert rule_id not in warning
        else:
            assert (critical, warning) == ([], [rule_id])


@pytest.mark.slow
def test_as_many_rows_are_marked_as_great_expectations_counts(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    fill_staged_table(connection, [*BREAKS_BASE.values(), *BREAKS_BUSINESS.values(), GOOD, PERSON])
    found = validate_rows(database_url, SCHEMA, TABLE, BUSINESS, PARAMETERS)
    assert len(found.failed) >= len(BREAKS_BUSINESS)
    mark_rows(connection, SCHEMA, {TABLE: found})
    assert marked_rows(connection) == {rule.rule_id: rule.failed_rows for rule in found.failed}


def test_a_row_that_breaks_several_rules_names_them_all_in_the_order_of_the_suites(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    row = {
        **GOOD,
        "issue_date": None,
        "certificate_number": BAD_CODE,
        "holder": None,
        "file_url": None,
        "district": None,
    }
    fill_staged_table(connection, [row])
    outcome = validate_rows(database_url, SCHEMA, TABLE, BUSINESS, PARAMETERS)
    mark_rows(connection, SCHEMA, {TABLE: outcome})
    assert marks_of(connection) == {
        1: (
            [
                "certificate.holder.present",
                "certificate.issue_date.present",
                "business_license.certificate_number.credit_code",
            ],
            [
                "certificate.file_url.present",
                "certificate.district.known",
                "business_license.holder_code.is_certificate_number",
            ],
        )
    }


def test_marks_of_an_earlier_try_are_replaced(database_url: str, connection: psycopg.Connection[Any]) -> None:
    fill_staged_table(connection, [{**GOOD, "holder": None}])
    outcome = validate_rows(database_url, SCHEMA, TABLE, BASE, PARAMETERS)
    mark_rows(connection, SCHEMA, {TABLE: outcome})
    fill_staged_table(connection, [GOOD, PERSON])
    outcome = validate_rows(database_url, SCHEMA, TABLE, BASE, PARAMETERS)
    assert outcome.failed == ()
    mark_rows(connection, SCHEMA, {TABLE: outcome})
    assert marks_of(connection) == {}


def test_an_empty_table_breaks_nothing(database_url: str, connection: psycopg.Connection[Any]) -> None:
    fill_staged_table(connection, [])
    outcome = validate_rows(database_url, SCHEMA, TABLE, BUSINESS, PARAMETERS)
    assert outcome.failed == ()


@pytest.mark.parametrize("absent", ["valid_to", "extension.住所", "certificate_identifier"])
def test_rules_on_a_field_that_the_feed_lacks_are_skipped(
    database_url: str, connection: psycopg.Connection[Any], absent: str
) -> None:
    fill_staged_table(
        connection, [{**GOOD, "valid_to": None, "certificate_identifier": None, "extension": without("住所")}]
    )
    outcome = validate_rows(database_url, SCHEMA, TABLE, BUSINESS, PARAMETERS, frozenset([absent]))
    looking = {rule.rule_id for suite in BUSINESS for rule in suite.rules if absent in rule.meta.fields}
    assert looking
    assert {rule.rule_id for rule in outcome.skipped} == looking | BY_THE_CATALOGUE
    assert {rule.skipped for rule in outcome.skipped if rule.rule_id in looking} == {"absent_field"}
    assert not looking & {rule.rule_id for rule in outcome.failed}


def test_a_type_without_a_code_in_the_catalogue_has_no_rule_about_its_code(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    fill_staged_table(connection, [{**GOOD, "license_type_code": "11100000000000000A999"}])
    outcome = validate_rows(database_url, SCHEMA, TABLE, BASE, {**PARAMETERS, "license_type_code": None})
    assert {rule.rule_id for rule in outcome.skipped} - BY_THE_CATALOGUE == {"certificate.license_type_code.catalogue"}
    assert {rule.skipped for rule in outcome.skipped} == {"no_parameter"}
    assert outcome.failed == ()


def test_dates_at_their_bounds_are_right(database_url: str, connection: psycopg.Connection[Any]) -> None:
    late = datetime.datetime(2026, 11, 24, 15, 59, 59, tzinfo=datetime.UTC)  # a second before midnight in the city
    fill_staged_table(
        connection,
        [
            {**GOOD, "issue_date": TODAY, "source_updated_at": late},
            {**GOOD, "issue_date": datetime.date(1949, 10, 1), "valid_from": datetime.date(1950, 10, 1)},
            {**GOOD, "issue_date": datetime.date(2020, 5, 1), "valid_to": GOOD["valid_from"]},
            {**GOOD, "valid_from": None, "valid_to": GOOD["issue_date"]},
        ],
    )
    outcome = validate_rows(database_url, SCHEMA, TABLE, BASE, {**PARAMETERS, "today": TODAY.isoformat()})
    assert outcome.failed == ()


def test_conditions_call_no_function_of_ours_once_planned(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    fill_staged_table(connection, [*BREAKS_BASE.values(), *BREAKS_BUSINESS.values()])
    outcome = validate_rows(database_url, SCHEMA, TABLE, BUSINESS, PARAMETERS)
    asked = ""
    for rule in outcome.failed:
        assert rule.condition is not None
        query = sa.select(rule.condition).select_from(sa.table(TABLE, schema=SCHEMA))
        compiled = query.compile(dialect=postgresql.psycopg.dialect(), compile_kwargs={"render_postcompile": True})
        asked += str(compiled)
        plan = connection.execute(f"explain (verbose, costs off) {compiled}".encode(), compiled.params).fetchall()
        assert "rules." not in str(plan), f"{rule.rule_id}: PostgreSQL does not inline its function"
    assert all(name in asked for name in ("is_credit_code", "is_identity_number", "is_certificate_identifier"))


BATCH = load_suites(PROJECT / "expectations", [BATCH_SUITE])


@pytest.mark.parametrize(
    ("fetched", "quarantined", "previous", "broken"),
    [
        (1000, 0, None, []),
        (1000, 50, None, []),
        (1000, 51, None, ["batch.quarantined_share.notable"]),
        (1000, 200, 1000, ["batch.quarantined_share.notable"]),
        (1000, 201, 1000, ["batch.quarantined_share.at_most_a_fifth", "batch.quarantined_share.notable"]),
        (200, 41, 200, ["batch.quarantined_share.at_most_a_fifth", "batch.quarantined_share.notable"]),
        (199, 60, 200, ["batch.quarantined_share.small_batch"]),
        (199, 59, 200, []),
        (99, 50, None, ["batch.quarantined_share.small_batch"]),
        (48, 48, None, ["batch.quarantined_share.small_batch"]),
        (48, 24, None, []),
        (10, 10, None, ["batch.quarantined_share.small_batch"]),
        (10, 8, None, ["batch.quarantined_share.small_batch"]),
        (10, 7, None, []),
        (5, 4, None, ["batch.quarantined_share.small_batch"]),
        (4, 3, None, []),
        (3, 3, None, ["batch.quarantined_share.small_batch"]),
        (2, 2, None, []),
        (1, 1, None, []),
        (500, 0, 1000, []),
        (499, 0, 1000, ["batch.volume.not_shrunk"]),
        (2000, 0, 1000, []),
        (2001, 0, 1000, ["batch.volume.not_swollen"]),
    ],
)
def test_batch_rules_judge_the_summary(
    database_url: str,
    connection: psycopg.Connection[Any],
    fetched: int,
    quarantined: int,
    previous: int | None,
    broken: list[str],
) -> None:
    connection.execute(
        """
        create table batch_7.batch_summary as
        select
            %(fetched)s::bigint as fetched,
            %(quarantined)s::numeric / %(fetched)s as quarantined_share,
            %(quarantined)s::numeric / %(fetched)s as new_problem_share,
            %(fetched)s::numeric / %(previous)s::bigint as share_of_previous
        """,
        {"fetched": fetched, "quarantined": quarantined, "previous": previous},
    )
    outcome: ValidationOutcome = validate_rows(database_url, "batch_7", "batch_summary", BATCH, {})
    assert [rule.rule_id for rule in outcome.failed] == broken


@pytest.mark.parametrize(
    ("snapshots", "previous", "expected"),
    [
        (True, [800], (800, Decimal("1.25"))),
        (True, [800, 500], (500, Decimal(2))),
        (True, [0], (0, Decimal(1000))),
        (True, [], (None, None)),
        (False, [800], (None, None)),
    ],
    ids=["snapshot", "the newest counts", "after an empty one", "first", "increments"],
)
def test_size_is_compared_with_the_last_loaded_snapshot_of_the_feed(
    connection: psycopg.Connection[Any], snapshots: bool, previous: list[int], expected: tuple[Any, Any]
) -> None:
    for fetched in previous:
        deliver(connection, "business_license", "loaded", fetched)
    deliver(connection, "business_license", "held", 70)
    deliver(connection, "other_license", "loaded", 70)
    batch_id = deliver(connection, "business_license", "staged", 1000)
    deliver(connection, "business_license", "loaded", 70)
    connection.execute("set search_path = batch_7")
    connection.execute("create table mark (row_no bigint, record_key text, critical text[], warning text[])")
    connection.execute("create table bad_row (sha256 text)")
    connection.execute("create table text_row (row_no bigint, c1 text)")
    connection.execute("create table delivered_column (place integer, name text)")
    connection.execute("insert into mark values (1, 'K1', '{a.b}', '{}'), (2, 'K2', '{}', '{a.c}')")
    connection.execute(statement("validate/staged_batch.count_marks"))
    connection.execute(statement("validate/staged_batch.batch_summary"), {"batch_id": batch_id, "snapshots": snapshots})
    row = connection.execute(
        "select fetched, unreadable, quarantined, quarantined_share, previous_fetched, share_of_previous "
        "from batch_summary"
    ).fetchone()
    assert row == (1000, 10, 11, Decimal("0.011"), *expected)


def test_first_rows_with_each_warning_are_kept_wherever_they_stand(connection: psycopg.Connection[Any]) -> None:
    batch_id = deliver(connection, "business_license", "staged", 1000)
    [known] = connection.execute(
        "insert into ledger.warning_set (rules) values ('{b,c}') returning warning_set"
    ).fetchone()
    connection.execute("set search_path = batch_7")
    connection.execute("create table mark (row_no bigint, record_key text, critical text[], warning text[])")
    connection.execute("create table recognised_row (row_no bigint, record_key text, warning_set integer)")
    connection.execute(
        """
        insert into mark values
            (3, 'K3', '{}', '{a}'), (2, 'K2', '{}', '{a,b}'), (1, 'K1', '{x}', '{a,c}'), (4, 'K4', '{}', '{a}'),
            (700, 'K700', '{}', '{d}'), (900, 'K900', '{}', '{b,c}')
        """
    )
    connection.execute("insert into recognised_row values (201, 'K201', %s), (5, 'K5', null)", [known])
    keep = statement("validate/outcome.keep_warned")
    for _ in range(2):
        # The second time finds what the first one kept.
        connection.execute(keep, {"batch_id": batch_id, "rules": ["a", "b", "c", "d"], "most": 2})
    kept = connection.execute(
        "select rule_id, row_no, record_key from ledger.warned_row where batch_id = %s order by rule_id, row_no",
        [batch_id],
    ).fetchall()
    assert kept == [
        ("a", 2, "K2"),
        ("a", 3, "K3"),
        # The beginning, 200 rows, has one of the two that are wanted.
        ("b", 2, "K2"),
        ("b", 201, "K201"),
        ("c", 201, "K201"),
        ("c", 900, "K900"),
        ("d", 700, "K700"),
    ]


def deliver(connection: psycopg.Connection[Any], feed: str, status: str, fetched: int) -> int:
    """A line of the ledger for a made-up batch of `fetched` rows, ten of them unreadable."""
    line = connection.execute(
        """
        insert into ledger.batch (
            dataset, department, feed, license_type, run_id, status, source_name, source_bytes, source_modified_at,
            sha256, landing_path, landed_at, config_digest, fetched, staged, inserted, held, rule_id, reason,
            finished_at
        )
        select
            'certificate', 'made_up', %(feed)s, 'made_up', gen_random_uuid()::text, %(status)s, '1.csv', 1, now(), '0',
            '1.csv', now(), '0', %(fetched)s, %(fetched)s::bigint - 10,
            case when %(status)s = 'loaded' then %(fetched)s::bigint else 0 end,
            case when %(status)s = 'held' then %(fetched)s::bigint else 0 end,
            'a.b', '虚构', now()
        returning batch_id
        """,
        {"feed": feed, "status": status, "fetched": fetched},
    ).fetchone()
    assert line is not None
    number: int = line[0]
    return number
