"""The table of cleaned rows, as the stage step makes it, for tests of rules: `batch_7.staged_row`."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from psycopg import sql

from zhengku.catalog import load_catalog
from zhengku.settings import project_home

SCHEMA = "batch_7"
TABLE = "staged_row"

_TYPES = {"date": "date", "end_date": "date", "timestamp": "timestamptz"}
_TEXT = 'text collate "C"'


def create_staged_table(connection: psycopg.Connection[Any], dataset: str) -> None:
    """Make the schema and, in it, the table of a data set, without rows."""
    fields = load_catalog(project_home() / "include" / "catalog").standard_fields(dataset).values()
    columns = {
        "row_no": "bigint",
        "record_key": _TEXT,
        "key_unusable": _TEXT,
        **{field.field: _TYPES.get(field.kind, _TEXT) for field in fields},
        **{f"{field.field}_unparsed": _TEXT for field in fields if field.kind in _TYPES},
        **dict.fromkeys(
            ("status_unmapped", "codes_unmapped", "codes_distorted", "operation_unmapped", "district_delivered"), _TEXT
        ),
        **dict.fromkeys(("error_cells", "extension_error_cells"), _TEXT),
        "extension": "jsonb",
    }
    listed = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()
    )
    table = sql.Identifier(SCHEMA, TABLE)
    connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(SCHEMA)))
    connection.execute(sql.SQL("drop table if exists {}").format(table))
    connection.execute(sql.SQL("create unlogged table {} ({})").format(table, listed))
    # What the rules about shared keys are asked of.
    shared = sql.Identifier(SCHEMA, "shared_row")
    connection.execute(sql.SQL("drop table if exists {}").format(shared))
    connection.execute(sql.SQL("create unlogged table {} (row_no bigint, how text)").format(shared))


def fill_staged_table(connection: psycopg.Connection[Any], rows: Iterable[Mapping[str, Any]]) -> None:
    """Let the table hold these rows alone, numbered from 1; a column that a row does not name is null."""
    numbered = json.dumps([{**row, "row_no": row_no} for row_no, row in enumerate(rows, start=1)], default=str)
    table = sql.Identifier(SCHEMA, TABLE)
    connection.execute(sql.SQL("truncate {}").format(table))
    connection.execute(
        sql.SQL("insert into {0} select * from jsonb_populate_recordset(null::{0}, %s)").format(table), [numbered]
    )


def share_keys(connection: psycopg.Connection[Any], how: Mapping[int, str]) -> None:
    """Let rows, by number, share their key with another holder, or with another name of theirs."""
    # As the steps have it: the rule finds the table by its bare name.
    connection.execute(sql.SQL("set search_path = {}").format(sql.Identifier(SCHEMA)))
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.SQL("insert into {} values (%s, %s)").format(sql.Identifier(SCHEMA, "shared_row")), list(how.items())
        )


def marks_of(connection: psycopg.Connection[Any]) -> dict[int, tuple[list[str], list[str]]]:
    """Return the critical and other rules that each marked row fails, by row number."""
    found = connection.execute(
        sql.SQL("select row_no, critical, warning from {}").format(sql.Identifier(SCHEMA, "mark"))
    ).fetchall()
    return {row_no: (critical, warning) for row_no, critical, warning in found}


def marked_rows(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Return how many rows are marked with each rule."""
    return dict(
        Counter(rule_id for marks in marks_of(connection).values() for rule_ids in marks for rule_id in rule_ids)
    )
