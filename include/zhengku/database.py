"""The PostgreSQL server (15 or newer): connections, the statements of `sql/`, and the schema's migrations."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import psycopg
from psycopg import sql

from zhengku.errors import StorageFull, StoreUnavailable
from zhengku.settings import project_home

OLDEST_SERVER = 150000
"""`server_version_num` of PostgreSQL 15, the first with MERGE."""


SESSION_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "timezone=Asia/Shanghai",
        # Compiling costs more than it saves in statements of a few seconds.
        "jit=off",
        # Joins and sorts by key of a million rows stay in memory.
        "work_mem=128MB",
        "maintenance_work_mem=256MB",
        # The planner thinks handing rows over costly beside computing them; with our statements it is the other way
        # round. Small tables are not read in parallel all the same (min_parallel_table_scan_size).
        "parallel_setup_cost=0",
        "parallel_tuple_cost=0",
        # A worker whose machine vanished keeps no lock for longer than two minutes.
        "tcp_keepalives_idle=60",
        "tcp_keepalives_interval=15",
        "tcp_keepalives_count=4",
    )
)
"""Options of every session of ours, as libpq takes them."""


def _one_line(error: BaseException) -> str:
    """Return the first line of a driver's message: the rest may quote values of a row."""
    return str(error).strip().split("\n", 1)[0]


@contextmanager
def store_connection(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Open a connection to the license store; commit at the end, roll back when an exception passes.

    `url` is a SQLAlchemy address. Raises `StoreUnavailable` when the server cannot be reached, refuses the login, or
    is older than PostgreSQL 15; `StorageFull` when it runs out of space.
    """
    conninfo = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        target = psycopg.conninfo.conninfo_to_dict(conninfo)
    except psycopg.Error as error:
        raise StoreUnavailable(
            f"ZHENGKU_DATABASE_URL cannot be read ({_one_line(error)}). Expected postgresql://user:password@host:5432/name."
        ) from None
    where = f"{target.get('host', 'local socket')}:{target.get('port', 5432)}/{target.get('dbname', '')}"
    try:
        connection = psycopg.connect(conninfo, application_name="zhengku", options=SESSION_OPTIONS, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise StoreUnavailable(
            f"The license store at {where} (user {target.get('user', '')}) cannot be used: {_one_line(error)}. "
            "Check that the server runs and that ZHENGKU_DATABASE_URL has the right user, password and database."
        ) from error
    try:
        with connection:
            if connection.info.server_version < OLDEST_SERVER:
                raise StoreUnavailable(
                    f"The license store at {where} is PostgreSQL {connection.info.server_version // 10000}; "
                    "15 or newer is needed. Point ZHENGKU_DATABASE_URL at a newer server."
                )
            yield connection
    except psycopg.errors.DiskFull as error:
        raise StorageFull(
            f"The license store at {where} has no space left ({_one_line(error)}); nothing of this step was written. "
            "Free space on the server and run it again."
        ) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName) as error:
        # Staging tables are another matter: their absence is a fault.
        if not re.search(r"\b(ledger|store|quarantine|clean|rules)\b", _one_line(error)):
            raise
        raise StoreUnavailable(
            f"The license store at {where} is not set up for this release ({_one_line(error)}). "
            "Run `zhengku db upgrade` first."
        ) from error
    except (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown, psycopg.errors.CannotConnectNow) as error:
        raise StoreUnavailable(
            f"The license store at {where} went away: {_one_line(error)}. This step was rolled back; run it again."
        ) from error
    except psycopg.OperationalError as error:
        if not connection.closed:
            raise
        raise StoreUnavailable(
            f"The connection to the license store at {where} was lost: {_one_line(error)}. "
            "This step was rolled back; run it again."
        ) from error


@cache
def statement(name: str) -> sql.SQL:
    """Return the statement `sql/<name>.sql`, for instance `load/classify`; it takes named parameters (`%(name)s`)."""
    text = (project_home() / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    return sql.SQL(cast(Any, text))


def batch_schema(batch_id: int) -> str:
    """Name of the schema in which a batch is staged."""
    return f"batch_{batch_id}"


def use_batch_schema(connection: psycopg.Connection[Any], batch_id: int) -> None:
    """Let the statements of this transaction find the batch's staging tables by their bare names."""
    connection.execute(sql.SQL("set local search_path = {}, pg_temp").format(sql.Identifier(batch_schema(batch_id))))


def upgrade(url: str) -> None:
    """Bring the schema of the license store to the newest migration and the SQL functions up to date.

    Safe to repeat and to run from two places at once. Raises `StoreUnavailable` like `store_connection`.
    """
    # Alembic and SQLAlchemy take a second to import: the other commands do not need them.
    import sqlalchemy
    from alembic import command
    from alembic.config import Config

    with store_connection(url) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('zhengku.upgrade', 0))")
        connection.execute("create schema if not exists ledger")
        connection.commit()
        engine = sqlalchemy.create_engine(url)
        try:
            with engine.begin() as migration_connection:
                config = Config()
                config.set_main_option("script_location", str(project_home() / "sql" / "migrations"))
                config.attributes["connection"] = migration_connection
                command.upgrade(config, "head")
        finally:
            engine.dispose()
        for path in sorted((project_home() / "sql" / "functions").glob("*.sql")):
            connection.execute(cast(Any, path.read_bytes()))
