"""One night of the made-up city, collected and loaded without Airflow."""

import pytest

from simulator.model import SourceSystem
from simulator.service_sources import SERVICE_SYSTEMS
from simulator.services import Collection
from zhengku.errors import DeliveryUnavailable
from zhengku.pipeline.pipeline import Pipeline


def collect_and_load(pipeline: Pipeline, systems: list[SourceSystem], run_id: str) -> None:
    for department in dict.fromkeys(system.department for system in systems):
        for system in systems:
            if system.department == department:
                pipeline.collect(department, system.feed, run_id)
        pipeline.load_run(department, run_id, last_try=False)


def collect_and_load_services(collection: Collection, pipeline: Pipeline) -> None:
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
