"""Databases of one test each, on a PostgreSQL server."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import make_url

ACCOUNT_PASSWORD = "only-for-tests"
"""Of the accounts of the databases of tests."""


@contextmanager
def temporary_database(server_url: str, template: str = "template0") -> Iterator[str]:
    name = f"zhengku_test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            # The files of a small template are copied faster than they are logged.
            sql.SQL("create database {} template {} encoding 'UTF8' strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@contextmanager
def temporary_store(server_url: str, template: str) -> Iterator[str]:
    """A copy of a license store, with the accounts' rights."""
    with temporary_database(server_url, template) as url:
        # What an account may do to a database as a whole is not copied from the template.
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            name = sql.Identifier(database_name(url))
            connection.execute(sql.SQL("grant create on database {} to zhengku_pipeline").format(name))
        yield url


def database_name(url: str) -> str:
    name = make_url(url).database
    assert name is not None
    return name


def as_account(url: str, account: str) -> str:
    """Return the address of the same database for an account with small rights."""
    return make_url(url).set(username=account, password=ACCOUNT_PASSWORD).render_as_string(hide_password=False)
