"""The examples of every rule are what they are said to be: `right_example` passes, `example` does not."""

import datetime
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg

from zhengku.catalog.codes import CODES
from zhengku.settings import project_home
from zhengku.validate.suites import Rule, load_suites, parameter_name, suite_names

SUITES = project_home() / "expectations"
RULES = [rule for suite in load_suites(SUITES, suite_names(SUITES)) for rule in suite.rules]
TODAY = datetime.date(2026, 11, 23)

Connection = psycopg.Connection[Any]

DAY = (
    "clean.date_from_number(coalesce(clean.date_iso(value), clean.date_slash(value), clean.date_compact(value), "
    "clean.date_chinese(value)))"
)
"""A day as any feed may write it."""


def in_sql(condition: str) -> Callable[[Connection, Rule, str], bool]:
    """Return the check that a condition of `value` and of the rule's arguments is true."""

    def check(connection: Connection, rule: Rule, value: str) -> bool:
        query = " ".join(["select", condition, "from (select %(value)s::text as value) as given"])
        arguments = {name: TODAY if parameter_name(given) else given for name, given in rule.kwargs.items()}
        found = connection.execute(query.encode(), {"earliest": None, "latest": None, **arguments, "value": value})
        return bool(found.fetchone()[0])  # type: ignore[index]

    return check


def listed(_: Connection, rule: Rule, value: str) -> bool:
    dataset = rule.rule_id.split(".", 1)[0]
    names = CODES.get(dataset, {}).get(rule.kwargs["column"], {})
    codes = {name: code for code, name in names.items()}
    return codes.get(value, value) in rule.kwargs["value_set"]


CREDIT_CODE = in_sql("rules.is_credit_code(clean.bytes_of(value))")
PRESENT = in_sql("value <> '（空）'")
CHECKS: dict[str, Callable[[Connection, Rule, str], bool]] = {
    "expect_column_values_to_match_regex": in_sql("value ~ %(regex)s"),
    "expect_column_values_to_not_match_regex": in_sql("value !~ %(regex)s"),
    "expect_column_values_to_match_pattern_where": in_sql("value ~ %(pattern)s"),
    "expect_extension_field_to_match_pattern": in_sql("value ~ %(pattern)s"),
    "expect_column_values_to_be_credit_code": CREDIT_CODE,
    "expect_extension_field_to_be_credit_code": CREDIT_CODE,
    "expect_column_values_to_be_identity_number": in_sql(
        "rules.is_identity_number(clean.bytes_of(value), %(on_day)s::date)"
    ),
    "expect_column_values_to_be_certificate_identifier": in_sql(
        "rules.is_certificate_identifier(clean.bytes_of(value), rules.identifier_check_input(value))"
    ),
    "expect_column_values_to_be_food_license_number": in_sql(
        "starts_with(value, %(letters)s) and rules.is_food_license_number(clean.bytes_of(value))"
    ),
    "expect_column_names_to_be_readable": in_sql("rules.is_readable_name(value)"),
    "expect_column_names_to_be_undoubted": in_sql("rules.is_undoubted_name(value)"),
    "expect_column_values_to_be_in_set": listed,
    "expect_column_text_length_to_be_between": in_sql("length(value) between %(least)s and %(greatest)s"),
    "expect_column_values_to_not_be_null": PRESENT,
    "expect_column_values_to_be_delivered": PRESENT,
    "expect_extension_field_to_be_present": PRESENT,
    "expect_column_dates_to_be_between": in_sql(
        f"coalesce({DAY} >= %(earliest)s::date, true) and coalesce({DAY} <= %(latest)s::date, true)"
    ),
    "expect_column_times_not_after_day": in_sql(f"{DAY} <= %(latest)s::date + %(days_later)s"),
}
UNPARSED = in_sql(f"{DAY} is not null")
NUMBER = in_sql("not clean.is_no_number(value)")

PHRASES = {
    # A text of so many characters, not the text itself.
    "certificate.record_key.length",
    "certificate.holder_code.length",
    "service_case.record_key.length",
    "case_result.record_key.length",
    "evaluation.record_key.length",
    "evaluation.case_number.length",
    "evaluation.service_number.length",
    # Several columns together.
    "service_case.finished_at.present_if_finished",
    "case_result.certificate_name.present_if_certificate",
    "case_result.certificate_number.present_if_certificate",
    "evaluation.reason.present_if_bad",
    # Present, but not as a day.
    "certificate.valid_to.expires",
}
"""Rules whose wrong example is a phrase about a value, which this check cannot judge."""


def check_of(rule: Rule) -> Callable[[Connection, Rule, str], bool] | None:
    if rule.type == "expect_column_values_to_be_in_set" and any(map(parameter_name, rule.kwargs["value_set"])):
        return None
    if rule.kwargs["column"].endswith("_unparsed"):
        return UNPARSED
    if rule.kwargs["column"] == "key_unusable":
        return NUMBER
    return CHECKS.get(rule.type)


def test_right_examples_are_right_and_wrong_ones_wrong(database_url: str) -> None:
    wrongly_right, wrongly_wrong = [], []
    asked: Counter[str] = Counter()
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        for rule in RULES:
            check = check_of(rule)
            if check is None:
                continue
            asked[rule.type] += 1
            if not check(connection, rule, rule.meta.right_example):
                wrongly_right.append((rule.rule_id, rule.meta.right_example))
            if rule.rule_id not in PHRASES and check(connection, rule, rule.meta.example):
                wrongly_wrong.append((rule.rule_id, rule.meta.example))
    assert (wrongly_right, wrongly_wrong) == ([], [])
    assert set(asked) == {*CHECKS, "expect_column_values_to_be_null"}
    assert asked.total() > 280
