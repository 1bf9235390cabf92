"""Every license type's suite against rows that one rule rejects each, and a certificate as it should be.

`examples.json` has for each license type the good row (what differs from `COMMON`) and, for each rule of its suites,
what to change in it so that this rule alone finds it. An extension field that is null is left out. All of it is made
up.
"""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from tests.support.staged_table import SCHEMA, TABLE, create_staged_table, fill_staged_table, marked_rows, marks_of

from zhengku.catalog import load_catalog
from zhengku.catalog.reference import LicenseType
from zhengku.validate.marks import mark_rows
from zhengku.validate.parameters import ORGANIZATION_CODE_TYPES, PERSON_CODE_TYPES, rule_parameters
from zhengku.validate.run import ValidationOutcome, validate_rows
from zhengku.validate.suites import BATCH_SUITE, Rule, Suite, load_suites, rules_for_upserts

PROJECT = Path(__file__).resolve().parents[3]
SUITES = PROJECT / "expectations"
TODAY = datetime.date(2026, 11, 23)
LICENSE_TYPES = load_catalog(PROJECT / "include" / "catalog").license_types
EXAMPLES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("license_type_examples.json").read_text(encoding="utf-8")
)
BASE = "certificate"

COMMON: dict[str, Any] = {
    "certificate_identifier": "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F",
    "certificate_version": "001",
    "license_type_code": "11100000000013338W032",
    "issuing_authority": "鄂州市虚构局",
    "issuing_authority_code": "11220000013544541J",
    "district": "420704",
    "district_delivered": "鄂城区",
    "file_url": "https://files.example/1.ofd",
    "status": "valid",
    "source_updated_at": "2026-11-22T00:00:00Z",
}


def row_of(license_type: LicenseType, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    good = EXAMPLES[license_type.license_type]["good"]
    named = {"certificate_name": license_type.name_zh, "license_type_name": license_type.name_zh}
    if license_type.license_type_code:
        named["license_type_code"] = license_type.license_type_code
    changes = changes or {}
    extension = {**good["extension"], **changes.get("extension", {})}
    row = {**COMMON, **named, **good, **changes}
    return {
        **row,
        "record_key": row["certificate_number"],
        "extension": {name: value for name, value in extension.items() if value is not None},
    }


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        create_staged_table(connection, BASE)
        yield connection


def validate(
    connection: psycopg.Connection[Any], url: str, suites: list[Suite], license_type: LicenseType
) -> tuple[ValidationOutcome, dict[str, int], dict[int, tuple[list[str], list[str]]]]:
    """Validate the staged rows as this license type's: the outcome, the marks by rule, the marks by row."""
    parameters = rule_parameters(license_type, TODAY, dated=True)
    outcome = validate_rows(url, SCHEMA, TABLE, suites, parameters)
    mark_rows(connection, SCHEMA, {TABLE: outcome})
    return outcome, marked_rows(connection), marks_of(connection)


def suites_of(license_type: str) -> list[Suite]:
    return rules_for_upserts(load_suites(SUITES, [BASE, license_type]))


def only(rule: Rule) -> tuple[list[str], list[str]]:
    return ([rule.rule_id], []) if rule.severity == "critical" else ([], [rule.rule_id])


def test_every_one_of_the_51_types_has_a_suite_and_examples() -> None:
    listed = [row.license_type for row in LICENSE_TYPES.values() if row.seq]
    assert len(listed) == 51
    assert list(EXAMPLES) == listed
    assert [name for name in listed if not (SUITES / f"{name}.json").is_file()] == []


def test_every_suite_is_that_of_a_data_set_or_a_type_or_included_by_one() -> None:
    used = {suite.name for name in EXAMPLES for suite in suites_of(name)} | {BATCH_SUITE}
    used |= set(load_catalog(PROJECT / "include" / "catalog").reference.standard_fields)
    assert {path.stem for path in SUITES.glob("*.json")} - used == set()


def test_rule_ids_are_used_once_over_all_suites() -> None:
    names = sorted(path.stem for path in SUITES.glob("*.json"))
    load_suites(SUITES, names)


@pytest.mark.parametrize("name", EXAMPLES)
def test_rules_look_at_extension_fields_of_their_type(name: str) -> None:
    asked = {
        field.removeprefix("extension.")
        for suite in suites_of(name)
        for rule in suite.rules
        for field in rule.meta.fields
        # Those of every certificate are asked wherever a feed delivers them.
        if field.startswith("extension.") and suite.name != "certificate"
    }
    assert asked <= set(LICENSE_TYPES[name].extra_fields)
    looked_at = {
        rule.kwargs["field"]
        for suite in suites_of(name)
        for rule in suite.rules
        if "field" in rule.kwargs and suite.name != "certificate"
    }
    assert looked_at == asked, "the field that a rule computes with and those it names are the same"


def test_every_rule_of_a_type_finds_the_row_that_only_it_rejects(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    # All suites are asked of all rows in one pass; what the suites of another type find in a row is of no matter.
    rows: list[dict[str, Any]] = []
    expected: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    own: list[tuple[str, str, frozenset[str]]] = []
    suites: dict[str, Suite] = {}
    for name, example in EXAMPLES.items():
        of_type = {suite.name: suite for suite in load_suites(SUITES, [name])}
        suites |= of_type
        rules = {rule.rule_id: rule for suite in of_type.values() for rule in suite.rules}
        assert set(example["breaks"]) == set(rules), f"every rule of {name} has one row that breaks it"
        for rule_id, changes in {"none": None, **example["breaks"]}.items():
            rows.append(row_of(LICENSE_TYPES[name], changes))
            own.append((name, rule_id, frozenset(rules)))
            expected[name, rule_id] = ([], []) if changes is None else only(rules[rule_id])
    fill_staged_table(connection, rows)

    outcome, counts, marked = validate(
        connection, database_url, list(suites.values()), LICENSE_TYPES["other_certificate"]
    )

    found: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for row_no, (name, rule_id, rule_ids) in enumerate(own, start=1):
        critical, warning = marked.get(row_no, ([], []))
        found[name, rule_id] = ([i for i in critical if i in rule_ids], [i for i in warning if i in rule_ids])
    assert {row: marks for row, marks in found.items() if marks != expected[row]} == {}
    assert outcome.skipped == ()
    assert {rule.rule_id: rule.failed_rows for rule in outcome.failed} == counts, "Great Expectations counts the same"


def test_rows_that_break_a_rule_of_a_type_break_none_of_the_base(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    rows = [
        (name, rule_id, row_of(LICENSE_TYPES[name], changes))
        for name, example in EXAMPLES.items()
        for rule_id, changes in {"none": None, **example["breaks"]}.items()
    ]
    fill_staged_table(connection, [row for _, _, row in rows])
    # Some of them have several holders: whose sex and birthday a row tells, nobody knows.
    any_type = LICENSE_TYPES["other_certificate"].model_copy(update={"multi_holder": True})
    _, _, marked = validate(connection, database_url, rules_for_upserts(load_suites(SUITES, [BASE])), any_type)
    assert {rows[row_no - 1][:2]: marks for row_no, marks in marked.items()} == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_good_row_of_a_type_breaks_no_rule(
    database_url: str, connection: psycopg.Connection[Any], name: str
) -> None:
    fill_staged_table(connection, [row_of(LICENSE_TYPES[name])])
    outcome, _, marked = validate(connection, database_url, suites_of(name), LICENSE_TYPES[name])
    assert (outcome.failed, marked) == ((), {})


BY_THE_CATALOGUE = [
    ("certificate.valid_to.expires", "disability_certificate", {"valid_to": None}),
    ("certificate.valid_to.permanent", "building_construction_permit", {"valid_to": "2030-04-30"}),
    ("certificate.valid_to.within_validity_years", "disability_certificate", {"valid_to": "2030-06-02"}),
    ("certificate.holder_code_type.of_license_type", "building_construction_permit", {
        "holder_code_type": "999", "holder_code": "X0000001"}),
    ("certificate.holder_code_type.of_license_type", "teacher_qualification_certificate", {
        "holder_code_type": "099", "holder_code": "X0000001"}),
    ("certificate.license_type_name.catalogue", "food_production_license", {"license_type_name": "食品经营许可证"}),
    ("certificate.license_type_code.catalogue", "real_estate_ownership_certificate", {
        "license_type_code": "11100000MB03271699022"}),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("rule_id", "name", "changes"), BY_THE_CATALOGUE)
def test_a_rule_by_the_catalogue_finds_the_row_that_only_it_rejects(
    database_url: str, connection: psycopg.Connection[Any], rule_id: str, name: str, changes: dict[str, Any]
) -> None:
    suites = rules_for_upserts(load_suites(SUITES, [BASE]))
    [rule] = [rule for rule in suites[0].rules if rule.rule_id == rule_id]
    fill_staged_table(connection, [row_of(LICENSE_TYPES[name]), row_of(LICENSE_TYPES[name], changes)])
    outcome, counts, marked = validate(connection, database_url, suites, LICENSE_TYPES[name])
    assert marked == {2: only(rule)}
    assert {rule.rule_id: rule.failed_rows for rule in outcome.failed} == counts == {rule_id: 1}


def test_conditions_call_no_function_of_ours_once_planned(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    kinds = {
        "food_production_license": "food_production_license.certificate_number.check_digit",
        "construction_safety_manager_competency_certificate": (
            "construction_safety_manager_competency_certificate.employer_code.credit_code"
        ),
    }
    for name, rule_id in kinds.items():
        fill_staged_table(connection, [row_of(LICENSE_TYPES[name], EXAMPLES[name]["breaks"][rule_id])])
        outcome, _, _ = validate(connection, database_url, load_suites(SUITES, [name]), LICENSE_TYPES[name])
        [rule] = outcome.failed
        assert rule.rule_id == rule_id
        query = sa.select(rule.condition).select_from(sa.table(TABLE, schema=SCHEMA))
        compiled = query.compile(dialect=postgresql.psycopg.dialect(), compile_kwargs={"render_postcompile": True})
        assert "rules." in str(compiled)
        plan = connection.execute(f"explain (verbose, costs off) {compiled}".encode(), compiled.params).fetchall()
        assert "rules." not in str(plan), f"{rule_id}: PostgreSQL does not inline its function"


def test_validity_at_its_bounds_is_right(database_url: str, connection: psycopg.Connection[Any]) -> None:
    license_type = LICENSE_TYPES["disability_certificate"]
    rows = [
        row_of(license_type, {"valid_to": "2030-06-01"}),  # ten years and 31 days
        row_of(license_type, {"valid_to": None, "valid_to_unparsed": "2030-02-30"}),
        row_of(license_type, {"valid_from": None}),
        row_of(license_type, {"issue_date": "2019-05-01"}),
    ]
    fill_staged_table(connection, rows)
    _, _, marked = validate(connection, database_url, rules_for_upserts(load_suites(SUITES, [BASE])), license_type)
    assert marked == {2: (["certificate.valid_to.parseable"], [])}


def test_certificates_of_any_type_are_asked_nothing_about_their_type(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    other = LICENSE_TYPES["other_certificate"]
    kinds = ["business_license", "marriage_certificate", "disability_certificate"]
    fill_staged_table(connection, [row_of(LICENSE_TYPES[kind]) for kind in kinds])
    outcome, _, marked = validate(connection, database_url, rules_for_upserts(load_suites(SUITES, [BASE])), other)
    assert marked == {}
    assert {rule.rule_id for rule in outcome.skipped} == {rule_id for rule_id, _, _ in BY_THE_CATALOGUE}
    assert {rule.skipped for rule in outcome.skipped} == {"no_parameter"}


def test_an_extension_field_that_the_feed_does_not_map_is_not_asked_for(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    name = "nurse_practice_certificate"
    fill_staged_table(connection, [row_of(LICENSE_TYPES[name], {"extension": {"执业地点": None, "编码": "1"}})])
    outcome = validate_rows(
        database_url,
        SCHEMA,
        TABLE,
        load_suites(SUITES, [name]),
        rule_parameters(LICENSE_TYPES[name], TODAY, dated=True),
        extension_fields=frozenset(["编码"]),
    )
    assert [(rule.rule_id, rule.skipped) for rule in outcome.skipped] == [
        ("nurse_practice_certificate.place.present", "absent_field")
    ]
    assert [rule.rule_id for rule in outcome.failed] == ["nurse_practice_certificate.number.same"]


def test_parameters_follow_from_the_catalogue() -> None:
    disability = rule_parameters(LICENSE_TYPES["disability_certificate"], TODAY, dated=False)
    assert (disability["expires"], disability["permanent"], disability["validity_years"]) == (True, None, 10)
    assert disability["foreign_holder_code_types"] == list(ORGANIZATION_CODE_TYPES)
    permit = rule_parameters(LICENSE_TYPES["building_construction_permit"], TODAY, dated=False)
    assert (permit["expires"], permit["permanent"], permit["validity_years"]) == (None, True, None)
    assert permit["foreign_holder_code_types"] == list(PERSON_CODE_TYPES)
    assert permit["license_type_code"] is None
    license_ = rule_parameters(LICENSE_TYPES["business_license"], TODAY, dated=False)
    assert license_["foreign_holder_code_types"] is None
    assert license_["license_type_code"] == "11100000MB0143028R001"
    other = rule_parameters(LICENSE_TYPES["other_certificate"], TODAY, dated=False)
    assert {name for name, value in other.items() if value is not None} == {"today", "one_holder"}


def test_holder_code_types_are_those_of_the_base_suite() -> None:
    [suite] = rules_for_upserts(load_suites(SUITES, [BASE]))
    [known] = [rule for rule in suite.rules if rule.rule_id == "certificate.holder_code_type.known"]
    assert set(known.kwargs["value_set"]) == {*ORGANIZATION_CODE_TYPES, *PERSON_CODE_TYPES}
