"""A night on which half of the departments fail: the others are loaded, lists are on time, one message names them."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.support.bad_night import broken_file, control, impatient, messages
from tests.support.calm_catalog import calm
from tests.support.night_comparison import differences, newest_batch
from tests.support.notice_servers import MailServer, Robot, serving
from tests.support.small_city import SmallCity, running

from local_stack.airflow import AirflowApi
from local_stack.stack import STORE_DATABASE
from simulator.city import City
from simulator.model import Night
from simulator.publish import publish
from simulator.services import with_services
from simulator.sources import SYSTEMS
from zhengku.catalog import load_catalog
from zhengku_airflow.section_dags import SECTION_DAGS

pytestmark = [pytest.mark.slow, pytest.mark.whole_airflow]

DOWN = ("government_services", "public_security", "health")
HANGING = "transport"
BROKEN = "water"
GOOD = ("emergency", "human_resources", "unified_acceptance", "service_evaluation")
DEPARTMENTS = (*DOWN, HANGING, BROKEN, *GOOD)
SECTION = ("daily_clearance", "daily_clearance_cutoff", "validation_report", "watch")
ELSEWHERE = sorted(SECTION_DAGS.keys() - set(SECTION))

# Of departments with many feeds, one is enough.
FEEDS = {system.department: system.feed for system in reversed(SYSTEMS) if system.department in DEPARTMENTS}
HERE = [system for system in SYSTEMS if FEEDS.get(system.department) == system.feed]
SECONDS = 600.0


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    server = MailServer()
    with serving(server):
        yield server


@pytest.fixture(scope="module")
def robot() -> Iterator[Robot]:
    robot = Robot()
    with serving(robot):
        yield robot


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, mail: MailServer, robot: Robot) -> Iterator[SmallCity]:
    feeds = {name: [feed] for name, feed in FEEDS.items()}
    feeds["unified_acceptance"] = ["service_cases", "self_built_cases", "case_results"]
    feeds["service_evaluation"] = ["evaluations", "terminal_evaluations"]
    city = SmallCity(tmp_path_factory.mktemp("city"), feeds, SECTION, retries=1, retry_delay_seconds=1)
    catalog = city.state / "catalog"
    for department in (*DOWN, HANGING):
        impatient(catalog, department)
    calm(catalog, paused=ELSEWHERE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ZHENGKU_SMTP", json.dumps(mail.connection))
        patch.setenv("AIRFLOW_CONN_ZHENGKU_WEBHOOK", json.dumps(robot.connection))
        with running(city):
            yield city


def of(night: Night, *departments: str) -> Night:
    return replace(night, deliveries=[d for d in night.deliveries if d.system.department in departments])


def run_night(city: SmallCity, api: AirflowApi, name: str) -> list[str]:
    """Run all departments, then what is due by the clock, then the watch; return the departments that failed."""
    failed = city.run(api, name, DEPARTMENTS)
    assert city.run(api, f"{name}-lists", ("daily_clearance_cutoff", "validation_report")) == []
    assert city.run(api, f"{name}-watch", ("watch",)) == []
    return failed


def test_half_of_the_departments_fail_and_people_get_one_message_and_one_that_all_is_well(city, mail, robot):
    url = city.postgres.url(STORE_DATABASE)
    nights = [night for night, _ in with_services(City(52, 40, nights=3, systems=HERE))]
    catalog = load_catalog(city.state / "catalog")
    with city.api() as api:
        for dag_id in (*DEPARTMENTS, *SECTION):
            api.unpause(dag_id)
        publish(nights[0], city.city.places)
        assert run_night(city, api, "night-1") == []
        told = len(messages(robot))

        # ---- the bad night
        publish(nights[1], city.city.places)
        control(city.city.places, "down", *DOWN)
        control(city.city.places, "hang", HANGING)
        broken_file(city.city.places, BROKEN)
        before = newest_batch(url)
        assert run_night(city, api, "night-2") == sorted((*DOWN, HANGING, BROKEN))
        assert differences(url, of(nights[1], *GOOD), before) == []
        [message] = messages(robot)[told:]
        print(message)
        assert message.startswith("### 证库：需处理 ")
        for department in (*DOWN, HANGING, BROKEN):
            assert f"- （新）{catalog.department_name(department)}：" in message or (
                f"- {catalog.department_name(department)}：" in message
            ), department
        for department in GOOD:
            assert catalog.department_name(department) not in message
        assert f"/dags/{HANGING}/runs/night-2)" in message
        assert "清单未按时发布" not in message
        # Nothing has changed: nobody is told again.
        assert city.run(api, "watch-again", ("watch",)) == []
        assert len(messages(robot)) == told + 1

        # ---- the next night
        control(city.city.places, "up", *DOWN, HANGING)
        publish(nights[2], city.city.places)
        failed = run_night(city, api, "night-3")
        unsettled = (
            "select department, feed, status, detail from ledger.batch where run_id = 'night-3' and status <> 'loaded'"
        )
        assert failed == [], city.query(STORE_DATABASE, unsettled)
    *_, last = messages(robot)
    assert last.startswith("### 证库：已全部恢复正常")
    assert len(messages(robot)) == told + 2
    for department in (*DOWN, HANGING, BROKEN):
        assert catalog.department_name(department) in last
    subjects = [message["Subject"] for _, message in mail.taken]
    assert len(subjects) >= 2
    lists = city.query(STORE_DATABASE, "select count(*) from clearance.list where day >= current_date - 1")
    assert lists[0][0] >= 1
