"""What each account of the database may do: all that its process needs, and nothing that it does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.support.installation import OWNER_URL, license_row
from tests.support.temporary_database import as_account

from zhengku.accounts import ACCOUNTS, make_accounts
from zhengku.database import store_connection, upgrade
from zhengku.errors import ConfigurationError

TABLES = r"""
select n.nspname, c.relname
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where c.relkind in ('r', 'p') and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by 1, 2
"""

# Personal data that lists and reports do not show.
NOT_FOR_REPORTS = {"certificate", "certificate_history", "problem_row", "reveal", "opened", "request"}


@contextmanager
def connected(installation: Any, account: str) -> Iterator[psycopg.Connection[Any]]:
    url = as_account(installation.settings.environment[OWNER_URL], account).replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def may(connection: psycopg.Connection[Any], statement: str, schema: str, table: str) -> bool:
    """Try a statement that touches no row."""
    try:
        connection.execute(sql.SQL(statement).format(sql.Identifier(schema, table)))
    except psycopg.errors.InsufficientPrivilege:
        return False
    except (psycopg.errors.NotNullViolation, psycopg.errors.CheckViolation, psycopg.errors.GeneratedAlways):
        # The right was there.
        return True
    return True


@pytest.fixture
def loaded(installation):
    installation.deliver_rows("a.csv", license_row(1), license_row(2, 企业名称=""))
    installation.run_one()
    return installation


def tables(installation: Any) -> list[tuple[str, str]]:
    found = [(schema, table) for schema, table in installation.query(TABLES) if not schema.startswith("batch_")]
    assert len(found) > 40
    return found


@pytest.mark.parametrize("account", ["zhengku_pages", "zhengku_reports"])
@pytest.mark.parametrize(
    "statement",
    ["insert into {} default values", "delete from {} where false", "truncate {}", "alter table {} add column x int"],
)
def test_account_that_reads_changes_no_table(loaded, account, statement):
    with connected(loaded, account) as connection:
        changed = [f"{schema}.{table}" for schema, table in tables(loaded) if may(connection, statement, schema, table)]
    assert changed == []


@pytest.mark.parametrize("account", ["zhengku_pages", "zhengku_reports"])
def test_account_that_reads_has_the_right_to_update_no_column(loaded, account):
    changed = loaded.query(
        "select table_schema, table_name, column_name, privilege_type from information_schema.column_privileges"
        " where grantee in (%s, 'PUBLIC') and privilege_type <> 'SELECT'"
        " and table_schema not in ('pg_catalog', 'information_schema')",
        account,
    )
    assert changed == []


def test_notices_change_nothing_but_what_people_were_told(loaded):
    with connected(loaded, "zhengku_notices") as connection:
        for statement in ("insert into {} default values", "delete from {} where false"):
            changed = {schema for schema, table in tables(loaded) if may(connection, statement, schema, table)}
            assert changed == {"watch"}, statement


def test_reports_read_neither_certificates_nor_problem_records(loaded):
    with connected(loaded, "zhengku_reports") as connection:
        hidden = {
            table for schema, table in tables(loaded) if not may(connection, "select * from {} limit 1", schema, table)
        }
    assert hidden >= NOT_FOR_REPORTS
    # Of these it counts rows, by columns that hold nothing of a row or a person.
    counted = loaded.query(
        "select table_name, column_name from information_schema.column_privileges"
        " where grantee = 'zhengku_reports' and privilege_type = 'SELECT' and table_name = any(%s) order by 1, 2",
        sorted(NOT_FOR_REPORTS),
    )
    assert counted == [
        ("problem_row", "department"),
        ("problem_row", "status"),
        ("request", "asked_at"),
        ("request", "finished_at"),
    ]


def test_pages_call_the_functions_that_ask_and_record_and_no_other(loaded):
    functions = loaded.query(
        "select p.oid::regprocedure::text from pg_proc as p"
        " where p.prosecdef and has_function_privilege('zhengku_pages', p.oid, 'execute')"
    )
    assert sorted(name.split("(")[0] for (name,) in functions) == [
        "clearance.record_opening",
        "clearance.record_reveal",
        "quarantine.record_download",
        "quarantine.waive",
        "quarantine.write_off",
        "review.ask",
        "review.record_notification",
    ]
    assert (
        loaded.query(
            "select p.oid::regprocedure::text from pg_proc as p"
            " where p.prosecdef and has_function_privilege('zhengku_reports', p.oid, 'execute')"
        )
        == []
    )
    # Found by name, never by the caller's search path.
    assert (
        loaded.query(
            "select p.proname from pg_proc as p where p.prosecdef"
            " and not coalesce('search_path=pg_catalog, pg_temp' = any(p.proconfig), false)"
        )
        == []
    )


def test_pipeline_changes_no_evidence_and_owns_nothing_of_the_store(loaded):
    with connected(loaded, "zhengku_pipeline") as connection:
        evidence = {
            tuple(str(name).split("."))
            for (name,) in connection.execute("select distinct of_table::text from audit.kinds()").fetchall()
        }
        kept = evidence | {("audit", "seal"), ("audit", "seal_part"), ("audit", "leaf")}
        assert len(kept) > 15
        for statement in ("delete from {} where false", "truncate {}", "alter table {} disable trigger all"):
            assert [one for one in kept if may(connection, statement, *one)] == [], statement
        for schema, table in tables(loaded):
            if schema in ("store", "certificate_of"):
                assert not may(connection, "delete from {} where false", schema, table), table
            assert not may(connection, "truncate {}", schema, table), (schema, table)
    owned = loaded.query(
        r"select n.nspname || '.' || c.relname"
        r" from pg_class as c inner join pg_namespace as n on c.relnamespace = n.oid"
        r" where pg_get_userbyid(c.relowner) = 'zhengku_pipeline' and n.nspname !~ '^(batch_|pg_)'"
    )
    assert owned == []


def test_accounts_are_made_once_and_their_passwords_are_changed(installation):
    owner = installation.settings.environment[OWNER_URL]
    with store_connection(owner) as connection:
        assert make_accounts(connection, {}) == []
        verifier = "select rolpassword from pg_authid where rolname = 'zhengku_reports'"
        before = connection.execute(verifier).fetchone()
        assert make_accounts(connection, {"zhengku_reports": "another"}) == []
        after = connection.execute(verifier).fetchone()
        assert after != before
        assert after is not None
        assert after[0].startswith("SCRAM-SHA-256$")
        connection.rollback()


def test_account_that_may_not_make_accounts_is_told_what_to_do(installation):
    with (
        store_connection(installation.settings.database_url) as connection,
        pytest.raises(ConfigurationError, match="may create roles, got zhengku_pipeline"),
    ):
        make_accounts(connection, {"zhengku_pages": "x"})


def test_without_a_schema_there_is_nothing_to_give_rights_to(empty_database_url):
    with (
        store_connection(empty_database_url) as connection,
        pytest.raises(ConfigurationError, match="zhengku db upgrade"),
    ):
        make_accounts(connection, {})


def test_upgrade_gives_the_rights_again(installation):
    """A restored dump has no right of an account to the database as a whole."""
    installation.query("revoke select on all tables in schema ledger from zhengku_pages")
    upgrade(installation.settings.environment[OWNER_URL])
    with connected(installation, "zhengku_pages") as connection:
        assert may(connection, "select from {} limit 1", "ledger", "batch")
    assert set(ACCOUNTS) == {"zhengku_pipeline", "zhengku_pages", "zhengku_notices", "zhengku_reports"}
