"""A night of the departments whose certificates cases produce: the collection rate is that of the truth."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from tests.support.city_servers import settings_of, surroundings
from tests.support.collected_nights import collect_and_load

from simulator.certificates import FIRST_ISSUE
from simulator.city import City
from simulator.model import Night, StoredTruth
from simulator.publish import publish
from simulator.service_records import PRODUCED
from simulator.service_sources import SERVICE_SYSTEMS
from simulator.services import with_services
from simulator.sources import SYSTEMS, TYPES
from zhengku.database import store_connection
from zhengku.pipeline.pipeline import Pipeline
from zhengku.stock.collection_rate import count_collection

TYPE_OF = {
    license_type.name: name
    for types in TYPES.values()
    for name, license_type in types.items()
    if license_type.name in PRODUCED.values()
}


def is_due(stored: StoredTruth, produced: set[str], day: date) -> bool:
    """Tell whether a certificate that stands in the store belongs to what must be collected."""
    fields = stored.fields
    is_valid = fields.get("status", "valid") == "valid" and fields.get("valid_to", "9999-12-31") >= day.isoformat()
    issued = fields.get("issue_date", "")
    return issued >= FIRST_ISSUE.isoformat() or is_valid or fields["certificate_number"] in produced


def truth(night: Night) -> dict[str, tuple[int, int]]:
    """Return what is collected and what lacks of what cases produced, by license type."""
    produced: dict[str, set[str]] = {}
    stored: dict[str, list[StoredTruth]] = {}
    for delivery in night.deliveries:
        for each in delivery.stored:
            if each.license_type:
                stored.setdefault(each.license_type, []).append(each)
            elif (
                delivery.system.dataset == "case_result"
                and each.removal is None
                and "certificate_number" in each.fields
            ):
                name = TYPE_OF[each.fields["certificate_name"]]
                produced.setdefault(name, set()).add(each.fields["certificate_number"])
    return {
        name: (
            sum(
                each.removal is None and is_due(each, produced.get(name, set()), night.day)
                for each in stored.get(name, [])
            ),
            len(produced.get(name, set()) - {each.fields["certificate_number"] for each in stored.get(name, [])}),
        )
        for name in TYPE_OF.values()
    }


@pytest.mark.slow
def test_collection_rate_after_a_night_is_that_of_the_truth(tmp_path: Path, database_url: str, server_url: str) -> None:
    systems = [system for system in SYSTEMS if system.license_type in TYPE_OF.values()]
    assert {system.license_type for system in systems} == set(TYPE_OF.values())
    [(night, _)] = with_services(City(9, 120, nights=1, systems=systems, mishaps=False))
    with surroundings(tmp_path / "city", [server_url], [*systems, *SERVICE_SYSTEMS]) as around:
        pipeline = Pipeline(settings_of(tmp_path, database_url, around.environment))
        publish(night, around.places)
        collect_and_load(pipeline, [delivery.system for delivery in night.deliveries], "night-1")
    with store_connection(database_url) as connection:
        rates = count_collection(connection, pipeline.catalog, night.day)
    collected, lacking = Counter[str](), Counter[str]()
    for rate in rates:
        collected[rate.license_type] += rate.collected
        lacking[rate.license_type] += rate.lacking_of_cases
    expected = truth(night)
    assert {name: (collected[name], lacking[name]) for name in TYPE_OF.values()} == expected
    # Both come about, else the test would say nothing.
    assert sum(lacking.values()) > 0
    assert any(
        "certificate_number" in stored.fields and not stored.fields["certificate_number"].startswith("XN")
        for delivery in night.deliveries
        if delivery.system.dataset == "case_result"
        for stored in delivery.stored
    )
