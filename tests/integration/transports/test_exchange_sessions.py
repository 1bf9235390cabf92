"""Sessions of exchange databases: values depend on no setting of server, role or environment, and every wait ends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from tests.support.exchange_reading import Front, feed_of
from tests.support.exchange_servers import mariadb_database, own_mariadb

from zhengku.errors import ConfigurationError, DeliveryUnavailable, SourceRefused
from zhengku.transports.exchange_database import row_readers, session
from zhengku.transports.exchange_database.session import MYSQL_SETTINGS, check_mysql

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.exchange_servers import ExchangeServer

MORNING = datetime(2024, 5, 1, 8)


def fill(server: ExchangeServer, rows: int = 3, length: int = 2) -> None:
    kinds = "timestamp" if server.is_mariadb else "timestamptz"
    server.run(
        f"create table license (id int primary key, number varchar(2000), cd_time {kinds} null, code char(6), "
        f"amount {'double' if server.is_mariadb else 'float8'})"
    )
    server.fill(
        "license",
        [
            {"id": number, "number": "证\\" + "长" * length, "cd_time": MORNING, "code": "A1", "amount": 0.1 + 0.2}
            for number in range(1, rows + 1)
        ],
    )


HOSTILE_MARIADB = {
    "time_zone": "-05:00",
    "sql_mode": "ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES",
    "sql_select_limit": 1,
    "character_set_results": "gbk",
}


@pytest.fixture(scope="module")
def server_of_our_own() -> Iterator[str]:
    """A MariaDB whose global settings may be changed: no other test uses it."""
    with own_mariadb() as url:
        yield url


@pytest.fixture
def hostile_mariadb(server_of_our_own: str) -> Iterator[ExchangeServer]:
    """A database whose server gives every new session other settings."""
    with mariadb_database(server_of_our_own) as server:
        fill(server)
        before = {name: server.run(f"select @@global.{name}")[0][0] for name in HOSTILE_MARIADB}
        for name, value in HOSTILE_MARIADB.items():
            server.run(f"set global {name} = {value!r}")
        try:
            yield server
        finally:
            for name, value in before.items():
                server.run(f"set global {name} = {value!r}")


@pytest.mark.parametrize("driver", ["asyncmy", "pymysql"])
def test_settings_of_a_mariadb_server_change_no_value(hostile_mariadb, tmp_path, monkeypatch, driver):
    if driver == "pymysql":
        monkeypatch.setattr(row_readers, "_asyncmy_arguments", lambda *_: None)
    rows = Front(hostile_mariadb, feed_of(extension={"code": {"column": "code"}}), tmp_path).read()
    # The rows were written in a session of the same server in its own zone, which is that of this machine.
    [(written,)] = hostile_mariadb.run(
        "select convert_tz(cd_time, @@session.time_zone, '+08:00') from license where id = 1"
    )
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert {row["number"] for row in rows} == {"证\\长长"}
    assert {row["cd_time"] for row in rows} == {str(written)}
    assert {row["code"] for row in rows} == {"A1"}


@pytest.mark.parametrize("origin", ["database", "environment"])
def test_settings_of_a_postgresql_server_change_no_value(postgres, tmp_path, monkeypatch, origin):
    fill(postgres)
    settings = {"timezone": "America/New_York", "datestyle": "SQL, DMY", "extra_float_digits": "-10"}
    if origin == "database":
        name = postgres.url.database
        for setting, value in settings.items():
            postgres.run(f"alter database \"{name}\" set {setting} = '{value}'")
        postgres.run(f'alter database "{name}" set default_transaction_read_only = on')
    else:
        monkeypatch.setenv("PGTZ", "America/New_York")
        monkeypatch.setenv("PGDATESTYLE", "German")
        monkeypatch.setenv("PGCLIENTENCODING", "GBK")
        monkeypatch.setenv("PGOPTIONS", "-c extra_float_digits=-10 -c timezone=UTC")
    moment = postgres.run("select to_char(cd_time at time zone 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS') from license")
    front = Front(postgres, feed_of(extension={"amount": {"column": "amount"}}), tmp_path)
    rows = front.read()
    assert {row["cd_time"] for row in rows} == {moment[0][0]}
    assert {row["number"] for row in rows} == {"证\\长长"}
    assert {row["amount"] for row in rows} == {"0.30000000000000004"}


def test_rows_are_returned_where_sessions_begin_read_only(postgres, tmp_path):
    fill(postgres)
    postgres.run(f'alter database "{postgres.url.database}" set default_transaction_read_only = on')
    Front(postgres, feed_of(), tmp_path).source.replace_rows(["id", "code"], [{"id": 9, "code": "B2"}], {"id": 1})
    assert [row[0] for row in postgres.run("select id from license order by id")] == [2, 3, 9]


def test_text_that_is_too_long_for_a_table_of_returns_is_refused_by_a_lenient_server(hostile_mariadb, tmp_path):
    source = Front(hostile_mariadb, feed_of(), tmp_path).source
    with pytest.raises(SourceRefused):
        source.replace_rows(["id", "code"], [{"id": 9, "code": "B" * 20}], {"id": 1})
    hostile_mariadb.run("set global sql_select_limit = default")
    assert [row[0] for row in hostile_mariadb.run("select id from license order by id")] == [1, 2, 3]


def test_kingbase_gets_the_settings_that_it_knows(postgres, tmp_path):
    pytest.importorskip("psycopg2")
    fill(postgres)
    postgres.run(f"alter database \"{postgres.url.database}\" set timezone = 'UTC'")
    address = postgres.url.set(drivername="kingbase+psycopg2").render_as_string(hide_password=False)
    assert len(Front(postgres, feed_of(), tmp_path, address).read()) == 3


def test_session_of_mariadb_that_differs_is_told(mariadb, tmp_path, monkeypatch):
    fill(mariadb)
    # The server rounds it down, so that it is not what was set.
    monkeypatch.setitem(MYSQL_SETTINGS, "lock_wait_timeout", 10**12)
    with pytest.raises(SourceRefused, match=r"license: expected lock_wait_timeout to be 1000000000000 .*, it is \d+"):
        Front(mariadb, feed_of(), tmp_path).read()


def test_bytes_are_compared_as_text():
    row = [str(value).encode() for value in MYSQL_SETTINGS.values()]
    check_mysql(row)
    with pytest.raises(session.SessionDiffers, match="expected time_zone to be"):
        check_mysql([b"SYSTEM", *row[1:]])


@pytest.mark.parametrize("name", ["PGSERVICE", "PGHOSTADDR"])
def test_variable_that_leads_to_another_server_is_refused(postgres, tmp_path, monkeypatch, name):
    fill(postgres)
    monkeypatch.setenv(name, "elsewhere")
    with pytest.raises(ConfigurationError, match=f"Unset {name}"):
        Front(postgres, feed_of(), tmp_path).read()


# ---- waits


class Dripping:
    """A way to a real server that, from so many bytes of answers on, lets one byte pass every tenth of a second."""

    def __init__(self, url: sa.URL, after: int) -> None:
        self.after = after
        self._target: Any = (url.host, url.port or 3306)
        if "unix_socket" in url.query:
            self._target = url.query["unix_socket"]
        self._stopped = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
            far.connect(self._target)
            threading.Thread(target=self._pass, args=(near, far, None), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, self.after), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, after: int | None) -> None:
        passed = 0
        try:
            while block := source.recv(65536):
                whole = len(block) if after is None else max(0, min(len(block), after - passed))
                target.sendall(block[:whole])
                passed += whole
                for byte in block[whole:]:
                    if self._stopped.wait(0.1):
                        return
                    target.sendall(bytes([byte]))
        except OSError:
            pass
        finally:
            for each in (source, target):
                each.close()


@contextmanager
def dripping(server: ExchangeServer, after: int) -> Iterator[str]:
    way = Dripping(server.url, after)
    query = {name: value for name, value in server.url.query.items() if name != "unix_socket"}
    url = server.url.set(host="127.0.0.1", port=way.port, query=query)
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        way.stop()


@pytest.mark.parametrize("after", [5, 300, 700, 1500, 60_000], ids=["handshake", "300", "700", "1500", "rows"])
@pytest.mark.parametrize("driver", ["asyncmy", "pymysql", "postgres"])
def test_server_that_drips_is_given_up(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str, after: int
) -> None:
    server = request.getfixturevalue("postgres" if driver == "postgres" else "mariadb")
    if driver == "pymysql":
        monkeypatch.setattr(row_readers, "_asyncmy_arguments", lambda *_: None)
    fill(server, 1000, 100)
    monkeypatch.setattr(session, "CONNECT_SECONDS", 2)
    monkeypatch.setattr(session, "READ_SECONDS", 2)
    with dripping(server, after) as address:
        front = Front(server, feed_of(page_rows=1000), tmp_path, address)
        begin = time.monotonic()
        with pytest.raises(DeliveryUnavailable):
            front.read()
    assert time.monotonic() - begin < 14
    assert front.left() == []


@pytest.mark.parametrize("driver", ["asyncmy", "pymysql", "postgres"])
def test_rows_without_a_key_that_drip_are_given_up(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    """They are read by one streamed query, whose rows arrive after it was answered."""
    server = request.getfixturevalue("postgres" if driver == "postgres" else "mariadb")
    if driver == "pymysql":
        monkeypatch.setattr(row_readers, "_asyncmy_arguments", lambda *_: None)
    fill(server, 1000, 100)
    server.run("update license set cd_time = null")
    monkeypatch.setattr(session, "READ_SECONDS", 2)
    with dripping(server, 60_000) as address:
        front = Front(server, feed_of(page_rows=1000), tmp_path, address)
        begin = time.monotonic()
        with pytest.raises(DeliveryUnavailable):
            front.read()
    assert time.monotonic() - begin < 16
    assert front.left() == []
