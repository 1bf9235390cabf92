"""Rows that came before: what was received of them is what the store's version was made from.

They are neither cleaned nor validated again. Why that is safe, and what is left to the whole pipeline: docs/decisions/0027.
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
    """How many rows were recognised, after how many batches that wrote to the same license type or data set."""

    rows: int
    after: int | None


def received_seed(config_digest: str) -> int:
    """Return the seed of `received_hash`: what another configuration made of a row says nothing today."""
    return int.from_bytes(bytes.fromhex(config_digest)[:8], signed=True)


def recognise(
    connection: psycopg.Connection[Any], batch: Batch, feed: Feed, catalog: Catalog, columns: Sequence[str], seed: int
) -> Recognised:
    """Find the rows in the batch's text table that the store has just as they came; `columns` are as delivered.

    They are named in the staging table `recognised_row`, in the caller's transaction. `seed` is that of
    `received_hash`.
    """
    use_batch_schema(connection, batch.batch_id)
    # Asked before the rows are: a batch that writes in between is seen by the load.
    after, has_written = writings(connection, batch)
    # While an older delivery waits, what this one confirms must outlive it; what goes the pipeline again is all read anew.
    is_new = batch.origin in ("delivery", "backfill")
    if not (has_written and is_new) or ledger.has_older_unfinished(connection, batch):
        connection.execute(statement("load/recognise.no_row_recognised"))
        return Recognised(0, None)
    cleaned = cleaning_query(feed, catalog, columns, batch.landed_at, sql.Identifier("text_row"), seed)
    # Of the whole cleaning, PostgreSQL computes what these need.
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


def writings(connection: psycopg.Connection[Any], batch: Batch) -> tuple[int, bool]:
    """Count the batches that wrote to a batch's license type or data set; tell whether its own feed was among them."""
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
