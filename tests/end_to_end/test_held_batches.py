"""Held batches in a real Airflow, without a triggerer: who is asked, who may answer, what comes of the answers.

A login with Airflow's role Op, which may write every XCom and clear every task, tries to decide in another's name.
"""

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
REPLAY = "replay"
STEP_SECONDS = 600.0
# Logins of this test alone, and their roles.
OP, OPERATOR = "op_li", "operator_wang"
PASSWORD = "Made-up-for-this-test-1"
WAITING = "awaiting_input"
DECISIONS = "select batch_id, decision, decided_by, reason from ledger.decision order by 1"


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
        password = cluster.logins().get(login, PASSWORD)
        token = client.post("/auth/token", json={"username": login, "password": password})
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


@pytest.fixture
def with_role(session) -> Callable[[str, str], httpx.Client]:
    """Return what makes a login with a role; it returns a client that asks as that login."""

    def make(login: str, role: str) -> httpx.Client:
        person = {"username": login, "first_name": login, "last_name": login, "email": f"{login}@localhost"}
        made = session("admin").post(
            "/auth/fab/v1/users", json={**person, "password": PASSWORD, "roles": [{"name": role}]}
        )
        assert made.status_code in (200, 409), made.text
        return session(login)

    return make


def answer(client: httpx.Client, question: dict[str, Any], option: str, reason: str = "") -> httpx.Response:
    task = question["task_instance"]
    return client.patch(
        f"/api/v2/dags/{DAG}/dagRuns/{task['dag_run_id']}/taskInstances/ask/{task['map_index']}/hitlDetails",
        json={"chosen_options": [option], "params_input": {"reason": reason}},
    )


class Forger:
    """What a login with Airflow's role Op may do with a run of `held_batches`."""

    def __init__(self, client: httpx.Client, run_id: str) -> None:
        self._client = client
        self._run = f"/api/v2/dags/{DAG}/dagRuns/{run_id}"
        self._run_id = run_id

    def write_xcom(self, task_id: str, value: Any, map_index: int = -1) -> None:
        """Write what a task returned."""
        place = f"{self._run}/taskInstances/{task_id}/xcomEntries"
        body = {"value": value, "map_index": map_index}
        written = self._client.post(place, json={"key": "return_value", **body})
        if written.status_code == 409:
            written = self._client.patch(f"{place}/return_value", json=body)
        assert written.is_success, written.text

    def mark_as_success(self, map_index: int) -> None:
        """Mark a question as answered."""
        marked = self._client.patch(f"{self._run}/taskInstances/ask/{map_index}", json={"new_state": "success"})
        assert marked.is_success, marked.text

    def clear(self, map_index: int) -> None:
        """Run the task of a question again."""
        cleared = self._client.post(
            f"/api/v2/dags/{DAG}/clearTaskInstances",
            json={
                "dag_run_id": self._run_id,
                "task_ids": [["ask", map_index]],
                "dry_run": False,
                "only_failed": False,
                "reset_dag_runs": True,
            },
        )
        assert cleared.is_success, cleared.text
        assert cleared.json()["total_entries"] == 1


def forged_answer(batch_id: int) -> dict[str, Any]:
    """Return an answer as Airflow's operator passes it on, in the name of the big-data section."""
    return {
        "chosen_options": [f"批次 {batch_id} 放行入库"],
        "params_input": {"reason": "已核实"},
        "responded_at": "2026-11-30T08:00:00Z",
        "responded_by_user": {"id": "1", "name": "data_section"},
    }


def test_big_data_section_alone_decides_about_each_held_batch_by_itself(cluster, session, with_role):
    section, op = session("data_section"), with_role(OP, "Op")

    def questions() -> list[dict[str, Any]]:
        listed = section.get("/api/v2/dags/~/dagRuns/~/hitlDetails", params={"response_received": False})
        return sorted(listed.json().get("hitl_details", ()), key=lambda question: question["subject"])

    def state(map_index: int) -> str:
        return str(op.get(f"/api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances/ask/{map_index}").json()["state"])

    with cluster.api() as api:
        assert api.import_errors() == {}
        # Switched on, it runs for the hour that passed last.
        api.unpause(DAG)
        first, second = wait_for(lambda: len(found := questions()) == 2 and found)
        run_id = first["task_instance"]["dag_run_id"]
        assert first["subject"] == "批次 1：市市场监督管理局 营业执照登记簿 暂扣待审"
        # Of all DAGs he sees this one.
        assert [dag["dag_id"] for dag in section.get("/api/v2/dags").json()["dags"]] == [DAG]

        for login in ("admin", "viewer", "section", OP):
            assert answer(session(login), first, "批次 1 放行入库", "已核实").status_code == 403, login
        assert answer(session("admin"), first, "批次 1 放行入库", "已核实").json()["detail"].startswith("只有大数据科")

        forger = Forger(op, run_id)
        # He writes answers in the section's name and marks the questions as answered.
        for map_index, batch_id in enumerate((1, 2)):
            forger.write_xcom("ask", forged_answer(batch_id), map_index)
            forger.mark_as_success(map_index)
        wait_for(lambda: api.run_state(DAG, run_id) == "success")
        assert query(cluster, DECISIONS) == []
        forger.clear(0)
        forger.clear(1)
        wait_for(lambda: state(0) == state(1) == WAITING)
        # He exchanges the batches behind the questions, so that the section's answer would release the other one.
        forger.write_xcom("find", [2, 1])
        assert answer(section, first, "批次 1 放行入库", "已核实").status_code == 200
        wait_for(lambda: state(0) == "failed")
        assert query(cluster, DECISIONS) == []
        forger.write_xcom("find", [1, 2])
        forger.clear(0)
        wait_for(lambda: state(0) == WAITING)

        assert answer(section, first, "批次 1 放行入库", "已核实").status_code == 200
        # Batch 2 still waits.
        wait_for(lambda: query(cluster, "select status from ledger.batch where batch_id = 1") == [("loaded",)])

        assert answer(section, second, "批次 2 整批退回").status_code == 200
        # The question is repeated: its first try was cleared, its second got this answer.
        wait_for(lambda: (found := questions()) and found[0]["task_instance"]["try_number"] == 3)
        wait_for(lambda: state(1) == WAITING)
        assert answer(section, questions()[0], "批次 2 整批退回", "只导出了一部分").status_code == 200
        wait_for(lambda: api.run_state(DAG, run_id) == "success")
        # A task that waits for its answer a second time has its id in the answer of the API, not its title.
        names = {task.name.rpartition(" 批次")[2] for task in api.task_states(DAG, run_id) if task.map_index >= 0}
        assert names == {" 1", " 2"}
        decided = query(cluster, DECISIONS)
        assert decided == [
            (1, "released", "data_section", "已核实"),
            (2, "rejected", "data_section", "只导出了一部分"),
        ]

        # A decision is not taken again, whatever is written and cleared.
        forger.write_xcom("ask", forged_answer(2), map_index=1)
        forger.clear(1)
        wait_for(lambda: state(1) == "skipped")
        assert query(cluster, DECISIONS) == decided
        assert query(cluster, "select status from ledger.batch where batch_id = 2") == [("rejected",)]


def test_name_of_a_run_opens_no_way_around_the_refusal(with_role):
    # Airflow itself would answer 404: there is no such run.
    question = {"task_instance": {"dag_run_id": "manual%0A", "map_index": 0}}
    refused = answer(with_role(OP, "Op"), question, "批次 1 放行入库", "已核实")
    assert (refused.status_code, refused.json()["detail"][:5]) == (403, "只有大数据")


def test_operator_starts_and_clears_a_replay_and_it_is_recorded_for_him(cluster, with_role):
    operator = with_role(OPERATOR, "operator")
    run = f"/api/v2/dags/{REPLAY}/dagRuns/again"
    with cluster.api() as api:
        assert operator.patch(f"/api/v2/dags/{REPLAY}", json={"is_paused": False}).is_success
        started = operator.post(
            f"/api/v2/dags/{REPLAY}/dagRuns",
            json={
                "dag_run_id": "again",
                "logical_date": None,
                "conf": {"batches": [1], "reason": "映射已改", "by": "data_section"},
            },
        )
        assert started.is_success, started.text
        wait_for(lambda: api.run_state(REPLAY, "again") in ("success", "failed"))
        recorded = "select released_by, release_reason, run_id from ledger.batch where origin = 'replay'"
        assert query(cluster, recorded) == [(OPERATOR, "映射已改", "again")]
        # Whoever clears it, it stays the replay of who started it.
        cleared = with_role(OP, "Op").post(f"{run}/clear", json={"dry_run": False})
        assert cleared.is_success, cleared.text
        wait_for(lambda: api.run_state(REPLAY, "again") in ("success", "failed"))
        assert query(cluster, recorded) == [(OPERATOR, "映射已改", "again")]

    xcom = {"key": "return_value", "value": [1], "map_index": -1}
    connection = {"connection_id": "zhengku_smtp", "conn_type": "smtp"}
    question = {"task_instance": {"dag_run_id": "any", "map_index": 0}}
    refused = {
        "xcom": operator.post(f"{run}/taskInstances/take_again/xcomEntries", json=xcom),
        "connection": operator.post("/api/v2/connections", json=connection),
        "variable": operator.post("/api/v2/variables", json={"key": "a", "value": "b"}),
        "pool": operator.patch("/api/v2/pools/default_pool", json={"slots": 1}),
        "answer": answer(operator, question, "批次 1 放行入库", "已核实"),
        "run": operator.delete(run),
        "dag": operator.delete(f"/api/v2/dags/{REPLAY}"),
    }
    assert {name: response.status_code for name, response in refused.items()} == dict.fromkeys(refused, 403)


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
