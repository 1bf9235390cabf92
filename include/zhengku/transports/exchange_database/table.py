"""A table or view as its database describes it: which columns are read, and by which the reading is ordered."""

import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import mysql, postgresql

from zhengku.errors import ConfigurationError
from zhengku.readers.table_rows import missing_columns
from zhengku.transports.exchange_database.model import ExchangeDatabase
from zhengku.transports.source import SourceFeed
from zhengku.transports.window import Watermark

_SENDS_TEXT: Final = frozenset({"mysql", "mariadb", "postgresql"})


@dataclass(frozen=True)
class Table:
    """A table as its database describes it; only the columns that the feed uses are selected.

    `names` are the feed's names of the selected columns, `columns`, `types` and `selected` follow their order. `key`
    holds the places of the columns that order the reading. `unread` are the feed's names of the other columns.
    `distinct` says whether the table itself guarantees that no two rows have the same key.
    """

    clause: sa.TableClause
    names: list[str]
    columns: list[sa.ColumnClause[Any]]
    types: list[sa.types.TypeEngine[Any]]
    selected: list[sa.ColumnElement[Any]]
    key: list[int]
    unread: list[str]
    distinct: bool

    @classmethod
    def of(
        cls,
        feed: SourceFeed,
        database: ExchangeDatabase,
        connection: sa.Connection,
        all_but: Collection[str] | None = None,
    ) -> "Table":
        """Ask the database for the table's columns; with `all_but`, all columns except these are selected.

        Raises `DeliveryRejected` (`file.missing_column`), `ConfigurationError` for a column that is used and ignored,
        and SQLAlchemy's `NoSuchTableError`.
        """
        ignored = feed.ignored_columns if all_but is None else all_but
        schema, _, name = database.table.rpartition(".")
        inspector = sa.inspect(connection)
        described = described_columns(inspector, name, schema)
        if not described:
            raise exc.NoSuchTableError(name)
        named = feed_names([str(column["name"]) for column in described], (*feed.required_columns, *ignored))
        missing = [column for column in feed.required_columns if column not in named.values()]
        if missing:
            raise missing_columns(database.table, missing, list(named.values()))
        for required in feed.required_columns:
            if required in ignored:
                raise ConfigurationError(f"{feed.name}: column {required} is used and ignored. Do one of both.")
        used = [
            column
            for column in described
            if (name_of := named[str(column["name"])]) in feed.required_columns
            or (all_but is not None and name_of not in ignored)
        ]
        names = [named[str(column["name"])] for column in used]
        key_names = list(database.row_id)
        if isinstance(feed.window, Watermark):
            key_names = [feed.window.column, *(name for name in key_names if name != feed.window.column)]
        key = [names.index(column) for column in key_names]
        # Values are compared as the texts that the server sent: the database knows their types.
        typed = connection.dialect.name not in _SENDS_TEXT
        columns: list[sa.ColumnClause[Any]] = [
            sa.column(str(column["name"]), column["type"] if typed and place in key else None)
            for place, column in enumerate(used)
        ]
        types = [column["type"] for column in used]
        row_id = {str(columns[place].name) for place in key[-len(database.row_id) :]}
        # Compared as texts, two different values may be equal by the collation.
        by_text = any(_sorts_by_position(types[place]) for place in key)
        return cls(
            clause=sa.table(name, *columns, schema=schema or None),
            names=names,
            columns=columns,
            types=types,
            selected=[_as_text_in_sql(column, kind) for column, kind in zip(columns, types, strict=True)],
            key=key,
            unread=[name for name in named.values() if name not in names],
            distinct=not by_text and _is_distinct(connection, inspector, name, schema or None, row_id),
        )

    def compared(self, place: int) -> sa.ColumnElement[Any]:
        """Return the expression by which the column at `place` is both ordered and compared."""
        column = self.columns[place]
        return sa.cast(column, sa.CHAR) if _sorts_by_position(self.types[place]) else column


def described_columns(inspector: sa.Inspector, table: str, schema: str) -> Sequence[Any]:
    """Return the columns of a table as the database describes them."""
    with warnings.catch_warnings():
        # Types of extensions that SQLAlchemy does not know are read as text.
        warnings.filterwarnings("ignore", message="Did not recognize type", category=exc.SAWarning)
        return inspector.get_columns(table, schema or None)


def feed_names(delivered: Sequence[str], names: Iterable[str]) -> dict[str, str]:
    """Return the feed's name of every delivered column; some databases change the case of names."""
    known = {name.casefold(): name for name in names}
    folded = Counter(name.casefold() for name in delivered)
    return {name: name if folded[name.casefold()] > 1 else known.get(name.casefold(), name) for name in delivered}


def _as_text_in_sql(column: sa.ColumnClause[Any], kind: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """Return what is selected for a column: itself, unless the server sends something else than text for its type."""
    if isinstance(kind, mysql.BIT):
        # Bytes, of which one bit would be a control character.
        return (column + sa.literal_column("0")).label(str(column.name))
    if isinstance(kind, mysql.FLOAT):
        # The server writes six digits of it: 1234567 and 1234568 would both be 1234570.
        return (column + sa.literal_column("0e0")).label(str(column.name))
    if isinstance(kind, postgresql.ARRAY):
        return sa.cast(sa.func.to_json(column), sa.Text).label(str(column.name))
    return column


def _sorts_by_position(kind: sa.types.TypeEngine[Any]) -> bool:
    """Return whether the server orders a type by the positions of its words, but compares it with a text as words."""
    return isinstance(kind, mysql.ENUM | mysql.SET)


def _is_distinct(
    connection: sa.Connection, inspector: sa.Inspector, table: str, schema: str | None, row_id: set[str]
) -> bool:
    """Return whether a key or a unique index of the table guarantees distinct row ids."""
    if connection.dialect.name == "postgresql":
        # A table's key covers its own rows, not those of tables that inherit from it. Partitions are covered.
        heirs = sa.text(
            "select count(*) from pg_inherits as i inner join pg_class as p on i.inhparent = p.oid"
            " inner join pg_namespace as n on p.relnamespace = n.oid"
            " where p.relname = :name and n.nspname = coalesce(:schema, current_schema()) and p.relkind = 'r'"
        )
        if connection.execute(heirs, {"name": table, "schema": schema}).scalar():
            return False
    try:
        primary: Sequence[str | None] = inspector.get_pk_constraint(table, schema)["constrained_columns"]
        indexes = inspector.get_indexes(table, schema)
    except (exc.NoSuchTableError, NotImplementedError):
        # A view has no key, and dialects differ in how they report that.
        return False
    unique = [
        index["column_names"]
        for index in indexes
        if index["unique"] and not any("where" in str(option) for option in index.get("dialect_options", {}))
    ]
    return any(columns and None not in columns and set(columns) <= row_id for columns in (primary, *unique))
