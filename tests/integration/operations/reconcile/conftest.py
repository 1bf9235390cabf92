"""A table that is compared with the store, on both kinds of exchange database."""

from pathlib import Path

import pytest
from tests.support.exchange_servers import ExchangeServer
from tests.support.installation import Installation
from tests.support.reconciled_table import Front, read_front


@pytest.fixture(params=["postgres", pytest.param("mariadb", marks=pytest.mark.slow)])
def exchange_server(request: pytest.FixtureRequest) -> ExchangeServer:
    """Each of the two in turn; MariaDB, which not every machine has, with the slow tests."""
    server: ExchangeServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def front(installation: Installation, exchange_server: ExchangeServer, tmp_path: Path) -> Front:
    """An installation whose one feed reads the table `license` of the server."""
    return read_front(installation, exchange_server, tmp_path)
