"""What the statements of the daily clearance share within one transaction."""

from collections.abc import Mapping
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from zhengku.clearance.lists import Connection


def make_table(
    connection: Connection,
    table: str,
    query: sql.SQL | sql.Composed,
    values: Mapping[str, Any],
) -> None:
    """Make a table of this transaction anew, and let the planner know how many rows it has."""
    name = sql.Identifier("pg_temp", table)
    connection.execute(sql.SQL("drop table if exists {}").format(name))
    connection.execute(query, values)
    connection.execute(sql.SQL("analyze {} (record_key)").format(name))


def one_row(connection: Connection, query: sql.SQL | sql.Composed, values: Mapping[str, Any]) -> dict[str, Any]:
    """Run a statement that gives exactly one row; return it by column."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query, values).fetchone()
    assert row is not None
    return row
