"""Rows that delete, whole registers that no longer hold a certificate, and how far a feed was read."""

import os
import re
import time

import pytest
from psycopg import sql
from tests.support.changed_department import change_department
from tests.support.changes_feed import row

from zhengku.database import statement, store_connection, use_batch_schema
from zhengku.ledger import batch_by_id
from zhengku.load.store_table import StoreTable


def removals(installation) -> list[tuple[object, ...]]:
    return installation.query(
        "select holder, removal, to_char(removed_at, 'MM-DD HH24:MI'), version_no"
        " from store.certificate order by record_key"
    )


def name(number: int) -> str:
    return f"鄂州市虚构第{number:04d}号商贸有限公司"


def test_delete_marks_the_certificate_with_its_time_and_keeps_what_was_known(exchange, make_row):
    exchange.deliver_operations(row(make_row, 1, "I", "1 08:00"), row(make_row, 2, "I", "1 08:00"))
    batch = exchange.deliver_operations(row(make_row, 1, "D", "2 09:30", 企业名称="", 注册日期=""))
    assert (batch.deleted, batch.quarantined) == (1, 0)
    assert removals(exchange) == [(name(1), "deleted", "05-02 09:30", 2), (name(2), None, None, 1)]
    assert exchange.query("select holder, version_no, removal from store.certificate_history") == [(name(1), 1, None)]


@pytest.mark.slow
def test_delete_that_comes_again_is_unchanged(exchange, make_row):
    exchange.deliver_operations(row(make_row, 1, "I", "1 08:00"))
    exchange.deliver_operations(row(make_row, 1, "D", "2 09:30"))
    before = exchange.store()
    again = exchange.deliver_operations(row(make_row, 1, "I", "1 08:00"), row(make_row, 1, "D", "2 09:30"))
    assert (again.unchanged, again.duplicate, again.written) == (1, 1, 0)
    assert exchange.store() == before


def test_newer_delete_outlives_a_change_that_was_made_before_it(exchange, make_row):
    exchange.deliver_operations(row(make_row, 1, "I", "1 08:00"))
    exchange.deliver_operations(row(make_row, 1, "D", "2 09:30"))
    again = exchange.deliver_operations(row(make_row, 1, "D", "5 09:30"))
    assert (again.deleted, again.unchanged) == (1, 0)
    late = exchange.deliver_operations(row(make_row, 1, "U", "4 08:00", 企业名称="鄂州市虚构迟到有限公司"))
    assert (late.superseded, late.updated) == (1, 0)
    assert [removal for (removal,) in exchange.query("select removal from store.certificate")] == ["deleted"]


def test_delete_without_a_time_that_comes_again_is_unchanged(installation, tmp_path, make_row, header):
    change_department(
        installation,
        tmp_path,
        lambda text: text.replace("    fields:\n", "    operation: {column: 操作}\n    fields:\n", 1),
    )
    for night, operations in enumerate(("I", "D", "D")):
        lines = [f"{header},操作", *(f"{make_row(1)},{operation}" for operation in operations)]
        # The second delete is another delivery.
        lines.append(f"{make_row(10 + night)},I")
        installation.deliver(f"{night}.csv", "\n".join(lines) + "\n", minutes_ago=60 - night)
        batch = installation.run_one()
    assert (batch.unchanged, batch.deleted) == (1, 0)
    assert [
        version
        for (version,) in installation.query("select version_no from store.certificate where removal is not null")
    ] == [2]


@pytest.mark.slow
def test_row_older_than_the_delete_does_not_bring_the_certificate_back(exchange, make_row):
    exchange.deliver_operations(row(make_row, 1, "I", "1 08:00"))
    exchange.deliver_operations(row(make_row, 1, "D", "3 09:30"))
    late = exchange.deliver_operations(row(make_row, 1, "U", "2 10:00", 企业名称="鄂州市虚构迟到有限公司"))
    assert late.superseded == 1
    same = exchange.deliver_operations(row(make_row, 1, "I", "1 08:00"))
    assert same.superseded == 1
    assert removals(exchange)[0][1] == "deleted"


def test_newer_row_brings_a_deleted_certificate_back(exchange, make_row):
    exchange.deliver_operations(row(make_row, 1, "I", "1 08:00"))
    exchange.deliver_operations(row(make_row, 1, "D", "2 09:30"))
    # The very row of the first night, but newer: it is no repetition.
    back = exchange.deliver_operations(row(make_row, 1, "I", "3 08:00"))
    assert back.updated == 1
    assert removals(exchange) == [(name(1), None, None, 3)]
    history = exchange.query("select version_no, removal from store.certificate_history order by version_no")
    assert history == [(1, None), (2, "deleted")]


@pytest.mark.slow
def test_delete_that_comes_before_its_insert_wins_when_it_is_newer(exchange, make_row):
    first = exchange.deliver_operations(row(make_row, 1, "D", "2 09:30"))
    assert first.deleted == 1
    late = exchange.deliver_operations(row(make_row, 1, "I", "1 08:00"))
    assert late.superseded == 1
    assert removals(exchange)[0][1:] == ("deleted", "05-02 09:30", 1)


def test_of_one_certificate_in_one_delivery_the_newest_operation_counts(exchange, make_row):
    batch = exchange.deliver_operations(
        row(make_row, 1, "D", "2 09:30"),
        row(make_row, 1, "I", "1 08:00"),
        # Of one time the later row counts.
        row(make_row, 2, "I", "1 08:00"),
        row(make_row, 2, "D", "1 08:00"),
    )
    assert (batch.deleted, batch.duplicate) == (2, 2)
    assert [removal for _, removal, _, _ in removals(exchange)] == ["deleted", "deleted"]


def test_delete_without_key_and_unknown_operation_are_quarantined(exchange, make_row):
    batch = exchange.deliver_operations(
        row(make_row, 1, "D", "2 09:30", 统一社会信用代码=""),
        row(make_row, 2, "X", "2 09:30"),
        row(make_row, 3, "", "2 09:30"),
        row(make_row, 4, "I", "2 09:30"),
    )
    assert batch.quarantined == 3
    problems = exchange.query("select first_row_no, rules from quarantine.problem_row order by 1")
    assert problems == [
        (2, ["certificate.record_key.present"]),
        (3, ["certificate.operation.known"]),
        (4, ["certificate.operation.known"]),
    ]


@pytest.mark.slow
def test_delete_is_quarantined_when_its_time_or_key_would_spoil_what_comes_later(exchange, make_row):
    exchange.deliver_operations(*(row(make_row, number, "I", "1 08:00") for number in range(1, 4)))
    exchange.deliver_operations(
        f"{make_row(1)},D,2062-05-02 09:30",
        f"{make_row(2)},D,昨天",
        f"{make_row(3)},D,",
        row(make_row, 4, "D", "2 09:30", 统一社会信用代码="9" * 8000),
        # Some that are right, so that the delivery is not held as a whole.
        *(row(make_row, number, "I", "2 09:30") for number in (20, 21)),
    )
    problems = exchange.query("select first_row_no, rules from quarantine.problem_row order by 1")
    assert problems == [
        (2, ["certificate.source_updated_at.not_future"]),
        (3, ["certificate.source_updated_at.parseable"]),
        (4, ["certificate.source_updated_at.of_delete"]),
        (5, ["certificate.record_key.length"]),
    ]
    assert {removal for _, removal, _, _ in removals(exchange)} == {None}


@pytest.mark.slow
def test_row_without_a_time_is_the_oldest_and_changes_nothing_night_after_night(exchange, make_row):
    batch = exchange.deliver_operations(f"{make_row(1)},I,", row(make_row, 1, "D", "2 09:30"), f"{make_row(2)},I,")
    assert (batch.deleted, batch.inserted, batch.duplicate) == (1, 1, 1)
    again = exchange.deliver_operations(f"{make_row(1)},I,", f"{make_row(2, 注册资金='200万元人民币')},I,")
    # It brings nothing back; but of two rows without a time, the later delivery counts.
    assert (again.superseded, again.updated) == (1, 1)
    assert removals(exchange)[0][1] == "deleted"


@pytest.mark.slow
def test_wrong_row_older_than_what_the_store_has_is_superseded(exchange, make_row):
    exchange.deliver_operations(row(make_row, 1, "I", "3 08:00"))
    batch = exchange.deliver_operations(row(make_row, 1, "U", "2 08:00", 企业名称=""))
    assert (batch.superseded, batch.quarantined) == (1, 0)


def test_problem_is_corrected_by_a_newer_row_of_the_same_delivery(exchange, make_row):
    exchange.deliver_operations(row(make_row, 1, "I", "1 08:00", 企业名称=""), row(make_row, 1, "U", "2 08:00"))
    assert exchange.query("select status from quarantine.problem_row") == [("corrected",)]


@pytest.mark.slow
def test_problem_of_a_certificate_that_is_deleted_is_closed(exchange, make_row):
    exchange.deliver_operations(row(make_row, 1, "I", "1 08:00", 企业名称=""))
    exchange.deliver_operations(row(make_row, 1, "D", "2 08:00"))
    assert exchange.query("select status from quarantine.problem_row") == [("closed",)]


def test_certificate_that_a_whole_register_no_longer_holds_is_marked(register, make_row):
    register.deliver_rows("a.csv", *(make_row(n) for n in range(4)))
    assert register.run_one().compared == "compared"
    register.deliver_rows("b.csv", *(make_row(n) for n in range(3)), minutes_ago=30)
    batch = register.run_one()
    assert (batch.unchanged, batch.disappeared) == (3, 1)
    assert [row[:2] for row in removals(register)] == [(name(n), None) for n in range(3)] + [(name(3), "disappeared")]
    # It is marked once, and comes back when the register holds it again.
    register.deliver_rows("c.csv", *(make_row(n) for n in range(2)), make_row(9), minutes_ago=20)
    assert register.run_one().disappeared == 1
    register.deliver_rows("d.csv", *(make_row(n) for n in range(4)), make_row(9), minutes_ago=10)
    back = register.run_one()
    assert (back.updated, back.unchanged, back.disappeared) == (2, 3, 0)
    assert {row[1] for row in removals(register)} == {None}


def marking_plan(register, batch_id: int) -> str:
    """Return how PostgreSQL would look for what a validated register no longer holds."""
    database_url = register.settings.database_url
    with store_connection(database_url) as connection:
        batch = batch_by_id(connection, batch_id)
        table = StoreTable.of(batch, register.pipeline.catalog.standard_fields("certificate"))
        use_batch_schema(connection, batch_id)
        values = {
            name: getattr(batch, name) for name in ("department", "feed", "license_type", "batch_id", "landed_at")
        }
        marking = sql.SQL("explain {}").format(statement("load/disappeared.mark_disappeared").format(**table.names))
        return "\n".join(line for [line] in connection.execute(marking, values).fetchall())


@pytest.mark.slow
@pytest.mark.parametrize("is_known", [True, False])
def test_second_register_right_after_the_first_does_not_wait_for_autovacuum(register, make_row, is_known):
    """Where nothing is known of the feed, each of its certificates seemed to be the only one: rows times rows."""
    register.deliver_rows("a.csv", *(make_row(n) for n in range(3000)))
    register.run_one()
    register.query("alter table certificate_of.business_license set (autovacuum_enabled = off)")
    found = register.query(
        "select attname from pg_stats where tablename = 'business_license' and attname in ('department', 'feed')"
    )
    assert sorted(found) == [("department",), ("feed",)]
    if not is_known:
        # As of a feed that came to a type which another one had filled.
        register.query("update store.certificate set feed = 'another'")
        register.query("analyze certificate_of.business_license")
        register.query("update store.certificate set feed = 'business_license'")
    changed = (make_row(n, 企业名称=f"鄂州市虚构改名第{n}号有限公司") for n in range(2999))
    register.deliver_rows("b.csv", *changed, minutes_ago=30)
    [batch] = register.pipeline.collect("market_supervision", "business_license", "second")
    register.pipeline.validate(batch.batch_id)
    plan = marking_plan(register, batch.batch_id)
    # With the delivery's rows; next to nothing is recognised, and through that it may look.
    assert re.search(r"(Hash|Merge) Cond: \(.*\bc\.record_key", plan), plan
    loaded = register.pipeline.load(batch.batch_id)
    assert (loaded.updated, loaded.disappeared) == (2999, 1)


@pytest.mark.slow
def test_quarantined_row_has_not_disappeared(register, make_row):
    register.deliver_rows("a.csv", *(make_row(n) for n in range(3)))
    register.run_one()
    register.deliver_rows("b.csv", make_row(0), make_row(1), make_row(2, 企业名称=""), minutes_ago=30)
    batch = register.run_one()
    assert (batch.quarantined, batch.disappeared, batch.compared) == (1, 0, "compared")


@pytest.mark.slow
def test_register_with_a_row_without_key_marks_nothing_and_says_so(register, make_row):
    register.deliver_rows("a.csv", *(make_row(n) for n in range(3)))
    register.run_one()
    register.deliver_rows("b.csv", make_row(0), make_row(1, 统一社会信用代码=""), minutes_ago=30)
    batch = register.run_one()
    assert (batch.compared, batch.disappeared) == ("keys_unreadable", 0)
    register.deliver_rows("c.csv", make_row(0), "only,three,cells", make_row(2), minutes_ago=20)
    assert register.run_one().compared == "keys_unreadable"
    assert {row[1] for row in removals(register)} == {None}


@pytest.mark.slow
def test_register_that_is_released_after_a_newer_one_marks_nothing(register, make_row):
    register.deliver_rows("a.csv", *(make_row(n) for n in range(2)))
    register.deliver_rows("b.csv", *(make_row(n) for n in range(3)), minutes_ago=30)
    older, newer = (b.batch_id for b in register.pipeline.collect("market_supervision", "business_license", "night"))
    register.pipeline.load(newer)
    late = register.pipeline.load(older)
    assert (late.compared, late.disappeared) == ("overtaken", 0)
    assert {row[1] for row in removals(register)} == {None}


@pytest.mark.slow
def test_another_feeds_certificates_do_not_disappear(register, make_row):
    register.deliver_rows("a.csv", *(make_row(n) for n in range(2)))
    register.run_one()
    register.query("update store.certificate set feed = 'other_feed' where holder like '%%0001%%'")
    register.deliver_rows("b.csv", make_row(0), minutes_ago=30)
    assert register.run_one().disappeared == 0


@pytest.mark.slow
def test_report_tells_the_comparison_and_how_far_the_feed_was_read(register, make_row):
    register.deliver_rows("a.csv", *(make_row(n) for n in range(4)))
    register.run_one()
    register.deliver_rows("b.csv", *(make_row(n) for n in range(3)), minutes_ago=30)
    [batch] = register.run("night")
    page = register.pipeline.conclude("market_supervision", "night", ["business_license"]).read_text(encoding="utf-8")
    assert "全量比对：已与库内逐键比对，不再出现而作标记的证照 1 个" in page
    assert "读取时段" not in page
    register.rewrite(
        "update ledger.batch set compared = 'overtaken', window_start = '2026-01-05 00:00+08',"
        " position_at = '2026-01-05 17:30+08' where batch_id = %s",
        batch.batch_id,
    )
    page = register.pipeline.conclude("market_supervision", "night", ["business_license"]).read_text(encoding="utf-8")
    told = "全量比对：已有更新的全量数据入库，本次未比对，按更新的全量数据作标记（不再出现）的证照 1 个。"
    assert told in page
    assert "读取时段（按部门时钟）：2026-01-05 00:00:00 至 最新；读到 2026-01-05 17:30:00。" in page


def names(installation) -> set[str]:
    return {holder for holder, _, _, _ in removals(installation)}


@pytest.mark.slow
def test_register_that_came_after_a_held_one_outlives_its_release(register, make_row):
    """It holds what is stored already, so it would be closed at once as a repeat, and leave no trace in the store."""
    right = register.deliver_rows("right.csv", *(make_row(n) for n in range(4)))
    register.run_one()
    register.deliver_rows("wrong.csv", make_row(1, 企业名称="鄂州市虚构误改有限公司"), minutes_ago=30)
    held = register.run_one()
    assert held.status == "held"
    os.utime(right, (time.time() - 60, time.time() - 60))
    again = register.run_one()
    assert (again.repeats_batch_id, again.unchanged) == (None, 4)
    released = register.pipeline.release(held.batch_id, "大数据科", "核对过")
    assert (released.superseded, released.updated, released.compared) == (1, 0, "overtaken")
    assert names(register) == {name(n) for n in range(4)}


@pytest.mark.slow
def test_register_that_came_behind_another_of_the_same_night_is_the_newest_word(register, make_row):
    right = register.deliver_rows("right.csv", *(make_row(n) for n in range(4)))
    register.run_one()
    wrong = [make_row(1, 企业名称="鄂州市虚构误改有限公司"), *(make_row(n) for n in (0, 2, 3))]
    register.deliver_rows("wrong.csv", *wrong, minutes_ago=30)
    os.utime(right, (time.time() - 60, time.time() - 60))
    assert [batch.status for batch in register.run()] == ["loaded", "loaded"]
    assert names(register) == {name(n) for n in range(4)}


@pytest.mark.slow
def test_register_is_a_repeat_again_once_no_older_one_waits(register, make_row):
    right = register.deliver_rows("right.csv", *(make_row(n) for n in range(4)))
    register.run_one()
    register.deliver_rows("wrong.csv", make_row(1), minutes_ago=30)
    held = register.run_one()
    os.utime(right, (time.time() - 60, time.time() - 60))
    newest = register.run_one()
    register.pipeline.release(held.batch_id, "大数据科", "核对过")
    assert register.run_one().repeats_batch_id is not None
    assert newest.repeats_batch_id is None


@pytest.mark.slow
def test_increment_that_came_before_a_held_one_is_closed_as_a_repeat(installation, make_row):
    """An increment that is sent once more is as old as it was: what is held came later, and will win by itself."""
    first = installation.deliver_rows("first.csv", make_row(1))
    installation.run_one()
    rows = [make_row(n, 企业名称="" if n % 3 == 0 else f"鄂州市虚构第{n}号有限公司") for n in range(300)]
    installation.deliver_rows("held.csv", *rows, minutes_ago=30)
    assert installation.run_one().status == "held"
    os.utime(first, (time.time() - 60, time.time() - 60))
    assert installation.run_one().repeats_batch_id is not None
