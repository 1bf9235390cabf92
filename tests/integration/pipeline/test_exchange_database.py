"""A table of a real MariaDB through the whole pipeline into the license store."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from simulator.business_licenses import credit_code
from zhengku.catalog import load_catalog
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import DeliveryUnavailable, SourceRefused
from zhengku.ledger import Batch
from zhengku.review.returns import Returns
from zhengku.settings import Settings

if TYPE_CHECKING:
    from tests.support.installation import Installation
    from tests.support.exchange_servers import ExchangeServer

pytest_plugins = ["tests.support.exchange_servers"]

TRANSPORT = """    transport:
      kind: exchange_database
      connection: market_front
      table: license
      row_id: [id]
      page_rows: 100
    window: {kind: watermark, column: cd_time, overlap_minutes: 60}
    operation: {column: cd_operation}
"""
MORNING = datetime(2024, 5, 1, 8)


class ExchangePipeline:
    """An installation whose one feed reads the table `license`."""

    def __init__(self, installation: Installation, server: ExchangeServer) -> None:
        self.installation = installation
        self.server = server
        self.runs = 0
        self.numbers = 0
        server.run(
            "create table license (id int primary key, cd_batch varchar(20), cd_operation char(1), cd_time datetime,"
            " 企业名称 varchar(100), 统一社会信用代码 varchar(30), 注册日期 date, 企业类型 varchar(40),"
            " 法人代表 varchar(40), 注册资金 varchar(40), 经营范围 text, 所在省份 varchar(20), 地区 varchar(20),"
            " 注册地址 varchar(200))"
        )

    def write(self, operation: str, number: int, moment: datetime, name: str = "") -> None:
        self.numbers += 1
        row: dict[str, Any] = {
            "id": self.numbers,
            "cd_batch": "B1",
            "cd_operation": operation,
            "cd_time": moment,
            "企业名称": name or f"鄂州市虚构第{number}号商贸有限公司",
            "统一社会信用代码": credit_code(number),
            "注册日期": "2020-05-01",
            "企业类型": "有限责任公司",
            "法人代表": "张某某",
            "注册资金": "100万元",
            "经营范围": "虚构货物的批发\t零售😀",
            "所在省份": "湖北",
            "地区": "鄂州",
            "注册地址": "鄂州市鄂城区虚构路",
        }
        self.server.fill("license", [row])

    def collect(self) -> Batch:
        self.runs += 1
        [batch] = self.installation.pipeline.collect("market_supervision", "business_license", f"run{self.runs}")
        return batch

    def run(self) -> Batch:
        return self.installation.pipeline.load(self.collect().batch_id)

    def watermark(self) -> list[tuple[Any, ...]]:
        return self.installation.query(
            "select to_char(position_at, 'YYYY-MM-DD HH24:MI'), position_key from ledger.watermark"
        )

    def certificates(self) -> list[tuple[Any, ...]]:
        return self.installation.query(
            "select holder, removal, to_char(removed_at, 'MM-DD HH24:MI') from store.certificate order by holder"
        )


@pytest.fixture
def pipeline(installation: Installation, mariadb: ExchangeServer, tmp_path: Any) -> ExchangePipeline:
    folder = tmp_path / "catalog"
    shutil.copytree(installation.settings.catalog_folder, folder)
    for path in (folder / "departments").glob("*.yaml"):
        if path.stem != "market_supervision":
            path.unlink()
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
        "ZHENGKU_CONN_MARKET_FRONT": mariadb.address,
    }
    installation.settings = Settings(home=installation.settings.home, environment=environment)
    return ExchangePipeline(installation, mariadb)


def test_inserts_updates_and_deletes_reach_the_store(pipeline):
    pipeline.write("I", 1, MORNING)
    pipeline.write("I", 2, MORNING)
    first = pipeline.run()
    assert (first.status, first.fetched, first.inserted, first.quarantined) == ("loaded", 2, 2, 0)
    pipeline.write("U", 1, MORNING + timedelta(hours=2), "鄂州市虚构改名有限公司")
    pipeline.write("D", 2, MORNING + timedelta(hours=3))
    second = pipeline.run()
    assert (second.updated, second.deleted) == (1, 1)
    assert pipeline.certificates() == [
        ("鄂州市虚构改名有限公司", None, None),
        ("鄂州市虚构第2号商贸有限公司", "deleted", "05-01 11:00"),
    ]


def test_only_the_load_moves_the_watermark(pipeline):
    pipeline.write("I", 1, MORNING)
    batch = pipeline.collect()
    pipeline.installation.pipeline.validate(batch.batch_id)
    assert pipeline.watermark() == []
    pipeline.installation.pipeline.load(batch.batch_id)
    assert pipeline.watermark() == [("2024-05-01 08:00", ["1"])]


def test_row_committed_late_with_an_older_time_is_loaded_by_the_next_run(pipeline):
    pipeline.write("I", 1, MORNING)
    pipeline.run()
    pipeline.write("I", 2, MORNING - timedelta(minutes=30))
    late = pipeline.run()
    assert (late.inserted, late.unchanged) == (1, 1)
    assert pipeline.watermark() == [("2024-05-01 08:00", ["1"])]


@pytest.mark.slow
def test_row_from_the_future_opens_no_hole_for_rows_that_come_after_it(pipeline):
    pipeline.write("I", 1, MORNING)
    pipeline.write("I", 2, datetime(2062, 1, 1))
    first = pipeline.run()
    assert (first.inserted, first.quarantined) == (1, 1)
    assert pipeline.watermark() == [("2024-05-01 08:00", ["1"])]
    pipeline.write("I", 3, MORNING + timedelta(hours=2))
    assert pipeline.run().inserted == 1


def test_column_that_is_gone_rejects_the_batch_and_leaves_the_watermark(pipeline):
    pipeline.write("I", 1, MORNING)
    pipeline.run()
    pipeline.server.run("alter table license rename column 企业名称 to 名称")
    batch = pipeline.collect()
    assert (batch.status, batch.rule_id) == ("rejected", "file.missing_column")
    assert pipeline.watermark() == [("2024-05-01 08:00", ["1"])]


@pytest.mark.slow
def test_database_that_is_down_leaves_no_batch_and_the_next_run_catches_up(pipeline):
    pipeline.write("I", 1, MORNING)
    address = pipeline.installation.settings.environment["ZHENGKU_CONN_MARKET_FRONT"]
    environment = pipeline.installation.settings.environment
    environment["ZHENGKU_CONN_MARKET_FRONT"] = "mysql://root@127.0.0.1:1/front"
    with pytest.raises(DeliveryUnavailable):
        pipeline.collect()
    assert pipeline.installation.query("select count(*) from ledger.batch") == [(0,)]
    environment["ZHENGKU_CONN_MARKET_FRONT"] = address
    assert pipeline.run().inserted == 1


def test_row_that_postgresql_cannot_hold_is_quarantined_and_its_neighbour_loads(pipeline):
    pipeline.write("I", 1, MORNING)
    pipeline.write("I", 2, MORNING, "鄂州市虚构\0有限公司")
    batch = pipeline.run()
    assert (batch.fetched, batch.inserted, batch.quarantined) == (2, 1, 1)


def test_returned_records_are_written_into_the_departments_database(pipeline):
    path = pipeline.installation.settings.catalog_folder / "departments" / "market_supervision.yaml"
    text = path.read_text(encoding="utf-8")
    told = text.replace("      page_rows: 100\n", "      page_rows: 100\n      return_table: problem_return\n")
    path.write_text(told, encoding="utf-8")
    pipeline.write("I", 1, MORNING, " N/A ")
    pipeline.write("I", 2, MORNING)
    pipeline.write("I", 3, MORNING, "-")
    assert pipeline.run().quarantined == 2
    settings = pipeline.installation.settings
    returned = Returns(settings, load_catalog(settings.catalog_folder))
    now = datetime(2026, 11, 24, 10, tzinfo=CITY_TIME_ZONE)
    with pytest.raises(SourceRefused, match="table problem_return"):
        returned.make("market_supervision", "zhang", now)
    # The files lie there; the table is made up for once the department gives it.
    assert pipeline.installation.query("select channel from quarantine.hand_over") == [("folder",), ("folder",)]
    pipeline.server.run(
        "create table problem_return (return_id bigint, problem_id bigint, feed varchar(63), row_key varchar(1000),"
        " wrong_columns text, wrong_values text, reason text, expected text, example text, due_on date,"
        " returned_at timestamp, primary key (return_id, problem_id))"
    )
    for _ in range(2):
        # Written anew, it is the same.
        assert len(returned.write(1).files) == 2
        rows = pipeline.server.run(
            "select row_key, wrong_columns, wrong_values, reason, expected, due_on from problem_return order by 1"
        )
        assert [row[0] for row in rows] == ["id=1", "id=3"]
        assert [tuple(row[1:5]) for row in rows] == [
            ("企业名称", " N/A ", "缺少持证主体", "必填"),
            ("企业名称", "-", "缺少持证主体", "必填"),
        ]
    assert returned.finish() == []
    assert pipeline.installation.query("select channel, item from quarantine.hand_over order by 1 limit 1") == [
        ("exchange_table", "problem_return")
    ]


def test_a_time_beyond_all_days_and_columns_that_nobody_maps_cost_no_neighbour(pipeline):
    pipeline.server.run(
        "alter table license modify 注册日期 datetime(6), modify cd_time datetime(6),"
        " add column 照片 blob, add column 已核 bit(1), add column 附注 varchar(9) default 'a\0b'"
    )
    for number in (1, 2, 3):
        pipeline.write("I", number, MORNING)
    pipeline.server.run(
        "update license set 照片 = x'FFD8FF00', 已核 = b'1'",
        "update license set 注册日期 = '9999-12-31 23:59:59.999999' where id = 2",
        "update license set cd_time = '9999-12-31 23:59:59.999999' where id = 3",
    )
    batch = pipeline.run()
    assert (batch.fetched, batch.inserted + batch.quarantined) == (3, 3)
    names = [holder for holder, _, _ in pipeline.certificates()]
    assert "鄂州市虚构第1号商贸有限公司" in names
    assert pipeline.installation.query("select count(*) from quarantine.problem_row") == [(batch.quarantined,)]
    assert pipeline.watermark() == [("2024-05-01 08:00", ["2"])]
