"""Nights of the whole city, all 51 license types from 17 departments, with dirt in the rows and faults on the way.

Without Airflow: the steps themselves, department by department. tests/end_to_end has the same by a real scheduler.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.city_servers import Surroundings, settings_of, surroundings
from tests.support.collected_nights import collect_and_load
from tests.support.exchange_servers import mariadb_server
from tests.support.installation import OWNER_URL
from tests.support.night_comparison import differences, newest_batch

from simulator.city import City
from simulator.faults import KINDS, Faults
from simulator.model import FilePlace, HttpPlace, Night, SourceSystem, TablePlace
from simulator.publish import publish
from simulator.sources import SYSTEMS
from zhengku.database import store_connection
from zhengku.errors import DeliveryUnavailable
from zhengku.operations.reconcile import Reconciliation
from zhengku.operations.replay import replay, replayable
from zhengku.pipeline.pipeline import Pipeline

ROWS = 60
NIGHTS = 5
SEED = 51
FAULT_RATE = 0.1


@pytest.fixture(scope="module")
def exchange_servers(server_url: str) -> Iterator[list[str]]:
    with mariadb_server() as mariadb:
        yield [mariadb, server_url]


def walk(night: Night, around: Surroundings, pipeline: Pipeline, systems: list[SourceSystem]) -> list[str]:
    publish(night, around.places)
    before = newest_batch(pipeline.settings.database_url)
    collect_and_load(pipeline, systems, f"night-{night.number}")
    return differences(pipeline.settings.database_url, night, before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("nights", "fault_rate"), [(2, 2 * FAULT_RATE), pytest.param(NIGHTS, FAULT_RATE, marks=pytest.mark.soak)]
)
def test_nights_of_all_types_with_dirt_and_faults_end_as_the_truth_says(
    tmp_path: Path, database_url: str, exchange_servers: list[str], nights: int, fault_rate: float
) -> None:
    systems = list(SYSTEMS)
    assert len({system.license_type for system in systems} - {"other_certificate"}) == 51
    faults = Faults(fault_rate, SEED)
    with surroundings(tmp_path / "city", exchange_servers, systems, faults) as around:
        pipeline = Pipeline(settings_of(tmp_path, database_url, around.environment))
        for night in City(SEED, ROWS, nights=nights).nights():
            assert walk(night, around, pipeline, systems) == [], f"night {night.number}"
    # A fault that never came would prove nothing.
    assert set(faults.served()) == set(KINDS)
    kinds = {type(system.place) for system in systems}
    assert kinds == {HttpPlace, TablePlace, FilePlace}


def test_row_that_was_no_record_and_is_put_right_in_its_place_settles_its_problem(
    tmp_path: Path, database_url: str, server_url: str
) -> None:
    """It was kept as the bytes that came: its id stands in these."""
    systems = [system for system in SYSTEMS if system.feed == "medical_certificate_of_birth"]
    torn: set[str] = set()
    with surroundings(tmp_path / "city", [server_url], systems) as around:
        pipeline = Pipeline(settings_of(tmp_path, database_url, around.environment))
        for night in City(31, 60, nights=4, systems=systems).nights():
            assert walk(night, around, pipeline, systems) == [], f"night {night.number}"
            [delivery] = night.deliveries
            put_right = torn & set(delivery.corrected)
            torn |= {row.row_id for row in delivery.rows if row.rules == ("row.nul",)}
    assert put_right, "no row without a record was put right"


FEW = ("government_services", "emergency", "tobacco", "disabled_persons")
"""Departments with one feed each: an interface, a whole table, a whole register in GB 18030, a spreadsheet."""

INCREMENTS = "disabled_persons"
"""The one of them whose files tell of no whole."""


def test_two_nights_of_four_departments_end_as_the_truth_says(
    tmp_path: Path, database_url: str, server_url: str
) -> None:
    systems = [system for system in SYSTEMS if system.department in FEW]
    with surroundings(tmp_path / "city", [server_url], systems, Faults(0.05, SEED)) as around:
        pipeline = Pipeline(settings_of(tmp_path, database_url, around.environment))
        for night in City(SEED, 40, nights=2, systems=systems).nights():
            assert walk(night, around, pipeline, systems) == [], f"night {night.number}"
        assert_reconciliation_finds_what_is_planted_alone(night, pipeline)


def assert_reconciliation_finds_what_is_planted_alone(night: Night, pipeline: Pipeline) -> None:
    """Compare all systems behind a night, as it is and with a hole in the store of each."""
    reconciliation = Reconciliation(pipeline)
    expected: set[tuple[str, str, str]] = set()
    for delivery in night.deliveries:
        if isinstance(delivery.system.place, TablePlace) and delivery.system.place.whole:
            # The table shows an older version than it did: what came later stays in the store, and the two differ.
            fates: dict[str, set[str]] = {}
            for row in delivery.rows:
                if row.record_key is not None:
                    fates.setdefault(row.record_key, set()).add(row.fate)
            older = {key for key, found in fates.items() if found == {"superseded"}}
            expected |= {(delivery.system.feed, key, "differs") for key in older}
    # Such a table is among them, else that would be said of nothing.
    assert expected
    for planted in (False, True):
        methods = set()
        for delivery in night.deliveries:
            system = delivery.system
            if planted:
                shown = {row.record_key for row in delivery.rows if row.fate == "unchanged"}
                lost = min(
                    each.record_key
                    for each in delivery.stored
                    if each.removal is None and (not shown or each.record_key in shown)
                )
                with store_connection(pipeline.settings.environment[OWNER_URL]) as connection:
                    taken = connection.execute(
                        "delete from store.certificate where feed = %s and record_key = %s", (system.feed, lost)
                    )
                    assert taken.rowcount == 1
                if system.department != INCREMENTS:
                    expected.add((system.feed, lost, "missing_in_store"))
            methods.add(reconciliation.compare(system.department, system.feed).method)
        assert methods == {"keys", "snapshot", "not_comparable"}
        with store_connection(pipeline.settings.database_url) as connection:
            standing = connection.execute(
                "select feed, record_key, kind from reconciliation.difference where settled_at is null"
            ).fetchall()
        assert set(standing) == expected


@pytest.mark.slow
def test_older_registers_that_go_through_the_pipeline_again_leave_the_truth_as_it_is(
    tmp_path: Path, database_url: str, server_url: str
) -> None:
    """The nights and their truth let every register come after all older ones, so what an older one does behind a newer
    one was asked by neither: both had a disappeared certificate bear the version that it had before it was gone.
    """
    systems = [system for system in SYSTEMS if getattr(system.place, "whole", False) and system.department in FEW]
    gone = (
        "select record_key, removal, removed_at, version_no from store.certificate where removal is not null order by 1"
    )
    with surroundings(tmp_path / "city", [server_url], systems) as around:
        pipeline = Pipeline(settings_of(tmp_path, database_url, around.environment))
        for night in City(SEED, 40, nights=4, systems=systems).nights():
            assert walk(night, around, pipeline, systems) == [], f"night {night.number}"
    with store_connection(database_url) as connection:
        before = connection.execute(gone).fetchall()
        deliveries = replayable(connection)
    # Some were gone before the last night, else that would be said of nothing.
    assert len({removed_at for _, removal, removed_at, _ in before if removal == "disappeared"}) > 1
    last = newest_batch(database_url)
    # One of the middle alone, then all of them, the newest first, then as they came.
    for some in (deliveries[1:2], deliveries[::-1], deliveries):
        for batch in replay(pipeline, some, "虚构甲", "核对"):
            assert (batch.inserted, batch.updated, batch.deleted, batch.disappeared) == (0, 0, 0, 0)
        assert [line for line in differences(database_url, night, last, counts=False) if "row" not in line] == []
        with store_connection(database_url) as connection:
            assert connection.execute(gone).fetchall() == before


@pytest.mark.slow
def test_department_that_was_down_is_caught_up_without_a_hole(
    tmp_path: Path, database_url: str, server_url: str
) -> None:
    systems = [system for system in SYSTEMS if system.department in ("government_services", "tobacco")]
    with surroundings(tmp_path / "city", [server_url], systems) as around:
        pipeline = Pipeline(settings_of(tmp_path, database_url, around.environment))
        nights = list(City(SEED, 40, nights=4, systems=systems).nights())
        for night in nights[:2]:
            assert walk(night, around, pipeline, systems) == []
        publish(nights[2], around.places)
        around.servers.http.down.add("government_services")
        with pytest.raises(DeliveryUnavailable, match="government_services"):
            pipeline.collect("government_services", "other_certificates", "night-3")
        around.servers.http.down.discard("government_services")
        publish(nights[3], around.places)
        before = newest_batch(database_url)
        collect_and_load(pipeline, systems, "night-4")
        # The counts are those of two nights in one; what the store holds is that of the fourth.
        assert [line for line in differences(database_url, nights[3], before, counts=False) if "row" not in line] == []
