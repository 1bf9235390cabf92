"""The suites of cases, results and evaluations against rows that one rule rejects each, and rows as they should be."""

import datetime
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.support.staged_table import SCHEMA, TABLE, create_staged_table, fill_staged_table, marks_of

from zhengku.catalog import CODES
from zhengku.settings import project_home
from zhengku.validate.marks import mark_rows
from zhengku.validate.parameters import rule_parameters
from zhengku.validate.run import validate_rows
from zhengku.validate.suites import Suite, load_suites, rules_for_deletes, rules_for_upserts

TODAY = datetime.date(2026, 5, 7)
FUTURE = "2099-01-01T08:00:00+08:00"

GOOD: dict[str, dict[str, Any]] = {
    "service_case": {
        "record_key": "420700202605010001|1",
        "case_number": "420700202605010001",
        "service_number": "1",
        "service_item_code": "11420700MB0000000A4000100001000",
        "service_item_name": "虚构事项",
        "case_kind": "promised",
        "case_state": "finished",
        "is_internal": "no",
        "applicant": "张某某",
        "phone": "13900000000",
        "accepted_at": "2026-05-01T09:00:00+08:00",
        "finished_at": "2026-05-06T10:00:00+08:00",
        "district": "echeng",
        "district_delivered": "420704",
        "handling_department": "虚构局",
        "hall": "虚构大厅",
        "window": "1号窗口",
        "handler": "李某某",
        "source_updated_at": "2026-05-06T10:00:05+08:00",
        "extension": {},
    },
    "case_result": {
        "record_key": "420700202605010001|1",
        "case_number": "420700202605010001",
        "result_number": "1",
        "result_type": "certificate",
        "certificate_name": "居住证",
        "certificate_number": "XN202600000001",
        "issuing_authority": "鄂州市公安局",
        "produced_at": "2026-05-06T10:00:00+08:00",
        "source_updated_at": "2026-05-06T10:00:05+08:00",
        "extension": {},
    },
    "evaluation": {
        "record_key": "PJ0001",
        "evaluation_number": "PJ0001",
        "case_number": "420700202605010001",
        "service_number": "1",
        "level": "satisfied",
        "evaluation_channel": "window",
        "is_default": "no",
        "is_effective": "yes",
        "is_real_name": "yes",
        "evaluated_at": "2026-05-06T10:30:00+08:00",
        "source_updated_at": "2026-05-06T10:30:05+08:00",
        "extension": {},
    },
}

COMMON: dict[str, dict[str, Any]] = {
    "record_key.present": {"record_key": None},
    "record_key.number": {"record_key": None, "key_unusable": "待办理"},
    "record_key.length": {"record_key": "1" * 201},
    "codes.mapped": {"codes_unmapped": "case_channel"},
    "error_cells.none": {"error_cells": "case_number"},
    "codes.exact": {"record_key": None, "codes_distorted": "case_number"},
    "operation.known": {"operation_unmapped": "Q"},
    "source_updated_at.parseable": {"source_updated_at": None, "source_updated_at_unparsed": "昨天"},
    "source_updated_at.present": {"source_updated_at": None},
    "source_updated_at.not_future": {"source_updated_at": FUTURE},
    "case_number.present": {"case_number": None},
}
BREAKS: dict[str, dict[str, dict[str, Any]]] = {
    "service_case": {
        **COMMON,
        "service_number.present": {"service_number": None},
        "case_state.present": {"case_state": None},
        "case_kind.present": {"case_kind": None},
        "accepted_at.parseable": {"accepted_at": None, "accepted_at_unparsed": "2026-02-30"},
        "accepted_at.present": {"accepted_at": None},
        "accepted_at.not_future": {"accepted_at": FUTURE, "finished_at": None, "case_state": "accepted"},
        "finished_at.parseable": {"finished_at": None, "finished_at_unparsed": "2026-02-30"},
        "finished_at.present_if_finished": {"finished_at": None},
        "finished_at.not_future": {"finished_at": FUTURE},
        "finished_at.not_before_accepted_at": {"accepted_at": "2026-05-06T10:00:01+08:00"},
        "service_item_code.present": {"service_item_code": None},
        "service_item_name.present": {"service_item_name": None},
        "applicant.present": {"applicant": None},
        "applicant.readable": {"applicant": "鐜嬫煇"},
        "applicant.undoubted": {"applicant": "虚**"},
        "phone.present": {"phone": None},
        "phone.form": {"phone": "12345"},
        "district.present": {"district": None, "district_delivered": None},
        "district.known": {"district": None, "district_delivered": "430100"},
        "handling_department.present": {"handling_department": None},
        "handling_department.readable": {"handling_department": "锟斤拷"},
        "handling_department.undoubted": {"handling_department": "虚□局"},
        "hall.present": {"hall": None},
        "handler.present": {"handler": None},
    },
    "case_result": {
        **COMMON,
        "result_number.present": {"result_number": None},
        "result_type.present": {"result_type": None},
        "certificate_name.present_if_certificate": {"certificate_name": None},
        "certificate_number.present_if_certificate": {"certificate_number": None},
        "produced_at.present": {"produced_at": None},
        "produced_at.parseable": {"produced_at": None, "produced_at_unparsed": "2026-02-30"},
        "produced_at.not_future": {"produced_at": FUTURE},
        "issuing_authority.present": {"issuing_authority": None},
        "issuing_authority.readable": {"issuing_authority": "????"},
        "issuing_authority.undoubted": {"issuing_authority": "虚?局"},
    },
    "evaluation": {
        **COMMON,
        "service_number.present": {"service_number": None},
        "case_number.length": {"case_number": "1" * 201},
        "service_number.length": {"service_number": "1" * 201},
        "level.present": {"level": None},
        "is_default.present": {"is_default": None},
        "is_effective.present": {"is_effective": None},
        "is_real_name.present": {"is_real_name": None},
        "evaluation_channel.present": {"evaluation_channel": None},
        "evaluated_at.present": {"evaluated_at": None},
        "evaluated_at.parseable": {"evaluated_at": None, "evaluated_at_unparsed": "2026-02-30"},
        "evaluated_at.not_future": {"evaluated_at": FUTURE},
        "reason.present_if_bad": {"level": "very_dissatisfied"},
        "called_back_at.parseable": {"called_back_at_unparsed": "昨天"},
        "rectified_at.parseable": {"rectified_at_unparsed": "昨天"},
        "called_back_at.not_before_evaluated_at": {"called_back_at": "2026-05-06T10:29:59+08:00"},
        "rectified_at.not_before_evaluated_at": {"rectified_at": "2026-05-06T10:29:59+08:00"},
    },
}


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def marked(
    connection: psycopg.Connection[Any], database_url: str, suites: list[Suite]
) -> dict[int, tuple[list[str], list[str]]]:
    """Validate the staged rows; return the rules that they fail, critical ones and warnings, by the row's number."""
    outcome = validate_rows(database_url, SCHEMA, TABLE, suites, rule_parameters(None, TODAY, dated=True))
    mark_rows(connection, SCHEMA, {TABLE: outcome})
    return marks_of(connection)


@pytest.mark.parametrize("dataset", BREAKS)
def test_every_rule_finds_the_row_that_only_it_rejects(connection: psycopg.Connection[Any], database_url: str, dataset):
    suites = load_suites(project_home() / "expectations", [dataset])
    rules = {rule.rule_id: rule.severity for suite in rules_for_upserts(suites) for rule in suite.rules}
    breaks = {f"{dataset}.{name}": changes for name, changes in BREAKS[dataset].items()}
    assert set(breaks) == set(rules), "every rule has one row that breaks it"
    create_staged_table(connection, dataset)
    fill_staged_table(connection, [*({**GOOD[dataset], **changes} for changes in breaks.values()), GOOD[dataset]])
    assert marked(connection, database_url, rules_for_upserts(suites)) == {
        row_no: ([rule_id], []) if rules[rule_id] == "critical" else ([], [rule_id])
        for row_no, rule_id in enumerate(breaks, start=1)
    }


@pytest.mark.parametrize("dataset", BREAKS)
def test_delete_needs_its_key_and_its_time_alone(connection: psycopg.Connection[Any], database_url: str, dataset):
    create_staged_table(connection, dataset)
    time = GOOD[dataset]["source_updated_at"]
    fill_staged_table(
        connection,
        [{"record_key": "1", "source_updated_at": time}, {"record_key": "2"}, {"source_updated_at": time}],
    )
    suites = rules_for_deletes(load_suites(project_home() / "expectations", [dataset]))
    assert marked(connection, database_url, suites) == {
        2: ([f"{dataset}.source_updated_at.of_delete"], []),
        3: ([f"{dataset}.record_key.present"], []),
    }


def test_good_rows_use_the_codes_of_the_catalogue() -> None:
    for dataset, row in GOOD.items():
        for field, codes in CODES[dataset].items():
            assert row.get(field, next(iter(codes))) in codes


def test_document_needs_neither_name_nor_number(connection: psycopg.Connection[Any], database_url: str) -> None:
    create_staged_table(connection, "case_result")
    document = {"result_type": "document", "certificate_name": None, "certificate_number": None}
    fill_staged_table(connection, [{**GOOD["case_result"], **document}])
    suites = rules_for_upserts(load_suites(project_home() / "expectations", ["case_result"]))
    assert marked(connection, database_url, suites) == {}


def test_code_that_is_missing_is_told_beside_another_that_is_unknown(
    connection: psycopg.Connection[Any], database_url: str
) -> None:
    create_staged_table(connection, "service_case")
    unmapped = [("case_channel", None), ("case_channel,case_kind", None), ("case_channel", "instant")]
    fill_staged_table(
        connection,
        [{**GOOD["service_case"], "codes_unmapped": names, "case_kind": kind} for names, kind in unmapped],
    )
    suites = rules_for_upserts(load_suites(project_home() / "expectations", ["service_case"]))
    unknown, missing = "service_case.codes.mapped", "service_case.case_kind.present"
    assert marked(connection, database_url, suites) == {
        1: ([unknown], [missing]),
        2: ([unknown], []),
        3: ([unknown], []),
    }
