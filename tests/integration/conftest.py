"""Exchange databases on real servers, an HTTP interface, and an installation that reads a table."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.exchange_pipeline import ExchangePipeline, read_exchange_table
from tests.support.exchange_servers import ExchangeServer, mariadb_database, mariadb_server
from tests.support.http_interface import Interface, serving
from tests.support.installation import Installation
from tests.support.temporary_database import temporary_database


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    with mariadb_server() as url:
        yield url


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[ExchangeServer]:
    with mariadb_database(mariadb_url) as server:
        yield server


@pytest.fixture
def postgres(server_url: str) -> Iterator[ExchangeServer]:
    with temporary_database(server_url) as url:
        yield ExchangeServer(sa.make_url(url))


@pytest.fixture(params=["mariadb", "postgres"])
def exchange_server(request: pytest.FixtureRequest) -> ExchangeServer:
    """Each of the two in turn."""
    server = request.getfixturevalue(request.param)
    assert isinstance(server, ExchangeServer)
    return server


@pytest.fixture
def exchange_pipeline(installation: Installation, mariadb: ExchangeServer, tmp_path: Path) -> ExchangePipeline:
    """An installation whose one feed reads the table `license` of a MariaDB."""
    return read_exchange_table(installation, mariadb, tmp_path)


@pytest.fixture
def interface() -> Iterator[Interface]:
    with serving() as server:
        yield server
