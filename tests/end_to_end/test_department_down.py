"""A department that is down all night hurts only itself, and the next night catches up; in a real Airflow.

The same Airflow shows what people see of it: a system of a department that is away, the end of a red task's log, the
graphs of DAGs and assets, and our pages at the DAG and at the run.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.browser import CHROMIUM, browsing
from tests.support.installation import HEADER, license_row
from tests.support.night_comparison import differences, newest_batch
from tests.support.small_city import SmallCity, running

from local_stack.airflow import AirflowApi
from local_stack.processes import stop_programs
from local_stack.stack import STORE_DATABASE
from simulator.city import City
from simulator.model import Night
from simulator.publish import publish
from simulator.serve import HTTP_PORT_FILE, SFTP_PORT_FILE
from simulator.sources import SYSTEMS

pytestmark = [pytest.mark.slow, pytest.mark.whole_airflow]

DOWN = "government_services"
DEPARTMENTS = (DOWN, "emergency", "human_resources", "tobacco")
"""Two interfaces, a table, and a drop."""

WHOLE = "tobacco"
"""It delivers its whole register, which is compared whatever the times of its rows."""

WEEKLY = ("reconcile", "stock")
"""What compares and counts behind the nights."""

ASSET_DAG = "daily_clearance"
"""It is started by assets of the store."""

SYSTEMS_HERE = [system for system in SYSTEMS if system.department in DEPARTMENTS]

TWO_SYSTEMS = "market_supervision"
"""A department whose feeds come from two systems here."""

THERE, AWAY = "business_license", "food_business_license"

RETRY_SECONDS = 30
"""Pause before the second try of the department of two systems."""

PICTURES = Path("/tmp/zhengku-pages")
"""Where a person may look at what the browser saw."""


class CityOfTwoSystems(SmallCity):
    """A city one of whose departments has a second system, whose drop is not there at first."""

    def __init__(self, state: Path) -> None:
        feeds = {name: [system.feed for system in SYSTEMS_HERE if system.department == name] for name in DEPARTMENTS}
        feeds[TWO_SYSTEMS] = [THERE, AWAY]
        super().__init__(state, feeds, (*WEEKLY, ASSET_DAG), retries=1, retry_delay_seconds=1)
        file = state / "catalog" / "departments" / f"{TWO_SYSTEMS}.yaml"
        there, away = file.read_text("utf-8").split(f"  {AWAY}:\n")
        away = away.replace("connection: market_supervision_drop", "connection: second_drop")
        there = there.replace("retry_delay_seconds: 1\n", f"retry_delay_seconds: {RETRY_SECONDS}\n")
        file.write_text(f"{there}  {AWAY}:\n{away}", encoding="utf-8")

    @property
    def second_drop(self) -> Path:
        """Folder of the second system."""
        return self.state / "second_drop"

    def _our_settings(self) -> dict[str, str]:
        return {**super()._our_settings(), "ZHENGKU_CONN_SECOND_DROP": str(self.second_drop)}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CityOfTwoSystems]:
    city = CityOfTwoSystems(tmp_path_factory.mktemp("city") / "city")
    with running(city):
        yield city


def lay(folder: Path, name: str, *lines: str) -> None:
    """Lay a file into a drop as a department's system would, finished an hour ago."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    os.utime(folder / name, (time.time() - 3600, time.time() - 3600))


def log_of(city: SmallCity, run_id: str, task_id: str, map_index: int | None = None) -> list[dict[str, Any]]:
    """Return the lines of the newest try of a task of the department of two systems."""
    run = city.airflow.task_log_folder / f"dag_id={TWO_SYSTEMS}" / f"run_id={run_id}"
    folder = run / f"task_id={task_id}"
    if map_index is not None:
        folder /= f"map_index={map_index}"
    newest = max(folder.glob("attempt=*.log"), key=lambda file: file.stat().st_mtime)
    return [json.loads(line) for line in newest.read_text("utf-8").splitlines()]


def states_of(api: AirflowApi, run_id: str) -> Mapping[tuple[str, int], tuple[str, int]]:
    """Return state and try of each task of the department of two systems."""
    tasks = api.task_states(TWO_SYSTEMS, run_id)
    return {(task.task_id, task.map_index): (task.state, task.try_number) for task in tasks}


def serve(city: SmallCity, *down: str) -> None:
    """Start the departments' servers anew at the same ports, some of them down."""
    folder = city.city.places.folder
    ports = [(folder / name).read_text("ascii") for name in (HTTP_PORT_FILE, SFTP_PORT_FILE)]
    stop_programs([city.city.program])
    command = [sys.executable, "-m", "simulator", "serve", "--folder", str(folder)]
    command += ["--port", ports[0], "--sftp-port", ports[1]]
    city.city.start(os.environ, [*command, *(word for name in down for word in ("--down", name))])


def of(night: Night, *departments: str) -> Night:
    return replace(night, deliveries=[d for d in night.deliveries if d.system.department in departments])


def test_department_that_is_down_all_night_is_red_alone_and_caught_up_the_next(city: SmallCity) -> None:
    url = city.postgres.url(STORE_DATABASE)
    nights = list(City(51, 40, nights=3, systems=SYSTEMS_HERE).nights())
    others = [department for department in DEPARTMENTS if department != DOWN]
    with city.api() as api:
        for department in DEPARTMENTS:
            api.unpause(department)
        for night, down in zip(nights, ((), (DOWN,), ()), strict=True):
            serve(city, *down)
            publish(night, city.city.places)
            before = newest_batch(url)
            assert city.run(api, f"night-{night.number}", DEPARTMENTS) == list(down)
            assert differences(url, of(night, *others), before) == []
            if down:
                states = {task.name: task.state for task in api.task_states(DOWN, f"night-{night.number}")}
                assert sorted(states.values()) == ["failed", "failed", "success"], states
                assert newest_batch(url) > before
    # The counts are those of two nights in one, and so is the quarantine; what the store holds is that of the third.
    found = differences(url, of(nights[2], DOWN), before, counts=False)
    assert [line for line in found if "row" not in line] == []

    lost = city.query(
        STORE_DATABASE,
        "delete from store.certificate where department = %s and removal is null and record_key = (select min("
        "record_key) from store.certificate where department = %s and removal is null) returning feed, record_key",
        WHOLE,
        WHOLE,
    )
    assert len(lost) == 1
    with city.api() as api:
        for name in WEEKLY:
            api.unpause(name)
        assert city.run(api, "week-1", WEEKLY) == []
        tasks = {task.name: task.state for task in api.task_states("reconcile", "week-1")}
    assert set(tasks.values()) == {"success"}, tasks
    compared = city.query(STORE_DATABASE, "select distinct department from reconciliation.run order by 1")
    assert compared == [(name,) for name in sorted((*DEPARTMENTS, TWO_SYSTEMS))]
    missing = city.query(
        STORE_DATABASE,
        "select feed, record_key from reconciliation.difference where settled_at is null and kind = 'missing_in_store'",
    )
    assert missing == lost
    counted = city.query(
        STORE_DATABASE,
        "select department, sum(collected) from stock.collection_rate group by department order by department",
    )
    assert [name for name, collected in counted if collected] == sorted(DEPARTMENTS)


def test_what_came_from_one_system_is_loaded_while_the_other_is_away(city: CityOfTwoSystems) -> None:
    lay(city.city.drop_folder / THERE, "a.csv", HEADER, *(license_row(number) for number in range(5)))
    with city.api() as api:
        api.unpause(TWO_SYSTEMS)
        api.trigger(TWO_SYSTEMS, "away")
        deadline = time.monotonic() + 300
        states: Mapping[tuple[str, int], tuple[str, int]] = {}
        while states.get(("load", 0), ("", 0))[0] != "success":
            assert time.monotonic() < deadline, states
            states = states_of(api, "away")
            time.sleep(0.2)
        # The other one waits for its second try, and its load for that.
        assert states["collect", 1] == ("up_for_retry", 1)
        assert states["load", 1][0] == "waiting"
        loaded = "select feed, status, inserted from ledger.batch where department = %s"
        assert city.query(STORE_DATABASE, loaded, TWO_SYSTEMS) == [(THERE, "loaded", 5)]

        # The end of its log: one entry in plain lines, below which Airflow only folds what it did next.
        told = [line for line in log_of(city, "away", "collect", 1) if line["level"] != "info"][-1]
        assert (
            told["event"]
            .replace("\n", " ")
            .startswith(
                f"DeliveryUnavailable: The file drop {city.second_drop}/{AWAY} (connection 'second_drop') cannot be "
                "read: No such file or directory. Check that the folder is there"
            )
        )
        assert all(len(line) <= 120 or str(city.second_drop) in line for line in told["event"].splitlines())
        assert "error_detail" not in told

        lay(city.second_drop / AWAY, "b.csv", "a,b", "1,2")
        while api.run_state(TWO_SYSTEMS, "away") not in ("success", "failed"):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        states = states_of(api, "away")
    assert states["collect", 1] == ("success", 2)
    # The second system's file is rejected: a person looks.
    assert states["conclude", -1][0] == "failed"
    assert city.query(STORE_DATABASE, f"{loaded} order by feed", TWO_SYSTEMS) == [
        (THERE, "loaded", 5),
        (AWAY, "rejected", 0),
    ]
    [*_, told_last] = [line for line in log_of(city, "away", "conclude") if line["level"] == "error"]
    assert told_last["event"].startswith("BatchesFailed: 1 to look at: batch ")
    assert "error_detail" not in told_last
    assert f"- Report: {city.state / 'reports'}" in told_last["event"].replace("\n  ", " ")


def test_graphs_of_dags_and_assets_answer_and_show_chinese_groups(city: CityOfTwoSystems) -> None:
    """What the browser asks for to draw them; with psycopg 3 the first three answered 500."""
    logins = city.logins()
    with httpx.Client(base_url=city.address, timeout=60, trust_env=False) as client:
        token = client.post("/auth/token", json={"username": "viewer", "password": logins["viewer"]})
        client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"

        def ask(address: str) -> Any:
            answer = client.get(address)
            assert answer.status_code == 200, (address, answer.text[:500])
            return answer.json()

        assets = {asset["name"]: asset for asset in ask("/api/v2/assets?limit=100")["assets"]}
        groups = {name.partition(".")[0]: asset["group"] for name, asset in assets.items()}
        assert groups == {"store": "证照库", "stock": "存量统计"}
        loaded = f"asset:{assets[f'store.{THERE}']['id']}"
        edges = {(edge["source_id"], edge["target_id"]) for edge in ask("/ui/dependencies")["edges"]}
        assert (f"asset-alias:loaded.{TWO_SYSTEMS}", loaded) in edges
        case = f"asset:{assets['store.service_case']['id']}"
        assert (case, f"dag:{ASSET_DAG}") in edges
        for node in (loaded, case, f"dag:{ASSET_DAG}"):
            nodes = {found["id"] for found in ask(f"/ui/dependencies?node_id={node}")["nodes"]}
            assert node in nodes
        data = ask(f"/ui/dependencies?node_id={loaded}&dependency_type=data")
        assert loaded in {node["id"] for node in data["nodes"]}
        # What is loaded is read by the task that concludes.
        assert any(edge["source_id"] == loaded for edge in data["edges"]), data
        shown = ask(f"/ui/structure/structure_data?dag_id={TWO_SYSTEMS}&external_dependencies=true")
        [group] = [node for node in shown["nodes"] if node["id"] == "system"]
        assert group["label"] == "来源系统"
        assert {node["label"] for node in group["children"]} >= {"采集", "校验入库"}
        ask(f"/ui/next_run_assets/{ASSET_DAG}")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH: apt-get install chromium fonts-noto-cjk")
def test_report_and_runbook_hang_at_the_dag_and_at_the_run(city: CityOfTwoSystems, tmp_path: Path) -> None:
    login = {"username": "admin", "password": city.logins()["admin"]}
    frame = "document.querySelector('iframe').contentDocument.body"
    with browsing(tmp_path) as browser:
        browser.size(1500, 1000)
        token = httpx.post(f"{city.address}/auth/token", json=login, trust_env=False).json()["access_token"]
        browser.log_in(city.address, token)
        for place, words in (
            (f"dags/{TWO_SYSTEMS}/plugin/review-runs", "近期运行"),
            (f"dags/{TWO_SYSTEMS}/runs/away/plugin/review-run", "整份退回"),
            (f"dags/{TWO_SYSTEMS}/runs/away/plugin/review-run-runbook", "Which task is red"),
            (f"dags/{ASSET_DAG}/plugin/review-runs", "日清清单及其各版本"),
        ):
            browser.open(f"{city.address}/{place}")
            browser.wait(f"document.querySelector('iframe') && {frame}.innerText.includes('{words}')", 60)
            browser.picture(PICTURES / f"airflow-{place.replace('/', '-')}.png")
        browser.open(f"{city.address}/dags/{TWO_SYSTEMS}/runs/away/tasks/conclude")
        browser.wait("document.body.innerText.includes('BatchesFailed')", 60)
        browser.picture(PICTURES / "airflow-log.png")
