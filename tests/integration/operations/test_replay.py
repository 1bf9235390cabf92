"""Landed deliveries that go through the whole pipeline again, without the department."""

from datetime import date

import pytest
from psycopg import sql
from tests.support.changed_department import change_department
from tests.support.changes_feed import row
from tests.support.command_line import zhengku

from zhengku.cli.common import person
from zhengku.database import store_connection
from zhengku.errors import ConfigurationError, DeliveryUnavailable, LandingDamaged
from zhengku.operations.replay import replay, replayable

pytestmark = pytest.mark.slow_except(
    "test_all_that_was_landed_makes_the_same_store_again", "test_what_a_person_gave_back_is_not_replayed"
)


def replayed(installation, *batch_ids: int, run_id: str | None = None):
    with store_connection(installation.settings.database_url) as connection:
        chosen = replayable(connection, batch_ids=batch_ids or None)
    return replay(installation.pipeline, chosen, "虚构甲", "映射已改", run_id)


def contents(installation) -> list[tuple[object, ...]]:
    return installation.query(
        "select record_key, holder, district, issue_date, version_at, removal, removed_at, row_hash"
        " from store.certificate order by record_key"
    )


def test_replay_over_what_is_loaded_changes_nothing(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1), make_row(2), make_row(3, 企业名称=""))
    installation.run_one()
    installation.deliver_rows("b.csv", make_row(1, 企业名称="鄂州市虚构改名有限公司"), make_row(4), minutes_ago=5)
    installation.run_one()
    before, history = installation.store(), installation.query("select * from store.certificate_history")
    problems = installation.query("select problem_id, status, times_seen from quarantine.problem_row")
    # The department is not asked: its system may be gone.
    for path in installation.drop.iterdir():
        path.unlink()
    installation.drop.rmdir()
    older, newer = replayed(installation)
    assert (older.origin, older.redrives_batch_id, older.released_by) == ("replay", 1, "虚构甲")
    assert (older.superseded, older.unchanged, older.quarantined, older.written) == (1, 1, 1, 0)
    assert (newer.unchanged, newer.written) == (2, 0)
    assert installation.store() == before
    assert installation.query("select * from store.certificate_history") == history
    assert installation.query("select problem_id, status, times_seen from quarantine.problem_row") == problems


def test_fixed_mapping_reaches_what_is_still_the_newest_and_nothing_else(installation, tmp_path, make_row):
    narrow = ("issue_date: {column: 注册日期}", "issue_date: {column: 注册日期, date_forms: [iso]}")
    change_department(installation, tmp_path / "narrow", lambda text: text.replace(*narrow))
    installation.deliver_rows("a.csv", make_row(1), make_row(2), make_row(3, 注册日期="20200501"))
    first = installation.run_one()
    assert first.quarantined == 1
    installation.deliver_rows("b.csv", make_row(1, 企业名称="鄂州市虚构改名有限公司"), minutes_ago=5)
    second = installation.run_one()
    change_department(
        installation,
        tmp_path,
        lambda text: text.replace(", date_forms: [iso]", "").replace(
            "certificate_name: {constant: 营业执照}", "certificate_name: {column: 企业类型}"
        ),
    )
    [again] = replayed(installation, first.batch_id)
    assert (again.inserted, again.updated, again.superseded, again.quarantined) == (1, 1, 1, 0)
    stored = dict(installation.query("select holder, (certificate_name, batch_id)::text from store.certificate"))
    assert stored == {
        "鄂州市虚构改名有限公司": f"(营业执照,{second.batch_id})",
        "鄂州市虚构第0002号商贸有限公司": f"(有限责任公司,{again.batch_id})",
        "鄂州市虚构第0003号商贸有限公司": f"(有限责任公司,{again.batch_id})",
    }
    # The problem is solved by its own row.
    assert installation.query("select status, solution, corrected_by_batch_id from quarantine.problem_row") == [
        ("corrected", "corrected", again.batch_id)
    ]


def test_older_delivery_does_not_win_over_one_of_the_same_version(exchange, make_row):
    first = exchange.deliver_operations(row(make_row, 1, "I", "1 08:00:00"))
    exchange.deliver_operations(row(make_row, 1, "U", "1 08:00:00", 企业名称="鄂州市虚构改名有限公司"))
    [again] = replayed(exchange, first.batch_id)
    assert (again.superseded, again.updated) == (1, 0)
    assert [stored[0] for stored in exchange.store().values()] == ["鄂州市虚构改名有限公司"]


def test_problem_that_came_later_is_not_solved_by_an_older_delivery(exchange, make_row):
    first = exchange.deliver_operations(row(make_row, 1, "I", "1 08:00:00"))
    exchange.deliver_operations(row(make_row, 1, "U", "1 08:00:00", 企业名称=""))
    [again] = replayed(exchange, first.batch_id)
    assert again.unchanged == 1
    assert exchange.query("select status from quarantine.problem_row") == [("open",)]


def test_replayed_register_marks_and_brings_back_nothing(register, make_row):
    register.deliver_rows("a.csv", *(make_row(n) for n in range(4)))
    first = register.run_one()
    register.deliver_rows("b.csv", *(make_row(n) for n in range(3)), make_row(5), minutes_ago=5)
    second = register.run_one()
    assert second.disappeared == 1
    before = register.store()
    [older], [newest] = replayed(register, first.batch_id), replayed(register, second.batch_id)
    assert (older.disappeared, older.compared, older.written) == (0, "overtaken", 0)
    assert (newest.disappeared, newest.compared, newest.written) == (0, "compared", 0)
    assert register.store() == before
    # Into a store that was lost, the same records stand and are gone.
    register.rewrite("truncate store.certificate, store.certificate_history")
    replayed(register)
    stands = "select record_key, removal from store.certificate order by record_key"
    assert dict(register.query(stands)) == {
        key: "disappeared" if row[0] == "鄂州市虚构第0003号商贸有限公司" else None for key, row in before.items()
    }


def gone_since(installation) -> dict[str, int | None]:
    """Holder → the batch whose register showed that it is gone, None for what stands."""
    return dict(
        installation.query(
            "select s.holder, case when s.removal is not null then"
            " (select min(b.batch_id) from ledger.batch b where b.landed_at = s.removed_at) end"
            " from store.certificate s order by 1"
        )
    )


def name(number: int) -> str:
    return f"鄂州市虚构第{number:04d}号商贸有限公司"


def test_older_register_brings_nothing_back_that_a_newer_one_no_longer_held(register, make_row):
    for number, rows in enumerate((4, 4, 3, 3)):
        register.deliver_rows(f"{number}.csv", *(make_row(n) for n in range(rows)), make_row(50 + number),
                              minutes_ago=60 - number)  # fmt: skip
        register.run_one()
    before, gone = register.store(), gone_since(register)
    assert (gone[name(3)], gone[name(51)], gone[name(53)]) == (3, 3, None)
    # Of a period, and since when each is gone stays.
    for chosen in ([2], [1, 2, 3, 4], [4]):
        again = replayed(register, *chosen)
        assert [batch.written + batch.disappeared for batch in again] == [0] * len(chosen)
        assert (register.store(), gone_since(register)) == (before, gone)


def test_older_register_with_times_of_change_brings_nothing_back_either(timed_register, make_row):
    timed_register.deliver_operations(row(make_row, 1, "I", "1 08:00"), row(make_row, 2, "I", "1 08:00"))
    second = timed_register.deliver_operations(row(make_row, 1, "U", "9 08:00"), row(make_row, 2, "I", "1 08:00"))
    timed_register.deliver_operations(row(make_row, 2, "I", "1 08:00"))
    before = timed_register.store()
    [again] = replayed(timed_register, second.batch_id)
    assert (again.superseded, again.written) == (1, 0)
    assert timed_register.store() == before
    # A newer register holds it again, as it was: it stands.
    back = timed_register.deliver_operations(row(make_row, 1, "U", "9 08:00"), row(make_row, 2, "I", "1 08:00"))
    assert back.updated == 1
    assert gone_since(timed_register) == {name(1): None, name(2): None}


def test_newer_register_brings_back_what_it_holds_whatever_time_its_row_bears(timed_register, make_row):
    """A system that was restored from a backup says what it said before."""
    timed_register.deliver_operations(row(make_row, 1, "U", "9 08:00"), row(make_row, 2, "I", "1 08:00"))
    third = timed_register.deliver_operations(row(make_row, 2, "I", "1 08:00"))
    assert gone_since(timed_register)[name(1)] is not None
    back = timed_register.deliver_operations(row(make_row, 1, "I", "1 08:00"), row(make_row, 2, "I", "1 08:00"))
    assert (back.updated, back.superseded) == (1, 0)
    assert gone_since(timed_register) == {name(1): None, name(2): None}
    # While it stands, an older time changes nothing; and what came before the register does not either.
    again = timed_register.deliver_operations(row(make_row, 1, "I", "1 07:00"), row(make_row, 2, "I", "1 08:00"))
    assert (again.superseded, again.updated) == (1, 0)
    replayed(timed_register, third.batch_id)
    assert gone_since(timed_register) == {name(1): None, name(2): None}


def test_wrong_row_of_an_older_register_is_no_problem_of_what_is_gone(timed_register, make_row):
    timed_register.deliver_operations(row(make_row, 1, "I", "1 08:00"), row(make_row, 2, "I", "1 08:00"))
    wrong = timed_register.deliver_operations(
        row(make_row, 1, "U", "2 08:00", 企业名称=""), row(make_row, 2, "I", "1 08:00")
    )
    timed_register.deliver_operations(row(make_row, 2, "I", "1 08:00"))
    timed_register.rewrite("delete from quarantine.problem_event; delete from quarantine.problem_row")
    [again] = replayed(timed_register, wrong.batch_id)
    assert (again.superseded, again.quarantined) == (1, 0)


def collected(register) -> list[int]:
    batches = register.pipeline.collect("market_supervision", "business_license", "night")
    return [batch.batch_id for batch in batches]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (2, 0, 1), (1, 2, 0), (0, 2, 1), (1, 0, 2)])
def test_registers_in_any_order_say_the_same(register, make_row, order):
    """Of the three, the certificates have each of the seven ways to be in some of them."""
    for place in range(3):
        held = [make_row(n) for n in range(1, 8) if n >> place & 1]
        register.deliver_rows(f"{place}.csv", *held, make_row(9), minutes_ago=30 - place)
    batches = collected(register)
    loaded = [register.pipeline.load(batches[place]) for place in order]
    assert gone_since(register) == {
        # By the bits of its number: in which of the registers it is.
        name(1): 2, name(2): 3, name(3): 3, name(4): None, name(5): None, name(6): None, name(7): None, name(9): None,
    }  # fmt: skip
    assert all(batch.compared in ("compared", "overtaken") for batch in loaded)
    # Nobody ever saw those stand that were gone before they came.
    newest = max(order.index(place) for place in order)
    assert newest == 2


def test_record_that_was_wrong_in_the_newer_register_is_there_all_the_same(register, make_row):
    register.deliver_rows("0.csv", make_row(1), make_row(2), minutes_ago=30)
    register.deliver_rows("1.csv", make_row(1, 企业名称=""), make_row(3), minutes_ago=20)
    older, newer = collected(register)
    register.pipeline.load(newer)
    late = register.pipeline.load(older)
    assert (late.inserted, late.disappeared) == (2, 1)
    assert gone_since(register) == {name(1): None, name(2): newer, name(3): None}


def test_what_a_person_withdrew_is_not_brought_back_by_an_older_delivery(exchange, make_row):
    first = exchange.deliver_operations(row(make_row, 1, "I", "1 08:00"))
    exchange.query("update store.certificate set removal = 'disappeared', removed_at = now(), version_no = 2")
    exchange.query("update store.certificate set version_at = version_at - interval '1 day'")
    [again] = replayed(exchange, first.batch_id)
    assert again.superseded == 1


def test_problem_that_was_settled_since_is_not_opened_again(register, make_row):
    register.deliver_rows("a.csv", make_row(1), make_row(2, 企业名称=""))
    first = register.run_one()
    register.deliver_rows("b.csv", make_row(1), make_row(3), minutes_ago=5)
    register.run_one()
    problems = register.query("select problem_id, status, solution from quarantine.problem_row")
    assert [row[1:] for row in problems] == [("closed", "gone")]
    [again] = replayed(register, first.batch_id)
    assert again.quarantined == 1
    assert register.query("select problem_id, status, solution from quarantine.problem_row") == problems


def test_what_a_person_gave_back_is_not_replayed(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    batch = installation.run_one()
    installation.rewrite(
        "with rejected as (update ledger.batch set status = 'rejected', rule_id = 'batch.x', reason = 'x')"
        " insert into ledger.decision (batch_id, decision, decided_by, reason) values (%s, 'rejected', '虚构甲', '退')",
        batch.batch_id,
    )
    assert replayed(installation) == []
    with pytest.raises(ConfigurationError, match="it was given back"):
        replayed(installation, batch.batch_id)


def test_dead_replay_is_no_delivery_of_the_night(installation, make_row, monkeypatch):
    installation.deliver_rows("a.csv", make_row(1))
    first = installation.run_one()
    with monkeypatch.context() as patch:
        patch.setattr("zhengku.pipeline.pipeline.Pipeline.load", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            replayed(installation, first.batch_id)
    for path in installation.drop.iterdir():
        path.unlink()
    with pytest.raises(DeliveryUnavailable, match="No file"):
        installation.run("night")


def test_all_that_was_landed_makes_the_same_store_again(exchange, make_row):
    exchange.deliver_operations(*(row(make_row, n, "I", "1 08:00:00") for n in range(4)))
    exchange.deliver_operations(
        row(make_row, 0, "U", "2 08:00:00", 企业名称="鄂州市虚构改名有限公司"),
        row(make_row, 1, "D", "2 09:00:00"),
        row(make_row, 2, "U", "2 08:00:00", 企业名称=""),
        row(make_row, 7, "D", "2 08:00:00"),
    )
    exchange.deliver_operations(row(make_row, 2, "U", "3 08:00:00"), row(make_row, 0, "U", "1 12:00:00"))
    before = contents(exchange)
    assert len(before) == 5
    exchange.rewrite("truncate store.certificate, store.certificate_history")
    assert sum(batch.written for batch in replayed(exchange)) > 0
    assert contents(exchange) == before


def test_replay_moves_no_watermark_and_is_no_nights_delivery(installation, make_row):
    installation.deliver_rows("a.csv", *(make_row(n) for n in range(3)))
    first = installation.run_one()
    [again] = replayed(installation, first.batch_id)
    assert (again.window_end, again.position_at, again.landed_at) == (None, None, first.landed_at)
    assert installation.query("select count(*) from ledger.watermark") == [(0,)]
    # Looked at once more, the drop's newest file is the delivery that it was.
    looked_at = installation.run_one()
    assert (looked_at.repeats_batch_id, looked_at.unchanged) == (again.batch_id, 3)


def test_same_request_again_finds_what_it_has_done(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    first = installation.run_one()
    once = replayed(installation, first.batch_id, run_id="asked")
    assert replayed(installation, first.batch_id, run_id="asked") == once


def test_replay_that_died_is_taken_up_by_the_next_run(installation, make_row, monkeypatch):
    installation.deliver_rows("a.csv", make_row(1))
    first = installation.run_one()
    with monkeypatch.context() as patch:
        patch.setattr("zhengku.pipeline.pipeline.Pipeline.load", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            replayed(installation, first.batch_id)
    installation.deliver_rows("b.csv", make_row(2), minutes_ago=1)
    assert [(batch.origin, batch.status) for batch in installation.run()] == [
        ("replay", "loaded"),
        ("delivery", "loaded"),
    ]


def test_file_that_is_gone_or_changed_is_named_and_the_others_go_on(installation, make_row):
    ids = []
    for number in range(3):
        installation.deliver_rows(f"{number}.csv", make_row(number), minutes_ago=50 - number)
        ids.append(installation.run_one().batch_id)
    landing = installation.settings.landing_url
    paths = dict(installation.query("select batch_id, landing_path from ledger.batch"))
    (installation.drop.parent.parent / "landing" / paths[ids[0]]).unlink()
    changed = installation.drop.parent.parent / "landing" / paths[ids[1]]
    assert str(changed).startswith(landing)
    changed.write_bytes(changed.read_bytes().replace("有限责任公司".encode(), "股份有限公司".encode()))
    with pytest.raises(DeliveryUnavailable, match=f"Batch {ids[0]}.*not there.*Restore"):
        replayed(installation)
    with pytest.raises(LandingDamaged, match=f"Batch {ids[1]}.*changed since.*Nothing was loaded"):
        replayed(installation, ids[1])
    assert installation.query("select redrives_batch_id, status from ledger.batch where origin = 'replay'") == [
        (ids[2], "loaded")
    ]


def test_rejected_delivery_is_loaded_once_the_mapping_is_fixed(installation, tmp_path, make_row, header):
    installation.deliver("a.csv", f"{header.replace('企业名称', '名称')}\n{make_row(1)}\n")
    rejected = installation.run_one()
    assert rejected.status == "rejected"
    change_department(installation, tmp_path, lambda text: text.replace("{column: 企业名称}", "{column: 名称}"))
    [again] = replayed(installation, rejected.batch_id)
    assert (again.status, again.inserted) == ("loaded", 1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("status = 'landed', finished_at = null", "it is landed and goes on by itself"),
        ("status = 'held', rule_id = 'x', reason = 'x'", "it is held: release it"),
        ("repeats_batch_id = 1", "it has the same file as batch 1"),
        ("origin = 'redrive', redrives_batch_id = 1", "it is a redrive of batch 1"),
    ],
)
def test_what_cannot_be_replayed_is_said_with_its_reason(installation, make_row, change, told):
    installation.deliver_rows("a.csv", make_row(1))
    batch = installation.run_one()
    installation.rewrite(sql.SQL("update ledger.batch set {}").format(sql.SQL(change)))
    with (
        pytest.raises(ConfigurationError, match=f"Batch {batch.batch_id} cannot be replayed: {told}"),
        store_connection(installation.settings.database_url) as connection,
    ):
        replayable(connection, batch_ids=[batch.batch_id])


def test_period_is_the_days_on_which_deliveries_came(installation, make_row):
    for number in range(3):
        installation.deliver_rows(f"{number}.csv", make_row(number), minutes_ago=50 - number)
        batch = installation.run_one()
        installation.rewrite(
            "update ledger.batch set recorded_at = timestamptz '2026-11-01 00:00+08' + %s * interval '1 day'"
            " - interval '1 second' where batch_id = %s",
            number,
            batch.batch_id,
        )
    with store_connection(installation.settings.database_url) as connection:
        chosen = replayable(
            connection,
            department="market_supervision",
            feed="business_license",
            first_day=date(2026, 11, 1),
            last_day=date(2026, 11, 1),
        )
        assert [batch.batch_id for batch in chosen] == [2]
        assert replayable(connection, department="tobacco") == []


def test_by_the_command_line(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    environment = dict(installation.settings.environment)
    done = zhengku(environment, "replay", "--batch", "1", "--reason", "映射已改", "--for", "虚构甲")
    assert (done.returncode, done.stderr) == (0, "")
    assert "重新处理批次1" in done.stdout
    assert installation.query("select released_by from ledger.batch where batch_id = 2") == [(person("虚构甲"),)]
    done = zhengku(environment, "replay", "--department", "market_supervision", "--reason", "映射已改")
    assert done.returncode == 0
    for arguments, told in [
        ((), "Expected either --batch"),
        (("--batch", "1", "--department", "market_supervision"), "got both"),
        (("--batch", "1", "--since", "2026-11-01"), "with --department only"),
        (("--department", "nobody"), "nobody"),
        (("--department", "market_supervision", "--since", "1.11.2026"), "Expected a day as YYYY-MM-DD"),
        (("--batch", "99"), "There is no batch 99"),
        (("--batch", "1", "--for", " "), "Expected on whose behalf, after --for, got a blank"),
    ]:
        refused = zhengku(environment, "replay", "--reason", "映射已改", *arguments)
        assert refused.returncode == 1
        assert told in refused.stderr
