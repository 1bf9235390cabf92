"""The PostgreSQL server (15 or newer): connections, the statements of `sql/`, and the schema's migrations."""

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import psycopg
from psycopg import sql

from zhengku.errors import StorageFull, StoreError, StoreUnavailable, ZhengkuError
from zhengku.settings import sql_folder

OLDEST_SERVER = 150000
"""`server_version_num` of PostgreSQL 15, the first with MERGE."""

_NAME_LINE = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)

SESSION_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "timezone=Asia/Shanghai",
        # The database's own: `clean.bytes_of` reads bytes as they are sent.
        "client_encoding=UTF8",
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


def _target(url: str) -> dict[str, Any]:
    """Return the parts of an address as libpq reads them.

    Raises `StoreUnavailable` when it cannot be read, or a password that is not encoded was taken for something else.
    The message holds no part of the address: any may be a piece of the password.
    """
    try:
        target = psycopg.conninfo.conninfo_to_dict(url.replace("postgresql+psycopg://", "postgresql://", 1))
    except psycopg.Error:
        target = None
    if (
        target is None
        or not all(re.fullmatch(r"/.*|[\w.:%-]*", host) for host in str(target.get("host", "")).split(","))
        or not re.fullmatch(r"[\d,]*", str(target.get("port", "")))
        or re.search(r"[@/]", str(target.get("dbname", "")))
    ):
        raise StoreUnavailable(
            "ZHENGKU_DATABASE_URL cannot be read. Expected postgresql://user:password@host:5432/name, with special "
            "characters in the password percent-encoded (@ as %40, / as %2F, # as %23, ? as %3F, % as %25)."
        )
    return target


def _place(target: dict[str, Any]) -> str:
    return f"{target.get('host', 'local socket')}:{target.get('port', 5432)}/{target.get('dbname', '')}"


def _described(error: psycopg.Error) -> str:
    """Say what the server refused without a value of a row: messages of SQLSTATE classes 22 and 23 may quote one."""
    kind = " ".join(part for part in (error.sqlstate, type(error).__name__) if part)
    if isinstance(error, (psycopg.DataError, psycopg.IntegrityError)) or (error.sqlstate or "")[:2] in ("22", "23"):
        places = (("table", error.diag.table_name), ("constraint", error.diag.constraint_name))
        return ", ".join([kind, *(f"{what} {name}" for what, name in places if name)])
    return f"{kind}: {_one_line(Exception(error.diag.message_primary or error))}"


def _told(error: psycopg.Error, where: str, *, lost: bool) -> ZhengkuError:
    """Return the error that a person meets for one of the driver; `lost` when the connection is broken."""
    if isinstance(error, psycopg.errors.DiskFull):
        return StorageFull(
            f"The license store at {where} has no space left ({_described(error)}); nothing of this step was written. "
            "Free space on the server and run it again."
        )
    if lost or (error.sqlstate or "").startswith(("08", "57P0")):
        return StoreUnavailable(
            f"The connection to the license store at {where} was lost: {_described(error)}. "
            "This step was rolled back; run it again."
        )
    # Staging tables are another matter: their absence is a fault.
    if isinstance(
        error, (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName)
    ) and re.search(r"\b(ledger|store|quarantine|clean|rules)\b", _one_line(error)):
        return StoreUnavailable(
            f"The license store at {where} is not set up for this release ({_described(error)}). "
            "Run `zhengku db upgrade` first."
        )
    return StoreError(
        f"The license store at {where} refused a statement: {_described(error)}. "
        "This step was rolled back; run it again, and report this line if it comes back."
    )


@contextmanager
def store_connection(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Open a connection to the license store; commit at the end, roll back when an exception passes.

    `url` is a SQLAlchemy address. Raises `StoreUnavailable` when the address cannot be read, the server cannot be
    reached, refuses the login, goes away, or is older than PostgreSQL 15; `StorageFull` when it runs out of space;
    `StoreError` for every other error of the database. None is chained to the driver's, which may quote a row.
    """
    target = _target(url)
    where = _place(target)
    try:
        connection = psycopg.connect(
            url.replace("postgresql+psycopg://", "postgresql://", 1),
            application_name="zhengku",
            options=SESSION_OPTIONS,
            connect_timeout=10,
        )
    except psycopg.Error as error:
        raise StoreUnavailable(
            f"The license store at {where} (user {target.get('user', '')}) cannot be used: {_one_line(error)}. "
            "Check that the server runs and that ZHENGKU_DATABASE_URL has the right user, password and database."
        ) from None
    with connection:
        if connection.info.server_version < OLDEST_SERVER:
            raise StoreUnavailable(
                f"The license store at {where} is PostgreSQL {connection.info.server_version // 10000}; "
                "15 or newer is needed. Point ZHENGKU_DATABASE_URL at a newer server."
            )
        # `with connection` closes it: whether it broke can be told only before.
        try:
            yield connection
            connection.commit()
        except psycopg.Error as error:
            raise _told(error, where, lost=connection.broken) from None


def statement(name: str) -> sql.SQL:
    """Return the statement `<folder>/<file>.<name>`: `load/merge.keep_history` is that name's in `sql/load/merge.sql`.

    It takes named parameters (`%(name)s`). Raises `LookupError`, with the nearest names, when there is none.
    """
    file, _, wanted = name.rpartition(".")
    text = statements_of(file).get(wanted)
    if text is None:
        raise LookupError(_unknown_statement(file, wanted))
    return sql.SQL(cast(Any, text))


@cache
def statements_of(file: str) -> dict[str, str]:
    """Return the statements of `sql/<file>.sql` by name; none when there is no such file.

    A `-- name: …` line begins a statement, and its last semicolon ends it. Each file is read once; an entry that is
    replaced stands for every later `statement` of that name.
    """
    path = sql_folder() / f"{file}.sql"
    if not path.is_file():
        return {}
    _, *parts = _NAME_LINE.split(path.read_text(encoding="utf-8"))
    found = {}
    for name, part in zip(parts[::2], parts[1::2], strict=True):
        # A comment for the linter may stand behind the semicolon.
        text, _, comment = part.rpartition(";")
        found[name] = f"{text}{comment.rstrip()}\n"
    return found


def statement_names() -> list[str]:
    """Return the names of all statements, as `statement` takes them."""
    folder = sql_folder()
    files = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob("*/*.sql"))
    return [f"{file}.{name}" for file in files for name in statements_of(file)]


def _unknown_statement(file: str, wanted: str) -> str:
    known = statement_names()
    elsewhere = [name for name in known if name.rpartition(".")[2] == wanted]
    near = elsewhere or difflib.get_close_matches(f"{file}.{wanted}", known)
    place = f"sql/{file}.sql {'has no such name' if statements_of(file) else 'is not there'}"
    return f"There is no statement {wanted!r} in {file!r}: {place}. Nearest: {', '.join(near) or 'none'}."


def batch_schema(batch_id: int) -> str:
    """Name of the schema in which a batch is staged."""
    return f"batch_{batch_id}"


def use_batch_schema(connection: psycopg.Connection[Any], batch_id: int) -> None:
    """Let the statements of this transaction find the batch's staging tables by their bare names."""
    use_schema(connection, batch_schema(batch_id))


def use_schema(connection: psycopg.Connection[Any], schema: str) -> None:
    """Let the statements of this transaction find the staging tables in a schema by their bare names."""
    connection.execute(sql.SQL("set local search_path = {}, pg_temp").format(sql.Identifier(schema)))


def upgrade(url: str) -> dict[str, int]:
    """Bring the schema of the license store to the newest migration and the SQL functions up to date.

    Returns how many keys of records it changed or left for a person to look at, by outcome; `ledger.rekeyed_record` has
    them one by one. Safe to repeat and to run from two places at once. Raises what `store_connection` raises.
    """
    # Alembic and SQLAlchemy take a second to import: the other commands do not need them.
    import sqlalchemy
    from alembic import command
    from alembic.config import Config

    with store_connection(url) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('zhengku.upgrade', 0))")
        connection.execute("create schema if not exists ledger")
        known = connection.execute("select to_regclass('ledger.rekeyed_record')").fetchone()
        connection.commit()
        engine = sqlalchemy.create_engine(url)
        try:
            with engine.begin() as migration_connection:
                config = Config()
                config.set_main_option("script_location", str(sql_folder() / "migrations"))
                config.attributes["connection"] = migration_connection
                command.upgrade(config, "head")
        except sqlalchemy.exc.DBAPIError as error:
            if not isinstance(error.orig, psycopg.Error):
                raise
            # An error without SQLSTATE does not come from the server, which it did not reach.
            lost = error.connection_invalidated or (
                isinstance(error.orig, psycopg.OperationalError) and error.orig.sqlstate is None
            )
            raise _told(error.orig, _place(_target(url)), lost=lost) from None
        finally:
            engine.dispose()
        for path in sorted((sql_folder() / "functions").glob("*.sql")):
            connection.execute(cast(Any, path.read_bytes()))
        # The migration that brings keys along makes the table; later upgrades have told of it already.
        if known is not None and known[0] is not None:
            return {}
        return dict(connection.execute(statement("ledger/upgrade.rekeyed")).fetchall())
