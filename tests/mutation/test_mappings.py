"""With any part of any feed's mapping switched off, the nights of the made-up city no longer end as the truth says.

The nights (tests/nights) compare every standard field, every extension field, and the fate of every row. So it is
enough that the truth has a value for each mapped field, and a loaded row for each code and each form of a date. That
the comparison then sees the loss is shown by switching off each part of the mapping of six feeds.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.city_servers import settings_of, surroundings
from tests.support.night_comparison import differences
from tests.support.temporary_database import temporary_store

from local_stack.city import ALL_SYSTEMS
from simulator.city import City
from simulator.model import Night, NightDelivery, RowTruth, SourceRow, SourceSystem
from simulator.publish import publish
from simulator.services import ServiceCity
from simulator.sources import SYSTEMS
from zhengku.catalog import Feed, FieldMapping, load_catalog
from zhengku.errors import ZhengkuError
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import project_home

CATALOG = load_catalog(project_home() / "include" / "catalog")
SEED, ROWS, NIGHTS = 51, 60, 5
"""Those of tests/nights/test_nights.py."""

SERVICES = (27, 20)
"""Seed and cases a day of tests/nights/test_clearance_nights.py."""

EVERY_CODE = ServiceCity(31, 80, outage=False), 20
"""A city of which the collection of this number, read first, has every code of every feed."""

LOADED = ("inserted", "updated", "deleted")
FORMS = {
    "iso": r"[0-9]{4}-",
    "slash": r"[0-9]{4}[/.]",
    "compact": r"[0-9]{8}([ T]|[0-9]{6}|$)",
    "chinese": r"[0-9]{4}年",
    "chinese_numerals": r"[〇一二三四五六七八九]{4}年",
    "spreadsheet_serial": r"[0-9]{5}([.]|$)",
    "epoch_milliseconds": r"[0-9]{12,13}$",
}


@pytest.fixture(scope="module")
def deliveries() -> dict[str, list[NightDelivery]]:
    """Every feed's deliveries, night by night."""
    found: dict[str, list[NightDelivery]] = {system.name: [] for system in ALL_SYSTEMS}
    for night in City(SEED, ROWS, nights=NIGHTS).nights():
        for delivery in night.deliveries:
            found[delivery.system.name].append(delivery)
    for collection in ServiceCity(*SERVICES).collections():
        for delivery in collection.deliveries:
            found[delivery.system.name].append(delivery)
    return found


def loaded_rows(deliveries: list[NightDelivery]) -> Iterator[tuple[SourceRow, RowTruth]]:
    for delivery in deliveries:
        rows = {row.row_id: row for row in delivery.rows_now}
        yield from ((rows[truth.row_id], truth) for truth in delivery.rows if truth.fate in LOADED)


def plain(value: Any) -> str:
    return unicodedata.normalize("NFKC", str(value)).strip().upper()


def unproven(feed: Feed, deliveries: list[NightDelivery]) -> Iterator[str]:
    """Return what could be switched off unnoticed."""
    stored = [certificate for delivery in deliveries for certificate in delivery.stored]
    rows = [row for row, _ in loaded_rows(deliveries)]
    for field in feed.fields:
        if not any(certificate.fields.get(field) for certificate in stored):
            yield f"{field}: no certificate has a value"
    for name in feed.extension:
        if not any(certificate.extension.get(name) for certificate in stored):
            yield f"extension {name}: no certificate has a value"
    for field, mapping in feed.fields.items():
        if mapping.column is None:
            continue
        delivered = {plain(row.values.get(mapping.column)) for row in rows}
        for code in mapping.codes or ():
            if plain(code) not in delivered:
                yield f"{field}: no loaded row has the code {code}"
        for form in mapping.date_forms if "date_forms" in mapping.model_fields_set else ():
            if not any(re.match(FORMS[form], value) for value in delivered):
                yield f"{field}: no loaded row has a date in the form {form}"
    if feed.operation is not None:
        delivered = {plain(row.values.get(feed.operation.column)) for row in rows}
        yield from (f"operation: no loaded row has {code}" for code in feed.operation.codes if code not in delivered)


@pytest.mark.parametrize("system", ALL_SYSTEMS, ids=lambda system: system.name)
def test_every_part_of_a_mapping_bears_on_what_is_compared(
    system: SourceSystem, deliveries: dict[str, list[NightDelivery]]
) -> None:
    feed = CATALOG.feed(system.department, system.feed)
    assert list(unproven(feed, deliveries[system.name])) == []


FEEDS = (
    "tobacco.tobacco_retail_license",
    "disabled_persons.disability_certificate",
    "medical_insurance.medical_insurance_e_voucher",
    "emergency.hazardous_chemicals_business_license",
    "service_evaluation.evaluations",
    "unified_acceptance.self_built_cases",
)
"""A CSV, a spreadsheet, an interface, a table; evaluations from an interface, cases from a table."""


def first_night(system: SourceSystem) -> Night:
    """What a system shows first."""
    if system in SYSTEMS:
        return next(City(SEED, ROWS, nights=1, systems=[system]).nights())
    city, number = EVERY_CODE
    night = next(city.collections(number)).night
    return replace(night, deliveries=tuple(one for one in night.deliveries if one.system == system))


def mutants(feed: Feed, *, every_code: bool) -> Iterator[tuple[str, Feed]]:
    """Return the feed with one part of its mapping switched off, each with its name; of codes, all or one of each."""
    for field, mapping in feed.fields.items():
        if field in feed.key:
            other = next(name for name, one in feed.fields.items() if one.column and name not in feed.key)
            yield f"{field}: the column of {other}", with_field(feed, field, feed.fields[other])
            continue
        yield f"{field}: absent", with_field(feed, field, None)
        codes = mapping.codes or {}
        for code in list(codes) if every_code else list(codes)[-1:]:
            left = {raw: value for raw, value in codes.items() if raw != code}
            yield f"{field}: without code {code}", with_field(feed, field, mapping.model_copy(update={"codes": left}))
    for name in feed.extension:
        left = {other: mapping for other, mapping in feed.extension.items() if other != name}
        yield f"extension {name}: absent", copied(feed, extension=left)


def with_field(feed: Feed, field: str, mapping: FieldMapping | None) -> Feed:
    fields = {name: one for name, one in feed.fields.items() if name != field}
    return copied(feed, fields={**fields, field: mapping} if mapping else fields)


def copied(feed: Feed, **changed: Any) -> Feed:
    copy = feed.model_copy(update=changed)
    copy._id, copy._department = feed.id, feed.department
    for name in ("required_columns", "delivered_fields", "constants", "config_digest"):
        copy.__dict__.pop(name, None)
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("every_code", [False, pytest.param(True, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", FEEDS)
def test_part_of_a_mapping_that_is_switched_off_is_noticed(
    name: str, every_code: bool, tmp_path: Path, server_url: str, template_database: str
) -> None:
    [system] = [system for system in ALL_SYSTEMS if system.name == name]
    night = first_night(system)
    with surroundings(tmp_path / "city", [server_url], [system]) as city:
        publish(night, city.places)
        shipped = CATALOG.feed(system.department, system.feed)
        unnoticed = []
        for place, (part, mutant) in enumerate([("nothing", shipped), *mutants(shipped, every_code=every_code)]):
            with temporary_store(server_url, template_database) as url:
                pipeline = Pipeline(settings_of(tmp_path / str(place), url, city.environment))
                pipeline.catalog.department(system.department).feeds[system.feed] = mutant
                try:
                    pipeline.collect(system.department, system.feed, "night")
                    pipeline.load_run(system.department, "night")
                    found = differences(url, night, 0)
                except ZhengkuError as error:
                    found = [str(error)]
                if place == 0:
                    assert found == [], "the mapping as it is shipped"
                elif not found:
                    unnoticed.append(part)
        assert unnoticed == []
