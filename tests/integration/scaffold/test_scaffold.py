"""A new department from nothing: scaffold, profile of its source, mapping pasted, catalogue checked, its test green."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.department_pipeline import landed_bytes

from simulator.credentials import app_id, app_secret
from simulator.http_service import HttpService, write_state
from simulator.model import Column, HttpPlace, SourceRow, SourceSystem
from zhengku.check.configuration import check_catalog
from zhengku.errors import CatalogError, ConfigurationError
from zhengku.profile.draft import read_draft
from zhengku.profile.profile import profile
from zhengku.scaffold.department import Scaffold, new_department, new_feed
from zhengku.settings import Settings, project_home
from zhengku.transports.registry import TransportKind

if TYPE_CHECKING:
    from tests.support.exchange_servers import ExchangeServer


HOME = Path(__file__).resolve().parents[3]
TYPE = "building_construction_permit"
DEPARTMENT = "trial_office"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of its own, without the departments that are in the catalogue."""
    home = tmp_path / "checkout"
    shutil.copytree(HOME / "include" / "catalog", home / "include" / "catalog")
    for path in (home / "include" / "catalog" / "departments").iterdir():
        path.unlink()
    for folder in ("sql", "expectations"):
        shutil.copytree(HOME / folder, home / folder)
    (home / "dags").mkdir()
    (home / "tests" / "departments").mkdir(parents=True)
    for file in ("pyproject.toml", "tests/conftest.py", "tests/departments/conftest.py"):
        shutil.copy(HOME / file, home / file)
    shutil.copytree(
        HOME / "tests" / "support", home / "tests" / "support", ignore=shutil.ignore_patterns("__pycache__")
    )
    return home


def scaffolded(home: Path, transport: TransportKind, *types: str) -> Scaffold:
    return new_department(Settings(home, {}), DEPARTMENT, "市某某局", transport, types or (TYPE,))


def sample_rows(scaffold: Scaffold) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(scaffold.samples[0].read_text(encoding="utf-8"))["rows"]
    return rows


def paste(scaffold: Scaffold, mapping: str) -> None:
    with scaffold.catalog_file.open("a", encoding="utf-8") as file:
        file.write(mapping)


def check_and_test(home: Path, server_url: str) -> None:
    """The catalogue is without mistakes, and the department's own test passes."""
    problems = check_catalog(home / "include" / "catalog", home / "expectations")
    assert [str(problem) for problem in problems if problem.severity != "info"] == []
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/departments/test_{DEPARTMENT}.py"],
        cwd=home,
        env={**os.environ, "ZHENGKU_HOME": str(home), "ZHENGKU_TEST_DATABASE_URL": server_url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "2 passed" in outcome.stdout


@pytest.mark.slow
def test_department_with_a_file_drop_goes_from_nothing_to_a_green_test(
    checkout: Path, tmp_path: Path, server_url: str
) -> None:
    scaffold = scaffolded(checkout, "file_drop")
    feed = read_draft(checkout / "include" / "catalog", DEPARTMENT, TYPE).feed
    drop = tmp_path / "drop" / TYPE
    drop.mkdir(parents=True)
    file = drop / "第一批.csv"
    file.write_bytes(landed_bytes(feed, sample_rows(scaffold)))
    os.utime(file, (time.time() - 60, time.time() - 60))
    settings = Settings(checkout, {f"ZHENGKU_CONN_{DEPARTMENT.upper()}_DROP": str(tmp_path / "drop")})
    paste(scaffold, str(profile(settings, DEPARTMENT, TYPE, 1000)))
    check_and_test(checkout, server_url)


@pytest.mark.slow
def test_department_with_an_interface_goes_from_nothing_to_a_green_test(
    checkout: Path, tmp_path: Path, server_url: str
) -> None:
    scaffold = scaffolded(checkout, "http")
    with interface(tmp_path / "service", sample_rows(scaffold)) as address:
        settings = Settings(checkout, {f"ZHENGKU_CONN_{DEPARTMENT.upper()}_API": address})
        paste(scaffold, str(profile(settings, DEPARTMENT, TYPE, 1000)))
    check_and_test(checkout, server_url)


@pytest.mark.slow
def test_department_with_an_exchange_database_goes_from_nothing_to_a_green_test(
    checkout: Path, server_url: str, postgres: ExchangeServer
) -> None:
    scaffold = scaffolded(checkout, "exchange_database")
    rows = sample_rows(scaffold)
    columns = ", ".join(f'"{name}" varchar(200)' for name in rows[0] if name not in ("id", "cd_time"))
    postgres.run(f'create table "ex_{TYPE}" (id integer primary key, cd_time timestamp, {columns})')
    postgres.fill(
        f"ex_{TYPE}",
        [{**row, "id": int(row["id"]), "cd_time": datetime.fromisoformat(row["cd_time"])} for row in rows],
    )
    settings = Settings(checkout, {f"ZHENGKU_CONN_{DEPARTMENT.upper()}_EXCHANGE": postgres.address})
    paste(scaffold, str(profile(settings, DEPARTMENT, TYPE, 1000)))
    check_and_test(checkout, server_url)


@contextmanager
def interface(folder: Path, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Serve rows as the made-up departments' interfaces do; gives the address with id and secret."""
    system = SourceSystem(
        department=DEPARTMENT,
        feed=TYPE,
        license_type=TYPE,
        connection=f"{DEPARTMENT}_api",
        place=HttpPlace(path=f"api/{TYPE}", signature="hmac_sha256", paging="number"),
        columns=tuple(Column(name, None) for name in rows[0]),
        row_id="id",
        time_column="更新时间",
    )
    changed = [datetime.fromisoformat(row["更新时间"]) for row in rows]
    write_state(folder, system, [SourceRow(row["id"], row, at, 1) for row, at in zip(rows, changed, strict=True)])
    service = HttpService(folder)
    thread = Thread(target=service.serve_forever, daemon=True)
    thread.start()
    try:
        login = f"{app_id(DEPARTMENT)}:{app_secret(folder, DEPARTMENT)}"
        yield f"http://{login}@127.0.0.1:{service.server_port}/{DEPARTMENT}"
    finally:
        service.shutdown()
        service.server_close()
        thread.join()


def test_nothing_is_overwritten_and_nothing_half_written(checkout: Path) -> None:
    dag = checkout / "dags" / f"{DEPARTMENT}.py"
    dag.write_text("kept", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="nothing is overwritten"):
        scaffolded(checkout, "file_drop")
    assert dag.read_text(encoding="utf-8") == "kept"
    assert list((checkout / "include" / "catalog" / "departments").iterdir()) == []
    assert list((checkout / "tests" / "departments").glob("test_*.py")) == []


def test_dag_file_says_what_airflow_looks_for(checkout: Path) -> None:
    text = scaffolded(checkout, "http", TYPE, "food_business_license").dag_file.read_text(encoding="utf-8")
    assert "airflow" in text
    assert f'dag = department_dag("{DEPARTMENT}")' in text
    compile(text, "dag", "exec")


def test_every_license_type_becomes_a_feed_that_can_be_profiled(checkout: Path) -> None:
    scaffolded(checkout, "exchange_database", TYPE, "food_business_license", TYPE)
    for feed in (TYPE, "food_business_license"):
        draft = read_draft(checkout / "include" / "catalog", DEPARTMENT, feed)
        assert draft.feed.transport.kind == "exchange_database"
        assert draft.feed.license_type == feed


@pytest.mark.parametrize("department", ["Bureau", "../etc", "a b", "", "市某局"])
def test_an_id_that_is_none_is_refused(checkout: Path, department: str) -> None:
    with pytest.raises(ConfigurationError, match="small letters"):
        new_department(Settings(checkout, {}), department, "市某某局", "http")


def test_an_unknown_license_type_is_refused(checkout: Path) -> None:
    with pytest.raises(CatalogError, match="Did you mean 'business_license'"):
        scaffolded(checkout, "http", "bussiness_license")


def test_templates_of_the_scaffold_lie_in_the_package() -> None:
    folder = project_home() / "include" / "zhengku" / "scaffold"
    assert {path.name for path in folder.glob("*.j2")} == {"catalog.yaml.j2", "feed.yaml.j2", "dag.py.j2", "test.py.j2"}


SHIPPED = HOME / "include" / "catalog" / "departments" / "housing.yaml"


@pytest.mark.parametrize("transport", ["file_drop", "http", "exchange_database"])
@pytest.mark.parametrize("others", ["file_drop", "http"])
def test_a_feed_of_any_transport_is_added_beside_the_others(
    checkout: Path, others: TransportKind, transport: TransportKind
) -> None:
    scaffold = scaffolded(checkout, others)
    before = scaffold.catalog_file.read_text("utf-8")
    settings = Settings(checkout, {})
    written = new_feed(settings, DEPARTMENT, "drug_business_license", transport)
    sample = checkout / "tests" / "departments" / DEPARTMENT / "drug_business_license.json"
    assert written == (scaffold.catalog_file, sample)
    assert scaffold.catalog_file.read_text("utf-8").startswith(before.rstrip())
    draft = read_draft(settings.catalog_folder, DEPARTMENT, "drug_business_license").feed
    assert (draft.transport.kind, draft.license_type) == (transport, "drug_business_license")
    assert read_draft(settings.catalog_folder, DEPARTMENT, TYPE).feed.transport.kind == others
    with pytest.raises(ConfigurationError, match=r"trial_office\.yaml:[0-9]+: feed drug_business_license is there"):
        new_feed(settings, DEPARTMENT, "drug_business_license", transport)


@pytest.mark.parametrize("tail", ["", "# the end\n", "retries: 1\n", "\n\nretries: 1\n# the end\n"])
def test_a_feed_is_added_to_a_department_as_it_is_shipped(checkout: Path, tail: str) -> None:
    path = checkout / "include" / "catalog" / "departments" / "housing.yaml"
    path.write_text(SHIPPED.read_text("utf-8") + tail, encoding="utf-8")
    settings = Settings(checkout, {})
    assert new_feed(settings, "housing", "permit", "exchange_database", "building_construction_permit") == (path,)
    text = path.read_text("utf-8")
    assert [line for line in SHIPPED.read_text("utf-8").splitlines() if line and line not in text.splitlines()] == []
    draft = read_draft(settings.catalog_folder, "housing", "permit").feed
    assert (draft.transport.kind, draft.license_type) == ("exchange_database", "building_construction_permit")
    told = [str(p) for p in check_catalog(settings.catalog_folder, HOME / "expectations") if p.severity == "error"]
    assert told
    assert all("housing.yaml" in problem for problem in told)


def test_what_no_feed_can_be_added_to_is_told(checkout: Path) -> None:
    scaffolded(checkout, "http")
    settings = Settings(checkout, {})
    with pytest.raises(CatalogError, match=r"No departments/trial_offise\.yaml\. Did you mean 'trial_office'"):
        new_feed(settings, "trial_offise", "permit", "http")
    with pytest.raises(CatalogError, match="No license type 'no_such_type'"):
        new_feed(settings, DEPARTMENT, "permit", "http", "no_such_type")
    with pytest.raises(ConfigurationError, match="Expected a feed of small letters"):
        new_feed(settings, DEPARTMENT, "许可证", "http")
