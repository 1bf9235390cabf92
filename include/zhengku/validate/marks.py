"""Marks the rows that fail, in one statement, by the conditions with which Great Expectations counted them."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from zhengku.validate.run import RuleOutcome, ValidationOutcome


def mark_rows(connection: psycopg.Connection[Any], schema: str, outcomes: Mapping[str, ValidationOutcome]) -> None:
    """Write `<schema>.mark`: the failing rows of tables or views with the ids of the rules that they fail.

    `outcomes` has the outcome of each table by its name; no row is in two tables. Columns: `row_no bigint`,
    `record_key text`, `critical text[]`, `warning text[]` (severity info included), in the order of the suites. An
    earlier mark table is replaced. Runs in the caller's transaction. The number of rows that fail a rule is in its
    outcome, counted with the same condition.
    """
    failing = sa.union_all(*(_failing(schema, table, outcome.failed) for table, outcome in outcomes.items()))
    name = _DIALECT.identifier_preparer.format_table(sa.table("mark", schema=schema))
    compiled = failing.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    connection.execute(f"drop table if exists {name}".encode())
    connection.execute(
        f"create unlogged table {name} with (autovacuum_enabled = off) as {compiled}".encode(),
        compiled.params,
        prepare=False,
    )
    # The load joins with the few rows that fail critical rules; without statistics the planner expects nearly all.
    connection.execute(f"analyze {name} (row_no, critical)".encode())


_DIALECT: Dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]


def _failing(schema: str, table: str, failed: Sequence[RuleOutcome]) -> sa.Select[Any]:
    rows = sa.table(table, sa.column("row_no", sa.BigInteger()), sa.column("record_key", sa.Text()), schema=schema)
    return sa.select(
        rows.c.row_no,
        rows.c.record_key,
        _failed_ids([rule for rule in failed if rule.severity == "critical"]).label("critical"),
        _failed_ids([rule for rule in failed if rule.severity != "critical"]).label("warning"),
    ).where(sa.or_(sa.false(), *(_condition(rule) for rule in failed)))


def _condition(rule: RuleOutcome) -> sa.ColumnElement[bool]:
    assert rule.condition is not None, rule.rule_id
    return rule.condition


def _failed_ids(rules: Sequence[RuleOutcome]) -> sa.ColumnElement[Any]:
    if len(rules) == 1:
        # One of two constants, so that no array is built for each of a million rows that fail the same rule.
        return sa.case((_condition(rules[0]), _listed([sa.literal(rules[0].rule_id, sa.Text())])), else_=_listed([]))
    ids = [sa.case((_condition(rule), sa.literal(rule.rule_id, sa.Text()))) for rule in rules]
    return sa.func.array_remove(_listed(ids), sa.null())


def _listed(ids: Sequence[sa.ColumnElement[Any]]) -> sa.ColumnElement[Any]:
    return sa.cast(sa.dialects.postgresql.array(ids), ARRAY(sa.Text))
