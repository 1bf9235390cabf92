"""What is found missing is asked of both kinds of exchange database; the one that every machine has, in seconds."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.exchange_servers import ExchangeServer


@pytest.fixture(params=["postgres", pytest.param("mariadb", marks=pytest.mark.slow)])
def exchange_server(request: pytest.FixtureRequest) -> "ExchangeServer":
    """Each of the two in turn."""
    server: ExchangeServer = request.getfixturevalue(request.param)
    return server
