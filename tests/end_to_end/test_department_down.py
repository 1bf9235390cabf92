"""A department that is down all night hurts only itself, and the next night catches up; in a real Airflow."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.night_comparison import differences, newest_batch
from tests.support.small_city import SmallCity, running

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

SYSTEMS_HERE = [system for system in SYSTEMS if system.department in DEPARTMENTS]


@pytest.fixture
def city(tmp_path: Path) -> Iterator[SmallCity]:
    feeds = {name: [system.feed for system in SYSTEMS_HERE if system.department == name] for name in DEPARTMENTS}
    city = SmallCity(tmp_path / "city", feeds, WEEKLY, retries=1, retry_delay_seconds=1)
    with running(city):
        yield city


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
    assert compared == [(name,) for name in sorted(DEPARTMENTS)]
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
