"""The PostgreSQL of the tests, and a database of its own for each test that asks for one.

`ZHENGKU_TEST_DATABASE_URL` names a server to use (its user must be allowed to create databases); without it every
test process starts an embedded one, which takes half a second.
"""

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from tests.support.small_city import write_small_catalog

from local_stack.postgres import EmbeddedPostgres
from simulator.business_licenses import credit_code
from zhengku.ledger import Batch
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings, project_home

# A change is judged by the same examples each time; whoever runs the tests by hand explores further ones.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

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

# A query that relies on the zone of the server fails here, and not at a city whose server has another one.
ANOTHER_ZONE = {"timezone": "UTC"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make slow what `slow_except` does not name: of what is long as a whole, one or two tests are quick."""
    for item in items:
        if (mark := item.get_closest_marker("slow_except")) and getattr(item, "originalname", "") not in mark.args:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLAlchemy address of the server's maintenance database."""
    given = os.environ.get("ZHENGKU_TEST_DATABASE_URL")
    if given:
        yield given.replace("postgresql://", "postgresql+psycopg://", 1)
        return
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), {**NOT_DURABLE, **ANOTHER_ZONE})
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


HEADER = "企业名称,统一社会信用代码,注册日期,企业类型,法人代表,注册资金,经营范围,所在省份,地区,注册地址"


def license_row(number: int, **values: str) -> str:
    """One made-up row of the business license register, as CSV; `values` replace columns by name."""
    row = {
        "企业名称": f"鄂州市虚构第{number:04d}号商贸有限公司",
        "统一社会信用代码": credit_code(number),
        "注册日期": "2020-05-01",
        "企业类型": "有限责任公司",
        "法人代表": "张某某",
        "注册资金": "100万元人民币",
        "经营范围": "虚构货物的批发、零售",
        "所在省份": "湖北",
        "地区": "鄂州",
        "注册地址": f"鄂州市鄂城区虚构路{number}号",
    }
    return ",".join({**row, **values}.values())


@dataclass
class Installation:
    """A whole zhengku of its own: database, file drop, landing area, reports."""

    settings: Settings
    drop: Path

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(self.settings)

    def deliver(self, name: str, content: str | bytes, *, minutes_ago: float = 60) -> Path:
        """Lay a file into the drop as the department's system would, finished some time ago."""
        path = self.drop / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        moment = time.time() - minutes_ago * 60
        os.utime(path, (moment, moment))
        return path

    def deliver_rows(self, name: str, *rows: str, minutes_ago: float = 60) -> Path:
        return self.deliver(name, "\n".join([HEADER, *rows]) + "\n", minutes_ago=minutes_ago)

    def run(self, run_id: str | None = None, *, again: bool = False) -> list[Batch]:
        """Collect and load everything that lies in the drop, as one run."""
        run_id = run_id or secrets.token_hex(4)
        batches = self.pipeline.collect("market_supervision", "business_license", run_id, again=again)
        return [self.pipeline.load(batch.batch_id) for batch in batches]

    def run_one(self, *, again: bool = False) -> Batch:
        [batch] = self.run(again=again)
        return batch

    def query(self, statement: str | sql.Composed, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows that a statement of a test's own answers; it reads and writes moments in the city's time."""
        url = self.settings.database_url.replace("+psycopg", "")
        with psycopg.connect(url, options="-c timezone=Asia/Shanghai") as connection:
            query = statement.encode() if isinstance(statement, str) else statement
            result = connection.execute(query, parameters or None)
            return result.fetchall() if result.description else []

    def store(self) -> dict[str, list[Any]]:
        """Key → holder, version, batch and the hidden row version, which changes whenever a row is written."""
        rows = self.query("select record_key, holder, version_no, batch_id, xmin::text from store.certificate")
        return {key: values for key, *values in rows}


@pytest.fixture(scope="session")
def register_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped catalogue with one department that has one feed, the business license register."""
    folder = tmp_path_factory.mktemp("register") / "catalog"
    write_small_catalog(folder, {"market_supervision": ["business_license"]})
    return folder


@pytest.fixture
def installation(tmp_path: Path, database_url: str, register_catalog: Path) -> Installation:
    """A fresh installation that collects one feed, with the shipped suites and an empty file drop."""
    drop = tmp_path / "drop" / "business_license"
    drop.mkdir(parents=True)
    environment = {
        "ZHENGKU_DATABASE_URL": database_url,
        "ZHENGKU_CATALOG_DIR": str(register_catalog),
        "ZHENGKU_LANDING_URL": str(tmp_path / "landing"),
        "ZHENGKU_REPORT_DIR": str(tmp_path / "reports"),
        "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": str(tmp_path / "drop"),
    }
    return Installation(Settings(home=project_home(), environment=environment), drop)


@pytest.fixture
def make_row() -> Callable[..., str]:
    """Return the maker of made-up rows: `make_row(number, 企业名称=…)`."""
    return license_row


@pytest.fixture
def header() -> str:
    """Header of the business license register."""
    return HEADER
