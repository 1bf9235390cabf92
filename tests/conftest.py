"""The PostgreSQL of the tests, and a database of its own for each test that asks for one.

`ZHENGKU_TEST_DATABASE_URL` names a server to use (its user must be allowed to create databases); without it every
test process starts an embedded one, which takes half a second.
"""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from local_stack.postgres import EmbeddedPostgres
from psycopg import sql
from sqlalchemy import make_url

PROJECT = Path(__file__).resolve().parents[1]

# Nothing of this machine's own installation may be used or changed by a test. Airflow reads its settings when it is
# imported, so they are set before any test module is.
for _name in [name for name in os.environ if name.startswith(("AIRFLOW__", "AIRFLOW_CONFIG", "ZHENGKU_DATABASE_URL"))]:
    del os.environ[_name]
AIRFLOW_HOME = tempfile.TemporaryDirectory(prefix="zhengku-airflow-")
os.environ.update(
    AIRFLOW_HOME=AIRFLOW_HOME.name,
    AIRFLOW__CORE__DAGS_FOLDER=str(PROJECT / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(PROJECT / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    GX_ANALYTICS_ENABLED="false",
)

# What a crash of the machine would lose is of no worth to a test.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLAlchemy address of the server's maintenance database."""
    given = os.environ.get("ZHENGKU_TEST_DATABASE_URL")
    if given:
        yield given.replace("postgresql://", "postgresql+psycopg://", 1)
        return
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), NOT_DURABLE)
    server.start()
    try:
        yield server.url("postgres")
    finally:
        server.stop()


@pytest.fixture(scope="session")
def template_database(server_url: str) -> Iterator[str]:
    """Name of a database at the newest schema, to be copied; nobody may be connected to it."""
    from zhengku.database import upgrade

    with temporary_database(server_url) as url:
        upgrade(url)
        yield database_name(url)


@pytest.fixture
def database_url(server_url: str, template_database: str) -> Iterator[str]:
    """Address of a database at the newest schema, for this test alone."""
    with temporary_database(server_url, template_database) as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """Address of a database without our schema, for this test alone."""
    with temporary_database(server_url) as url:
        yield url


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


def database_name(url: str) -> str:
    name = make_url(url).database
    assert name is not None
    return name
