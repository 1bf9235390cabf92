"""Accounts of the database: one for each kind of process, with the rights that it needs (`sql/rights.sql`).

The account that owns the schema runs `zhengku db upgrade` only; docs/decisions/0059.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from zhengku.database import give_rights
from zhengku.errors import ConfigurationError

ACCOUNTS: Mapping[str, str] = {
    "zhengku_pipeline": "runs the steps of the pipeline: workers, the scheduler's DAGs, the command line",
    "zhengku_pages": "serves the pages: reads, and calls the few functions that ask for work or record a reveal",
    "zhengku_notices": "records what is out of order and what people were told: triggerer and DAG processor",
    "zhengku_reports": "reads lists, reports and figures: for other programs of the city",
}
"""The accounts besides the owner, and what each is for."""


def make_accounts(connection: psycopg.Connection[Any], passwords: Mapping[str, str]) -> list[str]:
    """Make the accounts that do not exist, set the given passwords, give all their rights; return the accounts made.

    `passwords` is by account; the server gets only the SCRAM verifier of each, so that none is in its log. An account
    that is made without a password cannot log in. The owner of the schema becomes a member of each account, as it hands
    over tables that they made. Raises `ConfigurationError` when the login of `connection` may not make accounts, or
    there is no schema yet.
    """
    owner = connection.execute("select tableowner from pg_tables where schemaname = 'ledger' and tablename = 'batch'")
    found = owner.fetchone()
    if found is None:
        raise ConfigurationError("The database has no schema yet. Run `zhengku db upgrade` first, then this again.")
    made = []
    for account in ACCOUNTS:
        name = sql.Identifier(account)
        exists = connection.execute("select from pg_roles where rolname = %s", (account,)).rowcount
        if not exists:
            _as_administrator(connection, sql.SQL("create role {}").format(name))
            made.append(account)
        if (password := passwords.get(account)) is not None:
            verifier = connection.pgconn.encrypt_password(password.encode(), account.encode(), b"scram-sha-256")
            _as_administrator(
                connection, sql.SQL("alter role {} login password {}").format(name, sql.Literal(verifier.decode()))
            )
        is_member = connection.execute("select pg_has_role(%s, %s, 'member')", (found[0], account)).fetchone()
        if is_member == (False,):
            _as_administrator(connection, sql.SQL("grant {} to {}").format(name, sql.Identifier(found[0])))
    give_rights(connection)
    return made


def _as_administrator(connection: psycopg.Connection[Any], query: sql.Composed) -> None:
    try:
        connection.execute(query)
    except psycopg.errors.InsufficientPrivilege:
        raise ConfigurationError(
            f"Expected an account that may create roles, got {connection.info.user}. Run `zhengku db roles` with "
            "ZHENGKU_OWNER_DATABASE_URL of the server's administrator (postgres), or let the administrator run the "
            "statements of docs/deployment.md, and then `zhengku db upgrade`."
        ) from None
