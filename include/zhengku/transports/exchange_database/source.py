"""A table of an exchange database (前置库) as a source, read by SQLAlchemy page by page (see `reading`).

MySQL, MariaDB (InnoDB) and PostgreSQL show one consistent picture: all pages are read in one read-only transaction of
REPEATABLE READ. Elsewhere a row that changes during the reading may be read in both forms, and the load takes the newer
one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from zhengku import clock
from zhengku.clock import CITY_TIME_ZONE
from zhengku.landed.landing import LandingArea
from zhengku.landed.manifest import Manifest
from zhengku.transports.exchange_database.connection import MYSQL_BEGIN, ExchangeServer, begin_reading
from zhengku.transports.exchange_database.model import ExchangeDatabase
from zhengku.transports.exchange_database.newest_rows import day_sums_query, newest_times_query
from zhengku.transports.exchange_database.reading import Reading
from zhengku.transports.exchange_database.row_readers import open_row_reader
from zhengku.transports.exchange_database.table import Table, described_columns, feed_names
from zhengku.transports.exchange_database.values import is_text
from zhengku.transports.exchange_database.window_column import check_sorts
from zhengku.transports.source import Chunks, Collected, DaySum, Delivery, Source, SourceFeed, Window
from zhengku.transports.window import Watermark

_WRITTEN_TOGETHER: Final = 1000
_LOOKED_UP_TOGETHER: Final = 1000
_LONG_BYTES: Final = frozenset(
    ("BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BYTEA", "LARGEBINARY", "IMAGE", "BFILE", "LONG_RAW")
)
_SHORT_BYTES: Final = frozenset(("BINARY", "VARBINARY", "RAW"))
_BYTES_LOOKED_AT: Final = 50


class ExchangeDatabaseSource(Source):
    """A table of an exchange database of one feed.

    Only the columns that the feed uses are read; with `all_but`, all except these.
    """

    def __init__(
        self,
        feed: SourceFeed,
        database: ExchangeDatabase,
        address: str,
        *,
        all_but: Collection[str] | None = None,
    ) -> None:
        self._feed = feed
        self._all_but = all_but
        self._database = database
        self._server = ExchangeServer(database.connection, address, database.table)
        if isinstance(feed.window, Watermark):
            check_sorts(feed, database.time_format)

    def check(self) -> None:
        """Raise `ConfigurationError` where the address's driver is not installed or refuses the address."""
        self._server.check_driver()

    def deliveries(self, window: Window) -> Sequence[Delivery]:
        """Return the one reading of `window`; nothing is sent to the database yet."""
        now = clock.now()
        return [Delivery(name=f"{self._database.table} {window}", modified_at=now, is_file=False, window=window)]

    def land(
        self, delivery: Delivery, landing: LandingArea, path: str, on_bytes: Callable[[int], None] | None = None
    ) -> Collected:
        """Read the window into one landed file, as `zhengku.landed.row_file` writes it.

        The start is inclusive (with `after`, rows up to that key are left out). An end that had passed when the reading
        started is inclusive. The present as end bounds nothing, since a row with a time in the future must not wait for
        its day. Raises `SourceRefused` for a wrong login, a missing table or right; `DeliveryUnavailable` for a server
        that is down, a lost connection, a time-out; `DeliveryRejected` (`file.missing_column`); `ConfigurationError`.
        """
        with self._server.connect(begin_reading) as connection:
            table = Table.of(self._feed, self._database, connection, self._all_but)
            arguments = self._server.connect_arguments()
            with open_row_reader(connection, self._server.url, arguments, MYSQL_BEGIN) as rows:
                reading = Reading(self._feed, self._database, self._server.shown, table, rows, delivery)
                with closing(reading.pieces()) as pieces:
                    landed = landing.put(Chunks(pieces), path, on_bytes=on_bytes)
        return Collected(landed, manifest=Manifest(rows=reading.rows, digests={}), position=reading.position)

    def columns_without_text(self) -> tuple[tuple[str, str], ...]:
        """Return the columns that hold no text, as pictures and shapes, each with the name of its type.

        Columns of bytes of a fixed or small length are recognised by some of their values. Raises what `land` raises.
        """
        schema, _, name = self._database.table.rpartition(".")
        with self._server.connect(begin_reading) as connection:
            described = described_columns(sa.inspect(connection), name, schema)
            own_names = (*self._feed.required_columns, *self._feed.ignored_columns)
            named = feed_names([str(column["name"]) for column in described], own_names)
            table = sa.table(name, schema=schema or None)
            found = []
            for column in described:
                kind = type(column["type"]).__name__.upper()
                if kind in _SHORT_BYTES:
                    value: sa.ColumnClause[Any] = sa.column(column["name"])
                    some = sa.select(value).select_from(table).where(value.is_not(None)).limit(_BYTES_LOOKED_AT)
                    holds_text = all(map(is_text, connection.scalars(some)))
                else:
                    # MySQL's shapes have no type in SQLAlchemy.
                    shape = kind == "NULLTYPE" and connection.dialect.name in ("mysql", "mariadb")
                    holds_text = not (shape or kind in _LONG_BYTES)
                if not holds_text and named[str(column["name"])] not in self._feed.required_columns:
                    found.append((named[str(column["name"])], "unknown" if kind == "NULLTYPE" else kind))
        return tuple(found)

    def replace_rows(self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], where: Mapping[str, Any]) -> None:
        """Write rows into the table in place of those whose columns have the values of `where`, in one transaction.

        Raises `SourceRefused` when the table is not there, lacks one of `columns` or may not be written to;
        `DeliveryUnavailable`, `ConfigurationError`.
        """
        schema, _, name = self._database.table.rpartition(".")
        table = sa.table(name, *map(sa.column, columns), schema=schema or None)
        with self._server.connect() as connection, connection.begin():
            connection.execute(table.delete().where(*(table.c[column] == value for column, value in where.items())))
            for start in range(0, len(rows), _WRITTEN_TOGETHER):
                connection.execute(table.insert(), rows[start : start + _WRITTEN_TOGETHER])

    def day_sums(self, since: datetime, until: datetime) -> Mapping[date, DaySum] | None:
        """Count at the source, in one read-only query of at most `session.READ_SECONDS`.

        None where `day_sums_query` knows no query, so that the keys must be listed.
        """
        bounds = {
            bound: moment.astimezone(CITY_TIME_ZONE).replace(tzinfo=None)
            for bound, moment in (("since", since), ("until", until))
        }
        with self._server.connect(begin_reading) as connection:
            query = day_sums_query(connection, self._feed, self._database)
            if query is None:
                return None
            rows = connection.exec_driver_sql(query, bounds).fetchall()
        return {date.fromisoformat(str(day)): DaySum(int(number), int(checksum)) for day, number, checksum in rows}

    def newest_times(self, keys: Sequence[str]) -> Mapping[str, datetime] | None:
        """Look keys up at the source, in read-only queries; None where `day_sums` returns None."""
        found: dict[str, datetime] = {}
        with self._server.connect(begin_reading) as connection:
            query = newest_times_query(connection, self._feed, self._database)
            if query is None:
                return None
            for start in range(0, len(keys), _LOOKED_UP_TOGETHER):
                some = {f"key{place}": key for place, key in enumerate(keys[start : start + _LOOKED_UP_TOGETHER])}
                named = ", ".join(f"%({name})s" for name in some)
                for key, newest in connection.exec_driver_sql(query.replace("{keys}", named), some):
                    text = key.decode() if isinstance(key, bytes) else str(key)
                    found[text] = newest.replace(tzinfo=CITY_TIME_ZONE)
        return found
