"""A whole zhengku for one test: its database, file drop, landing area and reports, and made-up rows to deliver."""

import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from tests.support.temporary_database import as_account

from simulator.business_licenses import credit_code
from zhengku.ledger import Batch
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings, project_home

OWNER_URL = "TEST_OWNER_URL"
"""Name of the variable, in the settings of a test, with the database's address for its owner: steps run with less."""

HEADER = "企业名称,统一社会信用代码,注册日期,企业类型,法人代表,注册资金,经营范围,所在省份,地区,注册地址"


def license_row(number: int, **values: str) -> str:
    """One made-up row of the business license register, as CSV; `values` replace columns by name."""
    row = {
        "企业名称": f"鄂州市虚构第{number:04d}号商贸有限公司",
        "统一社会信用代码": credit_code(number),
        "注册日期": "2020-05-01",
        "企业类型": "有限责任公司",
        "法人代表": "张某某",
        "注册资金": "100万元人民币",
        "经营范围": "虚构货物的批发、零售",
        "所在省份": "湖北",
        "地区": "鄂州",
        "注册地址": f"鄂州市鄂城区虚构路{number}号",
    }
    return ",".join({**row, **values}.values())


@dataclass
class Installation:
    """A whole zhengku of its own: database, file drop, landing area, reports."""

    settings: Settings
    drop: Path

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(self.settings)

    def deliver(self, name: str, content: str | bytes, *, minutes_ago: float = 60) -> Path:
        """Lay a file into the drop as the department's system would, finished some time ago."""
        path = self.drop / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        moment = time.time() - minutes_ago * 60
        os.utime(path, (moment, moment))
        return path

    def deliver_rows(self, name: str, *rows: str, minutes_ago: float = 60) -> Path:
        return self.deliver(name, "\n".join([HEADER, *rows]) + "\n", minutes_ago=minutes_ago)

    def run(self, run_id: str | None = None, *, again: bool = False) -> list[Batch]:
        """Collect and load everything that lies in the drop, as one run."""
        run_id = run_id or secrets.token_hex(4)
        batches = self.pipeline.collect("market_supervision", "business_license", run_id, again=again)
        return [self.pipeline.load(batch.batch_id) for batch in batches]

    def run_one(self, *, again: bool = False) -> Batch:
        [batch] = self.run(again=again)
        return batch

    def rewrite(self, statement: str | sql.Composed, *parameters: object) -> list[tuple[Any, ...]]:
        """Like `query`, as somebody who switches off what guards the evidence: for a past that a test needs."""
        return self._query(statement, parameters, "-c session_replication_role=replica")

    def query(self, statement: str | sql.Composed, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows that a statement of a test's own answers, as the owner; moments are in the city's time."""
        return self._query(statement, parameters)

    def _query(
        self, statement: str | sql.Composed, parameters: tuple[object, ...], options: str = ""
    ) -> list[tuple[Any, ...]]:
        url = self.settings.environment[OWNER_URL].replace("+psycopg", "")
        with psycopg.connect(url, options=f"-c timezone=Asia/Shanghai {options}") as connection:
            query = statement.encode() if isinstance(statement, str) else statement
            result = connection.execute(query, parameters or None)
            return result.fetchall() if result.description else []

    def store(self) -> dict[str, list[Any]]:
        """Key → holder, version, batch and the hidden row version, which changes whenever a row is written."""
        rows = self.query("select record_key, holder, version_no, batch_id, xmin::text from store.certificate")
        return {key: values for key, *values in rows}


def make_installation(folder: Path, database_url: str, catalog: Path) -> Installation:
    """Return a fresh installation below a folder, with an empty file drop; its steps have the pipeline's account."""
    drop = folder / "drop" / "business_license"
    drop.mkdir(parents=True)
    environment = {
        "ZHENGKU_DATABASE_URL": as_account(database_url, "zhengku_pipeline"),
        OWNER_URL: database_url,
        "ZHENGKU_CATALOG_DIR": str(catalog),
        "ZHENGKU_LANDING_URL": str(folder / "landing"),
        "ZHENGKU_REPORT_DIR": str(folder / "reports"),
        "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": str(folder / "drop"),
    }
    return Installation(Settings(home=project_home(), environment=environment), drop)
