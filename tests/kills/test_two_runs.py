"""Two runs of one feed at once, each a process of its own: the second waits, nothing is lost or loaded twice."""

import multiprocessing
import time
from pathlib import Path

import psycopg
import pytest
from tests.support.city_servers import settings_of, surroundings
from tests.support.night_comparison import differences, newest_batch

from simulator.city import City
from simulator.model import Night
from simulator.publish import publish
from simulator.sources import SYSTEMS
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings

# The processes inherit what takes seconds to import.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["zhengku.pipeline.pipeline", "zhengku.validate.run"])

FEEDS = {
    "file": "market_supervision.food_business_license",
    "whole register as a file": "tobacco.tobacco_retail_license",
    "HTTP": "health.medical_certificate_of_birth",
    "table": "housing.building_construction_permit",
}


def walk(settings: Settings, department: str, feed: str, run_id: str) -> None:
    """Collect and load a feed as one run; what a process of its own does."""
    pipeline = Pipeline(settings)
    pipeline.collect(department, feed, run_id)
    batches = pipeline.load_run(department, run_id)
    assert all(batch.status == "loaded" for batch in batches), batches


def run_twice_at_once(night: Night, settings: Settings) -> None:
    """Start two runs and keep each at the gate of the feed until the other is there too."""
    [delivery] = night.deliveries
    department, feed = delivery.system.department, delivery.system.feed
    gate = {"feed": f"zhengku.feed.{department}/{feed}"}
    with psycopg.connect(settings.database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended(%(feed)s, 0))", gate)
        runs = [
            PROCESSES.Process(target=walk, args=(settings, department, feed, f"night-{night.number}-{name}"))
            for name in ("one", "other")
        ]
        for run in runs:
            run.start()
        try:
            deadline = time.monotonic() + 300
            waiting = (
                "select count(*) from pg_locks as l join pg_database as d on d.oid = l.database"
                " where d.datname = current_database() and l.locktype = 'advisory' and not l.granted"
            )
            while connection.execute(waiting).fetchone() != (2,):
                assert all(run.is_alive() for run in runs), "a run ended before it came to the feed's lock"
                assert time.monotonic() < deadline, "the two runs did not both come to the feed's lock"
                time.sleep(0.05)
            connection.execute("select pg_advisory_unlock(hashtextextended(%(feed)s, 0))", gate)
            for run in runs:
                run.join(300)
            assert [run.exitcode for run in runs] == [0, 0]
        finally:
            for run in runs:
                run.kill()
                run.join()


@pytest.mark.slow
@pytest.mark.whole_airflow
@pytest.mark.parametrize("name", FEEDS.values(), ids=FEEDS)
def test_of_two_runs_of_a_feed_at_once_one_waits_and_nothing_is_loaded_twice(
    name: str, tmp_path: Path, server_url: str, database_url: str
):
    systems = [system for system in SYSTEMS if system.name == name]
    with surroundings(tmp_path / "city", [server_url], systems) as city:
        settings = settings_of(tmp_path, database_url, city.environment)
        for night in City(5, 60, nights=2, systems=systems).nights():
            publish(night, city.places)
            before = newest_batch(database_url)
            run_twice_at_once(night, settings)
            assert differences(database_url, night, before, counts=False) == []
            [delivery] = night.deliveries
            fates = [row.fate for row in delivery.rows]
            with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
                [written] = connection.execute(
                    "select sum(inserted)::int, sum(updated)::int, sum(deleted)::int, count(*)::int"
                    " from ledger.batch where batch_id > %s and status = 'loaded'",
                    (before,),
                )
                [others] = connection.execute("select count(*)::int from ledger.batch where status <> 'loaded'")
            assert written[:3] == tuple(fates.count(fate) for fate in ("inserted", "updated", "deleted"))
            assert written[3] in (1, 2)
            assert others == (0,)
