"""Every session of the store has the settings on which values depend, whatever environment, role and database say."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from tests.support.temporary_database import database_name

from zhengku.database import SESSION_SETTINGS, open_store, store_connection, store_engine, upgrade
from zhengku.errors import StoreUnavailable
from zhengku.postgres_session import SessionDiffers, set_session
from zhengku.validate.gx_internals import open_table

MOMENT = datetime(2024, 7, 1, 16, 30, tzinfo=UTC)

ENVIRONMENTS = [
    {"PGTZ": "UTC"},
    {"PGDATESTYLE": "German"},
    {"PGDATESTYLE": "Postgres, DMY"},
    {"PGCLIENTENCODING": "GBK"},
    {"PGOPTIONS": "-c timezone=UTC -c datestyle=SQL -c search_path=pg_temp -c statement_timeout=1s"},
]

HOSTILE = {
    "TimeZone": "America/New_York",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "iso_8601",
    "client_encoding": "GBK",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "search_path": "nowhere",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "statement_timeout": "1500",
    "lock_timeout": "1500",
    "idle_in_transaction_session_timeout": "1500",
    "transform_null_equals": "on",
}


def read_back(connection: psycopg.Connection) -> tuple:
    connection.execute("create temporary table seen (at timestamptz, term interval, amount float8, bytes bytea)")
    connection.execute(
        "insert into seen values ('2024-07-02 00:30:00', '1 day 2 hours', 0.1::float8 + 0.2::float8, '\\x00ff')"
    )
    row = connection.execute(
        "select at, at::text, term::text, amount::text, bytes::text, '证\\库' from seen"
    ).fetchone()
    assert row is not None
    return row


def check(url: str) -> None:
    with store_connection(url) as connection:
        at, *texts = read_back(connection)
        assert (at, at.tzinfo) == (MOMENT, ZoneInfo("Asia/Shanghai"))
        assert texts == ["2024-07-02 00:30:00+08", "1 day 02:00:00", "0.30000000000000004", "\\x00ff", "证\\库"]
    engine = store_engine(url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select '2024-07-02 00:30:00'::timestamptz").scalar() == MOMENT
    engine.dispose()


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_environment_changes_no_value(database_url, monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    check(database_url)


@pytest.mark.parametrize("level", ["role", "database", "role in database"])
def test_role_and_database_change_no_value(server_url, database_url, level):
    database = sql.Identifier(database_name(database_url))
    with psycopg.connect(server_url.replace("+psycopg", ""), autocommit=True) as admin:
        user = sql.Identifier(admin.info.user)
        owner = {
            # A role of its own: the server's user is that of all other tests.
            "role": sql.SQL("role zhengku_hostile"),
            "database": sql.SQL("database {}").format(database),
            "role in database": sql.SQL("role {} in database {}").format(user, database),
        }[level]
        url = database_url
        if level == "role":
            admin.execute("create role zhengku_hostile login superuser password 'hostile'")
            parts = psycopg.conninfo.conninfo_to_dict(database_url.replace("+psycopg", ""))
            url = (
                f"postgresql+psycopg://zhengku_hostile:hostile@{parts['host']}:{parts.get('port', 5432)}/"
                f"{parts['dbname']}"
            )
        try:
            for name, value in HOSTILE.items():
                # A list would be one quoted name otherwise.
                admin.execute(sql.SQL("alter {} set {} = {}").format(owner, sql.Identifier(name), sql.Literal(value)))
            check(url)
            with store_connection(url) as connection:
                found = {
                    name: connection.execute("select current_setting(%s)", [name]).fetchone()[0] for name in HOSTILE
                }
            assert found == {name: SESSION_SETTINGS[name] for name in HOSTILE}
        finally:
            if level == "role":
                admin.execute("drop role zhengku_hostile")


def test_migrations_run_under_a_hostile_database(server_url, empty_database_url):
    database = sql.Identifier(database_name(empty_database_url))
    with psycopg.connect(server_url.replace("+psycopg", ""), autocommit=True) as admin:
        for name, value in HOSTILE.items():
            admin.execute(
                sql.SQL("alter database {} set {} = {}").format(database, sql.Identifier(name), sql.Literal(value))
            )
    upgrade(empty_database_url)
    with store_connection(empty_database_url) as connection:
        assert connection.execute("select count(*) from ledger.batch").fetchone() == (0,)


@pytest.mark.parametrize("environment", [{}, *ENVIRONMENTS], ids=str)
def test_great_expectations_reads_in_the_same_session(database_url, monkeypatch, environment):
    with store_connection(database_url) as connection:
        connection.execute("create schema batch_1")
        connection.execute("create table batch_1.staged (at timestamptz)")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with open_table(database_url, "batch_1", "staged") as engine, engine.engine.connect() as connection:
        assert connection.exec_driver_sql("select current_setting('search_path')").scalar() == '"batch_1"'
        assert connection.exec_driver_sql("select '2024-07-02 00:30:00'::timestamptz").scalar() == MOMENT


def test_collecting_a_file_gives_the_same_store_under_another_zone(installation, make_row, monkeypatch):
    installation.deliver_rows("1.csv", make_row(1))
    monkeypatch.setenv("PGTZ", "America/New_York")
    monkeypatch.setenv("PGDATESTYLE", "SQL, DMY")
    batch = installation.run_one()
    assert (batch.status, batch.inserted) == ("loaded", 1)
    monkeypatch.delenv("PGTZ")
    monkeypatch.delenv("PGDATESTYLE")
    [(first,)] = installation.query("select source_modified_at from ledger.batch")
    assert abs(first.timestamp() - (installation.drop / "1.csv").stat().st_mtime) < 1


@pytest.mark.parametrize("name", ["PGSERVICE", "PGHOSTADDR"])
def test_variable_that_leads_to_another_server_is_refused(database_url, monkeypatch, name):
    monkeypatch.setenv(name, "elsewhere")
    with pytest.raises(StoreUnavailable, match=f"the environment has {name}.* Unset {name}"):
        open_store(database_url)


def test_variable_that_the_server_refuses_is_named(database_url, monkeypatch):
    monkeypatch.setenv("PGTZ", "Nowhere/City")
    with pytest.raises(StoreUnavailable, match=r'"Nowhere/City"\. .*The environment has PGTZ.*unset it'):
        open_store(database_url)


def test_setting_that_does_not_last_is_told(database_url):
    with (
        psycopg.connect(database_url.replace("+psycopg", "")) as connection,
        # This one ends with its transaction, as every setting does behind a pool that shares sessions.
        pytest.raises(SessionDiffers, match=r"expected transaction_read_only to be on .* it is off"),
    ):
        set_session(connection, {"TimeZone": "UTC", "transaction_read_only": "on"})


def test_setting_that_the_server_does_not_keep_is_one_clear_error(database_url):
    with pytest.raises(StoreUnavailable, match=r"The license store at .*expected transaction_read_only .*pgbouncer"):
        open_store(database_url, settings={"transaction_read_only": "on"})
