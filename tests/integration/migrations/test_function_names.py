"""In a stored function, no parameter is named like a column of a table in its body: the column would be meant.

That is how `clearance.listings_before` compared a column with itself (decision 0041).
"""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

COLUMNS = r"""
select n.nspname || '.' || c.relname, a.attname
from pg_attribute as a
inner join pg_class as c on a.attrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\_%'
    and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'c')
"""
FUNCTIONS = r"""
select
    n.nspname || '.' || p.proname, p.proargnames, p.proargmodes::text[], p.pronargs,
    coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)
from pg_proc as p
inner join pg_namespace as n on p.pronamespace = n.oid
where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\_%' and p.prokind = 'f'
    -- None of an extension's.
    and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
order by 1
"""


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url.replace("+psycopg", "")) as opened:
        yield opened


def clashes(connection: psycopg.Connection[Any]) -> list[str]:
    """Return each parameter of a stored function that has a namesake in the body, and whose column that is."""
    columns: dict[str, set[str]] = {}
    for table, column in connection.execute(COLUMNS):
        columns.setdefault(table, set()).add(column)
    functions = connection.execute(FUNCTIONS).fetchall()
    assert len(functions) > 50
    # What a function in a FROM returns has columns, too.
    for name, names, modes, _, _ in functions:
        columns.setdefault(name, set()).update(
            known for known, mode in zip(names or (), modes or (), strict=False) if mode in ("o", "t")
        )
    found = []
    for name, names, modes, count, body in functions:
        bare = re.sub(r"--[^\n]*|/\*.*?\*/", " ", body, flags=re.DOTALL)
        inputs = (
            (names or [])[:count]
            if modes is None
            else [known for known, mode in zip(names, modes, strict=True) if mode in ("i", "b", "v")]
        )
        sources = {
            table: of_table
            for table, of_table in columns.items()
            if table != name and re.search(rf"(?<![\w.]){re.escape(table)}(?!\w)", bare.replace('"', ""))
        }
        # Names given in the body itself: columns of its own subqueries.
        sources["the body"] = set(re.findall(r"(?i)\bas\s+\"?(\w+)\"?", bare))
        found += [
            f"{name}: parameter {known} is a column of {table}"
            for known in inputs
            for table, of_table in sources.items()
            if known in of_table
        ]
    return found


def test_no_parameter_is_named_like_a_column_of_a_table_in_the_body(connection):
    assert clashes(connection) == []


@pytest.mark.parametrize(
    "body",
    [
        "language sql stable as 'select count(*) from clearance.list as l where l.day = day'",
        "language sql stable begin atomic select count(*) from clearance.list as l where l.day > day; end",
        "language plpgsql as 'begin return (select count(*) from clearance.list where kind = day::text); end'",
    ],
)
def test_such_a_parameter_is_found(connection, body):
    connection.execute(f"create function clearance.planted(day date) returns bigint {body}")
    assert clashes(connection) == ["clearance.planted: parameter day is a column of clearance.list"]
