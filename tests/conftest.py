"""The PostgreSQL of the tests, a database of its own for each test that asks for one, and installations on it.

`ZHENGKU_TEST_DATABASE_URL` names a server to use (its user must be allowed to create databases); without it every
test process starts an embedded one, which takes half a second.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from local_stack.postgres import EmbeddedPostgres

# What the shared helpers assert says what differs, like an assertion of a test.
pytest.register_assert_rewrite("tests.support")

from tests.support.changed_department import change_department  # noqa: E402
from tests.support.changes_feed import report_changes  # noqa: E402
from tests.support.every_field import map_every_field  # noqa: E402
from tests.support.installation import HEADER, Installation, license_row, make_installation  # noqa: E402
from tests.support.review_installation import ReviewedInstallation  # noqa: E402
from tests.support.small_city import write_small_catalog  # noqa: E402
from tests.support.temporary_database import (  # noqa: E402
    ACCOUNT_PASSWORD,
    database_name,
    temporary_database,
    temporary_store,
)

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
    from zhengku.accounts import ACCOUNTS, make_accounts
    from zhengku.database import store_connection, upgrade

    with temporary_database(server_url) as url:
        upgrade(url)
        with store_connection(url) as connection:
            make_accounts(connection, dict.fromkeys(ACCOUNTS, ACCOUNT_PASSWORD))
        yield database_name(url)


@pytest.fixture
def database_url(server_url: str, template_database: str) -> Iterator[str]:
    """Address of a database at the newest schema, for this test alone."""
    with temporary_store(server_url, template_database) as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """Address of a database without our schema, for this test alone."""
    with temporary_database(server_url) as url:
        yield url


@pytest.fixture(scope="session")
def register_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped catalogue with one department that has one feed, the business license register."""
    folder = tmp_path_factory.mktemp("register") / "catalog"
    write_small_catalog(folder, {"market_supervision": ["business_license"]})
    return folder


@pytest.fixture
def installation(tmp_path: Path, database_url: str, register_catalog: Path) -> Installation:
    """A fresh installation that collects one feed, with the shipped suites and an empty file drop."""
    return make_installation(tmp_path, database_url, register_catalog)


@pytest.fixture
def make_row() -> Callable[..., str]:
    """Return the maker of made-up rows: `make_row(number, 企业名称=…)`."""
    return license_row


@pytest.fixture
def header() -> str:
    """Header of the business license register."""
    return HEADER


@pytest.fixture
def register(installation: Installation, tmp_path: Path) -> ReviewedInstallation:
    """An installation whose department sends the whole register each time."""
    change_department(
        installation, tmp_path, lambda text: text.replace("deliveries: increments", "deliveries: snapshots")
    )
    return ReviewedInstallation(installation.settings, installation.drop)


@pytest.fixture
def reviewed(installation: Installation) -> ReviewedInstallation:
    """An installation whose department sends only what is new."""
    return ReviewedInstallation(installation.settings, installation.drop)


@pytest.fixture
def exchange(installation: Installation, tmp_path: Path) -> Any:
    """An installation whose rows say what happened to them, and when: insert, update or delete."""
    return report_changes(installation, tmp_path)


@pytest.fixture
def timed_register(exchange: Any, tmp_path: Path) -> Any:
    """A feed whose every delivery is the whole register, of rows that say when they were changed."""
    change_department(
        exchange, tmp_path / "timed", lambda text: text.replace("deliveries: increments", "deliveries: snapshots")
    )
    return exchange


@pytest.fixture
def whole(installation: Installation, tmp_path: Path) -> Installation:
    """An installation whose one feed maps every standard field."""
    return map_every_field(installation, tmp_path)
