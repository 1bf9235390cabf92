"""An installation whose one feed reads a table of an exchange database."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from tests.support.exchange_servers import ExchangeServer
from tests.support.installation import Installation

from simulator.business_licenses import credit_code
from zhengku.ledger import Batch
from zhengku.settings import Settings

TRANSPORT = """    transport:
      kind: exchange_database
      connection: market_front
      table: license
      row_id: [id]
      page_rows: 100
    window: {kind: watermark, column: cd_time, overlap_minutes: 60}
    operation: {column: cd_operation}
"""


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


class Addressed(Protocol):
    """Something at an address."""

    @property
    def address(self) -> str: ...


def point_feed_at_table(installation: Installation, server: Addressed, tmp_path: Path) -> None:
    """Let the feed of business licenses read the table `license` of a server, in a catalogue below `tmp_path`."""
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
        "ZHENGKU_CONN_MARKET_FRONT": server.address,
    }
    installation.settings = Settings(home=installation.settings.home, environment=environment)


def read_exchange_table(installation: Installation, server: ExchangeServer, tmp_path: Path) -> ExchangePipeline:
    """Let the installation's one feed read the table `license` of a server, which is made here."""
    point_feed_at_table(installation, server, tmp_path)
    for path in (installation.settings.catalog_folder / "departments").glob("*.yaml"):
        if path.stem != "market_supervision":
            path.unlink()
    return ExchangePipeline(installation, server)
