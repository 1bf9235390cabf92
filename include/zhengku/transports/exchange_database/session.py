"""Sessions of exchange databases: what is set on every connection and checked, and how long one wait may take."""

import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, Final

from zhengku.postgres_session import (
    FORM_SETTINGS,
    VALUE_SETTINGS,
    SessionDiffers,
    libpq_arguments,
    set_session,
)

CONNECT_SECONDS: Final = 10
"""Limit for reaching the server and logging in."""

READ_SECONDS: Final = 300
"""Limit for the answer to one query, with all its rows, or for one page of a streamed one."""

LOCK_SECONDS: Final = 60
"""Limit for waiting for a lock, for instance while somebody alters the table."""

POSTGRES_SETTINGS: Final = {
    **VALUE_SETTINGS,
    "statement_timeout": f"{READ_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
}
"""The search path stays that of the department: it says where the feed's table is."""

MYSQL_SETTINGS: Final[dict[str, str | int]] = {
    # TIMESTAMP columns arrive in the time of the session; we add the summer time of Asia/Shanghai ourselves.
    "time_zone": "+08:00",
    # Blanks of CHAR, backslashes and quotes as usual, whatever the server is set to; a value that is too long for a
    # table of returns is refused.
    "sql_mode": "STRICT_TRANS_TABLES",
    "character_set_client": "utf8mb4",
    "character_set_connection": "utf8mb4",
    "character_set_results": "utf8mb4",
    # The server would return so many rows and no error.
    "sql_select_limit": 2**64 - 1,
    "sql_auto_is_null": 0,
    "sql_safe_updates": 0,
    "lock_wait_timeout": LOCK_SECONDS,
    # While a page is written to the landing area, the next one waits in the network.
    "net_write_timeout": READ_SECONDS,
}

MYSQL_CHECK: Final = "select " + ", ".join(f"@@session.{name}" for name in MYSQL_SETTINGS)
"""The query whose row `check_mysql` compares with what was set."""


def connect_arguments(backend: str, address: Mapping[str, Any]) -> dict[str, Any]:
    """Return the driver's arguments for our time-outs, and for what has to be set while it connects.

    `address` has the options of the address. Raises `SessionDiffers` where the environment names another server.
    """
    if backend in ("mysql", "mariadb"):
        return {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "write_timeout": READ_SECONDS,
            "charset": "utf8mb4",
            "init_command": "set "
            + ", ".join(f"@@session.{name} = {value!r}" for name, value in MYSQL_SETTINGS.items()),
        }
    if backend in ("postgresql", "kingbase"):
        return {**libpq_arguments(address), "connect_timeout": CONNECT_SECONDS}
    if backend == "mssql":
        return {"timeout": CONNECT_SECONDS}
    if backend == "oracle":
        return {"tcp_connect_timeout": CONNECT_SECONDS}
    return {}


def open_session(dialect: Any, arguments: Sequence[Any], named_arguments: Mapping[str, Any]) -> Any:
    """Connect with a dialect's driver within `CONNECT_SECONDS`, set the session, and return the driver's connection.

    Raises `SessionDiffers`, and the errors of the driver.
    """
    if dialect.driver == "pymysql":
        # Its own limit is for each packet's arrival, and the socket is only known after the connection was made.
        connection = dialect.connect(*arguments, **named_arguments, defer_connect=True)
        with Limit(connection, CONNECT_SECONDS):
            connection.connect()
    else:
        connection = dialect.connect(*arguments, **named_arguments)
    try:
        with Limit(connection, CONNECT_SECONDS):
            _set(dialect.name, connection)
    except BaseException:
        with suppress(Exception), Limit(connection, CONNECT_SECONDS):
            connection.close()
        raise
    return connection


def _set(backend: str, connection: Any) -> None:
    if backend == "postgresql":
        set_session(connection, {**POSTGRES_SETTINGS, **FORM_SETTINGS})
    elif backend == "kingbase":
        set_session(connection, POSTGRES_SETTINGS)
    elif backend in ("mysql", "mariadb"):
        with closing(connection.cursor()) as cursor:
            cursor.execute("set session transaction read write")
            cursor.execute(MYSQL_CHECK)
            check_mysql(cursor.fetchone())
        connection.rollback()
    elif backend == "mssql":
        connection.timeout = READ_SECONDS
    elif backend == "oracle":
        connection.call_timeout = READ_SECONDS * 1000


def check_mysql(row: Sequence[Any]) -> None:
    """Raise `SessionDiffers` when the row of `MYSQL_CHECK` is not what was set."""
    for (name, expected), value in zip(MYSQL_SETTINGS.items(), row, strict=True):
        came = value.decode() if isinstance(value, bytes) else str(value)
        if came != str(expected):
            raise SessionDiffers(
                f"expected {name} to be {expected} for the session, it is {came} right after it was set. Connect to "
                "the server itself, or to a proxy that gives each client a session of its own"
            )


class Limit:
    """Ends what is done with a driver's connection when it takes longer than `seconds`, whatever bytes still arrive.

    The time-outs of drivers and of libpq are for each wait, or are kept by the server. Here the socket is shut down, so
    that the driver raises its error of a lost connection. Drivers that show no socket are not limited.
    """

    def __init__(self, connection: Any, seconds: float) -> None:
        self._timer = threading.Timer(seconds, _shut_down, [connection])
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _shut_down(connection: Any) -> None:
    number = _descriptor(connection)
    if number is None:
        return
    # The connection may be closed by its own thread meanwhile.
    with suppress(OSError), socket.socket(fileno=os.dup(number)) as same:
        same.shutdown(socket.SHUT_RDWR)


def _descriptor(connection: Any) -> int | None:
    """Return the number of a connection's socket; None where the driver shows none or it is closed."""
    of_pymysql = getattr(connection, "_sock", None)
    find: Callable[[], Any] | None = getattr(of_pymysql or connection, "fileno", None)
    if find is None:
        return None
    try:
        number = find()
    except Exception:  # noqa: BLE001 - psycopg, psycopg2 and PyMySQL raise errors of their own for a closed connection
        return None
    return number if isinstance(number, int) and number >= 0 else None
