"""SIGKILL at seeded points of every step, in a real Airflow that goes on by itself.

The store equals the truth, and the store, its history and the problem records equal those of nights without a kill.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.city_under_fire import CityUnderFire, Kill, NightUnderFire, Points, city_under_fire, planned
from tests.support.store_comparison import compared_rows

from simulator.city import City
from simulator.model import SourceSystem
from simulator.sources import SYSTEMS

pytestmark = [pytest.mark.slow, pytest.mark.whole_airflow]

ROWS = 60
KILLS_A_NIGHT = 13
SIX_FEEDS = {
    "public_security/resident_identity_card": "HTTP, pages by number",
    "health/medical_certificate_of_birth": "HTTP, pages by cursor",
    "housing/building_construction_permit": "table of an exchange database",
    "market_supervision/food_business_license": "CSV",
    "water/water_abstraction_permit": "XLSX over SFTP",
    "establishment/public_institution_legal_person_certificate": "whole register over SFTP",
}

FULL_ROWS = 45
FULL_KILLS_A_NIGHT = 6


def report(city: CityUnderFire, nights: Sequence[NightUnderFire], title: str) -> None:
    """Print where each kill struck, and keep it in the folder that ZHENGKU_TEST_KILL_LOG names."""
    lines = [
        f"{kill['kill']:3d} night {night.night} {kill['step']:9} tick {kill['reached']:3d} {kill['victim']:10}"
        f" {kill['feed']}: {kill['at']} {kill.get('outcome', '')}".rstrip()
        for night in nights
        for kill in night.kills
    ]
    kills = [kill for night in nights for kill in night.kills]
    lines += [
        f"nights: {[(night.night, night.seconds) for night in nights]}",
        f"by step: {dict(Counter(kill['step'] for kill in kills))}",
        f"by victim: {dict(Counter(kill['victim'] for kill in kills))}",
        f"COMMITs in flight: {dict(Counter(in_flight(kills)))}",
        f"compared in the end: {compared_rows(city.store.url('zhengku'))}",
        f"runs that failed and were caught up: {[(night.night, night.late) for night in nights if night.late]}",
    ]
    print(title, *lines, sep="\n")
    folder = Path(os.environ.get("ZHENGKU_TEST_KILL_LOG") or city.kills.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{title}.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / f"{title}.json").write_text(json.dumps(kills), encoding="utf-8")


def in_flight(kills: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return victim, message and outcome of each kill that struck a COMMIT in flight."""
    return [(kill["victim"], kill["commit"], kill["outcome"]) for kill in kills if kill["commit"]]


def six_systems() -> list[SourceSystem]:
    return [system for system in SYSTEMS if f"{system.department}/{system.feed}" in SIX_FEEDS]


def at_places_of_their_own(seeds: Sequence[int], points: Mapping[tuple[str, str], Points]) -> list[Kill]:
    """Decide the kills of one night, those first whose places are most wanted.

    A seed whose step of a feed is taken waits for another night.
    """
    places: dict[tuple[str, str], list[Kill]] = {}
    for seed in seeds:
        kill = planned(seed, points)
        places.setdefault((kill.feed, kill.step), []).append(kill)
    return [kills[0] for kills in sorted(places.values(), key=lambda kills: (-len(kills), kills[0].kill))]


@pytest.fixture
def six_feeds(tmp_path: Path) -> Iterator[CityUnderFire]:
    with city_under_fire(tmp_path / "city", six_systems()) as city:
        yield city


@pytest.mark.parametrize("wanted", [20, pytest.param(50, marks=pytest.mark.soak)])
def test_kills_leave_store_history_and_problems_as_nights_without_kills_do(six_feeds: CityUnderFire, wanted: int):
    """One kill for each seed from 1."""
    nights: list[NightUnderFire] = []
    seeds = list(range(1, wanted + 1))
    try:
        for night in City(31, ROWS, nights=3 * wanted // KILLS_A_NIGHT + 2, systems=six_feeds.systems).nights():
            # The first night is left in peace: it shows how many ticks and COMMITs there are.
            kills = at_places_of_their_own(seeds, six_feeds.kills.points())[:KILLS_A_NIGHT] if nights else []
            if nights and not kills:
                break
            nights.append(six_feeds.pass_night(night, kills))
            seeds = [seed for seed in seeds if seed not in {kill["kill"] for kill in nights[-1].kills}]
            assert nights[-1].differences == []
    finally:
        report(six_feeds, nights, "six-feeds")
    kills = [kill for night in nights for kill in night.kills]
    assert len(kills) == wanted
    steps = Counter(kill["step"].replace("collected", "success").replace("loaded", "success") for kill in kills)
    assert all(steps[step] >= wanted // 10 for step in ("collect", "stage", "validate", "load", "success")), steps
    victims = Counter(kill["victim"] for kill in kills)
    assert victims["postgres"] >= wanted // 10
    assert victims["supervisor"] >= wanted // 10
    # Of these, some found validated rows, which the server's recovery took away.
    assert "load" in {kill["step"] for kill in kills if kill["victim"] == "postgres"}
    struck = in_flight(kills)
    assert len(struck) >= wanted // 5
    # Of a server that is killed with the COMMIT, either may be true.
    outcomes = {(message, outcome) for victim, message, outcome in struck if victim != "postgres"}
    assert outcomes == {("sent", "committed"), ("torn", "rolled back")}
    assert {outcome for *_, outcome in struck} == {"committed", "rolled back"}
    # There was something to compare: none of these tables is empty.
    assert all(compared_rows(six_feeds.store.url("zhengku")).values())
    # Every run came through by Airflow's own retries.
    assert [night.late for night in nights if night.late] == []


@pytest.mark.soak
def test_full_nights_of_all_types_with_kills_leave_the_store_as_the_truth_says(tmp_path: Path):
    with city_under_fire(tmp_path / "city", SYSTEMS) as city:
        nights: list[NightUnderFire] = []
        try:
            for night in City(32, FULL_ROWS, nights=2, mishaps=False).nights():
                # The first night has no night before it: it strikes feeds at ticks that every one of them reaches.
                points = city.kills.points() or {
                    (f"{system.department}/{system.feed}", step): Points(5, 1)
                    for system in SYSTEMS
                    for step in ("collect", "stage", "validate", "load", "collected", "loaded")
                }
                seeds = range(100 * night.number, 100 * night.number + 4 * FULL_KILLS_A_NIGHT)
                kills = at_places_of_their_own(seeds, points)[:FULL_KILLS_A_NIGHT]
                nights.append(city.pass_night(night, kills))
                assert nights[-1].differences == []
        finally:
            report(city, nights, "all-types")
        assert sum(len(night.kills) for night in nights) == 2 * FULL_KILLS_A_NIGHT
        assert [night.late for night in nights if night.late] == []
