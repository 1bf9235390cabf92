"""Temporary tables and single rows in a transaction of the daily clearance."""

from collections.abc import Mapping
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from zhengku.ledger import Connection


def make_table(
    connection: Connection,
    table: str,
    query: sql.SQL | sql.Composed,
    values: Mapping[str, Any],
) -> None:
    """Create (or replace) a temporary table by running `query`, and analyze it for the planner."""
    name = sql.Identifier("pg_temp", table)
    connection.execute(sql.SQL("drop table if exists {}").format(name))
    connection.execute(query, values)
    connection.execute(sql.SQL("analyze {} (record_key)").format(name))


def one_row(connection: Connection, query: sql.SQL | sql.Composed, values: Mapping[str, Any]) -> dict[str, Any]:
    """Run a statement that returns exactly one row; return that row by column."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query, values).fetchone()
    assert row is not None
    return row
