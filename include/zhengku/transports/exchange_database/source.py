"""A table of an exchange database (前置库) as a source, read by SQLAlchemy page by page.

A reading goes by key: ordered by the window's column and the row id (by the row id alone for a whole table), each page
begins behind the last row of the one before. So rows that share a time, however many, are neither lost nor read twice.
Rows without a time or without a whole row id have no place in that order. They come last, by one streamed query; those
without a time (null, or before 1900, as 0000-00-00 is) are read by every run, since nobody can tell when they changed.

MySQL, MariaDB (InnoDB) and PostgreSQL show one consistent picture: all pages are read in one read-only transaction of
REPEATABLE READ. Elsewhere a row that changes meanwhile may come in both forms, and the load takes the newer one.
Whatever the database, the reading ends at the newest time (or greatest row id) that the table had when it began: a
table that is written to all the while does not keep it going. What comes later is for the next run.
"""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import mysql, postgresql

from zhengku import clock
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.errors import ConfigurationError, DeliveryUnavailable, SourceRefused, ZhengkuError
from zhengku.landed.landing import LandingArea
from zhengku.landed.manifest import Manifest
from zhengku.landed.row_file import first_line, last_line, row_lines, text_of
from zhengku.readers.table_rows import missing_columns
from zhengku.transports.exchange_database.key_form import compared
from zhengku.transports.exchange_database.model import ExchangeDatabase
from zhengku.transports.exchange_database.row_readers import MYSQL_SESSION, RowReader, open_row_reader
from zhengku.transports.source import (
    EARLIEST,
    Chunks,
    Collected,
    DaySum,
    Delivery,
    Position,
    Source,
    SourceFeed,
    Window,
)
from zhengku.transports.window import Watermark

CONNECT_SECONDS: Final = 10
"""To reach the server and log in."""

READ_SECONDS: Final = 300
"""For the answer to one query."""

LOCK_SECONDS: Final = 60
"""To wait for a lock, for instance while somebody alters the table."""

_LATEST: Final = datetime.max - timedelta(seconds=1)
_SENDS_TEXT: Final = frozenset({"mysql", "mariadb", "postgresql"})
_MYSQL_BEGIN: Final = (
    "set session transaction isolation level repeatable read",
    "start transaction with consistent snapshot, read only",
)

NOW_SECONDS: Final = 60
"""A window that ends so shortly before its reading ends at the present, which is no bound."""

_DRIVERS: Final = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mssql": "mssql+pyodbc",
    "oracle": "oracle+oracledb",
    "dm": "dm+dmPython",
    "kingbase": "kingbase+psycopg2",
}
# Dialects whose checksum was proven equal to the store's; the others list their keys.
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
_EXTRAS: Final = {
    "mysql": "mysql",
    "mariadb": "mysql",
    "mssql": "sqlserver",
    "oracle": "oracle",
    "dm": "dameng",
    "kingbase": "kingbase",
}

# Errors that another try will meet again, though the driver calls them operational: rights, logins, names.
_MYSQL_REFUSALS: Final = frozenset(
    {1044, 1045, 1049, 1054, 1109, 1130, 1142, 1143, 1146, 1227, 1251, 1275, 1356, 1370, 1698, 1820, 1862, 3118, 4151}
)
_ORACLE_REFUSALS: Final = frozenset({904, 942, 1005, 1017, 1031, 1045, 12505, 12514, 28000, 28001})
# Classes of SQLSTATE: wrong login, missing database, syntax, rights, names; and what may pass.
_REFUSED_STATES: Final = ("22", "28", "3D", "3F", "42", "0A", "IM")
_PASSING_STATES: Final = ("08", "40", "53", "55", "57", "58", "HYT", "25P0")
_WRITTEN_TOGETHER: Final = 1000
_LOOKED_UP_TOGETHER: Final = 1000
_LONG_BYTES: Final = frozenset(
    ("BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BYTEA", "LARGEBINARY", "IMAGE", "BFILE", "LONG_RAW")
)
_SHORT_BYTES: Final = frozenset(("BINARY", "VARBINARY", "RAW"))
_BYTES_LOOKED_AT: Final = 50
_REFUSED_LOGIN: Final = re.compile(
    # A server that is set to Chinese says it in Chinese.
    r"FATAL: .*(authentication|pg_hba|does not exist|not permitted|permission denied)|no password supplied"
    r"|认证失败|pg_hba|不存在|不允许登录"
)


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
        self._url = _url(database.connection, address)
        self._where = _where(self._url, database.table)
        if isinstance(feed.window, Watermark):
            _check_sorts(feed, database.time_format)

    @property
    def _own_names(self) -> tuple[str, ...]:
        """Names of columns as the feed writes them."""
        return (*self._feed.required_columns, *self._feed.ignored_columns)

    def check(self) -> None:
        """Raise `ConfigurationError` where the driver of the address is not installed, or takes it for none."""
        self._engine().dispose()

    def deliveries(self, window: Window) -> Sequence[Delivery]:
        """Return the one reading of `window`; the database is not asked yet."""
        now = clock.now()
        return [Delivery(name=f"{self._database.table} {window}", modified_at=now, is_file=False, window=window)]

    def land(
        self, delivery: Delivery, landing: LandingArea, path: str, on_bytes: Callable[[int], None] | None = None
    ) -> Collected:
        """Read the window into one landed file, as `zhengku.landed.row_file` writes it.

        The start is inclusive (with `after`, what lies behind it). The end bounds nothing when it is the present, since
        a row from the future must not wait for its day; an end that had passed when the reading began is inclusive.
        Raises `SourceRefused` for a wrong login, a missing table or right; `DeliveryUnavailable` for a server that is
        down, a lost connection, a time-out; `DeliveryRejected` (`file.missing_column`); `ConfigurationError`.
        """
        with self._connection(_begin) as connection:
            table = _Table.of(self._feed, self._database, connection, self._all_but)
            arguments = _connect_arguments(connection.dialect.name)
            with open_row_reader(connection, self._url, arguments, _MYSQL_BEGIN) as rows:
                reading = _Reading(self._feed, self._database, self._where, table, rows, delivery)
                with closing(reading.pieces()) as pieces:
                    landed = landing.put(Chunks(pieces), path, on_bytes=on_bytes)
        return Collected(landed, manifest=Manifest(rows=reading.rows, digests={}), position=reading.position)

    def columns_without_text(self) -> tuple[tuple[str, str], ...]:
        """Return the columns that hold no text, as pictures and shapes, each with the name of its type.

        Those of bytes of a fixed or small length are told by some of their values. Raises what `land` raises.
        """
        schema, _, name = self._database.table.rpartition(".")
        with self._connection(_begin) as connection:
            described = _described(sa.inspect(connection), name, schema)
            named = _named([str(column["name"]) for column in described], self._own_names)
            table = sa.table(name, schema=schema or None)
            found = []
            for column in described:
                kind = type(column["type"]).__name__.upper()
                if kind in _SHORT_BYTES:
                    value: sa.ColumnClause[Any] = sa.column(column["name"])
                    some = sa.select(value).select_from(table).where(value.is_not(None)).limit(_BYTES_LOOKED_AT)
                    is_text = all(map(_is_text, connection.scalars(some)))
                else:
                    # MySQL's shapes have no type in SQLAlchemy.
                    shape = kind == "NULLTYPE" and connection.dialect.name in ("mysql", "mariadb")
                    is_text = not (shape or kind in _LONG_BYTES)
                if not is_text and named[str(column["name"])] not in self._feed.required_columns:
                    found.append((named[str(column["name"])], "unknown" if kind == "NULLTYPE" else kind))
        return tuple(found)

    def replace_rows(self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], where: Mapping[str, Any]) -> None:
        """Put rows into the table in place of those whose columns have the values of `where`, in one transaction.

        Raises `SourceRefused` when the table is not there, lacks one of `columns` or may not be written to;
        `DeliveryUnavailable`, `ConfigurationError`.
        """
        schema, _, name = self._database.table.rpartition(".")
        table = sa.table(name, *map(sa.column, columns), schema=schema or None)
        with self._connection() as connection, connection.begin():
            connection.execute(table.delete().where(*(table.c[column] == value for column, value in where.items())))
            for start in range(0, len(rows), _WRITTEN_TOGETHER):
                connection.execute(table.insert(), rows[start : start + _WRITTEN_TOGETHER])

    def day_sums(self, since: datetime, until: datetime) -> Mapping[date, DaySum] | None:
        """Count at the source, in one read-only query of at most `READ_SECONDS`.

        None where the keys must be listed: a dialect whose checksum is not proven, a key or time that is not simply a
        column, or a window by another column than the version's.
        """
        bounds = {
            bound: moment.astimezone(CITY_TIME_ZONE).replace(tzinfo=None)
            for bound, moment in (("since", since), ("until", until))
        }
        with self._connection(_begin) as connection:
            query = self._of_newest_rows(connection, _SUMS)
            if query is None:
                return None
            rows = connection.exec_driver_sql(query, bounds).fetchall()
        return {date.fromisoformat(str(day)): DaySum(int(number), int(checksum)) for day, number, checksum in rows}

    def newest_times(self, keys: Sequence[str]) -> Mapping[str, datetime] | None:
        """Look keys up at the source, in read-only queries; None where `day_sums` gives None."""
        found: dict[str, datetime] = {}
        with self._connection(_begin) as connection:
            query = self._of_newest_rows(connection, _TIMES)
            if query is None:
                return None
            for start in range(0, len(keys), _LOOKED_UP_TOGETHER):
                some = {f"key{place}": key for place, key in enumerate(keys[start : start + _LOOKED_UP_TOGETHER])}
                named = ", ".join(f"%({name})s" for name in some)
                for key, newest in connection.exec_driver_sql(query.replace("{keys}", named), some):
                    text = key.decode() if isinstance(key, bytes) else str(key)
                    found[text] = newest.replace(tzinfo=CITY_TIME_ZONE)
        return found

    def _of_newest_rows(self, connection: sa.Connection, statements: Mapping[str, str]) -> str | None:
        """Return the statement for the database's dialect, of the newest row of each key; None where that is not known.

        What stands for keys and bounds is left in it.
        """
        feed = self._feed
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
        schema, _, table = self._database.table.rpartition(".")
        columns = {
            found: column
            for column in sa.inspect(connection).get_columns(table, schema or None)
            for found in _named([str(column["name"])], self._own_names).values()
        }
        wanted = [str(part.column) for part in key]
        if name is None or not {*wanted, feed.window.column} <= columns.keys():
            return None
        kind = columns[feed.window.column]["type"]
        if not all(isinstance(columns[part]["type"], sa.String) for part in wanted):
            return None
        if not isinstance(kind, sa.DateTime | sa.Date):
            return None

        def quoted(column: str) -> str:
            return connection.dialect.identifier_preparer.quote(str(columns[column]["name"])).replace("%", "%%")

        at = quoted(feed.window.column)
        if connection.dialect.name in ("mysql", "mariadb"):
            parts = [compared("mysql", f"convert({quoted(part)} using utf8mb4)") for part in wanted]
            whole = "concat(" + ", '|', ".join(parts) + ")"
        else:
            whole = " || '|' || ".join(compared("postgresql", quoted(part)) for part in wanted)
            zoned = isinstance(kind, sa.DateTime) and kind.timezone
            at = f"({at} at time zone 'Asia/Shanghai')" if zoned else f"cast({at} as timestamp)"
        return (
            statement(name)
            .as_string(None)
            .format(
                key=whole,
                at=at,
                table=connection.dialect.identifier_preparer.format_table(sa.table(table, schema=schema or None)),
                has_key=" and ".join(f"{quoted(part)} is not null" for part in wanted),
                keys="{keys}",
            )
        )

    @contextmanager
    def _connection(self, begin: Callable[[sa.Connection], None] | None = None) -> Iterator[sa.Connection]:
        """Open the database; `begin` begins a transaction of its own kind."""
        engine = self._engine()
        try:
            with engine.connect() as connection:
                if begin is not None:
                    begin(connection)
                yield connection
        # Messages of drivers may quote values and passwords: they are neither passed on nor chained.
        except exc.DBAPIError as error:
            raise self._told(error) from None
        except exc.NoSuchTableError:
            raise SourceRefused(
                f"{self._where}: expected a table or view of that name, and there is none, or the user may not see it. "
                "Correct the feed's table, or ask the department for the right to read it."
            ) from None
        except (exc.SQLAlchemyError, UnicodeDecodeError, NotImplementedError) as error:
            raise SourceRefused(
                f"{self._where} cannot be read ({type(error).__name__}). Check that the address names the right kind "
                "of database and its character set."
            ) from None
        finally:
            engine.dispose()

    def _engine(self) -> sa.Engine:
        name = self._url.get_backend_name()
        if name == "kingbase":
            import_module("zhengku.transports.exchange_database.kingbase")
        try:
            engine = sa.create_engine(
                self._url,
                poolclass=sa.NullPool,
                hide_parameters=True,
                connect_args=_connect_arguments(name),
            )
        except (exc.NoSuchModuleError, ModuleNotFoundError):
            extra = _EXTRAS.get(name)
            fix = f"Install it: pip install 'zhengku[{extra}]'." if extra else "Install psycopg."
            raise ConfigurationError(
                f"{self._where}: the driver {self._url.drivername} is not installed. {fix}"
            ) from None
        except exc.ArgumentError:
            raise _unreadable(self._database.connection) from None
        sa.event.listen(engine, "connect", _set_up(name))
        return engine

    def _told(self, error: exc.DBAPIError) -> ZhengkuError:
        """Return the error that a person meets for one of the driver: its kind and number, never its text."""
        refused, kind = _verdict(self._url.get_backend_name(), error)
        if isinstance(error, exc.DataError):
            return SourceRefused(
                f"{self._where} has a value that cannot be read or compared ({kind}), such as a time beyond the year "
                "9999. Ask the department to correct it, or for a view that casts its column to text."
            )
        if refused:
            return SourceRefused(
                f"{self._where} refused (user {self._url.username or 'none'}, {kind}). Check user, password, database "
                f"and table in ZHENGKU_CONN_{self._database.connection.upper()} and the feed, and that the user may "
                "read the table (write to it, where problem records are returned by it)."
            )
        return DeliveryUnavailable(
            f"{self._where} cannot be read now ({kind}): the server is down, the connection was lost, or it took too "
            "long. Nothing was kept; run it again, and ask the department if it stays so."
        )


@dataclass(frozen=True)
class _Table:
    """A table as its database describes it; only the columns that the feed uses are asked for.

    `names` are the feed's names of the columns that are read, `key` the places of those that order the reading.
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
    ) -> "_Table":
        """Look at the table; raises `DeliveryRejected` when it lacks a column."""
        ignored = feed.ignored_columns if all_but is None else all_but
        schema, _, name = database.table.rpartition(".")
        inspector = sa.inspect(connection)
        described = _described(inspector, name, schema)
        if not described:
            raise exc.NoSuchTableError(name)
        named = _named([str(column["name"]) for column in described], (*feed.required_columns, *ignored))
        missing = [column for column in feed.required_columns if column not in named.values()]
        if missing:
            raise missing_columns(database.table, missing, list(named.values()))
        for required in feed.required_columns:
            if required in ignored:
                raise ConfigurationError(f"{feed.name}: column {required} is used and ignored. Do one of both.")
        wanted = [
            column
            for column in described
            if (name_of := named[str(column["name"])]) in feed.required_columns
            or (all_but is not None and name_of not in ignored)
        ]
        names = [named[str(column["name"])] for column in wanted]
        key_names = list(database.row_id)
        if isinstance(feed.window, Watermark):
            key_names = [feed.window.column, *(name for name in key_names if name != feed.window.column)]
        key = [names.index(column) for column in key_names]
        # Values are compared as the texts that came: what they are is the database's to know.
        typed = connection.dialect.name not in _SENDS_TEXT
        columns: list[sa.ColumnClause[Any]] = [
            sa.column(str(column["name"]), column["type"] if typed and place in key else None)
            for place, column in enumerate(wanted)
        ]
        types = [column["type"] for column in wanted]
        keys = {str(columns[place].name) for place in key[-len(database.row_id) :]}
        # As texts they are compared by a collation, which may find two of them equal.
        by_text = any(_has_an_order_of_its_own(types[place]) for place in key)
        return cls(
            clause=sa.table(name, *columns, schema=schema or None),
            names=names,
            columns=columns,
            types=types,
            selected=[_as_text_in_sql(column, kind) for column, kind in zip(columns, types, strict=True)],
            key=key,
            unread=[name for name in named.values() if name not in names],
            distinct=not by_text and _is_distinct(connection, inspector, name, schema or None, keys),
        )

    def compared(self, place: int) -> sa.ColumnElement[Any]:
        """Return what the column at `place` is ordered and compared by: one thing for both."""
        column = self.columns[place]
        return sa.cast(column, sa.CHAR) if _has_an_order_of_its_own(self.types[place]) else column


@dataclass
class _Reading:
    """One reading of a table: what is read, and how far it got."""

    feed: SourceFeed
    database: ExchangeDatabase
    where: str
    table: _Table
    reader: RowReader
    delivery: Delivery
    rows: int = 0
    position: Position | None = None

    def __post_init__(self) -> None:
        if self._timed:
            self._form_of_time()

    @property
    def _timed(self) -> bool:
        return isinstance(self.feed.window, Watermark)

    @property
    def _keys(self) -> list[sa.ColumnElement[Any]]:
        return [self.table.compared(place) for place in self.table.key]

    def _form_of_time(self) -> str:
        kind = self.table.types[self.table.key[0]]
        if isinstance(kind, sa.DateTime):
            return "zoned" if kind.timezone else "session" if isinstance(kind, mysql.TIMESTAMP) else "time"
        if isinstance(kind, sa.Date):
            return "date"
        if isinstance(kind, sa.String):
            return "text"
        raise SourceRefused(
            f"{self.where}: the window's column {self.table.names[self.table.key[0]]} is of the type "
            f"{type(kind).__name__}; expected a time, a date or text. Name another column, or ask the department for a "
            "view that casts it."
        )

    def _bound(self, at: datetime) -> sa.BindParameter[Any]:
        """Return a time as the window's column is compared with it; a naive one is of Asia/Shanghai."""
        at = at.astimezone(CITY_TIME_ZONE) if at.tzinfo else at.replace(tzinfo=CITY_TIME_ZONE)
        form = self._form_of_time()
        value: datetime | date | str = at
        if form == "date":
            value = at.date()
        elif form == "text":
            value = at.strftime(self.database.time_format)
        elif form != "zoned":
            value = at.astimezone(MYSQL_SESSION if form == "session" else CITY_TIME_ZONE).replace(tzinfo=None)
        if self.reader.sends != "values":
            return _parameter(str(value))
        return sa.bindparam(None, value, unique=True, type_=self._keys[0].type)

    def _comparable(self, value: Any, place: int) -> sa.BindParameter[Any]:
        """Return a key's value, as it was read from the column at `place`, as that column is compared with it."""
        if self.reader.sends == "values":
            return sa.bindparam(None, value, unique=True, type_=self.table.columns[place].type)
        if isinstance(value, bytes) and self.reader.sends == "bytes" and not _is_binary(self.table.types[place]):
            text = value.decode("utf-8", "surrogateescape")
            number = _read(self.table.types[place], text) if _is_number(self.table.types[place]) else None
            # MariaDB compares a number with a text as two fractions, which are not exact.
            value = text if number is None else number
        return _parameter(value)

    def pieces(self) -> Generator[bytes, None, None]:
        """Yield the landed file, a page at a time."""
        yield first_line(self.database.table, self.table.names, self.table.unread)
        inside = self._inside()
        beyond = self._beyond(inside)
        if beyond is not None:
            yield from self._pages([*inside, beyond])
        yield from self._placeless()
        yield last_line(self.rows)

    def _window(self) -> Window:
        return self.delivery.window or Window()

    def _span(self) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that the window puts on the time alone."""
        if not self._timed:
            return []
        window = self._window()
        at = self._keys[0]
        start = max(window.start, EARLIEST.replace(tzinfo=CITY_TIME_ZONE)) if window.start else EARLIEST
        conditions = [at >= self._bound(start)]
        if window.end and window.end < self.delivery.modified_at - timedelta(seconds=NOW_SECONDS):
            conditions.append(at <= self._bound(window.end))
        return conditions

    def _inside(self) -> list[sa.ColumnElement[bool]]:
        """Return the conditions of the rows that have a place in the order."""
        conditions = [*self._span(), *(column.is_not(None) for column in self._keys)]
        window = self._window()
        if self._timed and window.start and len(window.after) == len(self.database.row_id):
            row_id = [self.table.names.index(name) for name in self.database.row_id]
            behind = dict(zip(row_id, window.after, strict=True))
            read = [_read(self.table.types[place], behind[place]) for place in self.table.key[1:]]
            if None not in read:
                rest = [
                    _parameter(value, self.table.columns[place].type)
                    for value, place in zip(read, self.table.key[1:], strict=True)
                ]
                conditions.append(_after(self._keys, [self._bound(window.start), *rest]))
        return conditions

    def _beyond(self, inside: Sequence[sa.ColumnElement[bool]]) -> sa.ColumnElement[bool] | None:
        """Return the bound that ends the reading; None when there is no row."""
        first = self._keys[0]
        query = sa.select(self.table.selected[self.table.key[0]]).where(*inside).order_by(first.desc()).limit(1)
        found = self.reader.fetch(query)
        if not found or found[0][0] is None:
            return None
        [[newest]] = found
        if isinstance(newest, datetime) and newest.replace(tzinfo=None) < _LATEST:
            # Some databases count finer than the microseconds that we see.
            newest += timedelta(milliseconds=1)
        return first <= self._comparable(newest, self.table.key[0])

    def _pages(self, conditions: Sequence[sa.ColumnElement[bool]]) -> Iterator[bytes]:
        query = sa.select(*self.table.selected).select_from(self.table.clause).where(*conditions).order_by(*self._keys)
        query = query.limit(self.database.page_rows)
        last: list[Any] | None = None
        following = self.reader.ask(query)
        while True:
            page = list(following())
            if not page:
                return
            if last is not None and self._key_of(page[0]) == last:
                raise SourceRefused(
                    f"{self.where}: the rows behind a page begin with its last row, so its key cannot be compared as "
                    "it is read (times finer than a microsecond, or fractions). Ask the department for a view that "
                    f"rounds {', '.join(self.table.names[place] for place in self.table.key)}, or name another row_id."
                )
            last = self._key_of(page[-1])
            full = len(page) == self.database.page_rows
            if full:
                following = self.reader.ask(query.where(self._behind(last)))
            if full and not self.table.distinct:
                page += self._ties(page, last)
            self._move(page)
            yield self._lines(page)
            if not full:
                return

    def _key_of(self, row: Sequence[Any]) -> list[Any]:
        return [row[place] for place in self.table.key]

    def _behind(self, last: Sequence[Any]) -> sa.ColumnElement[bool]:
        values = [self._comparable(value, place) for value, place in zip(last, self.table.key, strict=True)]
        return _after(self._keys, values)

    def _ties(self, page: Sequence[tuple[Any, ...]], last: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return the rows behind a page that have the very key of its last row: the next page would leave them out.

        Nothing in the table says that keys are distinct, and a collation may find different texts equal.
        """
        same = [
            self.table.compared(place) == self._comparable(value, place)
            for value, place in zip(last, self.table.key, strict=True)
        ]
        tied = self.reader.fetch(sa.select(*self.table.selected).select_from(self.table.clause).where(*same))
        if len(tied) <= 1:
            return []
        left = Counter(map(_countable, tied))
        for row in reversed(page):
            seen = _countable(row)
            if not left[seen]:
                break
            left[seen] -= 1
        rest = []
        for row in tied:
            if left[_countable(row)] > 0:
                left[_countable(row)] -= 1
                rest.append(row)
        return rest

    def _placeless(self) -> Iterator[bytes]:
        """Yield the rows that have no place in the order, in one query whose rows are streamed."""
        keys = self._keys
        unkeyed = sa.or_(*(column.is_(None) for column in keys[self._timed :])) if keys[self._timed :] else sa.false()
        if self._timed:
            timeless = sa.or_(keys[0].is_(None), keys[0] < self._bound(EARLIEST))
            condition = sa.or_(timeless, sa.and_(*self._span(), unkeyed))
        else:
            condition = unkeyed
        query = sa.select(*self.table.selected).select_from(self.table.clause).where(condition).order_by(*keys)
        for page in self.reader.stream(query, self.database.page_rows):
            self._move(page)
            yield self._lines(page)

    def _lines(self, page: Sequence[tuple[Any, ...]]) -> bytes:
        self.rows += len(page)
        return row_lines(page, self.table.names, self.reader.turns)

    def _move(self, page: Sequence[tuple[Any, ...]]) -> None:
        """Note the newest row of a page that comes in order.

        Text that is no time is passed over, and so are rows from the future: they come last, and what comes later with
        a time before theirs would never be read.
        """
        if not self._timed:
            return
        for row in reversed(page):
            at = self._moment(row[self.table.key[0]])
            if at is None or at > self.delivery.modified_at:
                continue
            if at.replace(tzinfo=None) >= EARLIEST and (self.position is None or at >= self.position.at):
                row_id = [(name, row[self.table.names.index(name)]) for name in self.database.row_id]
                key = tuple(_key_text(value, name) for name, value in row_id)
                whole = all(part is not None for part in key)
                if whole:
                    self.position = Position(at, tuple(str(part) for part in key))
                elif self.position is None or at > self.position.at:
                    self.position = Position(at)
            return

    def _moment(self, value: object) -> datetime | None:
        """Return a value of the window's column as a time; None for what is none that Python can tell."""
        form = self._form_of_time()
        if isinstance(value, bytes):
            value = value.decode("utf-8", "surrogateescape")
        try:
            if isinstance(value, str):
                text = value.strip()
                value = (
                    datetime.strptime(text, self.database.time_format)
                    if form == "text"
                    else datetime.fromisoformat(text)
                )
            if isinstance(value, datetime):
                zone = MYSQL_SESSION if form == "session" else CITY_TIME_ZONE
                return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(CITY_TIME_ZONE)
        except (ValueError, OverflowError):
            return None
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=CITY_TIME_ZONE)
        return None


def _as_text_in_sql(column: sa.ColumnClause[Any], kind: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """Return what is selected for a column: itself, unless what the server sends of its type is no text."""
    if isinstance(kind, mysql.BIT):
        # Bytes, of which one bit would be a control character.
        return (column + sa.literal_column("0")).label(str(column.name))
    if isinstance(kind, mysql.FLOAT):
        # The server writes six digits of it: 1234567 and 1234568 would both be 1234570.
        return (column + sa.literal_column("0e0")).label(str(column.name))
    if isinstance(kind, postgresql.ARRAY):
        return sa.cast(sa.func.to_json(column), sa.Text).label(str(column.name))
    return column


def _parameter(value: Any, kind: sa.types.TypeEngine[Any] | None = None) -> sa.BindParameter[Any]:
    """Return a parameter whose type the database finds out, unless one is given."""
    return sa.bindparam(None, value, unique=True, type_=sa.types.NullType() if kind is None else kind)


def _has_an_order_of_its_own(kind: sa.types.TypeEngine[Any]) -> bool:
    """Tell whether the server orders a type by the numbers of its words and compares it with a text by the words."""
    return isinstance(kind, mysql.ENUM | mysql.SET)


def _is_binary(kind: sa.types.TypeEngine[Any]) -> bool:
    return isinstance(kind, sa.types._Binary)


def _is_number(kind: sa.types.TypeEngine[Any]) -> bool:
    return isinstance(kind, sa.Integer | sa.Numeric | mysql.BIT)


def _after(keys: Sequence[sa.ColumnElement[Any]], values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that a key lies behind `values`, in terms that every database knows."""
    ways = [
        sa.and_(*(keys[same] == values[same] for same in range(place)), keys[place] > values[place])
        for place in range(len(keys))
    ]
    if len(keys) == 1:
        return ways[0]
    # The first term says nothing new: by it, the database finds where to begin in an index.
    return sa.and_(keys[0] >= values[0], sa.or_(*ways))


def _countable(row: tuple[Any, ...]) -> tuple[str, ...]:
    # Values such as lists cannot be counted as they are.
    return tuple(map(repr, row))


def _key_text(value: Any, column: str) -> str | None:
    text = text_of(value, column)
    return text if isinstance(text, str) else None


def _read(described: sa.types.TypeEngine[Any], text: str) -> Any:
    """Return a key's value from its text; None when it is none of the column's, which has changed since."""
    kind: type = type(None)
    with suppress(NotImplementedError):
        kind = described.python_type
    readers: Mapping[type, Callable[[str], Any]] = {
        int: int,
        Decimal: Decimal,
        float: float,
        datetime: datetime.fromisoformat,
        date: date.fromisoformat,
        UUID: UUID,
        str: str,
    }
    try:
        return readers[kind](text) if kind in readers else None
    except (ValueError, ArithmeticError):
        return None


def _described(inspector: sa.Inspector, table: str, schema: str) -> Sequence[Any]:
    """Return the columns of a table as the database describes them."""
    with warnings.catch_warnings():
        # Types of extensions that SQLAlchemy does not know are text to us.
        warnings.filterwarnings("ignore", message="Did not recognize type", category=exc.SAWarning)
        return inspector.get_columns(table, schema or None)


def _named(delivered: Sequence[str], feed_names: Iterable[str]) -> dict[str, str]:
    """Return the feed's name of every column; some databases change the case of names."""
    known = {name.casefold(): name for name in feed_names}
    folded = Counter(name.casefold() for name in delivered)
    return {name: name if folded[name.casefold()] > 1 else known.get(name.casefold(), name) for name in delivered}


def _is_distinct(
    connection: sa.Connection, inspector: sa.Inspector, table: str, schema: str | None, row_id: set[str]
) -> bool:
    """Tell whether the table itself keeps row ids apart."""
    if connection.dialect.name == "postgresql":
        # The key of a table binds its own rows, and not those of tables that inherit from it. Partitions are bound.
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
        # A view has no key, and not every dialect says so in the same way.
        return False
    unique = [
        index["column_names"]
        for index in indexes
        if index["unique"] and not any("where" in str(option) for option in index.get("dialect_options", {}))
    ]
    return any(columns and None not in columns and set(columns) <= row_id for columns in (primary, *unique))


def _is_text(value: Any) -> bool:
    if not isinstance(value, bytes | bytearray | memoryview):
        return True
    for encoding in ("utf-8", "gb18030"):
        try:
            return "\0" not in bytes(value).decode(encoding)
        except UnicodeDecodeError:
            continue
    return False


def _check_sorts(feed: SourceFeed, time_format: str) -> None:
    """Raise `ConfigurationError` when texts in this format do not sort as their times do."""
    directives = "".join(re.findall(r"%(.)", time_format))
    if not directives or not any(whole.startswith(directives) for whole in ("YmdHMSf", "YmdT", "FT")):
        raise ConfigurationError(
            f"{feed.name}: expected a time_format from the year down to the second, like %Y-%m-%d %H:%M:%S, got "
            f"{time_format!r}: other texts do not sort as times do."
        )


def _url(connection: str, address: str) -> sa.URL:
    try:
        url = sa.make_url(address)
        driver = _DRIVERS[url.get_backend_name()]
    except (exc.ArgumentError, ValueError, KeyError):
        raise _unreadable(connection) from None
    if "@" in (url.host or "") or "/" in (url.host or ""):
        raise _unreadable(connection)
    return url if "+" in url.drivername else url.set(drivername=driver)


def _unreadable(connection: str) -> ConfigurationError:
    return ConfigurationError(
        f"ZHENGKU_CONN_{connection.upper()} cannot be read. Expected <kind>://user:password@host:port/database with "
        f"one of the kinds {', '.join(_DRIVERS)}, and special characters in the password percent-encoded (@ as %40, / "
        "as %2F, # as %23, % as %25)."
    )


def _where(url: sa.URL, table: str) -> str:
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()} at {url.host or 'its local socket'}{port}/{url.database or ''}, table {table}"


def _connect_arguments(name: str) -> dict[str, Any]:
    """Return the driver's own words for our time-outs and for the city's time."""
    if name in ("mysql", "mariadb"):
        return {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "write_timeout": READ_SECONDS,
            "charset": "utf8mb4",
            # TIMESTAMP columns come in the time of the session; the summers of a named zone are ours to add.
            "init_command": f"set time_zone = '+08:00', lock_wait_timeout = {LOCK_SECONDS}",
        }
    if name in ("postgresql", "kingbase"):
        # Values are read as the texts that the server sends, whatever a role or a database is set to.
        forms = " -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=1" if name == "postgresql" else ""
        return {
            "connect_timeout": CONNECT_SECONDS,
            "options": f"-c timezone=Asia/Shanghai -c statement_timeout={READ_SECONDS}s"
            f" -c lock_timeout={LOCK_SECONDS}s{forms}",
            "keepalives_idle": 60,
            "keepalives_interval": 15,
            "keepalives_count": 4,
        }
    if name == "mssql":
        return {"timeout": CONNECT_SECONDS}
    if name == "oracle":
        return {"tcp_connect_timeout": CONNECT_SECONDS}
    return {}


def _set_up(name: str) -> Callable[[Any, Any], None]:
    def set_up(connection: Any, record: Any) -> None:
        if name == "mssql":
            connection.timeout = READ_SECONDS
        elif name == "oracle":
            connection.call_timeout = READ_SECONDS * 1000

    return set_up


def _begin(connection: sa.Connection) -> None:
    """Begin the one transaction of a reading; nothing is written, and its end is a rollback."""
    name = connection.dialect.name
    if name in ("mysql", "mariadb"):
        connection.execution_options(isolation_level="REPEATABLE READ")
        connection.exec_driver_sql(_MYSQL_BEGIN[-1])
    elif name == "postgresql":
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _verdict(name: str, error: exc.DBAPIError) -> tuple[bool, str]:
    """Tell whether another try would end the same, and the kind of the error: number and class."""
    origin: Any = error.orig
    first = origin.args[0] if origin is not None and origin.args else None
    kind = type(origin).__name__
    passing = error.connection_invalidated or isinstance(error, exc.OperationalError | exc.InterfaceError)
    if name in ("mysql", "mariadb") and isinstance(first, int):
        return first in _MYSQL_REFUSALS or not passing, f"{first} {kind}"
    code = getattr(first, "code", None)
    if name == "oracle" and isinstance(code, int):
        return code in _ORACLE_REFUSALS or not passing, f"{getattr(first, 'full_code', code)} {kind}"
    state = getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)
    if state is None and name == "mssql" and isinstance(first, str) and re.fullmatch(r"[0-9A-Z]{5}", first):
        state = first
    if state is not None:
        refused = state.startswith(_REFUSED_STATES) or not (passing or state.startswith(_PASSING_STATES))
        return refused and not state.startswith(_PASSING_STATES), f"{state} {kind}"
    # libpq gives no SQLSTATE for what it meets while it connects, only text.
    return not passing or bool(_REFUSED_LOGIN.search(str(origin))), kind
