"""Held batches in a real Airflow, without a triggerer: who is asked, who may answer, and what comes of the answers."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from tests.support.installation import Installation, license_row
from tests.support.small_city import write_small_catalog

from local_stack.cluster import Cluster
from local_stack.stack import STORE_DATABASE
from zhengku.settings import Settings, project_home

pytestmark = [pytest.mark.slow, pytest.mark.whole_airflow]

COMPONENTS = ("api-server", "scheduler", "dag-processor", "worker-1")
DAG = "held_batches"
STEP_SECONDS = 600.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The services of docker-compose.yml with one worker, and two batches that are held."""
    cluster = Cluster(project_home(), tmp_path_factory.mktemp("cluster"), print, own_redis=True)
    try:
        cluster.up(COMPONENTS)
        hold_two_batches(cluster, tmp_path_factory.mktemp("department"))
        yield cluster
    finally:
        cluster.down()


def hold_two_batches(cluster: Cluster, folder: Path) -> None:
    drop = folder / "drop" / "business_license"
    drop.mkdir(parents=True)
    write_small_catalog(folder / "catalog", {"market_supervision": ["business_license"]})
    environment = {
        "ZHENGKU_DATABASE_URL": cluster.postgres.url(STORE_DATABASE),
        "ZHENGKU_CATALOG_DIR": str(folder / "catalog"),
        "ZHENGKU_LANDING_URL": str(cluster.state / "landing"),
        "ZHENGKU_REPORT_DIR": str(cluster.state / "reports"),
        "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": str(folder / "drop"),
    }
    department = Installation(Settings(home=project_home(), environment=environment), drop)
    for number, name in enumerate(("a.csv", "b.csv")):
        begin = number * 1_000
        rows = (license_row(row, 企业名称="" if row % 3 else "某公司") for row in range(begin, begin + 300))
        department.deliver_rows(name, *rows)
        assert department.run_one().status == "held"


def query(cluster: Cluster, statement: str) -> list[tuple]:
    with psycopg.connect(cluster.postgres.url(STORE_DATABASE).replace("+psycopg", "")) as connection:
        return connection.execute(statement.encode()).fetchall()


@pytest.fixture
def session(cluster: Cluster) -> Iterator[Callable[[str], httpx.Client]]:
    """Return what logs in: a client that asks as a login."""
    clients: list[httpx.Client] = []

    def log_in(login: str) -> httpx.Client:
        client = httpx.Client(base_url=cluster.address, timeout=60, trust_env=False)
        clients.append(client)
        token = client.post("/auth/token", json={"username": login, "password": cluster.logins()[login]})
        client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        return client

    yield log_in
    for client in clients:
        client.close()


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + STEP_SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(1)
    return found


def answer(client: httpx.Client, question: dict[str, Any], option: str, reason: str = "") -> httpx.Response:
    task = question["task_instance"]
    return client.patch(
        f"/api/v2/dags/{DAG}/dagRuns/{task['dag_run_id']}/taskInstances/ask/{task['map_index']}/hitlDetails",
        json={"chosen_options": [option], "params_input": {"reason": reason}},
    )


def test_big_data_section_alone_decides_about_each_held_batch_by_itself(cluster, session):
    section = session("data_section")

    def questions() -> list[dict[str, Any]]:
        listed = section.get("/api/v2/dags/~/dagRuns/~/hitlDetails", params={"response_received": False})
        return sorted(listed.json().get("hitl_details", ()), key=lambda question: question["subject"])

    with cluster.api() as api:
        assert api.import_errors() == {}
        # Switched on, it runs for the hour that passed last.
        api.unpause(DAG)
        first, second = wait_for(lambda: len(found := questions()) == 2 and found)
        run_id = first["task_instance"]["dag_run_id"]
        assert first["subject"] == "批次 1：市市场监督管理局 营业执照登记簿 暂扣待审"
        # Of all DAGs he sees this one.
        assert [dag["dag_id"] for dag in section.get("/api/v2/dags").json()["dags"]] == [DAG]

        for login in ("admin", "viewer", "section"):
            assert answer(session(login), first, "放行入库", "已核实").status_code == 403, login
        assert answer(session("admin"), first, "放行入库", "已核实").json()["detail"].startswith("只有大数据科")

        assert answer(section, first, "放行入库", "已核实").status_code == 200
        # Batch 2 still waits.
        wait_for(lambda: query(cluster, "select status from ledger.batch where batch_id = 1") == [("loaded",)])

        assert answer(section, second, "整批退回").status_code == 200
        wait_for(lambda: questions() and questions()[0]["task_instance"]["try_number"] == 2)
        assert answer(section, questions()[0], "整批退回", "只导出了一部分").status_code == 200
        wait_for(lambda: api.run_state(DAG, run_id) == "success")
        names = {task.name for task in api.task_states(DAG, run_id) if task.map_index >= 0}
    assert names == {"decide 批次 1", "decide 批次 2", f"ask {first['subject']}", f"ask {second['subject']}"}
    assert query(cluster, "select batch_id, decision, decided_by, reason from ledger.decision order by 1") == [
        (1, "released", "data_section", "已核实"),
        (2, "rejected", "data_section", "只导出了一部分"),
    ]


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("data_section", [200, 200, 200]),
        ("admin", [200, 200, 200]),
        ("section", [200, 200, 403]),
        ("viewer", [403] * 3),
    ],
)
def test_pages_are_shown_to_whom_they_are_for(session, login, expected):
    client = session(login)
    assert [client.get(f"/zhengku/review/{page}").status_code for page in ("", "report", "problems")] == expected
