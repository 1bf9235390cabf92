"""Two years of three departments, backfilled in a real Airflow that is killed meanwhile; the nights come on time."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from tests.support.night_comparison import differences
from tests.support.small_city import COMPONENTS, SmallCity, running

from local_stack.stack import AIRFLOW_DATABASE, STORE_DATABASE
from simulator.city import City
from simulator.publish import publish
from simulator.sources import SYSTEMS
from zhengku.clock import CITY_TIME_ZONE

pytestmark = [pytest.mark.slow, pytest.mark.whole_airflow]

FEEDS = {
    "housing": ["building_construction_permit"],
    "public_security": ["residence_permit"],
    "transport": ["online_hailed_taxi_driver_certificate"],
}
"""A table of an exchange database and two interfaces."""

MONTHS = 24
ORPHANS_SECONDS = 15
"""Airflow's `orphaned_tasks_check_interval`, 300 unless set: then the tasks of a dead scheduler are begun anew."""

SYSTEMS_HERE = [system for system in SYSTEMS if system.feed in FEEDS.get(system.department, ())]


class BackfilledCity(SmallCity):
    """A city whose nights begin in January 2021, and the DAG of the backfill beside its departments'."""

    def __init__(self, state: Path) -> None:
        super().__init__(state, FEEDS, ["backfill"], retries=3, retry_delay_seconds=1)
        for department in FEEDS:
            path = state / "catalog" / "departments" / f"{department}.yaml"
            text = path.read_text("utf-8")
            changed = re.sub(r"(window: \{kind: watermark,)", r"\1 start: 2021-01-01,", text)
            assert changed != text
            path.write_text(changed, encoding="utf-8")

    def _our_settings(self) -> dict[str, str]:
        return {
            **super()._our_settings(),
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": str(ORPHANS_SECONDS),
        }

    def months_done(self) -> int:
        [(done,)] = self.query(
            STORE_DATABASE,
            "select count(*) from ledger.backfill_month where state = 'done' and month < '2021-01-01'",
        )
        return done

    def wait_for_months(self, number: int, seconds: float = 600) -> None:
        deadline = time.monotonic() + seconds
        while self.months_done() < number:
            assert time.monotonic() < deadline, f"{self.months_done()} of {number} months after {seconds:.0f} s"
            time.sleep(1)

    def zhengku(self, *arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("zhengku")), *arguments]
        done = subprocess.run(command, env=self.environment(), check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def city(tmp_path: Path) -> Iterator[BackfilledCity]:
    city = BackfilledCity(tmp_path / "city")
    with running(city):
        yield city


def test_two_years_are_there_whole_though_killed_and_the_nights_are_on_time(city: BackfilledCity) -> None:
    [night] = City(61, 120, first_day=date(2021, 1, 31), nights=1, systems=SYSTEMS_HERE).nights()
    publish(night, city.city.places)
    everything = MONTHS * len(FEEDS)
    first_of_month = (datetime.now(CITY_TIME_ZONE) - timedelta(hours=12)).date().replace(day=1)
    last_month = (first_of_month - timedelta(days=1)).replace(day=1)
    with city.api() as api:
        for name in ("backfill", *FEEDS):
            api.unpause(name)
        city.zhengku("backfill", "run", "--from", "2019-01", "--to", "2020-12")
        city.wait_for_months(12)
        begin = time.monotonic()
        assert city.run(api, "night-1", sorted(FEEDS)) == []
        print(f"a night beside the backfill: {time.monotonic() - begin:.0f} s")
        assert city.months_done() < everything
        killed = [process for process in city.processes()["scheduler"] if process.is_running()]
        assert len(killed) > 1
        for process in killed:
            process.kill()
        psutil.wait_procs(killed, timeout=30)
        before = city.months_done()
        city.up(COMPONENTS)
        begin = time.monotonic()
        assert city.run(api, "night-2", sorted(FEEDS)) == []
        print(f"a night behind the kill: {time.monotonic() - begin:.0f} s; {before} of {everything} months were done")
        city.wait_for_months(everything)
        deadline = time.monotonic() + 600
        while any(dag == "backfill" for dag, _ in api.active_runs()):
            assert time.monotonic() < deadline
            time.sleep(1)
    assert differences(city.postgres.url(STORE_DATABASE), night, 0, counts=False) == []
    months = city.query(
        STORE_DATABASE,
        "select department, count(*), min(month), max(month), count(distinct month) from ledger.backfill_month"
        " where state = 'done' and month < '2021-01-01' group by department order by department",
    )
    assert months == [(name, MONTHS, date(2019, 1, 1), date(2020, 12, 1), MONTHS) for name in sorted(FEEDS)]
    # By itself the DAG reads the last whole month once more, from noon of the first, and no other.
    others = "select distinct month from ledger.backfill_month where month >= '2021-01-01'"
    assert city.query(STORE_DATABASE, others) == [(last_month,)]
    # Nothing was left over, and nothing came twice into the store.
    assert city.query(STORE_DATABASE, "select count(*) from ledger.batch where status <> 'loaded'") == [(0,)]
    # What waits for the store's assets was woken by nights alone.
    assert city.query(
        AIRFLOW_DATABASE,
        "select distinct e.source_dag_id from asset_event as e inner join asset as a on e.asset_id = a.id"
        " where a.uri like 'zhengku://store/%' order by 1",
    ) == [(name,) for name in sorted(FEEDS)]
    shown = city.zhengku("backfill", "progress", "--from", "2019-01", "--to", "2020-12")
    assert shown.count("✓" * 12) == 2 * len(FEEDS)
