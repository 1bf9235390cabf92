"""Digests of the store, to compare two of them: of the versions as of a moment, and of the records without batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from zhengku.ledger import Connection

_REPLACED = ["replaced_by_batch_id", "replaced_at"]
_OF_BATCHES = ["batch_id", "loaded_at", "warning_set"]
"""What a batch that was loaded again has otherwise."""


@dataclass(frozen=True)
class Digest:
    """How many rows, and two sums of 64-bit digests of each: whatever their order, by the server, in one pass."""

    rows: int
    first: int
    second: int


def digests_as_of(connection: Connection, moment: datetime) -> dict[str, Digest]:
    """Return the digest of each data set's versions as of a moment, but for what replaced them later."""
    return {
        data_set: _digest(
            connection,
            sql.SQL("select (to_jsonb(v) - %(without)s::text[])::text as line from {}(%(moment)s) as v").format(
                sql.Identifier("store", f"{data_set}_as_of")
            ),
            {"without": _REPLACED, "moment": moment},
        )
        for data_set in _data_sets(connection)
    }


def digests_of_content(connection: Connection) -> dict[str, Digest]:
    """Return the digest of each data set's present records without numbers and times of their batches."""
    return {
        data_set: _digest(
            connection,
            sql.SQL("select (to_jsonb(v) - %(without)s::text[])::text as line from {} as v").format(
                sql.Identifier("store", data_set)
            ),
            {"without": _OF_BATCHES},
        )
        for data_set in _data_sets(connection)
    }


def differing(ours: Mapping[str, Digest], theirs: Mapping[str, Digest]) -> list[str]:
    """Return the data sets that differ, with the rows of each."""
    return [
        f"{data_set}: {_rows(ours.get(data_set))} rows here, {_rows(theirs.get(data_set))} there"
        for data_set in sorted(ours.keys() | theirs.keys())
        if ours.get(data_set) != theirs.get(data_set)
    ]


def _rows(digest: Digest | None) -> int:
    return 0 if digest is None else digest.rows


def _data_sets(connection: Connection) -> list[str]:
    rows = connection.execute(
        "select left(tablename, -length('_history')) from pg_catalog.pg_tables"
        " where schemaname = 'store' and right(tablename, 8) = '_history' order by 1"
    )
    return [row[0] for row in rows.fetchall()]


def _digest(connection: Connection, query: sql.Composed, values: Mapping[str, object]) -> Digest:
    row = connection.execute(
        sql.SQL(
            "select count(*), coalesce(sum(hashtextextended(line, 0)::numeric), 0),"
            " coalesce(sum(hashtextextended(line, 1)::numeric), 0) from ({}) as v"
        ).format(query),
        values,
    ).fetchone()
    assert row is not None
    return Digest(int(row[0]), int(row[1]), int(row[2]))
