"""Thirty nights of problem records: fixed, fixed wrongly, ignored, waived, redriven; every life as the truth says.

The truth is computed by plain Python in the simulator, from what the department wrote; nothing of it is SQL.
"""

from datetime import date, datetime, time

import pytest
from tests.support.problem_comparison import differences, problem_ids
from tests.support.review_installation import ReviewedInstallation

from simulator.problem_lives import EARLIEST_SINCE_CHANGE, KINDS, Act, Deliveries, ProblemNight, ProblemNights, kinds
from simulator.problem_truth import PERSON, TOO_EARLY
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.operations.redrive import redrive
from zhengku.review import problems
from zhengku.review.daily import apply_due_days

FEED = ("market_supervision", "business_license")

STAMPS = {
    "ledger.batch": ("recorded_at", "landed_at", "staged_at", "validated_at", "finished_at"),
    "store.certificate": ("version_at", "loaded_at", "removed_at"),
    "quarantine.problem_row": ("version_at", "opened_at", "first_opened_at", "updated_at", "solved_at", "closed_at"),
    "quarantine.problem_event": ("happened_at",),
    "quarantine.problem_return": ("made_at",),
}


def at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), CITY_TIME_ZONE)


def let_it_be(installation: ReviewedInstallation, now: datetime) -> None:
    """Let all that happened since the last time have happened at a moment of the made-up days, which are past."""
    for table, columns in STAMPS.items():
        earlier = ", ".join(f"{column} = case when {column} > %s then %s else {column} end" for column in columns)
        installation.rewrite(f"update {table} set {earlier}", *[now] * 2 * len(columns))  # noqa: S608


def decide(installation: ReviewedInstallation, act: Act, ids: dict[int, int], day: date) -> None:
    chosen = [] if act.number is None else [ids[act.number]]
    match act.what:
        case "waive":
            with store_connection(installation.settings.database_url) as connection:
                assert problems.waive(connection, chosen, PERSON, "档案缺失", act.until_on, day) == 1
        case "write off":
            with store_connection(installation.settings.database_url) as connection:
                assert problems.close(connection, chosen, PERSON, "核实") == 1
        case "return":
            installation.returns().make(FEED[0], PERSON, at(day, 10))
        case "redrive":
            earliest = EARLIEST_SINCE_CHANGE.isoformat()
            installation.change_rule(TOO_EARLY, lambda rule: rule["kwargs"].update(earliest=earliest))
            redrive(installation.pipeline, *FEED, PERSON, "旧证照颁发日期放宽")


def pass_by(installation: ReviewedInstallation, night: ProblemNight) -> None:
    """Let a night and its day pass: the file first, then what time does, then what people do."""
    installation.deliver(night.file_name, night.content)
    installation.run_one()
    let_it_be(installation, at(night.day, 1))
    apply_due_days(installation.settings, at(night.day, 2))
    let_it_be(installation, at(night.day, 2))
    ids = problem_ids(installation.settings.database_url, night)
    for act in night.acts:
        decide(installation, act, ids, night.day)
        let_it_be(installation, at(night.day, 10))


@pytest.mark.slow
@pytest.mark.parametrize(("deliveries", "fixture"), [("increments", "reviewed"), ("snapshots", "register")])
def test_every_life_of_thirty_nights_is_as_the_truth_says(
    deliveries: Deliveries, fixture: str, request: pytest.FixtureRequest
) -> None:
    installation: ReviewedInstallation = request.getfixturevalue(fixture)
    for night in ProblemNights(deliveries).nights():
        pass_by(installation, night)
        assert differences(installation.settings.database_url, night) == [], f"night {night.number}"
    # A kind of life that never came about would prove nothing.
    assert KINDS[deliveries] - kinds(night) == set()
