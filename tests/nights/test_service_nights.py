"""Days of cases and evaluations in the whole pipeline, with dirt in the rows and faults on the way.

Thirty of them: test_clearance_nights.
"""

from pathlib import Path

import pytest
from tests.support.city_servers import settings_of, surroundings
from tests.support.collected_nights import collect_and_load_services
from tests.support.night_comparison import newest_batch
from tests.support.service_comparison import differences

from simulator.faults import Faults
from simulator.publish import publish
from simulator.service_sources import SERVICE_SYSTEMS
from simulator.services import ServiceCity
from zhengku.pipeline.pipeline import Pipeline

SEED = 26


@pytest.mark.slow
def test_two_days_of_cases_and_evaluations_end_as_the_truth_says(
    tmp_path: Path, database_url: str, server_url: str
) -> None:
    with surroundings(tmp_path / "city", [server_url], SERVICE_SYSTEMS, Faults(0.05, SEED)) as around:
        pipeline = Pipeline(settings_of(tmp_path, database_url, around.environment))
        for collection in ServiceCity(SEED, 10, days=2).collections():
            publish(collection.night, around.places)
            before = newest_batch(database_url)
            collect_and_load_services(collection, pipeline)
            assert differences(database_url, collection, before) == [], f"collection {collection.number}"
