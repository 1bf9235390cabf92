"""Connections to an exchange database: its address, its driver with our time-outs, and its errors as one clear line."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc

from zhengku.errors import ConfigurationError, DeliveryUnavailable, SourceRefused, ZhengkuError
from zhengku.postgres_session import SessionDiffers
from zhengku.transports.exchange_database import session
from zhengku.transports.exchange_database.driver_errors import classify_error
from zhengku.transports.exchange_database.session import Limit, connect_arguments, open_session

MYSQL_BEGIN: Final = (
    "set session transaction isolation level repeatable read",
    "start transaction with consistent snapshot, read only",
)
"""Statements that begin the transaction of a reading on MySQL and MariaDB."""

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
_EXTRAS: Final = {
    "mysql": "mysql",
    "mariadb": "mysql",
    "mssql": "sqlserver",
    "oracle": "oracle",
    "dm": "dameng",
    "kingbase": "kingbase",
}


class ExchangeServer:
    """The server that a connection's address names.

    `url` is the address with its driver, `shown` names server, database and `table` without a login, for messages.
    Raises `ConfigurationError` for an address that cannot be read.
    """

    def __init__(self, connection_id: str, address: str, table: str) -> None:
        self._connection_id = connection_id
        self.url: Final = _url(connection_id, address)
        self.shown: Final = _shown(self.url, table)

    def check_driver(self) -> None:
        """Raise `ConfigurationError` where the address's driver is not installed or refuses the address."""
        self._engine().dispose()

    @contextmanager
    def connect(self, begin: Callable[[sa.Connection], None] | None = None) -> Iterator[sa.Connection]:
        """Connect to the database; `begin`, where given, begins the transaction.

        Raises `SourceRefused`, `DeliveryUnavailable` and `ConfigurationError` in place of the errors of driver and
        SQLAlchemy.
        """
        engine = self._engine()
        try:
            connection = engine.connect()
            try:
                _end_query(connection)
                if begin is not None:
                    begin(connection)
                yield connection
            finally:
                _close(connection)
        # Messages of drivers may quote values and passwords: they are not chained, and shown only where they cannot.
        except exc.DBAPIError as error:
            raise self._readable_error(error) from None
        except SessionDiffers as error:
            raise SourceRefused(f"{self.shown}: {error}.") from None
        except exc.NoSuchTableError:
            raise SourceRefused(
                f"{self.shown}: expected a table or view of that name, and there is none, or the user may not see it. "
                "Correct the feed's table, or ask the department for the right to read it."
            ) from None
        except (exc.SQLAlchemyError, UnicodeDecodeError, NotImplementedError) as error:
            raise SourceRefused(
                f"{self.shown} cannot be read ({type(error).__name__}). Check that the address names the right kind "
                "of database and its character set."
            ) from None
        finally:
            engine.dispose()

    def connect_arguments(self) -> dict[str, Any]:
        """Return the arguments of the driver; raises `ConfigurationError` where the environment contradicts them."""
        try:
            return connect_arguments(self.url.get_backend_name(), self.url.query)
        except SessionDiffers as error:
            raise ConfigurationError(f"{self.shown}: {error}.") from None

    def _engine(self) -> sa.Engine:
        backend = self.url.get_backend_name()
        if backend == "kingbase":
            import_module("zhengku.transports.exchange_database.kingbase")
        try:
            engine = sa.create_engine(
                self.url,
                poolclass=sa.NullPool,
                hide_parameters=True,
                connect_args=self.connect_arguments(),
            )
        except (exc.NoSuchModuleError, ModuleNotFoundError):
            extra = _EXTRAS.get(backend)
            fix = f"Install it: pip install 'zhengku[{extra}]'." if extra else "Install psycopg."
            raise ConfigurationError(
                f"{self.shown}: the driver {self.url.drivername} is not installed. {fix}"
            ) from None
        except exc.ArgumentError:
            raise _unreadable_address(self._connection_id) from None
        sa.event.listen(engine, "do_connect", _connect)
        sa.event.listen(engine, "before_cursor_execute", _begin_query)
        sa.event.listen(engine, "after_cursor_execute", _end_query)
        sa.event.listen(engine, "handle_error", _end_failed_query)
        return engine

    def _readable_error(self, error: exc.DBAPIError) -> ZhengkuError:
        """Return the error that is shown in place of a driver's, with the server's words where they hold no value."""
        found = classify_error(self.url.get_backend_name(), error, self.url.password)
        if isinstance(error, exc.DataError):
            return SourceRefused(
                f"{self.shown} has a value that cannot be read or compared ({found.kind}), such as a time beyond the "
                "year 9999. Ask the department to correct it, or for a view that casts its column to text."
            )
        if found.is_refusal:
            return SourceRefused(
                f"{self.shown} refused (user {self.url.username or 'none'}, {found}). Check user, password, database "
                f"and table in ZHENGKU_CONN_{self._connection_id.upper()} and the feed, and that the user may "
                "read the table (write to it, where problem records are returned by it)."
            )
        return DeliveryUnavailable(
            f"{self.shown} cannot be read now ({found}): the server is down, the connection was lost, or it took too "
            "long. Nothing was kept; run it again, and ask the department if it stays so."
        )


def begin_reading(connection: sa.Connection) -> None:
    """Begin the one transaction of a reading; it writes nothing and ends with a rollback."""
    name = connection.dialect.name
    if name in ("mysql", "mariadb"):
        connection.execution_options(isolation_level="REPEATABLE READ")
        connection.exec_driver_sql(MYSQL_BEGIN[-1])
    elif name == "postgresql":
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _connect(dialect: Any, record: Any, arguments: Sequence[Any], named_arguments: Mapping[str, Any]) -> Any:
    connection = open_session(dialect, arguments, named_arguments)
    # SQLAlchemy asks for version and settings before its events are in force.
    record.info["limit"] = Limit(connection, session.CONNECT_SECONDS)
    record.info["limit"].__enter__()
    return connection


def _begin_query(connection: sa.Connection, *_: Any) -> None:
    limit = Limit(connection.connection.driver_connection, session.READ_SECONDS)
    connection.info["limit"] = limit
    limit.__enter__()


def _end_query(connection: sa.Connection, *_: Any) -> None:
    if (limit := connection.info.pop("limit", None)) is not None:
        limit.__exit__()


def _end_failed_query(context: sa.ExceptionContext) -> None:
    if context.connection is not None and not context.connection.closed:
        _end_query(context.connection)


def _close(connection: sa.Connection) -> None:
    """Roll back and close; what the server still sends of a query that was given up is not waited for."""
    if connection.closed or connection.invalidated:
        connection.close()
    else:
        with Limit(connection.connection.driver_connection, session.CONNECT_SECONDS):
            connection.close()


def _url(connection_id: str, address: str) -> sa.URL:
    try:
        url = sa.make_url(address)
        driver = _DRIVERS[url.get_backend_name()]
    except (exc.ArgumentError, ValueError, KeyError):
        raise _unreadable_address(connection_id) from None
    if "@" in (url.host or "") or "/" in (url.host or ""):
        raise _unreadable_address(connection_id)
    return url if "+" in url.drivername else url.set(drivername=driver)


def _unreadable_address(connection_id: str) -> ConfigurationError:
    return ConfigurationError(
        f"ZHENGKU_CONN_{connection_id.upper()} cannot be read. Expected <kind>://user:password@host:port/database with "
        f"one of the kinds {', '.join(_DRIVERS)}, and special characters in the password percent-encoded (@ as %40, / "
        "as %2F, # as %23, % as %25)."
    )


def _shown(url: sa.URL, table: str) -> str:
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()} at {url.host or 'its local socket'}{port}/{url.database or ''}, table {table}"
