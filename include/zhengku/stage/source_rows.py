"""Rows of a source that are there again: what a wrong row became is known by the row's own id, whatever its key is."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from zhengku.catalog import Feed
from zhengku.catalog.department import FileDrop
from zhengku.database import statement, use_batch_schema
from zhengku.ledger import Batch


def find_rows_of_problems(
    connection: psycopg.Connection[Any], batch: Batch, feed: Feed, columns: Sequence[str]
) -> None:
    """Write `problem_source_row`: rows of the text table that bear the row id of an unsolved problem of their feed.

    A wrong row may have no key, or a wrong one: when it is corrected in place, its key tells nothing of the problem.
    `columns` are the delivered ones. The table is empty for a feed whose rows have no id.
    """
    use_batch_schema(connection, batch.batch_id)
    row_id = () if isinstance(feed.transport, FileDrop) else feed.transport.row_id
    same = [
        sql.SQL("q.payload ->> {} = t.{}").format(sql.Literal(name), sql.Identifier(f"c{columns.index(name) + 1}"))
        for name in row_id
        if name in columns
    ]
    is_told = bool(row_id) and len(same) == len(row_id)
    connection.execute(
        statement("stage/problem_source_row").format(same=sql.SQL(" and ").join(same) if is_told else sql.SQL("false")),
        {"department": feed.department, "feed": feed.id},
    )
