"""A table of an exchange database, a row for each change, and the installation that is compared with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.exchange_pipeline import point_feed_at_table
from tests.support.exchange_servers import ExchangeServer
from tests.support.installation import Installation

from simulator.business_licenses import credit_code
from zhengku.operations.reconcile import Reconciliation

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


def read_front(installation: Installation, server: ExchangeServer, tmp_path: Path) -> Front:
    """Let the installation's one feed read the table `license` of a server, which is made here."""
    point_feed_at_table(installation, server, tmp_path)
    return Front(installation, server)


def filled(front: Front, days: int = 5, each: int = 4) -> list[str]:
    codes = [credit_code(number) for number in range(1, days * each + 1)]
    for place, code in enumerate(codes):
        front.write("I", code, FIRST + timedelta(days=place // each, minutes=place))
    # The watermark, less its overlap, lies behind all of them.
    front.write("I", credit_code(900), FIRST + timedelta(days=days + 3))
    front.run()
    return codes


def removal(front: Front, code: str) -> list[tuple[str | None]]:
    return front.installation.query("select removal from store.certificate where record_key = %s", code)


def correct(front: Front, code: str, number: int, hours: int = 6, name: str = "虚构商贸有限公司") -> None:
    front.server.run(
        "update license set 统一社会信用代码 = :code, 企业名称 = :name, cd_time = :moment where id = :id",
        code=code,
        name=name,
        moment=FIRST + timedelta(days=20, hours=hours),
        id=number,
    )
