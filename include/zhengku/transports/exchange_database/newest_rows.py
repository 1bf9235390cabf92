"""Queries for the newest row of each key, by which a table is reconciled with the store."""

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from zhengku.database import statement
from zhengku.transports.exchange_database.key_form import compared
from zhengku.transports.exchange_database.model import ExchangeDatabase
from zhengku.transports.exchange_database.table import feed_names
from zhengku.transports.source import SourceFeed
from zhengku.transports.window import Watermark

# Dialects whose checksum was shown to equal the store's; of the others, the keys are listed.
_SUMS: Final = {
    "mysql": "reconcile/source_mysql.source_sums_mysql",
    "mariadb": "reconcile/source_mysql.source_sums_mysql",
    "postgresql": "reconcile/source_postgresql.source_sums_postgresql",
    "kingbase": "reconcile/source_postgresql.source_sums_postgresql",
}
_TIMES: Final = {
    "mysql": "reconcile/source_mysql.source_times_mysql",
    "mariadb": "reconcile/source_mysql.source_times_mysql",
    "postgresql": "reconcile/source_postgresql.source_times_postgresql",
    "kingbase": "reconcile/source_postgresql.source_times_postgresql",
}


def day_sums_query(connection: sa.Connection, feed: SourceFeed, database: ExchangeDatabase) -> str | None:
    """Return the query of count and checksum by day, with the parameters `since` and `until`.

    None for a dialect whose checksum is not proven, a key or time that is not simply a column of text or of time, or a
    window by another column than the version's.
    """
    return _query(connection, feed, database, _SUMS)


def newest_times_query(connection: sa.Connection, feed: SourceFeed, database: ExchangeDatabase) -> str | None:
    """Return the query of the newest time of each of some keys; their parameters are to replace `{keys}` in it.

    None where `day_sums_query` returns None.
    """
    return _query(connection, feed, database, _TIMES)


def _query(
    connection: sa.Connection, feed: SourceFeed, database: ExchangeDatabase, statements: Mapping[str, str]
) -> str | None:
    time = feed.fields.get("source_updated_at")
    key = [feed.fields[name] for name in feed.key]
    if (
        not isinstance(feed.window, Watermark)
        or feed.version != "source_updated_at"
        or time is None
        or time.column != feed.window.column
        or any(part.column is None or part.codes or part.remove_prefix for part in key)
    ):
        return None
    name = statements.get(connection.dialect.name)
    schema, _, table = database.table.rpartition(".")
    own_names = (*feed.required_columns, *feed.ignored_columns)
    columns = {
        found: column
        for column in sa.inspect(connection).get_columns(table, schema or None)
        for found in feed_names([str(column["name"])], own_names).values()
    }
    key_columns = [str(part.column) for part in key]
    if name is None or not {*key_columns, feed.window.column} <= columns.keys():
        return None
    kind = columns[feed.window.column]["type"]
    if not all(isinstance(columns[part]["type"], sa.String) for part in key_columns):
        return None
    if not isinstance(kind, sa.DateTime | sa.Date):
        return None

    def quoted(column: str) -> str:
        return connection.dialect.identifier_preparer.quote(str(columns[column]["name"])).replace("%", "%%")

    at = quoted(feed.window.column)
    if connection.dialect.name in ("mysql", "mariadb"):
        parts = [compared("mysql", f"convert({quoted(part)} using utf8mb4)") for part in key_columns]
        joined_key = "concat(" + ", '|', ".join(parts) + ")"
    else:
        joined_key = " || '|' || ".join(compared("postgresql", quoted(part)) for part in key_columns)
        zoned = isinstance(kind, sa.DateTime) and kind.timezone
        at = f"({at} at time zone 'Asia/Shanghai')" if zoned else f"cast({at} as timestamp)"
    return (
        statement(name)
        .as_string(None)
        .format(
            key=joined_key,
            at=at,
            table=connection.dialect.identifier_preparer.format_table(sa.table(table, schema=schema or None)),
            has_key=" and ".join(f"{quoted(part)} is not null" for part in key_columns),
            keys="{keys}",
        )
    )
