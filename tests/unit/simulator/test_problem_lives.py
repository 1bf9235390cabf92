"""The made-up nights of problem records, and the truth about them: small examples by hand, and thirty nights."""

import csv
import io
import json
import subprocess
import sys
from datetime import date, timedelta
from typing import get_args

import pytest
from stdnum.cn import uscc

from simulator.problem_lives import (
    EARLIEST_SINCE_CHANGE,
    KINDS,
    REDRIVEN_ON,
    Deliveries,
    ProblemNight,
    ProblemNights,
    kinds,
)
from simulator.problem_truth import CLOSED_AFTER, EARLIEST, RETURN_TERM, TOO_EARLY, Event, Row, Truth
from simulator.truth import SHARE_RULES_FROM
from zhengku.catalog.review_config import load_review
from zhengku.settings import project_home

DELIVERIES = get_args(Deliveries)

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2025, 9, day) for day in range(8, 13))


@pytest.fixture(scope="module", params=DELIVERIES)
def nights(request: pytest.FixtureRequest) -> list[ProblemNight]:
    return list(ProblemNights(request.param).nights())


# The truth, by hand


def row(key: str | None, *rules: str, address: str = "旧址", issued: date | None = date(2020, 5, 1)) -> Row:
    values = {"企业名称": "虚构商贸", "统一社会信用代码": key or "", "注册地址": address}
    return Row(values, key, issued, frozenset(rules))


def lives(truth: Truth) -> list[tuple[str, str | None, int, int]]:
    """State, solution, number of the try, and how often it came, of every record."""
    return [(p.status, p.solution, p.attempts, len(p.seen_on)) for p in truth.problems.values()]


def test_the_same_wrong_row_is_the_same_record_and_one_fixed_wrongly_another_one_as_old() -> None:
    truth = Truth(whole=False)
    truth.deliver([row("A", "one")], MONDAY)
    assert truth.give_back(MONDAY)
    truth.deliver([row("A", "one")], TUESDAY)
    assert lives(truth) == [("returned", None, 1, 2)]
    truth.deliver([row("A", "two", address="新址")], WEDNESDAY)
    truth.deliver([row("B")], THURSDAY)
    assert lives(truth) == [("closed", "replaced", 1, 2), ("open", None, 2, 1)]
    assert (truth.problems[1].replaced_by, truth.problems[2].first_opened_on) == (2, MONDAY)
    truth.deliver([row("A")], FRIDAY)
    assert lives(truth)[1] == ("corrected", "corrected", 2, 1)
    assert set(truth.stored) == {"A", "B"}


def test_a_whole_register_says_what_is_gone_unless_a_row_of_it_has_no_key() -> None:
    truth = Truth(whole=True)
    truth.deliver([row("A"), row("B", "one"), row(None, "no key")], MONDAY)
    truth.deliver([row("C"), row(None, "no key")], TUESDAY)
    assert lives(truth) == [("closed", "gone", 1, 1), ("open", None, 1, 2)]
    assert not truth.stored["A"].removed
    truth.deliver([row("C")], WEDNESDAY)
    assert lives(truth)[1] == ("closed", "gone", 1, 2)
    assert (truth.stored["A"].removed, truth.stored["C"].removed) == (True, False)


def test_of_identical_rows_each_has_a_record_and_one_right_row_corrects_them() -> None:
    truth = Truth(whole=False)
    truth.deliver([row("A", "one"), row("A", "one")], MONDAY)
    truth.deliver([row("A", "one"), row("A", "one")], TUESDAY)
    assert lives(truth) == [("open", None, 1, 2)] * 2
    truth.deliver([row("A")], WEDNESDAY)
    assert lives(truth) == [("corrected", "corrected", 1, 2)] * 2


def test_waiver_ends_the_day_after_and_one_for_good_when_it_is_written_off() -> None:
    truth = Truth(whole=False)
    truth.deliver([row("A", "one"), row("B", "one")], MONDAY)
    assert truth.give_back(MONDAY)
    truth.waive(truth.problems[1], TUESDAY, MONDAY)
    truth.waive(truth.problems[2], None, MONDAY)
    truth.let_time_pass(TUESDAY)
    assert [problem.status for problem in truth.problems.values()] == ["waived", "waived"]
    truth.let_time_pass(WEDNESDAY)
    first, second = truth.problems.values()
    assert (first.status, first.due_on, first.returned_with) == ("open", None, None)
    assert (second.status, second.due_on) == ("waived", date(2025, 9, 15))
    truth.write_off(second, WEDNESDAY)
    truth.deliver([row("B", "one")], THURSDAY)
    assert lives(truth) == [("open", None, 1, 1), ("closed", "waived", 1, 1), ("open", None, 1, 1)]


def test_what_came_right_is_written_off_on_the_next_working_day() -> None:
    truth = Truth(whole=False)
    truth.deliver([row("A", "one")], THURSDAY)
    truth.deliver([row("A")], FRIDAY)
    for days in range(3):
        truth.let_time_pass(FRIDAY + timedelta(days=days))
        assert lives(truth) == [("corrected", "corrected", 1, 1)]
    truth.let_time_pass(FRIDAY + timedelta(days=3))
    [problem] = truth.problems.values()
    assert problem.events == (Event("corrected", FRIDAY), Event("closed", FRIDAY + timedelta(days=3)))
    assert not truth.give_back(FRIDAY)


def test_redrive_loads_what_passes_now_and_opens_anew_what_is_wrong_by_less() -> None:
    truth = Truth(whole=False)
    early = date(1930, 5, 1)
    rows = [row("A", issued=early), row("B", "one", issued=early), row("C", "one"), row("D", issued=date(1905, 5, 1))]
    truth.deliver(rows, MONDAY)
    assert lives(truth) == [("open", None, 1, 1)] * 4
    truth.earliest = EARLIEST_SINCE_CHANGE
    assert truth.redrive(TUESDAY) == {"A"}
    same = ("open", None, 1, 1)
    assert lives(truth) == [
        ("corrected", "corrected", 1, 1),
        ("closed", "replaced", 1, 1),
        same,
        same,
        ("open", None, 2, 1),
    ]
    assert (truth.problems[5].rules, truth.problems[5].first_opened_on) == (("one",), MONDAY)
    assert set(truth.stored) == {"A"}


# Thirty nights


def test_simulator_runs_without_the_pipeline() -> None:
    script = "import sys, simulator.problem_lives; sys.exit('zhengku' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("deliveries", DELIVERIES)
def test_same_seed_gives_the_same_nights_and_another_gives_others(deliveries: Deliveries) -> None:
    one, two, other = (list(ProblemNights(deliveries, seed).nights()) for seed in (3, 3, 4))
    assert one == two
    assert all(night.content != its_other.content for night, its_other in zip(one, other, strict=True))


@pytest.mark.parametrize("deliveries", DELIVERIES)
def test_every_kind_of_life_occurs(deliveries: Deliveries) -> None:
    *_, last = ProblemNights(deliveries).nights()
    assert KINDS[deliveries] - kinds(last) == set()


def test_every_file_has_something_new_and_is_too_small_to_be_held(nights: list[ProblemNight]) -> None:
    assert len({night.content for night in nights}) == len(nights) == 30
    # A file this small is never held for the share of it that is wrong.
    assert all(night.content.count("\n") <= SHARE_RULES_FROM for night in nights)


def test_rows_of_a_file_are_what_the_truth_takes_them_for(nights: list[ProblemNight]) -> None:
    critical = {
        entry["meta"]["rule_id"]
        for name in ("certificate", "business_license")
        for entry in json.loads((project_home() / "expectations" / f"{name}.json").read_text("utf-8"))["expectations"]
        if entry["severity"] == "critical"
    }
    for problem in nights[-1].problems:
        assert problem.rules
        assert {rule for rule in problem.rules if rule != "row.ragged"} <= critical
        [fields] = csv.reader(io.StringIO(problem.row.line))
        assert (len(fields) == len(problem.row.values)) is not problem.row.torn
        if problem.row.key is not None:
            assert uscc.is_valid(problem.row.key) is ("certificate.holder_code.credit_code" not in problem.rules)
    assert all(uscc.is_valid(key) for key in nights[-1].stored)


def test_terms_and_the_rule_that_is_changed_are_those_of_the_catalogue() -> None:
    config = load_review(project_home() / "include" / "catalog")
    assert config.correct_within_working_days == RETURN_TERM
    assert config.write_off_after_working_days == CLOSED_AFTER
    suite = json.loads((project_home() / "expectations" / "certificate.json").read_text("utf-8"))
    [rule] = [entry for entry in suite["expectations"] if entry["meta"]["rule_id"] == TOO_EARLY]
    assert rule["kwargs"]["earliest"] == EARLIEST.isoformat()


def test_redrive_loads_exactly_the_rows_that_pass_now(nights: list[ProblemNight]) -> None:
    assert [night.number for night in nights if night.loaded] == [REDRIVEN_ON]
    night = nights[REDRIVEN_ON - 1]
    redriven = [p for p in night.problems if any(event.event == "redriven" for event in p.events)]
    assert {p.row.key for p in redriven if not p.row.failed(EARLIEST_SINCE_CHANGE)} == night.loaded
    assert len(redriven) > len(night.loaded) > 3


def test_records_are_closed_replaced_and_dated_as_their_states_say(nights: list[ProblemNight]) -> None:
    for night in nights:
        numbers = {problem.number: problem for problem in night.problems}
        for problem in night.problems:
            assert (problem.solution is None) is problem.is_unsolved is (problem.solved_on is None)
            assert (problem.status == "closed") is (problem.closed_on is not None)
            assert (problem.solution == "replaced") is (problem.replaced_by is not None)
            assert problem.first_opened_on <= problem.opened_on == problem.seen_on[0]
            if problem.replaced_by is not None:
                newer = numbers[problem.replaced_by]
                assert newer.attempts > problem.attempts
                assert newer.first_opened_on <= problem.first_opened_on
