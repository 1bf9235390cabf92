"""Real MariaDB and PostgreSQL servers as exchange databases (前置库), with a database of its own for each test."""

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

DEFAULT_MARIADB = "mysql+pymysql://root@127.0.0.1:3306"


def engine_of(url: str | sa.URL, **arguments: Any) -> sa.Engine:
    """Return an engine that keeps no connection. PyMySQL reads every certificate of this machine for each with TLS."""
    if sa.make_url(url).get_backend_name() == "mysql":
        arguments["ssl_disabled"] = True
    return sa.create_engine(url, poolclass=sa.NullPool, connect_args=arguments)


@dataclass
class ExchangeServer:
    """One database of an exchange server; `url` holds the login of its owner."""

    url: sa.URL

    @property
    def address(self) -> str:
        return self.url.render_as_string(hide_password=False)

    def engine(self) -> sa.Engine:
        return engine_of(self.url)

    @property
    def is_mariadb(self) -> bool:
        return self.url.get_backend_name() == "mysql"

    def run(self, *statements: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run statements, commit, and return the rows of the last one."""
        engine = self.engine()
        rows: list[tuple[Any, ...]] = []
        with engine.begin() as connection:
            for statement in statements:
                result = connection.execute(sa.text(statement), parameters)
                rows = [tuple(row) for row in result] if result.returns_rows else []
        return rows

    def fill(self, table: str, rows: list[dict[str, Any]]) -> None:
        engine = self.engine()
        clause = sa.table(table, *map(sa.column, rows[0]))
        with engine.begin() as connection:
            connection.execute(clause.insert(), rows)

    def cut_others(self) -> int:
        """Kill every other connection to this database; return how many there were."""
        if self.is_mariadb:
            found = self.run(
                "select id from information_schema.processlist where db = database() and id <> connection_id()"
            )
            for (number,) in found:
                self.run(f"kill {int(number)}")
            return len(found)
        return len(
            self.run(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        )


def answers(url: str) -> bool:
    engine = engine_of(url, connect_timeout=2)
    try:
        with engine.connect():
            return True
    except exc.OperationalError:
        return False


@contextmanager
def own_mariadb() -> Iterator[str]:
    """Start a MariaDB of our own in a temporary folder, on its socket."""
    program = shutil.which("mariadbd") or shutil.which("mysqld")
    installer = shutil.which("mariadb-install-db") or shutil.which("mysql_install_db")
    if program is None or installer is None:
        reason = "no MariaDB answers at 127.0.0.1:3306 and none is installed (ZHENGKU_TEST_MARIADB_URL names another)"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; .ci/run should have installed it")
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="zhengku-mariadb-") as folder:
        data, socket = Path(folder) / "data", Path(folder) / "socket"
        # Root may run it too, which a server of the system refuses without being told.
        user = ["--user=root"] if os.geteuid() == 0 else []
        subprocess.run(
            [installer, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", *user],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        server = subprocess.Popen(
            [program, "--no-defaults", f"--datadir={data}", f"--socket={socket}", "--skip-networking", *user],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"mysql+pymysql://root@localhost/?unix_socket={socket}"
            until = time.monotonic() + 30
            while not (socket.exists() and answers(url)):
                assert server.poll() is None, "MariaDB ended while it started"
                assert time.monotonic() < until, "MariaDB did not answer within 30 s"
                time.sleep(0.2)
            yield url
        finally:
            server.terminate()
            server.wait(30)


@contextmanager
def mariadb_server() -> Iterator[str]:
    """Give the address of a MariaDB whose user may create databases, or skip the test with the reason."""
    given = os.environ.get("ZHENGKU_TEST_MARIADB_URL")
    if given or answers(DEFAULT_MARIADB):
        yield given or DEFAULT_MARIADB
        return
    with own_mariadb() as url:
        yield url


@contextmanager
def mariadb_database(server: str) -> Iterator[ExchangeServer]:
    name = f"zhengku_test_{secrets.token_hex(6)}"
    root = ExchangeServer(sa.make_url(server).set(database="mysql"))
    root.run(f"create database {name} character set utf8mb4")
    try:
        yield ExchangeServer(root.url.set(database=name))
    finally:
        root.run(f"drop database {name}")
