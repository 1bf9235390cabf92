"""A table of an exchange database against the store: exactly what was planted is found, on MariaDB and PostgreSQL."""

from __future__ import annotations

import random
import shutil
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.command_line import zhengku

from simulator.business_licenses import credit_code
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import DeliveryUnavailable, SourceRefused
from zhengku.operations.backfill import window_of
from zhengku.operations.reconcile import Reconciliation, checksum
from zhengku.operations.reconcile.roll_up import refresh
from zhengku.settings import Settings

if TYPE_CHECKING:
    from tests.support.installation import Installation
    from tests.support.exchange_servers import ExchangeServer

pytest_plugins = ["tests.support.exchange_servers"]
pytestmark = pytest.mark.slow_except(
    "test_exactly_the_planted_holes_are_found", "test_mending_closes_the_holes_and_their_problems"
)

TRANSPORT = """    transport:
      kind: exchange_database
      connection: market_front
      table: license
      row_id: [id]
      page_rows: 100
    window: {kind: watermark, column: cd_time, overlap_minutes: 60}
    operation: {column: cd_operation}
"""
FIRST = datetime(2024, 5, 1, 8)
FEED = ("market_supervision", "business_license")


class Front:
    """An installation whose one feed reads the table `license` of an exchange database, a row for each change."""

    def __init__(self, installation: Installation, server: ExchangeServer) -> None:
        self.installation = installation
        self.server = server
        self.numbers = 0
        self.runs = 0
        precise = "datetime(6)" if server.is_mariadb else "timestamp"
        server.run(
            f"create table license (id int primary key, cd_batch varchar(20), cd_operation char(1), cd_time {precise},"
            " 企业名称 varchar(100), 统一社会信用代码 varchar(80), 注册日期 date, 企业类型 varchar(40),"
            " 法人代表 varchar(40), 注册资金 varchar(40), 经营范围 text, 所在省份 varchar(20), 地区 varchar(20),"
            " 注册地址 varchar(200))"
        )

    def write(self, operation: str, code: str, moment: datetime | None, name: str = "虚构商贸有限公司") -> None:
        self.numbers += 1
        row: dict[str, Any] = {
            "id": self.numbers,
            "cd_batch": "B1",
            "cd_operation": operation,
            "cd_time": moment,
            "企业名称": name,
            "统一社会信用代码": code,
            "注册日期": "2020-05-01",
            "企业类型": "有限责任公司",
            "法人代表": "张某某",
            "注册资金": "100万元",
            "经营范围": "虚构货物的批发",
            "所在省份": "湖北",
            "地区": "鄂州",
            "注册地址": "鄂州市鄂城区虚构路",
        }
        self.server.fill("license", [row])

    def run(self) -> None:
        self.runs += 1
        for batch in self.installation.pipeline.collect(*FEED, f"run{self.runs}"):
            loaded = self.installation.pipeline.load(batch.batch_id)
            assert loaded.status == "loaded", loaded.detail

    def compare(self, **period: Any) -> Any:
        return Reconciliation(self.installation.pipeline).compare(*FEED, **period)

    def standing(self) -> set[tuple[str, str]]:
        return set(
            self.installation.query("select record_key, kind from reconciliation.difference where settled_at is null")
        )

    def lose(self, code: str) -> None:
        """Plant a hole in the store, as no load would."""
        self.installation.query("delete from store.certificate where record_key = %s returning 1", code)
        self.count_anew()

    def count_anew(self) -> None:
        """Let the roll-up forget what it has counted: no load changed the store."""
        self.installation.query("delete from reconciliation.store_batch returning 1")


@pytest.fixture
def front(installation: Installation, exchange_server: ExchangeServer, tmp_path: Any) -> Front:
    folder = tmp_path / "catalog"
    shutil.copytree(installation.settings.catalog_folder, folder)
    path = folder / "departments" / "market_supervision.yaml"
    text = path.read_text(encoding="utf-8")
    begin, end = text.index("    transport:\n"), text.index("    deliveries:")
    text = text[:begin] + TRANSPORT + text[end:]
    for old, new in (
        ("    version: delivery ", "    version: source_updated_at "),
        (
            "      district: {column: 地区}",
            "      district: {column: 地区}\n      source_updated_at: {column: cd_time}",
        ),
        ("      - source_updated_at\n", ""),
        ("      - 所在省份", "      - cd_batch\n      - 所在省份"),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    environment = {
        **installation.settings.environment,
        "ZHENGKU_CATALOG_DIR": str(folder),
        "ZHENGKU_CONN_MARKET_FRONT": exchange_server.address,
    }
    installation.settings = Settings(home=installation.settings.home, environment=environment)
    return Front(installation, exchange_server)


def filled(front: Front, days: int = 5, each: int = 4) -> list[str]:
    codes = [credit_code(number) for number in range(1, days * each + 1)]
    for place, code in enumerate(codes):
        front.write("I", code, FIRST + timedelta(days=place // each, minutes=place))
    # The watermark, less its overlap, lies behind all of them.
    front.write("I", credit_code(900), FIRST + timedelta(days=days + 3))
    front.run()
    return codes


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


def test_mending_closes_the_holes_and_their_problems(front):
    codes = filled(front)
    front.lose(codes[3])
    front.write("U", codes[14], FIRST + timedelta(days=4, hours=5))
    assert front.compare().differences == 2
    before = front.installation.query("select position_at from ledger.watermark")
    Reconciliation(front.installation.pipeline).mend(*FEED)
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
