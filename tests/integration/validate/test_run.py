"""What a person is told when rules cannot be computed, and that Great Expectations leaves nothing behind."""

import datetime
import logging
import tempfile
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from zhengku.errors import CatalogError, StoreUnavailable, ZhengkuError
from zhengku.validate.run import validate_rows
from zhengku.validate.suites import Rule, RuleMeta, Suite


def suite_of(*entries: tuple[str, dict[str, Any]]) -> list[Suite]:
    rules = tuple(
        Rule(
            type=kind,
            kwargs=kwargs,
            severity="critical",
            meta=RuleMeta(
                rule_id=f"made_up.rule_{place}",
                reason_zh="虚构",
                standard="虚构",
                example="虚构",
                right_example="虚构",
                fields=("holder",),
            ),
        )
        for place, (kind, kwargs) in enumerate(entries, start=1)
    )
    return [Suite("made_up", Path("made_up.json"), rules)]


PRESENT = ("expect_column_values_to_not_be_null", {"column": "holder"})


@pytest.fixture
def url(database_url: str) -> str:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("create schema batch_7")
        connection.execute("create table batch_7.certificate (row_no bigint, holder text, issue_date date)")
        connection.execute("insert into batch_7.certificate values (1, '张某某', '2020-05-01'), (2, null, null)")
    return database_url


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (("expect_column_values_to_be_good", {"column": "holder"}), "expect_column_values_to_be_good not found"),
        (("expect_column_values_to_not_be_null", {}), "column field required"),
        (("expect_column_values_to_not_be_null", {"column": "holder", "colour": "red"}), "colour extra fields not"),
        (("expect_column_values_to_not_be_null", {"column": "holder", "mostly": 0.9}), "expected no `mostly`"),
        (("expect_column_values_to_not_be_null", {"column": "holdr"}), 'column "holdr".* does not exist'),
        (
            ("expect_column_values_to_equal_column", {"column": "holder", "other_column": "holdr"}),
            'UndefinedColumn column "holdr" does not exist',
        ),
        (("expect_column_values_to_match_regex", {"column": "holder", "regex": "("}), "InvalidRegularExpression"),
        (("expect_column_values_to_match_regex", {"column": "issue_date", "regex": "2"}), "UndefinedFunction"),
        (("expect_column_dates_to_be_between", {"column": "issue_date", "latest": "today"}), "invalid date format"),
        (("expect_table_row_count_to_equal", {"value": 2}), "checks a complete table"),
        (("expect_column_max_to_be_between", {"column": "issue_date"}), "checks a complete table"),
        (
            ("expect_column_values_to_not_be_null", {"column": "holder", "row_condition": 'col("holder") == "a"'}),
            "row_condition parameter is deprecated",
        ),
    ],
)
def test_rule_that_cannot_be_computed_is_told_with_file_and_entry(
    url: str, entry: tuple[str, dict[str, Any]], told: str
) -> None:
    # Rules of one query fail together: the others must not be blamed.
    with pytest.raises(CatalogError, match=rf"^made_up\.json, entry 2 \(made_up\.rule_2\): .*{told}") as raised:
        validate_rows(url, "batch_7", "certificate", suite_of(PRESENT, entry), {})
    assert "\n" not in str(raised.value)
    assert "张某某" not in str(raised.value)


def test_a_value_that_breaks_the_computation_is_not_told(url: str) -> None:
    # A rule that raises only for a row with a value, which PostgreSQL would quote in its message.
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("create view batch_7.typed as select row_no, holder::int as holder from batch_7.certificate")
    with pytest.raises(CatalogError, match="InvalidTextRepresentation") as raised:
        validate_rows(url, "batch_7", "typed", suite_of(PRESENT), {})
    assert "张某某" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "schema", "table"),
    [
        ({}, "batch_7", "certificat"),
        ({}, "batch_8", "certificate"),
        ({"port": 1}, "batch_7", "certificate"),
        ({"database": "zhengku_test_nowhere"}, "batch_7", "certificate"),
        ({"host": "127.0.0.1", "port": 1, "password": "made$up"}, "batch_7", "certificate"),
    ],
    ids=["table", "schema", "port", "database", "dollar sign"],
)
def test_table_that_cannot_be_reached_is_told_in_one_line(
    url: str, change: dict[str, Any], schema: str, table: str
) -> None:
    address = sa.make_url(url).set(**change).render_as_string(hide_password=False)
    with pytest.raises(
        StoreUnavailable, match=rf"cannot {'be used' if change else f'read {schema}.{table}'}: \w+"
    ) as raised:
        validate_rows(address, schema, table, suite_of(PRESENT), {})
    assert "\n" not in str(raised.value)
    assert "made$up" not in str(raised.value)


def test_database_that_goes_away_is_told_as_such(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "create function batch_7.leave() returns text language sql volatile as "
            "$$ select pg_terminate_backend(pg_backend_pid())::text $$"
        )
        connection.execute(
            "create view batch_7.leaving as select row_no, case when row_no = 2 then batch_7.leave() end as holder "
            "from batch_7.certificate"
        )
    with pytest.raises(StoreUnavailable, match=r"The database failed|cannot read"):
        validate_rows(url, "batch_7", "leaving", suite_of(PRESENT), {})


def test_no_connection_is_left_open_and_nothing_is_printed(
    url: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert validate_rows(url, "batch_7", "certificate", suite_of(PRESENT), {}).rules[0].success is False
    with pytest.raises(ZhengkuError):
        validate_rows(url, "batch_7", "certificate", suite_of(("expect_column_values_to_be_null", {"column": "x"})), {})
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert caplog.messages == []
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        others = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        ).fetchone()
    assert others == (0,)


def test_nothing_is_warned_of_and_no_file_is_left(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    validate_rows(url, "batch_7", "certificate", suite_of(PRESENT), {})
    assert [str(warning.message) for warning in recwarn] == []
    assert list(tmp_path.iterdir()) == []


def test_row_condition_of_great_expectations_is_part_of_the_condition(url: str) -> None:
    condition = {"type": "nullity", "column": {"name": "issue_date"}, "is_null": False}
    dates = {"column": "issue_date", "earliest": datetime.date(2021, 1, 1), "row_condition": condition}
    outcome = validate_rows(url, "batch_7", "certificate", suite_of(("expect_column_dates_to_be_between", dates)), {})
    [rule] = outcome.failed
    assert rule.condition is not None
    assert "issue_date IS NOT NULL AND" in str(rule.condition)


NULLS = [(what, column) for column in ("holder", "issue_date") for what in ("to_be_null", "to_not_be_null")]


def test_condition_of_a_pair_of_columns_leaves_out_the_rows_that_the_expectation_ignores(url: str) -> None:
    pair = {"column_A": "holder", "column_B": "holder", "ignore_row_if": "both_values_are_missing", "or_equal": False}
    kind = "expect_column_pair_values_a_to_be_greater_than_b"
    outcome = validate_rows(url, "batch_7", "certificate", suite_of((kind, pair)), {})
    [rule] = outcome.failed
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(sa.column("row_no")).select_from(sa.table("certificate", schema="batch_7")).where(rule.condition)
        ).fetchall()
    engine.dispose()
    assert rows == [(1,)]
    assert rule.failed_rows == 1


def test_all_rules_are_counted_in_one_pass_over_the_table(url: str) -> None:
    statements: list[str] = []

    def note(connection: sa.Connection, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    rules = [(f"expect_column_values_{what}", {"column": column}) for what, column in NULLS]
    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        outcome = validate_rows(url, "batch_7", "certificate", suite_of(*rules), {})
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert len(outcome.rules) == len(rules)
    assert len([statement for statement in statements if "sum(CASE" in statement]) == 1
