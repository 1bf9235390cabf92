"""The compared form of a key at the source is that of the store, on MariaDB and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhengku.database import store_connection
from zhengku.transports.exchange_database.key_form import FROM, compared

if TYPE_CHECKING:
    from tests.support.exchange_servers import ExchangeServer


def test_sources_compare_keys_in_the_form_of_the_store(exchange_server: ExchangeServer, database_url: str) -> None:
    keys = [
        *(f"鄂{mark}1" for mark in FROM),
        "鄂——1",
        "鄂──1",
        "鄂〔2022〕1—2号",
        "A-1",
        "A[1]",
        "鄂1",
        "A<1>",
        "鄂(1)",
    ]
    exchange_server.run(
        "create table numbers (n int, k varchar(100))" + (" charset utf8mb4" if exchange_server.is_mariadb else "")
    )
    exchange_server.fill("numbers", [{"n": place, "k": key} for place, key in enumerate(keys)])
    expression = (
        compared("mysql", "convert(k using utf8mb4)") if exchange_server.is_mariadb else compared("postgresql", "k")
    )
    theirs = [key for (key,) in exchange_server.run(" ".join(["select", expression, "from numbers order by n"]))]
    with store_connection(database_url) as connection:
        ours = [connection.execute("select clean.comparison(%s)", [key]).fetchall()[0][0] for key in keys]
    assert theirs == ours
