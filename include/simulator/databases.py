"""The exchange databases (前置库) of the departments that have one, on a MariaDB, MySQL or PostgreSQL that is given."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from simulator.model import IMPOSSIBLE_TIME, SourceRow, SourceSystem, TablePlace, Value

TIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S"
PREFIX: Final = "zhengku_sim_"

_ROWS_AT_ONCE: Final = 5_000
_BIT: Final = sa.Text().with_variant(mysql.BIT(1), "mysql", "mariadb").with_variant(postgresql.BIT(1), "postgresql")
_KINDS: Final[dict[str, Any]] = {"bit": _BIT, "bytes": sa.LargeBinary}
_NO_TIME: Final = "0000-00-00 00:00:00"
"""The value that MySQL stores for a blank time, where its mode allows it."""
_LAST_TIME: Final = "9999-12-31 23:59:59.999"


def create_database(server_url: str, name: str) -> str:
    """Create the database zhengku_sim_<name> anew on a server, and return its address.

    `server_url` is an address as SQLAlchemy takes it, of a user who may create databases.
    """
    full_name = PREFIX + name
    with _administrator(server_url) as connection:
        quoted = connection.dialect.identifier_preparer.quote(full_name)
        _drop(connection, quoted)
        # Old exchange databases compare text case-insensitively; this is the servers' own default.
        settings = "" if connection.dialect.name == "postgresql" else " character set utf8mb4"
        connection.exec_driver_sql(f"create database {quoted}{settings}")
    return sa.make_url(server_url).set(database=full_name).render_as_string(hide_password=False)


def drop_database(url: str) -> None:
    """Drop a database that `create_database` made; raises `ValueError` for the address of any other."""
    name = sa.make_url(url).database or ""
    if not name.startswith(PREFIX):
        raise ValueError(f"Expected a database of the simulator ({PREFIX}…), got {name!r}: it is not dropped.")
    with _administrator(url) as connection:
        _drop(connection, connection.dialect.identifier_preparer.quote(name))


@contextmanager
def _administrator(url: str) -> Iterator[sa.Connection]:
    address = sa.make_url(url)
    database = "postgres" if address.get_backend_name() == "postgresql" else ""
    engine = sa.create_engine(address.set(database=database), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


def _drop(connection: sa.Connection, quoted: str) -> None:
    force = " with (force)" if connection.dialect.name == "postgresql" else ""
    connection.exec_driver_sql(f"drop database if exists {quoted}{force}")


def fill(url: str, system: SourceSystem, rows_now: Sequence[SourceRow], added: Sequence[SourceRow]) -> int:
    """Bring the table of `system` to `rows_now`, of which `added` are new since the last time; return its rows.

    A table that has all rows but `added` gets these appended, as departments do; rows among them that the table has are
    replaced. Any other table is created anew: on the first night, or when nights are published again. A whole register
    is replaced in one transaction, so that a concurrent reader finds the old one or the new one.

    Raises `TypeError` for a system without a table, `ValueError` for a row whose own number is no number.
    """
    place = system.place
    if not isinstance(place, TablePlace):
        raise TypeError(f"{system.name}: expected a system with a table, got {type(place).__name__}.")
    table = _table(system, place)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    exists = sa.inspect(engine).has_table(place.table)
    count = sa.select(sa.func.count()).select_from(table)
    with engine.begin() as connection:
        if place.whole and exists:
            connection.execute(table.delete())
            _insert(connection, table, system, rows_now)
        elif (
            exists
            and _take_out(connection, table, system, added)
            and connection.scalar(count) == len(rows_now) - len(added)
        ):
            _insert(connection, table, system, added)
        else:
            table.drop(connection, checkfirst=True)
            table.create(connection)
            _insert(connection, table, system, rows_now)
        return connection.scalar(count) or 0


def _take_out(connection: sa.Connection, table: sa.Table, system: SourceSystem, rows: Sequence[SourceRow]) -> bool:
    """Delete the rows that the table has; return True."""
    number = table.c[system.row_id or ""]
    newest = connection.scalar(sa.select(sa.func.max(number))) or 0
    there = [{"gone": int(row.row_id)} for row in rows if int(row.row_id) <= newest]
    if there:
        connection.execute(table.delete().where(number == sa.bindparam("gone")), there)
    return True


def _table(system: SourceSystem, place: TablePlace) -> sa.Table:
    # A plain DATETIME cuts off tenths of a second, so newer departments use milliseconds.
    moment = (
        sa.DateTime()
        .with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
        .with_variant(postgresql.TIMESTAMP(precision=3), "postgresql")
    )

    def column(name: str) -> sa.Column[Any]:
        if name == system.row_id:
            return sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)
        if name == system.time_column:
            return sa.Column(name, sa.String(32) if place.time_as_text else moment)
        if kinds[name] != "text":
            return sa.Column(name, _KINDS[kinds[name]])
        return sa.Column(name, sa.String(8) if name == system.operation_column else sa.Text)

    kinds = {each.name: each.kind for each in system.columns}
    table = sa.Table(place.table, sa.MetaData(), *map(column, system.column_names))
    if system.time_column and system.row_id:
        # Without a name, so that the server shortens a long one.
        sa.Index(None, table.c[system.time_column], table.c[system.row_id])
    return table


def _insert(connection: sa.Connection, table: sa.Table, system: SourceSystem, rows: Iterable[SourceRow]) -> None:
    assert isinstance(system.place, TablePlace)
    real_time = None if system.place.time_as_text else system.time_column
    kinds = {column.name: column.kind for column in system.columns}
    is_mysql = connection.dialect.name in ("mysql", "mariadb")
    if is_mysql:
        # Otherwise MySQL refuses an invalid time.
        connection.exec_driver_sql("set sql_mode = ''")
    odd_times: dict[datetime | None, str] = (
        {None: _NO_TIME, IMPOSSIBLE_TIME: _LAST_TIME} if is_mysql else {IMPOSSIBLE_TIME: "infinity"}
    )

    def stored(row: SourceRow, name: str) -> Value | bytes:
        value = row.values.get(name)
        if name == real_time and row.changed_at in odd_times:
            return odd_times[row.changed_at]
        if kinds[name] == "bytes":
            return bytes.fromhex(str(value))
        if kinds[name] == "bit" and is_mysql:
            # PostgreSQL accepts a text of digits for a bit, MySQL would take the bits of the text.
            return int(str(value))
        return _stored(value, name, system, real_time)

    values = ({name: stored(row, name) for name in system.column_names} for row in rows)
    while part := list(islice(values, _ROWS_AT_ONCE)):
        connection.execute(table.insert(), part)


def _stored(value: Value, name: str, system: SourceSystem, real_time: str | None) -> Value:
    if value is None:
        return None
    if name == system.row_id:
        return int(str(value))
    if name == real_time:
        return value if isinstance(value, datetime) else datetime.strptime(str(value), TIME_FORMAT)
    return value.strftime(TIME_FORMAT) if isinstance(value, datetime) else str(value)
