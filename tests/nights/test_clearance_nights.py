"""Days of cases and evaluations through the whole pipeline: every list, correction and rate as the truth says.

The truth is computed by plain Python in the simulator, from what each collection brought; nothing of it is SQL.
"""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.city_servers import Surroundings, settings_of, surroundings
from tests.support.collected_nights import collect_and_load_services
from tests.support.installation import OWNER_URL
from tests.support.night_comparison import newest_batch
from tests.support.service_comparison import differences

from simulator.faults import Faults
from simulator.model import HttpPlace
from simulator.publish import publish
from simulator.service_records import REASONS
from simulator.service_sources import SERVICE_SYSTEMS
from simulator.service_truth import Publisher, Version, bad_reviews, rate_counts, summed, suspicious_ratings
from simulator.services import Collection, ServiceCity
from zhengku.clearance import evaluations, list_rows, list_versions, rates
from zhengku.clearance.publish import DailyClearance
from zhengku.clearance.verification import discrepancies
from zhengku.clock import CITY_TIME_ZONE
from zhengku.pipeline.pipeline import Pipeline

SEED = 27

RATES = {
    "满意率（含默认）": "satisfaction",
    "满意率（不含默认）": "satisfaction_without_defaults",
    "主动评价率": "active_evaluation",
    "评价率": "evaluation",
    "日清率": "daily_clearance",
    "日清率（截止前办结）": "daily_clearance_before_cutoff",
    "实名差评回访整改率": "callback_and_rectification",
    "按期整改率": "rectification_in_time",
}


def in_city(moment: datetime) -> datetime:
    return moment.replace(tzinfo=CITY_TIME_ZONE)


def store(pipeline: Pipeline) -> psycopg.Connection[Any]:
    """Connect as the owner, with what guards the evidence switched off: the made-up days lie in the past."""
    url = pipeline.settings.environment[OWNER_URL].replace("+psycopg", "")
    return psycopg.connect(url, options="-c timezone=Asia/Shanghai -c session_replication_role=replica")


def collect(collection: Collection, around: Surroundings, pipeline: Pipeline) -> list[str]:
    """Read the systems that are up, load what came, and return what is not as the truth says."""
    publish(collection.night, around.places)
    before = newest_batch(pipeline.settings.database_url)
    down = {
        delivery.system.department
        for delivery in collection.deliveries
        if delivery.system.name in collection.down and isinstance(delivery.system.place, HttpPlace)
    }
    around.servers.http.down |= down
    collect_and_load_services(collection, pipeline)
    around.servers.http.down -= down
    with store(pipeline) as connection:
        # The made-up days lie in the past: the ledger must say that the systems were read then.
        connection.execute(
            "update ledger.batch set source_modified_at = %s, window_end = null where batch_id > %s",
            (in_city(collection.at), before),
        )
    return differences(pipeline.settings.database_url, collection, before)


def as_told(row: list_rows.ListRow) -> dict[str, object]:
    names = (
        "record_key",
        "section",
        "state",
        "age_working_days",
        "deadline",
        "district",
        "handling_department",
        "hall",
    )
    return {
        **{name: getattr(row, name) for name in (*names, "window", "handler")},
        "finished_at": row.finished_at.astimezone(CITY_TIME_ZONE).replace(tzinfo=None),
    }


def list_differences(connection: psycopg.Connection[Any], pipeline: Pipeline, version: Version) -> list[str]:
    """Compare one version of a list with the truth: counts, rows, their order, the difference to the version before."""
    name = f"{version.day} {version.kind} version {version.number}"
    published = list_versions.published_version(connection, version.day, version.kind, version.number)
    if published is None:
        return [f"{name} is missing"]
    found = []
    if asdict(published.counts) != asdict(version.counts):
        found.append(f"{name}: counts must be {asdict(version.counts)}, are {asdict(published.counts)}")
    rows = [as_told(row) for row in list_rows.listed_rows(connection, pipeline.catalog, published)]
    wanted = [{name: value for name, value in asdict(row).items() if name != "since_day"} for row in version.rows]
    if rows != wanted:
        got = {row["record_key"]: row for row in rows}
        told = {row["record_key"]: row for row in wanted}
        wrong = [f"{key} must be {told[key]}, is {got.get(key)}" for key in told if got.get(key) != told[key]]
        wrong += [f"{key} must not be there: {got[key]}" for key in got if key not in told]
        found += [f"{name}: {line}" for line in wrong[:4] or ["the order of the rows is another"]]
    if version.number > 1:
        changes = {(change.record_key, change.change) for change in list_rows.changed_services(connection, published)}
        told_changes = {(key, what) for what in ("added", "removed", "changed") for key in getattr(version, what)}
        if changes != told_changes:
            found.append(f"{name}: its difference must be {told_changes}, is {changes}")
    return found


def walk(pipeline: Pipeline, around: Surroundings, city: ServiceCity) -> Collection:
    """Let the days pass, compare every list with the truth, and return the last collection."""
    publisher, clearance = Publisher(), DailyClearance(pipeline.settings)
    corrections = 0
    for collection in city.collections():
        assert collect(collection, around, pipeline) == [], f"collection {collection.number}"
        published = clearance.publish(collection.day, collection.kind, in_city(collection.at))
        told = publisher.publish(collection.day, collection.kind, collection.facts)
        corrections += len(told.corrections)
        with store(pipeline) as connection:
            for version in (*told.corrections, told.first):
                assert list_differences(connection, pipeline, version) == []
            assert discrepancies(connection, published) == []
        stale = {
            source.name: source.read_at and source.read_at.astimezone(CITY_TIME_ZONE).replace(tzinfo=None)
            for source in published.stale
        }
        assert stale == {name.replace(".", "/", 1): read_at for name, read_at in collection.stale.items()}
    assert corrections > 0
    # Whatever came later, each version of each list is what it was.
    with store(pipeline) as connection:
        for versions in publisher.versions.values():
            for version in versions:
                assert list_differences(connection, pipeline, version) == []
    assert clearance.refresh_rates(in_city(collection.at)) > 0
    return collection


def rate_differences(pipeline: Pipeline, collection: Collection) -> list[str]:
    """Compare the rates of each day, and of the whole span by district and department, with the truth."""
    counts = rate_counts(collection.facts, collection.day)
    days = sorted({cell.day for cell in counts})
    got: dict[tuple[object, ...], tuple[int, int]] = {}
    with store(pipeline) as connection:
        for day in days:
            [city] = rates.group_rates(connection, pipeline.catalog, day, day)
            got |= {(RATES[rate.name_zh], day): (rate.numerator, rate.denominator) for rate in city.rates}
        for group in rates.group_rates(connection, pipeline.catalog, days[0], collection.day, by="department"):
            place = (group.district or "", group.handling_department or "")
            got |= {(RATES[rate.name_zh], *place): (rate.numerator, rate.denominator) for rate in group.rates}
        for group in rates.group_rates(connection, pipeline.catalog, days[0], collection.day, by="item"):
            item = group.service_item_code or ""
            got |= {(RATES[rate.name_zh], "item", item): (rate.numerator, rate.denominator) for rate in group.rates}
            assert not item or group.service_item_name
        for group in rates.group_rates(connection, pipeline.catalog, days[0], collection.day, by="month"):
            got |= {
                (RATES[rate.name_zh], "month", group.day): (rate.numerator, rate.denominator) for rate in group.rates
            }
    wanted = {**summed(counts, "day"), **summed(counts, "district", "handling_department")}
    wanted |= {(rate, "item", item): sums for (rate, item), sums in summed(counts, "service_item_code").items()}
    wanted |= {(rate, "month", month): sums for (rate, month), sums in summed(counts, "month").items()}
    return [
        f"{key}: must be {wanted.get(key, (0, 0))}, is {got.get(key)}"
        for key in {**got, **wanted}
        if got.get(key) != wanted.get(key, (0, 0))
    ]


def review_differences(pipeline: Pipeline, collection: Collection) -> list[str]:
    """Compare the bad reviews and the suspicious ratings with the truth."""
    told = bad_reviews(collection.facts, collection.day, collection.at)
    suspicions = suspicious_ratings(collection.facts)
    days = [suspicion.evaluated_at.date() for suspicion in suspicions]
    with store(pipeline) as connection:
        got = evaluations.bad_reviews(connection, pipeline.catalog, collection.day, now=in_city(collection.at))
        flagged = evaluations.suspicious_ratings(connection, min(days), max(days))
    wanted = [(r.record_key, r.service_key, r.callback_due, r.rectification_due, r.state) for r in told]
    came = [(r.evaluation_number, r.record_key, r.callback_due, r.rectification_due, r.state) for r in got]
    found = [] if came == wanted else [f"bad reviews must be {wanted}, are {came}"]
    # People write numbers of their own into a reason; each kind must come about.
    shown = {review.reason for review in got} - {None}
    if shown != set(REASONS.values()):
        found.append(f"reasons must be shown as {sorted(REASONS.values())}, are {sorted(map(str, shown))}")
    suspected = sorted((suspicion.record_key, kind) for suspicion in suspicions for kind in suspicion.kinds)
    if sorted((rating.evaluation_number, rating.kind) for rating in flagged) != suspected:
        found.append(f"suspicious ratings must be {suspected}, are {flagged}")
    return found


def check(tmp_path: Path, database_url: str, server_url: str, city: ServiceCity) -> None:
    with surroundings(tmp_path / "city", [server_url], SERVICE_SYSTEMS, Faults(0.05, SEED)) as around:
        pipeline = Pipeline(settings_of(tmp_path, database_url, around.environment))
        last = walk(pipeline, around, city)
        assert rate_differences(pipeline, last) == []
        assert review_differences(pipeline, last) == []


@pytest.mark.slow
# Eleven days: five working days pass, a Sunday is worked on, and the holiday week begins.
@pytest.mark.parametrize("days", [11, pytest.param(30, marks=pytest.mark.soak)])
def test_days_give_the_lists_and_rates_of_the_truth(
    tmp_path: Path, database_url: str, server_url: str, days: int
) -> None:
    check(tmp_path, database_url, server_url, ServiceCity(SEED, 20, days=days))
