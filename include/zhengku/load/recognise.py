"""Recognise: find received rows that are the same as those from which the stored versions were made.

Recognised rows are neither cleaned nor validated. docs/decisions/0027 explains why that is safe, and which rows all
steps process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from zhengku import ledger
from zhengku.catalog import Catalog, Feed
from zhengku.database import statement, use_batch_schema
from zhengku.ledger import Batch
from zhengku.load.repeated import find_repeated
from zhengku.load.store_table import StoreTable
from zhengku.stage.cleaning import cleaning_query


@dataclass(frozen=True)
class Recognised:
    """How many rows were recognised, and how many batches had written to the license type or data set by then."""

    rows: int
    after: int | None


def received_seed(config_digest: str) -> int:
    """Return the seed of `received_hash`: rows that were read under another configuration are not recognised."""
    return int.from_bytes(bytes.fromhex(config_digest)[:8], signed=True)


def recognise(
    connection: psycopg.Connection[Any], batch: Batch, feed: Feed, catalog: Catalog, columns: Sequence[str], seed: int
) -> Recognised:
    """Find the rows in the batch's text table that the store has as received; `columns` are as delivered.

    Writes them to the staging table `recognised_row`, in the caller's transaction. `seed` is that of `received_hash`.
    """
    use_batch_schema(connection, batch.batch_id)
    # Counted before the rows are compared: the load detects a batch that writes in between.
    after, has_written = writing_batches(connection, batch)
    # While an older delivery waits, the load has to confirm every row of this one. A replay, redrive or reread has to
    # process every row.
    is_new = batch.origin in ("delivery", "backfill")
    if not (has_written and is_new) or ledger.has_older_unfinished(connection, batch):
        connection.execute(statement("load/recognise.no_row_recognised"))
        return Recognised(0, None)
    cleaned = cleaning_query(feed, catalog, columns, batch.landed_at, sql.Identifier("text_row"), seed)
    # PostgreSQL computes only the expressions of the cleaning query that these columns need.
    keyed = sql.SQL(
        "select row_no, record_key, hashtextextended(record_key, 0) as key_hash, received_hash from ({}) as cleaned_row"
    ).format(cleaned)
    connection.execute(sql.SQL("create unlogged table keyed_row with (autovacuum_enabled = off) as {}").format(keyed))
    connection.execute("analyze keyed_row")
    find_repeated(connection, sql.SQL("select key_hash from keyed_row"))
    table = StoreTable.of(batch, catalog.standard_fields(batch.dataset))
    values = {"license_type": batch.license_type, "department": batch.department, "feed": batch.feed}
    found = connection.execute(statement("load/recognise.recognise").format(**table.names), values)
    connection.execute("drop table keyed_row")
    connection.execute("analyze recognised_row")
    return Recognised(found.rowcount, after)


def writing_batches(connection: psycopg.Connection[Any], batch: Batch) -> tuple[int, bool]:
    """Count the batches that wrote to a batch's license type or data set; return also whether its own feed did."""
    row = connection.execute(
        statement("load/recognise.writing_batches"),
        {
            "dataset": batch.dataset,
            "license_type": batch.license_type,
            "department": batch.department,
            "feed": batch.feed,
        },
    ).fetchone()
    assert row is not None
    return row[0], row[1]
