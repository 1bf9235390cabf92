"""Rows that come again just as they came before: known by what was received, and not validated once more."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.support.changed_department import change_department
from tests.support.changes_feed import row
from tests.support.installation import OWNER_URL, Installation
from tests.support.random_deliveries import delivery
from tests.support.temporary_database import as_account, temporary_store

from zhengku.database import statement, statements_of
from zhengku.settings import Settings

pytestmark = pytest.mark.slow_except(
    "test_only_what_is_new_or_otherwise_goes_through_the_whole_pipeline",
    "test_columns_in_another_order_are_the_same_row",
)

LANDED = ("unchanged", "inserted", "updated", "quarantined", "superseded", "duplicate", "disappeared")


def counts(batch) -> dict[str, int]:
    return {name: value for name in LANDED if (value := getattr(batch, name))}


def rule_results(installation: Installation, batch_id: int) -> list[tuple[Any, ...]]:
    return installation.query(
        "select rule_id, severity, failed_rows, skipped from ledger.rule_result where batch_id = %s order by rule_id",
        batch_id,
    )


def test_same_rows_in_another_order_are_recognised_and_nothing_is_written(installation, make_row):
    rows = [make_row(n, 地区="武汉" if n % 3 == 0 else "鄂州") for n in range(30)]
    installation.deliver_rows("a.csv", *rows)
    first = installation.run_one()
    before = installation.store()
    assert first.warned == 10
    installation.deliver_rows("b.csv", *reversed(rows), minutes_ago=1)
    second = installation.run_one()
    assert (second.recognised, second.repeats_batch_id, second.written) == (30, None, 0)
    assert counts(second) == {"unchanged": 30}
    assert installation.store() == before
    # What was found of them when they were validated is true of them still.
    assert second.warned == 10
    assert rule_results(installation, second.batch_id) == rule_results(installation, first.batch_id)
    warned = installation.query(
        "select batch_id, rule_id, record_key from ledger.warned_row order by batch_id, rule_id, record_key"
    )
    assert [row[1:] for row in warned if row[0] == first.batch_id] == [
        row[1:] for row in warned if row[0] == second.batch_id
    ]
    assert {row[0] for row in warned} == {first.batch_id, second.batch_id}


def test_columns_in_another_order_are_the_same_row(installation, make_row, header):
    installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    names, values = header.split(","), make_row(1).split(",")
    turned = "\n".join((",".join(reversed(names)), ",".join(reversed(values)))) + "\n"
    installation.deliver("b.csv", turned, minutes_ago=1)
    assert installation.run_one().recognised == 1


def test_only_what_is_new_or_otherwise_goes_through_the_whole_pipeline(installation, make_row):
    installation.deliver_rows("a.csv", *(make_row(n) for n in range(10)))
    installation.run_one()
    installation.deliver_rows(
        "b.csv",
        *(make_row(n) for n in range(8)),
        make_row(8, 企业名称="鄂州市虚构改名有限公司"),
        make_row(9, 企业名称=""),
        make_row(10),
        minutes_ago=1,
    )
    batch = installation.run_one()
    assert batch.recognised == 8
    assert counts(batch) == {"unchanged": 8, "updated": 1, "quarantined": 1, "inserted": 1}


def test_register_marks_what_it_no_longer_holds_and_nothing_that_it_recognised(register, make_row):
    register.deliver_rows("a.csv", *(make_row(n) for n in range(5)))
    register.run_one()
    # One is written with blanks, and goes through the whole pipeline.
    blanks = make_row(3, 企业类型="有限责任公司　 ")
    register.deliver_rows("b.csv", *(make_row(n) for n in range(3)), blanks, minutes_ago=1)
    batch = register.run_one()
    assert (batch.recognised, batch.unchanged) == (3, 4)
    assert (batch.compared, batch.disappeared) == ("compared", 1)
    assert register.query("select count(*) from store.certificate where removal is null") == [(4,)]
    # One that had disappeared and is there again is brought back, not recognised.
    register.deliver_rows("c.csv", *(make_row(n) for n in range(3)), blanks, make_row(4), minutes_ago=0)
    batch = register.run_one()
    assert (batch.recognised, batch.updated, batch.disappeared) == (4, 1, 0)
    assert register.query("select count(*) from store.certificate where removal is null") == [(5,)]


def test_record_that_comes_twice_in_a_delivery_goes_through_the_whole_pipeline(installation, make_row):
    old, new = make_row(1), make_row(1, 企业名称="鄂州市虚构改名有限公司")
    installation.deliver_rows("a.csv", old, make_row(2))
    installation.run_one()
    installation.deliver_rows("b.csv", old, new, make_row(2), minutes_ago=1)
    batch = installation.run_one()
    assert batch.recognised == 1
    assert counts(batch) == {"unchanged": 1, "updated": 1, "duplicate": 1}


def test_problem_of_a_record_is_settled_by_the_row_that_is_in_the_store(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1), make_row(2))
    installation.run_one()
    installation.deliver_rows("b.csv", make_row(1, 企业名称=""), make_row(2), minutes_ago=5)
    assert installation.run_one().quarantined == 1
    installation.deliver_rows("c.csv", make_row(1), make_row(2), make_row(3), minutes_ago=1)
    batch = installation.run_one()
    assert (batch.recognised, batch.unchanged) == (1, 2)
    assert installation.query("select status, solution from quarantine.problem_row") == [("corrected", "corrected")]


def test_what_another_configuration_made_of_a_row_says_nothing_and_is_said_anew(installation, tmp_path, make_row):
    installation.deliver_rows("a.csv", make_row(1), make_row(2))
    installation.run_one()
    change_department(installation, tmp_path, lambda text: text.replace("title: ", "title: 改名的", 1))
    installation.deliver_rows("b.csv", make_row(2), make_row(1), minutes_ago=5)
    batch = installation.run_one()
    assert (batch.recognised, batch.unchanged) == (0, 2)
    installation.deliver_rows("c.csv", make_row(1), make_row(2), make_row(3), minutes_ago=1)
    batch = installation.run_one()
    assert (batch.recognised, batch.unchanged, batch.inserted) == (2, 2, 1)
    # No version of the record came of it.
    assert installation.query("select distinct version_no from store.certificate") == [(1,)]
    assert installation.query("select count(*) from store.certificate_history") == [(0,)]


def test_row_written_otherwise_is_unchanged_and_recognised_the_next_time(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    blanks = make_row(1, 企业类型="有限责任公司　 ")
    installation.deliver_rows("b.csv", blanks, make_row(2), minutes_ago=5)
    batch = installation.run_one()
    assert (batch.recognised, batch.unchanged, batch.inserted) == (0, 1, 1)
    installation.deliver_rows("c.csv", blanks, make_row(3), minutes_ago=1)
    batch = installation.run_one()
    assert (batch.recognised, batch.unchanged, batch.inserted) == (1, 1, 1)


def test_row_of_a_version_that_was_replaced_is_not_recognised(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    installation.deliver_rows("b.csv", make_row(1, 企业名称="鄂州市虚构改名有限公司"), minutes_ago=5)
    installation.run_one()
    installation.deliver_rows("c.csv", make_row(1), make_row(2), minutes_ago=1)
    batch = installation.run_one()
    assert (batch.recognised, batch.updated, batch.inserted) == (0, 1, 1)


def test_row_of_a_record_that_was_deleted_is_older_than_the_delete(exchange, make_row):
    exchange.deliver_operations(row(make_row, 1, "I", "1 08:00:00"), row(make_row, 2, "I", "1 08:00:00"))
    exchange.deliver_operations(row(make_row, 1, "D", "2 08:00:00"))
    batch = exchange.deliver_operations(row(make_row, 1, "I", "1 08:00:00"), row(make_row, 2, "I", "1 08:00:00"))
    assert (batch.recognised, batch.unchanged, batch.superseded) == (1, 1, 1)


def collect_two(installation: Installation, first: tuple[str, ...], second: tuple[str, ...]) -> list[int]:
    installation.deliver_rows("x.csv", *first, minutes_ago=5)
    installation.deliver_rows("y.csv", *second, minutes_ago=1)
    batches = installation.pipeline.collect("market_supervision", "business_license", "two")
    return [batch.batch_id for batch in batches]


def test_batch_is_staged_anew_when_another_wrote_meanwhile(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1), make_row(2))
    installation.run_one()
    changed = make_row(1, 企业名称="鄂州市虚构改名有限公司")
    earlier, later = collect_two(installation, (make_row(1), make_row(2), make_row(3)), (changed, make_row(2)))
    pipeline = installation.pipeline
    assert pipeline.validate(earlier).recognised == 2
    # The later one is loaded first, as when a worker was slow.
    assert pipeline.load(later).updated == 1
    batch = pipeline.load(earlier)
    assert batch.recognised == 1
    assert counts(batch) == {"unchanged": 1, "superseded": 1, "inserted": 1}


def test_nothing_is_recognised_while_an_older_delivery_waits(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    wrong = make_row(1, 企业名称="鄂州市虚构误改有限公司")
    older, newer = collect_two(installation, (wrong,), (make_row(1), make_row(2)))
    batch = installation.pipeline.load(newer)
    assert (batch.recognised, batch.unchanged) == (0, 1)
    # What the newer one confirmed outlives it.
    assert installation.pipeline.load(older).superseded == 1


def test_older_delivery_that_came_to_wait_meanwhile_sends_the_batch_through_the_whole_pipeline(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    wrong = make_row(1, 企业名称="鄂州市虚构误改有限公司")
    older, newer = collect_two(installation, (wrong,), (make_row(1), make_row(2)))
    pipeline = installation.pipeline
    # Not yet recorded when the newer one was staged.
    installation.rewrite(
        "update ledger.batch set status = 'rejected', rule_id = 'x', reason = 'x', finished_at = now()"
        " where batch_id = %s",
        older,
    )
    assert pipeline.validate(newer).recognised == 1
    installation.rewrite("update ledger.batch set status = 'landed' where batch_id = %s", older)
    assert pipeline.load(newer).recognised == 0
    assert pipeline.load(older).superseded == 1


@pytest.fixture
def without_recognition(monkeypatch) -> Callable[[], None]:
    """Switch the recognition off: every row goes through the whole pipeline."""

    def off() -> None:
        text = statement("load/recognise.recognise").as_string(None)
        assert "s.removal is null" in text
        blind = text.replace("s.removal is null", "false")
        monkeypatch.setitem(statements_of("load/recognise"), "recognise", blind)

    return off


def life(installation: Installation, seed: int) -> list[Any]:
    """Deliver ten nights; return what can be seen of each, and of the store and the problems in the end."""
    rng = random.Random(seed)
    seen: list[Any] = []
    recognised = 0
    for number in range(10):
        installation.deliver_rows(f"{number}.csv", *delivery(rng, number), minutes_ago=100 - number)
        batch = installation.run_one()
        recognised += batch.recognised
        seen.append((batch.status, counts(batch), batch.warned, rule_results(installation, batch.batch_id)))
        seen.append(
            installation.query(
                "select record_key, holder, issue_date, district_delivered, version_no, batch_id, removal, row_hash"
                " from store.certificate order by record_key"
            )
        )
        seen.append(
            installation.query(
                "select record_key, first_batch_id, last_batch_id, times_seen, rules, status, solution, attempts,"
                " corrected_by_batch_id from quarantine.problem_row order by problem_id"
            )
        )
        seen.append(
            installation.query(
                "select record_key, version_no, holder, replaced_by_batch_id from store.certificate_history"
                " order by record_key, version_no"
            )
        )
    installation.recognised = recognised
    return seen


@pytest.mark.parametrize("form", ["increments", "snapshots"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_recognition_changes_nothing_but_the_work(
    installation, tmp_path, server_url, template_database, without_recognition, form, seed
):
    if form == "snapshots":
        change_department(
            installation, tmp_path, lambda text: text.replace("deliveries: increments", "deliveries: snapshots")
        )
    with_it = life(installation, seed)
    assert installation.recognised >= 10
    for path in installation.drop.iterdir():
        path.unlink()
    with temporary_store(server_url, template_database) as url:
        environment = {
            **installation.settings.environment,
            "ZHENGKU_DATABASE_URL": as_account(url, "zhengku_pipeline"),
            OWNER_URL: url,
            "ZHENGKU_LANDING_URL": str(tmp_path / "other_landing"),
        }
        other = replace(installation, settings=Settings(home=installation.settings.home, environment=environment))
        without_recognition()
        without_it = life(other, seed)
        assert other.recognised == 0
    assert with_it == without_it
