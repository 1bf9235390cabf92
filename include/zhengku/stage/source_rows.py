"""Rows that correct a problem record in place: they are found by the source's own row id, whatever their key is."""

import json
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from zhengku.catalog import Feed
from zhengku.database import statement, use_batch_schema
from zhengku.landed.http_answer import flattened, read_row
from zhengku.ledger import Batch


def find_rows_of_problems(
    connection: psycopg.Connection[Any], batch: Batch, feed: Feed, columns: Sequence[str]
) -> None:
    """Write `problem_source_row`: rows of the text table with the row id of an unsolved problem record of their feed.

    A wrong row may have no key, or a wrong one: when it is corrected in place, its new key does not lead to the
    problem record. `columns` are the delivered ones. The table is empty for a feed whose rows have no id.
    """
    use_batch_schema(connection, batch.batch_id)
    row_id = feed.transport.row_columns
    cells = [sql.Identifier(f"c{columns.index(name) + 1}") for name in row_id if name in columns]
    has_id = bool(row_id) and len(cells) == len(row_id)
    same = [
        sql.SQL("q.payload ->> {} = t.{}").format(sql.Literal(name), cell)
        for name, cell in zip(row_id if has_id else (), cells, strict=has_id)
    ]
    values: dict[str, Any] = {"department": feed.department, "feed": feed.id}
    condition = sql.SQL(" and ").join(same) if has_id else sql.SQL("false")
    connection.execute(statement("stage/source_rows.problem_source_row").format(same=condition), values)
    if not has_id:
        return
    # A row that could not be read as a record is stored as bytes, and its id is read from them here.
    torn = connection.execute(statement("stage/source_rows.torn_problems"), values).fetchall()
    found = {problem_id: _ids(content, row_id, columns) for problem_id, content in torn}
    known = {problem_id: json.dumps(ids) for problem_id, ids in found.items() if ids is not None}
    if known:
        connection.execute(
            statement("stage/source_rows.source_rows_of_torn").format(
                ids=sql.SQL("jsonb_build_array({})").format(sql.SQL(", ").join(cells))
            ),
            {"problems": list(known), "ids": list(known.values())},
        )


def _ids(content: bytes, row_id: Sequence[str], columns: Sequence[str]) -> list[str] | None:
    """Return the row id in a row's bytes (a JSON object, or a list in the order of `columns`); None without one."""
    row = read_row(content)
    if row is None:
        try:
            values = json.loads(content)
        except ValueError:
            return None
        if not isinstance(values, list) or len(values) != len(columns):
            return None
        row = dict(zip(columns, values, strict=True))
    else:
        row = flattened(row) or row
    ids = [row.get(name) for name in row_id]
    is_complete = all(isinstance(value, str | int) and "\0" not in str(value) for value in ids)
    return list(map(str, ids)) if is_complete else None
