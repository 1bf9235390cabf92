"""Nights of the made-up city with everything that may be removed removed between them."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.city_servers import settings_of, surroundings
from tests.support.collected_nights import collect_and_load
from tests.support.installation import OWNER_URL
from tests.support.night_comparison import differences, newest_batch
from tests.support.seals import seal_everything

from simulator.city import City
from simulator.publish import publish
from simulator.sources import SYSTEMS
from zhengku import clock
from zhengku.audit import verify
from zhengku.catalog.retention_config import load_retention
from zhengku.database import store_connection
from zhengku.errors import RemovedByRetention
from zhengku.operations.reconcile import Reconciliation
from zhengku.operations.redrive import redrive
from zhengku.operations.replay import replay, replayable
from zhengku.pipeline.pipeline import Pipeline
from zhengku.retention.run import Retention

DEPARTMENTS = ("government_services", "emergency", "tobacco", "disabled_persons")
MUCH_LATER = timedelta(days=5000)


@pytest.mark.slow
def test_nights_with_all_removed_between_them_end_as_the_truth_says(
    tmp_path: Path, database_url: str, server_url: str
) -> None:
    systems = [system for system in SYSTEMS if system.department in DEPARTMENTS]
    landed = 0
    with surroundings(tmp_path / "city", [server_url], systems) as around:
        pipeline = Pipeline(settings_of(tmp_path, database_url, around.environment))
        url = pipeline.settings.database_url
        retention = Retention(
            pipeline.settings, load_retention(pipeline.settings.catalog_folder), clock.now() + MUCH_LATER
        )
        for night in City(7, 40, nights=4, systems=systems).nights():
            publish(night, around.places)
            before = newest_batch(url)
            collect_and_load(pipeline, systems, f"night-{night.number}")
            assert differences(url, night, before) == [], f"night {night.number}"
            landed += retention.apply()["landed"]
        assert landed > 0, "nothing was removed"
        # What is left suffices for all that reads it again.
        methods = {Reconciliation(pipeline).compare(one.department, one.feed).method for one in systems}
        assert methods == {"keys", "snapshot", "not_comparable"}
        with store_connection(url) as connection:
            open_feeds = connection.execute(
                "select distinct department, feed from quarantine.problem_row"
                " where status in ('open', 'returned', 'waived') and rules <> array['reconciliation.differs']"
            ).fetchall()
            deliveries = replayable(connection)
        assert open_feeds
        for department, feed in open_feeds:
            assert {batch.status for batch in redrive(pipeline, department, feed, "z", "x")} == {"loaded"}
        told = 0
        for delivery in deliveries:
            try:
                assert {batch.status for batch in replay(pipeline, [delivery], "z", "x")} <= {"loaded", "rejected"}
            except RemovedByRetention:
                told += 1
        assert told == landed
        with store_connection(pipeline.settings.environment[OWNER_URL]) as connection:
            lost = connection.execute("select count(*) from ledger.batch where rule_id = 'file.lost'").fetchone()
            assert lost == (0,)
            seal_everything(connection)
            assert verify(connection, {}) == []
