"""The PostgreSQL server (15 or newer): connections, the statements of `sql/`, and the schema's migrations."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import psycopg
from psycopg import sql

from zhengku.errors import ConfigurationError, StorageFull, StoreError, StoreUnavailable, ZhengkuError
from zhengku.postgres_session import (
    FORM_SETTINGS,
    VALUE_SETTINGS,
    SessionDiffers,
    libpq_arguments,
    sent_too,
    set_session,
)
from zhengku.settings import sql_folder

if TYPE_CHECKING:
    import sqlalchemy

OLDEST_SERVER: Final = 150000
"""`server_version_num` of PostgreSQL 15, the first with MERGE."""

LARGEST_INTEGER, LARGEST_BIGINT = 2**31 - 1, 2**63 - 1
"""The largest numbers that columns hold: pages and commands refuse larger ones before a statement does."""

_NAME_LINE = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)

SESSION_SETTINGS: Final[dict[str, str]] = {
    **VALUE_SETTINGS,
    **FORM_SETTINGS,
    "search_path": '"$user", public',
    # What a role or a database limits for people would end a step in its middle.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # Texts of numbers and months do not depend on the server's language.
    "lc_numeric": "C",
    "lc_time": "C",
    "lc_monetary": "C",
    # Compiling a statement of a few seconds costs more than it saves.
    "jit": "off",
    # Joins and sorts by key of a million rows stay in memory.
    "work_mem": "128MB",
    "maintenance_work_mem": "256MB",
    # By default the planner assumes that passing rows between processes costs more than computing them; in our
    # statements computing costs more. Small tables are still not read in parallel (min_parallel_table_scan_size).
    "parallel_setup_cost": "0",
    "parallel_tuple_cost": "0",
    # A worker whose machine is gone holds its locks for two minutes at most.
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "15",
    "tcp_keepalives_count": "4",
}
"""Settings of every session of the store, set after connecting and checked."""

_SINCE_17: Final = {"transaction_timeout": "0"}


def _one_line(error: BaseException) -> str:
    """Return the first line of a driver's message: the rest may quote values of a row."""
    return str(error).strip().split("\n", 1)[0]


def _libpq_address(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _parse_address(url: str) -> dict[str, Any]:
    """Return the parts of an address as libpq reads them.

    Raises `StoreUnavailable` when it cannot be read, or when a password that is not percent-encoded was read as host,
    port or database. The message holds no part of the address: any part may belong to the password.
    """
    try:
        target = psycopg.conninfo.conninfo_to_dict(_libpq_address(url))
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


def _server_of(target: dict[str, Any]) -> str:
    return f"{target.get('host', 'local socket')}:{target.get('port', 5432)}/{target.get('dbname', '')}"


def _describe(error: psycopg.Error) -> str:
    """Return what the server refused, without values of rows: messages of SQLSTATE classes 22 and 23 may quote them."""
    kind = " ".join(part for part in (error.sqlstate, type(error).__name__) if part)
    if isinstance(error, (psycopg.DataError, psycopg.IntegrityError)) or (error.sqlstate or "")[:2] in ("22", "23"):
        places = (("table", error.diag.table_name), ("constraint", error.diag.constraint_name))
        return ", ".join([kind, *(f"{what} {name}" for what, name in places if name)])
    return f"{kind}: {_one_line(Exception(error.diag.message_primary or error))}"


def _store_error(error: psycopg.Error, where: str, *, lost: bool) -> ZhengkuError:
    """Return the error of ours for an error of the driver; `lost` when the connection is broken."""
    if isinstance(error, psycopg.errors.DiskFull):
        return StorageFull(
            f"The license store at {where} has no space left ({_describe(error)}); nothing of this step was written. "
            "Free space on the server and run it again."
        )
    if lost or (error.sqlstate or "").startswith(("08", "57P0")):
        return StoreUnavailable(
            f"The connection to the license store at {where} was lost: {_describe(error)}. "
            "What this step had not committed was rolled back; run it again."
        )
    # A missing staging table is a fault of a step, not of the installation.
    if isinstance(
        error, (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName)
    ) and re.search(r"\b(ledger|store|quarantine|clean|rules)\b", _one_line(error)):
        return StoreUnavailable(
            f"The license store at {where} is not set up for this release ({_describe(error)}). "
            "Run `zhengku db upgrade` first."
        )
    return StoreError(
        f"The license store at {where} refused a statement: {_describe(error)}. "
        "This step was rolled back; run it again, and report this line if it comes back."
    )


def open_store(
    url: str, *, application_name: str = "zhengku", settings: Mapping[str, str] | None = None
) -> psycopg.Connection[Any]:
    """Open a session of the license store with `SESSION_SETTINGS` and, over them, `settings`; the caller closes it.

    `url` is a SQLAlchemy address. Every connection to the store is opened here. Raises `StoreUnavailable` when the
    address cannot be read, the server cannot be reached, refuses the login, is older than PostgreSQL 15, or does not
    keep the settings.
    """
    target = _parse_address(url)
    where = _server_of(target)
    try:
        connection = psycopg.connect(_libpq_address(url), application_name=application_name, **libpq_arguments(target))
    except SessionDiffers as error:
        raise StoreUnavailable(f"The license store at {where}: {error}.") from None
    except psycopg.Error as error:
        raise StoreUnavailable(
            f"The license store at {where} (user {target.get('user', '')}) cannot be used: {_one_line(error)}. "
            f"Check that the server runs and that ZHENGKU_DATABASE_URL has the right user, password and database."
            f"{sent_too()}"
        ) from None
    version = connection.info.server_version
    try:
        if version < OLDEST_SERVER:
            raise StoreUnavailable(
                f"The license store at {where} is PostgreSQL {version // 10000}; "
                "15 or newer is needed. Point ZHENGKU_DATABASE_URL at a newer server."
            )
        set_session(connection, {**SESSION_SETTINGS, **(_SINCE_17 if version >= 170000 else {}), **(settings or {})})
    except SessionDiffers as error:
        connection.close()
        raise StoreUnavailable(f"The license store at {where}: {error}.") from None
    except psycopg.Error as error:
        lost = connection.broken
        connection.close()
        raise _store_error(error, where, lost=lost) from None
    except BaseException:
        connection.close()
        raise
    return connection


def store_engine(
    url: str, *, application_name: str = "zhengku", settings: Mapping[str, str] | None = None
) -> "sqlalchemy.Engine":
    """Return a SQLAlchemy engine whose connections are those of `open_store`."""
    # Imported here: SQLAlchemy takes half a second, and most steps need none.
    import sqlalchemy

    return sqlalchemy.create_engine(
        url, creator=lambda: open_store(url, application_name=application_name, settings=settings)
    )


@contextmanager
def store_connection(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Open a connection to the license store; commit at the end, roll back when an exception is raised.

    `url` is a SQLAlchemy address. Raises what `open_store` raises; `StoreUnavailable` when the server goes away;
    `StorageFull` when it runs out of space; `StoreError` for every other error of the database. None is chained to the
    driver's error, which may quote a row.
    """
    with open_store(url) as connection:
        # Whether the connection broke is only known before `with connection` closes it.
        try:
            yield connection
            connection.commit()
        except psycopg.Error as error:
            raise _store_error(error, _server_of(_parse_address(url)), lost=connection.broken) from None


def statement(name: str) -> sql.SQL:
    """Return a statement by `<folder>/<file>.<name>`: `load/merge.keep_history` is in `sql/load/merge.sql`.

    It takes named parameters (`%(name)s`). Raises `LookupError`, with the nearest names, when there is none.
    """
    file, _, statement_name = name.rpartition(".")
    text = statements_of(file).get(statement_name)
    if text is None:
        raise LookupError(_unknown_statement(file, statement_name))
    return sql.SQL(cast(Any, text))


@cache
def statements_of(file: str) -> dict[str, str]:
    """Return the statements of `sql/<file>.sql` by name; an empty dict when there is no such file.

    A statement starts after a `-- name: …` line and ends at the last semicolon before the next one. Each file is read
    once per process; who replaces an entry of the dict replaces the statement for every later call of `statement`.
    """
    path = sql_folder() / f"{file}.sql"
    if not path.is_file():
        return {}
    _, *parts = _NAME_LINE.split(path.read_text(encoding="utf-8"))
    found = {}
    for name, part in zip(parts[::2], parts[1::2], strict=True):
        # A comment for the linter may follow the semicolon.
        text, _, comment = part.rpartition(";")
        found[name] = f"{text}{comment.rstrip()}\n"
    return found


def statement_names() -> list[str]:
    """Return the names of all statements, as `statement` takes them."""
    folder = sql_folder()
    files = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob("*/*.sql"))
    return [f"{file}.{name}" for file in files for name in statements_of(file)]


def _unknown_statement(file: str, statement_name: str) -> str:
    known = statement_names()
    elsewhere = [name for name in known if name.rpartition(".")[2] == statement_name]
    near = elsewhere or difflib.get_close_matches(f"{file}.{statement_name}", known)
    place = f"sql/{file}.sql {'has no such name' if statements_of(file) else 'is not there'}"
    return f"There is no statement {statement_name!r} in {file!r}: {place}. Nearest: {', '.join(near) or 'none'}."


def batch_schema(batch_id: int) -> str:
    """Return the name of the schema in which a batch is staged."""
    return f"batch_{batch_id}"


def use_batch_schema(connection: psycopg.Connection[Any], batch_id: int) -> None:
    """Let the statements of this transaction use the batch's staging tables without a schema name."""
    use_schema(connection, batch_schema(batch_id))


def use_schema(connection: psycopg.Connection[Any], schema: str) -> None:
    """Let the statements of this transaction use the staging tables of a schema without its name."""
    connection.execute(sql.SQL("set local search_path = {}, pg_temp").format(sql.Identifier(schema)))


def upgrade(url: str) -> dict[str, int]:
    """Apply all migrations to the schema of the license store, and replace its SQL functions by those of this release.

    Returns how many record keys it changed or left for a person to check, by outcome; `ledger.rekeyed_record` lists
    them. Safe to repeat and to run from two places at once. Raises `ConfigurationError` for the store of a newer
    release, and what `store_connection` raises.
    """
    # Imported here, because Alembic and SQLAlchemy take a second to import and only this command needs them.
    import sqlalchemy
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    with store_connection(url) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('zhengku.upgrade', 0))")
        connection.execute("create schema if not exists ledger")
        known = connection.execute("select to_regclass('ledger.rekeyed_record')").fetchone()
        config = Config()
        config.set_main_option("script_location", str(sql_folder() / "migrations"))
        _expect_no_newer_release(
            connection, {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
        )
        connection.commit()
        engine = store_engine(url)
        try:
            with engine.begin() as migration_connection:
                config.attributes["connection"] = migration_connection
                command.upgrade(config, "head")
        except sqlalchemy.exc.DBAPIError as error:
            if not isinstance(error.orig, psycopg.Error):
                raise
            # An error without SQLSTATE is raised by the driver, which did not reach the server.
            lost = error.connection_invalidated or (
                isinstance(error.orig, psycopg.OperationalError) and error.orig.sqlstate is None
            )
            raise _store_error(error.orig, _server_of(_parse_address(url)), lost=lost) from None
        finally:
            engine.dispose()
        connection.execute(cast(Any, (sql_folder() / "drop_functions.sql").read_bytes()))
        for path in sorted((sql_folder() / "functions").glob("*.sql")):
            connection.execute(cast(Any, path.read_bytes()))
        give_rights(connection)
        # The migration that changes keys also creates the table: if it existed before, the counts were returned then.
        if known is not None and known[0] is not None:
            return {}
        return dict(connection.execute(statement("ledger/upgrade.rekeyed")).fetchall())


def _expect_no_newer_release(connection: psycopg.Connection[Any], known: Collection[str]) -> None:
    """Raise `ConfigurationError` if the store has a migration that this release does not know."""
    row = connection.execute("select to_regclass('ledger.schema_version')").fetchone()
    if row is None or row[0] is None:
        return
    for (revision,) in connection.execute("select version_num from ledger.schema_version"):
        if revision not in known:
            raise ConfigurationError(
                f"The license store has schema {revision}, this release knows schemas up to {max(known)}: it was "
                "upgraded by a newer release, and there is no way back. Install that release again; or restore the "
                "backup that was made before the upgrade, and let the next night collect what came since."
            )


def give_rights(connection: psycopg.Connection[Any]) -> None:
    """Give the accounts of the database that exist what `sql/rights.sql` says, and take away what else they had."""
    connection.execute(cast(Any, (sql_folder() / "rights.sql").read_bytes()))
