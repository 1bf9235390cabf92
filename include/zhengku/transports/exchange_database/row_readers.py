"""How rows are fetched from a database: as the text that the server sends, wherever its driver allows that.

A driver that converts values to Python's times and numbers fails for some: `infinity`, a year of five digits or 24:00
would end a reading; and the others would be converted to text again. MySQL and MariaDB are read by asyncmy, whose
parser is in C; by PyMySQL where asyncmy is missing or the address has options that it does not know.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy import exc

from zhengku.clock import CITY_TIME_ZONE
from zhengku.landed.row_file import Converters
from zhengku.transports.exchange_database import session
from zhengku.transports.exchange_database.session import MYSQL_CHECK, Limit, check_mysql

log = logging.getLogger(__name__)

Row = tuple[Any, ...]

MYSQL_SESSION: Final = timezone(timedelta(hours=8))
"""The zone of our sessions at MySQL and MariaDB: fixed, since not every server has tables of named ones."""

_LOST: Final = 2013
_TIMESTAMP: Final = 7
_TIMESTAMPTZ: Final = 1184
# Asia/Shanghai had summer time in these years, which a fixed zone does not know.
_SUMMERS: Final = frozenset({b"1986", b"1987", b"1988", b"1989", b"1990", b"1991"})
_ZONE: Final = re.compile(r"[+-]\d\d(?::\d\d){0,2}(?=$| BC)")
_KNOWN_OPTIONS: Final = frozenset(
    {"unix_socket", "charset", "ssl_ca", "ssl_cert", "ssl_key", "ssl_capath", "ssl_cipher", "ssl_check_hostname"}
)
_CONNECT: Final = frozenset(
    {"host", "port", "user", "password", "database", "unix_socket", "charset", "ssl", "connect_timeout", "read_timeout"}
    | {"init_command"}
)


class RowReader:
    """Reads rows by SQLAlchemy, with the values that the driver returns.

    `converters` are those of the last query's columns, for `zhengku.landed.row_file.row_lines`.
    """

    sends: str = "values"
    """`text` or `bytes` where values are as the server sends them; `values` where the driver converts them."""

    def __init__(self, connection: sa.Connection) -> None:
        self.converters: Converters = {}
        self._connection = connection

    def fetch(self, query: sa.Select[Any]) -> Sequence[Row]:
        """Return all rows; raises what SQLAlchemy raises."""
        result = self._connection.execution_options(stream_results=False).execute(query)
        self._describe(result)
        # Every row is in memory already; SQLAlchemy's row objects would be second copies.
        assert result.cursor is not None
        rows = [tuple(row) for row in result] if self.sends == "values" else list(result.cursor.fetchall())
        result.close()
        return rows

    def ask(self, query: sa.Select[Any]) -> Callable[[], Sequence[Row]]:
        """Return a function that returns the rows of a query; they may be fetched before it is called."""
        return lambda: self.fetch(query)

    def stream(self, query: sa.Select[Any], size: int) -> Iterator[Sequence[Row]]:
        """Yield rows, at most `size` at a time; no more are in memory."""
        result = self._connection.execution_options(stream_results=True).execute(query)
        self._describe(result)
        driver = self._connection.connection.driver_connection
        parts = result.partitions(size)
        while True:
            with Limit(driver, session.READ_SECONDS):
                part = next(parts, None)
            if part is None:
                return
            yield [tuple(row) for row in part]

    def _describe(self, result: sa.CursorResult[Any]) -> None:
        assert result.cursor is not None
        self.converters = self._converters(result.cursor.description)

    def _converters(self, description: Sequence[Any]) -> Converters:
        return {}


class PostgresReader(RowReader):
    """Reads PostgreSQL by psycopg; all values but truth values and bytes are the server's text."""

    sends = "text"

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        driver: Any = connection.connection.driver_connection
        for kind in psycopg.postgres.types:
            for oid in (kind.oid, kind.array_oid):
                if oid and kind.name not in ("bool", "bytea"):
                    driver.adapters.register_loader(oid, psycopg.types.string.TextLoader)

    def _converters(self, description: Sequence[Any]) -> Converters:
        return {place: _without_zone for place, column in enumerate(description) if column[1] == _TIMESTAMPTZ}


class PyMysqlReader(RowReader):
    """Reads MySQL and MariaDB by PyMySQL; every value is the server's bytes."""

    sends = "bytes"

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        driver: Any = connection.connection.driver_connection
        driver.decoders = {}
        driver.use_unicode = False

    def _converters(self, description: Sequence[Any]) -> Converters:
        return _city_times(description)


class AsyncmyReader(RowReader):
    """Reads MySQL and MariaDB by asyncmy, over a connection and a transaction of its own; values are bytes.

    It works in a thread of its own, so that the server prepares the next page while the last one is written.
    """

    sends = "bytes"

    def __init__(self, connection: sa.Connection, arguments: Mapping[str, Any]) -> None:
        super().__init__(connection)
        self._arguments = arguments
        self._driver: Any = None
        self._runner = asyncio.Runner()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="asyncmy")

    def begin(self, statements: Sequence[str]) -> None:
        """Connect, check the session, and run the statements that begin the transaction; raises `SessionDiffers`."""
        from asyncmy import converters

        # Without the decoders of results; the encoders of parameters are needed.
        encoders = {kind: encoder for kind, encoder in converters.conversions.items() if not isinstance(kind, int)}

        async def connect() -> None:
            import asyncmy

            self._driver = await asyncmy.connect(**self._arguments, conv=encoders, use_unicode=False)
            async with self._driver.cursor() as cursor:
                await cursor.execute(MYSQL_CHECK)
                check_mysql(await cursor.fetchone())
                for text in statements:
                    await cursor.execute(text)

        self._start(connect, session.CONNECT_SECONDS)()

    def close(self) -> None:
        """Close the connection, in whatever state it is, after the work that was started has ended."""

        def close() -> None:
            if self._driver is not None:
                self._driver.close()
            self._runner.close()

        self._thread.submit(close).result()
        self._thread.shutdown()

    def fetch(self, query: sa.Select[Any]) -> Sequence[Row]:
        """Return all rows; raises what SQLAlchemy raises."""
        return self.ask(query)()

    def ask(self, query: sa.Select[Any]) -> Callable[[], Sequence[Row]]:
        """Start to fetch the rows of a query; the returned function waits for them and raises SQLAlchemy's errors."""
        text, parameters = self._compiled(query)

        async def fetch() -> Sequence[Row]:
            async with self._driver.cursor() as cursor:
                await cursor.execute(text, parameters)
                self.converters = _city_times(cursor.description)
                rows: Sequence[Row] = await cursor.fetchall()
                return rows

        return self._start(fetch)

    def stream(self, query: sa.Select[Any], size: int) -> Iterator[Sequence[Row]]:
        """Yield rows, at most `size` at a time; no more are in memory."""
        from asyncmy.cursors import SSCursor

        text, parameters = self._compiled(query)
        cursor: Any = self._driver.cursor(SSCursor)

        async def begin() -> None:
            await cursor.execute(text, parameters)
            self.converters = _city_times(cursor.description)

        async def part() -> Sequence[Row]:
            rows: Sequence[Row] = await cursor.fetchmany(size)
            return rows

        self._start(begin)()
        while rows := self._start(part)():
            yield rows
        self._start(cursor.close)()

    def _compiled(self, query: sa.Select[Any]) -> tuple[str, Mapping[str, Any]]:
        compiled = query.compile(dialect=self._connection.dialect, compile_kwargs={"render_postcompile": True})
        return compiled.string, compiled.params

    def _start(self, work: Callable[[], Any], seconds: float | None = None) -> Callable[[], Any]:
        """Start `work`, which may take so many seconds, by default those of a query, whatever bytes still arrive.

        The returned function waits for its result, and raises the driver's errors, a time-out too, as SQLAlchemy's.
        """
        from asyncmy.errors import Error, OperationalError

        seconds = session.READ_SECONDS if seconds is None else seconds

        async def within() -> Any:
            try:
                return await asyncio.wait_for(work(), seconds)
            except TimeoutError:
                raise OperationalError(_LOST, f"no complete answer within {seconds:g} s") from None

        running = self._thread.submit(lambda: self._runner.run(within()))

        def result() -> Any:
            try:
                return running.result()
            except Error as error:
                wrapped = exc.DBAPIError.instance(None, None, error, Error, hide_parameters=True)
            # Not chained: the driver's text may quote values.
            raise wrapped from None

        return result


@contextmanager
def open_row_reader(
    connection: sa.Connection, url: sa.URL, arguments: Mapping[str, Any], begin: Sequence[str]
) -> Iterator[RowReader]:
    """Open the reader for a connection, which is not used for anything else afterwards.

    `arguments` are those of its driver, `begin` the statements that begin a transaction on a connection of asyncmy.
    """
    driver = connection.dialect.driver
    if connection.dialect.name == "postgresql" and driver == "psycopg":
        yield PostgresReader(connection)
    elif driver == "pymysql":
        asyncmy_arguments = _asyncmy_arguments(connection, url, arguments)
        if asyncmy_arguments is None:
            yield PyMysqlReader(connection)
            return
        reader = AsyncmyReader(connection, asyncmy_arguments)
        # The department's server has only one connection of ours at a time.
        connection.close()
        try:
            reader.begin(begin)
            yield reader
        finally:
            reader.close()
    else:
        yield RowReader(connection)


def _asyncmy_arguments(connection: sa.Connection, url: sa.URL, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments of asyncmy's connection; None where PyMySQL has to read."""
    try:
        import asyncmy  # noqa: F401
    except ImportError:
        log.info("asyncmy is not installed: rows are read by PyMySQL, which takes several times as long.")
        return None
    if foreign := set(url.query) - _KNOWN_OPTIONS:
        log.info("Rows are read by PyMySQL: asyncmy does not know %s of the address.", ", ".join(sorted(foreign)))
        return None
    _, known = connection.dialect.create_connect_args(url)
    return {name: value for name, value in {**known, **arguments}.items() if name in _CONNECT}


def _city_times(description: Sequence[Any]) -> Converters:
    return {place: _to_city_time for place, column in enumerate(description) if column[1] == _TIMESTAMP}


def _to_city_time(values: Sequence[Any]) -> Sequence[Any]:
    """Convert TIMESTAMPs of `MYSQL_SESSION` to times of Asia/Shanghai."""
    if _SUMMERS.isdisjoint({value[:4] for value in values if value is not None}):
        return values
    return [value if value is None or value[:4] not in _SUMMERS else _in_summer(value) for value in values]


def _in_summer(value: bytes) -> bytes:
    moment = datetime.fromisoformat(value.decode()).replace(tzinfo=MYSQL_SESSION).astimezone(CITY_TIME_ZONE)
    # The fraction, as many digits as the column has, stays as it is.
    return moment.strftime("%Y-%m-%d %H:%M:%S").encode() + value[19:]


def _without_zone(values: Sequence[Any]) -> Sequence[Any]:
    """Remove the offset from texts that are times of Asia/Shanghai, the zone of the session."""
    return [None if value is None else _ZONE.sub("", value) for value in values]
