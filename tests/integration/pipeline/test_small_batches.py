"""A delivery of which nothing, or hardly anything, can be loaded: held or red at any size."""

from collections.abc import Callable
from pathlib import Path

import pytest

from zhengku.errors import BatchesFailed

MakeRow = Callable[..., str]
RULE = "batch.quarantined_share.small_batch"


def rows(make_row: MakeRow, wrong: int, right: int, *, first: int = 1) -> list[str]:
    return [
        make_row(number, **({"企业名称": ""} if place < wrong else {}))
        for place, number in enumerate(range(first, first + wrong + right))
    ]


@pytest.mark.parametrize(
    ("wrong", "right", "is_held"),
    [
        (3, 0, True),
        (7, 3, False),
        (25, 24, True),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [
                (2, 0, False),
                (2, 1, False),
                (3, 1, False),
                (4, 0, True),
                (4, 1, True),
                (10, 0, True),
                (8, 2, True),
                (48, 0, True),
                (47, 1, True),
                (100, 0, True),
                (35, 80, True),
                (30, 80, False),
            ]
        ),
    ],
)
def test_a_small_delivery_is_held_when_hardly_anything_could_be_loaded(
    installation, make_row: MakeRow, wrong: int, right: int, is_held: bool
) -> None:
    installation.deliver_rows("1.csv", *rows(make_row, wrong, right))
    batch = installation.run_one()
    if is_held:
        assert (batch.status, batch.rule_id, batch.held) == ("held", RULE, wrong + right)
        assert installation.store() == {}
    else:
        assert (batch.status, batch.inserted, batch.quarantined) == ("loaded", right, wrong)


def test_lines_that_cannot_be_read_count_as_well(installation, make_row: MakeRow) -> None:
    installation.deliver_rows("1.csv", *(make_row(number) + ",多余,多余" for number in range(1, 13)))
    batch = installation.run_one()
    assert (batch.status, batch.rule_id) == ("held", RULE)


def test_a_held_small_delivery_is_released_and_its_rows_then_are_problem_records(installation, make_row) -> None:
    installation.deliver_rows("1.csv", *rows(make_row, 5, 0))
    held = installation.run_one()
    assert held.status == "held"
    released = installation.pipeline.release(held.batch_id, "大数据科", "已与部门核对，确无名称")
    assert (released.status, released.quarantined) == ("loaded", 5)
    assert installation.query("select count(*) from quarantine.problem_row where status = 'open'") == [(5,)]


def test_what_is_an_unsolved_problem_already_holds_nothing_again(installation, make_row) -> None:
    torn = [make_row(number) + ",多余" for number in (8, 9)]
    installation.deliver_rows("1.csv", *rows(make_row, 2, 0), *torn, *rows(make_row, 0, 6, first=20))
    assert installation.run_one().status == "loaded"
    # The next delivery holds nothing but these, as an overlap reads them: nothing is new.
    installation.deliver_rows("2.csv", *rows(make_row, 2, 0), *torn, minutes_ago=30)
    batch = installation.run_one()
    assert (batch.status, batch.quarantined) == ("loaded", 4)
    assert installation.query("select count(*) from quarantine.problem_row") == [(4,)]
    # Beside nine that are new they do not help.
    installation.deliver_rows("3.csv", *rows(make_row, 9, 0, first=40), *rows(make_row, 2, 0), minutes_ago=10)
    assert installation.run_one().rule_id == RULE


def test_rows_without_a_key_are_known_by_what_came(installation, make_row: MakeRow) -> None:
    without_a_key = [make_row(number, 统一社会信用代码="") for number in range(60, 64)]
    installation.deliver_rows("1.csv", *without_a_key, *rows(make_row, 0, 90))
    assert installation.run_one().status == "loaded"
    installation.deliver_rows("2.csv", *without_a_key, *rows(make_row, 0, 1, first=80), minutes_ago=30)
    batch = installation.run_one()
    assert (batch.status, batch.quarantined) == ("loaded", 4)
    other = [make_row(number, 统一社会信用代码="") for number in range(70, 74)]
    installation.deliver_rows("3.csv", *other, *rows(make_row, 0, 1, first=81), minutes_ago=10)
    assert installation.run_one().rule_id == RULE


@pytest.mark.parametrize("number_of_rows", [1, 2])
def test_one_or_two_rows_that_are_all_wrong_are_loaded_to_be_returned_and_the_run_is_red(
    installation, make_row: MakeRow, number_of_rows: int
) -> None:
    installation.deliver_rows("1.csv", *rows(make_row, number_of_rows, 0))
    [batch] = installation.run("first")
    assert (batch.status, batch.quarantined) == ("loaded", number_of_rows)
    with pytest.raises(BatchesFailed, match=f"none of its {number_of_rows} rows could be loaded"):
        installation.pipeline.conclude("market_supervision", "first", ["business_license"])
    # The same again is known: only what is new is told.
    installation.deliver_rows("2.csv", *rows(make_row, number_of_rows, 0), "", minutes_ago=30)
    installation.run("second")
    assert isinstance(installation.pipeline.conclude("market_supervision", "second", ["business_license"]), Path)
