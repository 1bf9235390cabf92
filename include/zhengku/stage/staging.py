"""Staging tables of one batch, in a schema of its own: the rows as delivered, and the same rows cleaned and typed.

All are unlogged: after a crash of the server they are empty, which `is_staged` detects. Autovacuum is off for them:
they are dropped within minutes, and dropping a table that is being vacuumed waits for a second (`deadlock_timeout`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import psycopg
from psycopg import sql

from zhengku.catalog import Catalog, Feed
from zhengku.database import batch_schema, statement, use_batch_schema, use_schema
from zhengku.errors import DeliveryRejected
from zhengku.ledger import Batch
from zhengku.masking import mask_text
from zhengku.readers.blocks import BadRow, Note
from zhengku.readers.column_names import nameless_places
from zhengku.readers.reader import Reader
from zhengku.readers.workbook import SheetRead
from zhengku.readers.workbook_process import IsolatedWorkbookReader
from zhengku.stage.cleaning import cleaning_query
from zhengku.stage.footers import Footers, note_of
from zhengku.stage.reader import open_reader


@dataclass(frozen=True)
class Staged:
    """What was read of a delivery: `fetched` records, of which `staged` could be read as rows with `columns`.

    In a reread, both count only the rows of unsolved problem records. `footers` counts sums and remarks below a table,
    which are no records. `shown_columns` are the columns, masked. `sheets` are those of a workbook. `notes` say what
    was read in an unusual way.
    """

    fetched: int
    staged: int
    blank_lines: int
    columns: tuple[str, ...]
    shown_columns: list[str]
    unknown_columns: list[str]
    sheets: list[SheetRead] | None
    footers: int
    notes: tuple[Note, ...]


def copy_rows(
    connection: psycopg.Connection[Any],
    batch: Batch,
    feed: Feed,
    content: BinaryIO,
    on_rows: Callable[[int], None] | None = None,
    *,
    schema: str | None = None,
) -> Staged:
    """Read a landed delivery into the batch's text table, replacing what an earlier try left there.

    Runs in the caller's transaction. `schema` names another schema than the batch's own. `on_rows` is called with the
    number of rows of every block read.
    Raises `DeliveryRejected` when the file cannot be staged at all.
    """
    reader = open_reader(content, feed, batch.origin)
    _create_tables(connection, schema or batch_schema(batch.batch_id), reader.columns)
    known_footers = Footers.of(feed, reader.columns)
    footers = _copy_blocks(connection, reader, known_footers, on_rows)
    of_other_width = len(footers)
    if known_footers.may_occur:
        footers.update(known_footers.delete_from_staging(connection, len(reader.columns)))
    fetched, staged = reader.fetched - len(footers), reader.good - (len(footers) - of_other_width)
    if batch.origin == "reread":
        left = connection.execute(statement("stage/staging.keep_redriven"), {"batch_id": batch.batch_id}).fetchone()
        assert left is not None
        fetched, staged = sum(left), left[0]
    named = _columns_with_name_or_value(connection, reader.columns)
    return Staged(
        fetched=fetched,
        staged=staged,
        blank_lines=reader.blank_lines,
        columns=tuple(reader.columns),
        # They go into logs and reports, and an interface may have a person's number for a key.
        shown_columns=list(map(mask_text, reader.columns)),
        unknown_columns=list(map(mask_text, feed.unexpected_columns((*named, *reader.unread)))),
        sheets=[replace(sheet, name=mask_text(sheet.name)) for sheet in reader.sheets]
        if isinstance(reader, IsolatedWorkbookReader)
        else None,
        footers=len(footers),
        notes=(*reader.notes, *([note_of(footers)] if footers else [])),
    )


def _create_tables(connection: psycopg.Connection[Any], schema: str, columns: Sequence[str]) -> None:
    """Create the schema with empty tables for text rows and bad rows, and use it; `columns` are as delivered."""
    discard_schema(connection, schema)
    connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    use_schema(connection, schema)
    # Columns are named by position: a delivered name may be longer than PostgreSQL's 63 bytes, or one of our own names.
    text_columns = sql.SQL(", ").join(
        sql.SQL("{} text").format(sql.Identifier(f"c{place}")) for place in range(1, len(columns) + 1)
    )
    connection.execute(
        sql.SQL("create unlogged table text_row (row_no bigint, {}) with (autovacuum_enabled = off)").format(
            text_columns
        )
    )
    connection.execute(statement("stage/staging.delivered_column"), {"names": list(columns)})
    connection.execute(statement("stage/staging.bad_row"))


def _copy_blocks(
    connection: psycopg.Connection[Any],
    reader: Reader,
    known_footers: Footers,
    on_rows: Callable[[int], None] | None,
) -> dict[int, str]:
    """Copy all rows of a reader; return the words of the footers among the bad rows, by row number."""
    footers: dict[int, str] = {}
    bad_rows: list[BadRow] = []
    with _too_large_rows_rejected(len(reader.columns)), connection.cursor() as cursor:
        # A connection runs one COPY at a time: bad rows are held in memory, in bounded number, until it is closed.
        blocks = iter(reader)
        finished = False
        while not finished:
            with cursor.copy("copy text_row from stdin with (freeze)") as copy:
                finished = True
                for block in blocks:
                    copy.write(block.copy_text)
                    bad_rows.extend(block.bad)
                    if on_rows:
                        on_rows(block.rows + len(block.bad))
                    if sum(len(row.payload) for row in bad_rows) > _BAD_BYTES_HELD or len(bad_rows) > _BAD_ROWS_HELD:
                        finished = False
                        break
            below = known_footers.of_bad_rows(bad_rows) if known_footers.may_occur else {}
            footers.update(below)
            _copy_bad_rows(cursor, [row for row in bad_rows if row.row_no not in below])
            bad_rows.clear()
    return footers


def _columns_with_name_or_value(connection: psycopg.Connection[Any], columns: Sequence[str]) -> tuple[str, ...]:
    """Return the delivered columns without those that have neither a name nor a value."""
    empty = []
    for place in nameless_places(columns):
        row = connection.execute(
            statement("stage/staging.holds_value").format(name=sql.Identifier(f"c{place}"))
        ).fetchone()
        assert row is not None
        if not row[0]:
            empty.append(place)
    return tuple(column for place, column in enumerate(columns, 1) if place not in empty)


@contextmanager
def _too_large_rows_rejected(columns: int) -> Iterator[None]:
    """Raise `DeliveryRejected` for a row that PostgreSQL cannot store."""
    try:
        yield
    # The context of the error quotes the row: it must not be chained.
    except psycopg.errors.ProgramLimitExceeded:
        raise DeliveryRejected(
            "file.too_many_columns",
            f"A row with its {columns} columns is larger than PostgreSQL can hold (8 KB without long values). "
            "Ask the department for a file with fewer columns, or split the feed.",
            f"文件共{columns}列，单行数据超出数据库单行容量。请删减多余的列后重新报送。",
        ) from None


def type_rows(
    connection: psycopg.Connection[Any],
    batch: Batch,
    feed: Feed,
    catalog: Catalog,
    staged: Staged,
    *,
    seed: int = 0,
    recognised: int = 0,
    schema: str | None = None,
) -> list[Note]:
    """Clean and type the rows of the text table, in the transaction that copied them as `staged`.

    Returns a note for each field of times that has no time of day in any row.
    `seed` is that of `received_hash`. The `recognised` rows named in `recognised_row` are left out. `schema` is that of
    the text table, where it is not the batch's own.
    """
    use_schema(connection, schema or batch_schema(batch.batch_id))
    source: sql.Composable = sql.Identifier("text_row")
    if recognised:
        # Where all rows are recognised, no query has to find the new ones.
        new = statement("stage/staging.new_text_row" if recognised < staged.staged else "stage/staging.no_text_row")
        source = sql.SQL("({}) as text_row").format(new)
    query = cleaning_query(feed, catalog, staged.columns, batch.landed_at, source, seed)
    connection.execute(sql.SQL("create unlogged table staged_row with (autovacuum_enabled = off) as {}").format(query))
    if feed.operation is not None:
        connection.execute(statement("stage/staging.upserting_row"))
        connection.execute(statement("stage/staging.deleting_row"))
    connection.execute("analyze staged_row (row_no, record_key)")
    return _notes_of_missing_times(connection, feed, catalog)


_MIDNIGHT_ROWS = 10
"""So many values at 00:00, and none at another time of day, are no coincidence."""


def _notes_of_missing_times(connection: psycopg.Connection[Any], feed: Feed, catalog: Catalog) -> list[Note]:
    """Note the times by which cases and evaluations are counted of which the department sends only the day."""
    if feed.dataset not in ("service_case", "evaluation"):
        return []
    fields = catalog.standard_fields(feed.dataset)
    notes = []
    for name, mapping in feed.fields.items():
        if fields[name].kind != "timestamp" or name == "source_updated_at" or mapping.column is None:
            continue
        if mapping.date_only:
            continue
        found = connection.execute(
            statement("stage/staging.times_of_day").format(field=sql.Identifier(name))
        ).fetchone()
        assert found is not None
        at_midnight, timed = found
        if at_midnight >= _MIDNIGHT_ROWS and not timed:
            notes.append(
                Note(
                    f"{fields[name].name_zh}共{at_midnight}个值均只有日期、没有时分，按当日零时计；"
                    "如该系统只提供日期，应在目录中注明date_only，按当日末计",
                    f"none of the {at_midnight} values of {name} has a time of day; they are read as 00:00. Where the "
                    "system sends only days, set date_only: true at the field",
                )
            )
    return notes


_BAD_BYTES_HELD = 8 * 1024 * 1024
_BAD_ROWS_HELD = 20_000


def _copy_bad_rows(cursor: psycopg.Cursor[Any], rows: list[BadRow]) -> None:
    if not rows:
        return
    with cursor.copy("copy bad_row from stdin") as copy:
        for row in rows:
            copy.write_row(
                (row.row_no, row.rule_id, row.detail_zh, row.byte_offset, row.byte_length, row.sha256, row.payload)
            )


def is_staged(connection: psycopg.Connection[Any], batch: Batch) -> bool:
    """Return whether the staging tables hold the rows that were staged: a crash of the server empties them."""
    schema = batch_schema(batch.batch_id)
    # After the step validate, only the text of failing rows is stored.
    text = "failed_text" if batch.status == "validated" else "text_row"
    tables = [text, "staged_row", "bad_row", "recognised_row"]
    there = connection.execute(
        statement("stage/staging.staged_tables"), {"schema": schema, "tables": tables}
    ).fetchone()
    assert there is not None
    if there[0] != len(tables) or batch.fetched is None or batch.staged is None:
        return False
    use_batch_schema(connection, batch.batch_id)
    held = connection.execute(statement("stage/staging.holds_rows")).fetchone()
    assert held is not None
    return tuple(held) == (batch.recognised > 0, batch.staged > batch.recognised, batch.fetched > batch.staged)


def discard(connection: psycopg.Connection[Any], batch_id: int) -> None:
    """Drop the staging tables of a batch, if there are any."""
    discard_schema(connection, batch_schema(batch_id))


def discard_schema(connection: psycopg.Connection[Any], schema: str) -> None:
    """Drop a schema of staging tables, if there is one."""
    connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
