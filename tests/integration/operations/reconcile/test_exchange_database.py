"""A table of an exchange database against the store: exactly what was planted is found, on MariaDB and PostgreSQL."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.support.command_line import zhengku
from tests.support.reconciled_table import FEED, FIRST, filled

from simulator.business_licenses import credit_code
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import DeliveryUnavailable, SourceRefused
from zhengku.operations.backfill import window_of
from zhengku.operations.reconcile import Reconciliation, checksum
from zhengku.operations.reconcile.roll_up import refresh

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.slow_except(
    "test_exactly_the_planted_holes_are_found", "test_fixing_closes_the_holes_and_their_problems"
)


def test_nothing_is_found_where_nothing_is_missing(front):
    codes = filled(front)
    front.write("U", codes[0], FIRST + timedelta(days=9, hours=3), "改名")
    front.write("D", codes[1], FIRST + timedelta(days=10, hours=3))
    front.write("I", credit_code(901), FIRST + timedelta(days=12))
    front.run()
    result = front.compare()
    assert (result.method, result.differences, result.unequal_days) == ("day_sums", 0, 0)
    assert result.source_count == result.store_count == len(codes) + 1
    assert front.standing() == set()


def test_exactly_the_planted_holes_are_found(front):
    codes = filled(front)
    lost, silent, stale = codes[3], codes[9], codes[14]
    front.lose(lost)
    front.server.run("delete from license where 统一社会信用代码 = :code", code=silent)
    # An update that was committed with a time which the watermark had passed.
    front.write("U", stale, FIRST + timedelta(days=4, hours=5))
    result = front.compare()
    found = {(lost, "missing_in_store"), (silent, "missing_at_source"), (stale, "differs")}
    assert front.standing() == found
    assert (result.missing_in_store, result.missing_at_source, result.differs) == (1, 1, 1)
    # The stale one is missing on its new day, and is one too many on its old one.
    assert result.unequal_days == 4
    problems = front.installation.query("select record_key, rules, status, reasons from quarantine.problem_row")
    assert {(key, rules[0].removeprefix("reconciliation.")) for key, rules, _, _ in problems} == found
    assert all("比对发现" in reasons[0] for *_, reasons in problems)


def test_the_same_difference_is_the_same_problem(front):
    codes = filled(front)
    front.lose(codes[3])
    front.compare()
    front.compare()
    assert front.installation.query("select times_seen, status from quarantine.problem_row") == [(2, "open")]
    assert front.installation.query(
        "select fetched, quarantined from ledger.batch where origin = 'reconciliation' order by 1"
    ) == [(1, 1), (1, 1)]


def test_fixing_closes_the_holes_and_their_problems(front):
    codes = filled(front)
    front.lose(codes[3])
    front.write("U", codes[14], FIRST + timedelta(days=4, hours=5))
    assert front.compare().differences == 2
    before = front.installation.query("select position_at from ledger.watermark")
    Reconciliation(front.installation.pipeline).fix(*FEED)
    assert front.compare().differences == 0
    assert front.standing() == set()
    assert front.installation.query("select distinct status, solution from quarantine.problem_row") == [
        ("corrected", "corrected")
    ]
    assert front.installation.query("select position_at from ledger.watermark") == before


def test_a_difference_that_went_away_at_the_source_is_settled(front):
    codes = filled(front)
    front.lose(codes[3])
    front.compare()
    front.server.run("delete from license where 统一社会信用代码 = :code", code=codes[3])
    assert front.compare().differences == 0
    assert front.installation.query("select status from quarantine.problem_row") == [("corrected",)]
    assert front.standing() == set()


def test_dirt_of_keys_is_no_difference(front):
    dirty = credit_code(500)
    front.write("I", f" {dirty.lower()} ", FIRST + timedelta(days=1))
    filled(front)
    assert front.installation.query("select count(*) from store.certificate where record_key = %s", dirty) == [(1,)]
    result = front.compare()
    assert result.unequal_days == 1
    assert result.differences == 0


def test_a_problem_record_explains_a_row_that_is_not_in_the_store(front):
    wrong = credit_code(501)
    front.write("X", wrong, FIRST + timedelta(days=1))
    filled(front)
    result = front.compare()
    assert result.differences == 0
    assert result.explained == {"problem_record": 1}


def test_a_delivery_that_waits_explains_what_it_would_bring(front):
    filled(front)
    # Committed with times that the watermark had passed: only a backfill of their month brings them.
    late, later = credit_code(600), credit_code(601)
    front.write("I", late, FIRST + timedelta(days=1, hours=5))
    month = date(2024, 5, 1)
    window = window_of(month, datetime.now(tz=CITY_TIME_ZONE))
    pipeline = front.installation.pipeline
    pipeline.collect_month(*FEED, "backfill", month, window, 1)
    result = front.compare()
    assert (result.differences, result.explained) == (0, {"waiting_batch": 1})
    [(waiting,)] = front.installation.query("select batch_id from ledger.batch where origin = 'backfill'")
    assert pipeline.load(waiting).inserted == 1
    front.write("I", later, FIRST + timedelta(days=1, hours=6))
    # What was loaded explains nothing any more.
    result = front.compare()
    assert (result.differences, result.explained) == (1, {})
    assert front.standing() == {(later, "missing_in_store")}


@pytest.mark.parametrize(("hours", "explained"), [(1, True), (-1, False)])
def test_what_another_feed_has_newer_is_no_difference_and_older_is_one(front, hours, explained):
    taken = filled(front)[5]
    front.installation.query(
        "update store.certificate set feed = 'another', version_at = version_at + %s where record_key = %s returning 1",
        timedelta(hours=hours),
        taken,
    )
    front.count_anew()
    result = front.compare()
    assert (result.differences, result.explained) == ((0, {"other_feed": 1}) if explained else (1, {}))
    assert front.standing() == (set() if explained else {(taken, "differs")})


def test_what_the_next_night_collects_is_no_difference(front):
    codes = filled(front)
    front.write("U", codes[2], FIRST + timedelta(days=20))
    front.write("I", credit_code(700), FIRST + timedelta(days=20))
    result = front.compare()
    assert result.differences == 0
    # The new one is behind the period on both sides.
    assert result.explained == {"changed_since": 1}


def test_an_update_in_place_to_a_later_day_is_no_difference(front):
    codes = filled(front)
    front.server.run(
        "update license set cd_time = :at where 统一社会信用代码 = :code",
        at=FIRST + timedelta(days=20),
        code=codes[2],
    )
    result = front.compare()
    assert (result.differences, result.unequal_days) == (0, 1)


def test_a_source_that_is_down_raises_and_leaves_the_last_result(front):
    codes = filled(front)
    front.lose(codes[3])
    front.compare()
    before = front.installation.query("select * from reconciliation.run")
    standing = front.standing()
    front.server.run("alter table license rename to gone")
    with pytest.raises((SourceRefused, DeliveryUnavailable)):
        front.compare()
    assert front.installation.query("select * from reconciliation.run") == before
    assert front.standing() == standing


def test_times_that_are_text_are_listed_key_by_key(front):
    codes = filled(front)
    front.lose(codes[3])
    kind = "modify cd_time" if front.server.is_mariadb else "alter cd_time type"
    front.server.run(f"alter table license {kind} varchar(40)")
    result = front.compare()
    assert (result.method, result.missing_in_store, result.differences) == ("keys", 1, 1)
    assert front.standing() == {(codes[3], "missing_in_store")}


def test_a_period_reports_only_its_own_days(front):
    codes = filled(front)
    front.lose(codes[0])
    front.lose(codes[19])
    result = front.compare(since=(FIRST + timedelta(days=3)).replace(tzinfo=CITY_TIME_ZONE))
    assert result.missing_in_store == 1
    assert front.standing() == {(codes[19], "missing_in_store")}
    result = front.compare(until=(FIRST + timedelta(days=1)).replace(tzinfo=CITY_TIME_ZONE))
    assert result.missing_in_store == 1
    assert front.standing() == {(codes[0], "missing_in_store"), (codes[19], "missing_in_store")}


def test_row_that_the_source_moved_to_before_the_period_is_not_gone(front):
    codes = filled(front)
    moved, gone = codes[15], codes[16]
    front.server.run(
        "update license set cd_time = :at where 统一社会信用代码 = :code", at=FIRST - timedelta(days=30), code=moved
    )
    front.server.run("delete from license where 统一社会信用代码 = :code", code=gone)
    result = front.compare(since=(FIRST + timedelta(days=2)).replace(tzinfo=CITY_TIME_ZONE))
    assert result.method == "day_sums"
    assert front.standing() == {(moved, "differs"), (gone, "missing_at_source")}
    [(at,)] = front.installation.query("select source_at from reconciliation.difference where record_key = %s", moved)
    assert at.astimezone(CITY_TIME_ZONE).replace(tzinfo=None) == FIRST - timedelta(days=30)
    # Where the source cannot be asked for keys, what lies before is read.
    kind = "modify cd_time" if front.server.is_mariadb else "alter cd_time type"
    front.server.run(f"alter table license {kind} varchar(40)")
    result = front.compare(since=(FIRST + timedelta(days=2)).replace(tzinfo=CITY_TIME_ZONE))
    assert result.method == "keys"
    assert {(moved, "differs"), (gone, "missing_at_source")} <= front.standing()


def test_what_bears_a_time_before_1900_is_compared(front):
    old, older, lost = credit_code(801), credit_code(802), credit_code(803)
    front.write("I", old, None)
    for code in (older, lost):
        front.write("I", code, datetime(1899, 5, 1, 8))
    codes = filled(front)
    # The time of the register's own years, whatever the pipeline makes of one today.
    moved = "update store.certificate set version_at = '1899-05-01 08:00+08' where record_key = any(%s) returning 1"
    front.installation.query(moved, [older, lost])
    front.count_anew()
    result = front.compare()
    assert (result.unequal_days, result.missing_at_source) == (0, 0)
    assert result.source_count == result.store_count == len(codes) + 3
    front.server.run("delete from license where 统一社会信用代码 = :code", code=lost)
    result = front.compare()
    assert (result.unequal_days, result.missing_at_source) == (1, 1)
    assert (lost, "missing_at_source") in front.standing()


def test_what_was_deleted_by_hand_is_found_by_a_recount(front):
    codes = filled(front)
    assert front.compare().differences == 0
    reconciliation = Reconciliation(front.installation.pipeline)
    assert reconciliation.recount() == []
    front.installation.query("delete from store.certificate where record_key = any(%s) returning 1", codes[3:5])
    # The roll-up by day does not know.
    assert front.compare().differences == 0
    environment = dict(front.installation.settings.environment)
    proved = zhengku(environment, "reconcile", "--whole", "--recount")
    assert proved.returncode == 1
    assert "the roll-up was wrong on 2 days" in proved.stderr
    assert front.standing() == {(code, "missing_in_store") for code in codes[3:5]}
    assert reconciliation.recount() == []


ODD = ["o'brien", 'q"uote', "鄂州|证", "全角ＡＢ", "😀𠮷", "", "back\\slash", "percent%s", "Ümlaut", "a", "A", "a "]


def test_checksums_are_those_of_plain_python(front):
    moments = [FIRST + timedelta(microseconds=n * 123_457 + 1) for n in range(len(ODD))]
    for key, moment in zip(ODD, moments, strict=True):
        front.write("I", key, moment)
    front.write("I", "no time", None)
    pipeline = front.installation.pipeline
    source = Reconciliation(pipeline)._source(pipeline.catalog.feed(*FEED))
    since = datetime(1900, 1, 1, tzinfo=CITY_TIME_ZONE)
    sums = source.day_sums(since, datetime(2025, 1, 1, tzinfo=CITY_TIME_ZONE))
    assert sums is not None
    rows = list(zip(ODD, moments, strict=True))
    assert (sums[FIRST.date()].number, sums[FIRST.date()].checksum) == (len(ODD), checksum(rows))
    assert sums[date(1900, 1, 1)].checksum == checksum([("no time", None)])
    in_store = front.installation.query(
        "select sum(reconciliation.hash(k, t at time zone 'Asia/Shanghai')) from unnest(%s::text[], %s::timestamp[])"
        " as r (k, t)",
        ODD,
        moments,
    )
    assert in_store == [(checksum(rows),)]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_roll_up_is_that_of_the_whole_after_any_loads(front, seed):
    chance = random.Random(seed)
    url, catalog = front.installation.settings.database_url, front.installation.pipeline.catalog
    codes = [credit_code(number) for number in range(1, 13)]
    query = "select day, number, checksum from reconciliation.store_day order by day"
    moment = FIRST
    for _ in range(6):
        for _ in range(chance.randint(1, 8)):
            moment += timedelta(hours=chance.randint(0, 30))
            front.write(chance.choice("IUUD"), chance.choice(codes), moment)
        front.run()
        if chance.random() < 0.7:
            refresh(url, catalog)
            kept = front.installation.query(query)
            stored = front.installation.query(
                "select record_key, version_at from store.certificate where removal is distinct from 'disappeared'"
            )
            truth: dict[date, list[tuple[str, datetime]]] = {}
            for key, at in stored:
                truth.setdefault(at.astimezone(CITY_TIME_ZONE).date(), []).append((key, at))
            assert kept == [(day, len(rows), checksum(rows)) for day, rows in sorted(truth.items())]
    refresh(url, catalog)
    kept = front.installation.query(query)
    refresh(url, catalog, whole=True)
    assert front.installation.query(query) == kept
