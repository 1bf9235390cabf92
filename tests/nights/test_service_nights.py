"""Days of cases and evaluations in the whole pipeline, with dirt in the rows and faults on the way.

Thirty of them: test_clearance_nights.
"""

from pathlib import Path

import pytest
from tests.support.night_comparison import newest_batch
from tests.support.city_servers import settings_of, surroundings
from tests.support.service_comparison import differences

from simulator.faults import Faults
from simulator.publish import publish
from simulator.service_sources import SERVICE_SYSTEMS
from simulator.services import Collection, ServiceCity
from zhengku.errors import DeliveryUnavailable
from zhengku.pipeline.pipeline import Pipeline

SEED = 26


def collect_and_load(collection: Collection, pipeline: Pipeline) -> None:
    run_id = f"collection-{collection.number}"
    for department in dict.fromkeys(system.department for system in SERVICE_SYSTEMS):
        for system in SERVICE_SYSTEMS:
            if system.department != department:
                continue
            if system.name in collection.down:
                with pytest.raises(DeliveryUnavailable):
                    pipeline.collect(department, system.feed, run_id)
            else:
                pipeline.collect(department, system.feed, run_id)
        pipeline.load_run(department, run_id, last_try=False)


@pytest.mark.slow
def test_two_days_of_cases_and_evaluations_end_as_the_truth_says(
    tmp_path: Path, database_url: str, server_url: str
) -> None:
    with surroundings(tmp_path / "city", [server_url], SERVICE_SYSTEMS, Faults(0.05, SEED)) as around:
        pipeline = Pipeline(settings_of(tmp_path, database_url, around.environment))
        for collection in ServiceCity(SEED, 10, days=2).collections():
            publish(collection.night, around.places)
            before = newest_batch(database_url)
            collect_and_load(collection, pipeline)
            assert differences(database_url, collection, before) == [], f"collection {collection.number}"
