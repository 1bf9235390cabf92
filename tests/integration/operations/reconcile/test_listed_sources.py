"""Sources that can only list, or are compared by the last whole register: HTTP interfaces and file drops."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.command_line import zhengku

from simulator.business_licenses import credit_code
from zhengku.errors import DeliveryUnavailable, SourceRefused
from zhengku.operations.reconcile import Reconciliation
from zhengku.settings import Settings

if TYPE_CHECKING:
    from tests.support.installation import Installation

pytestmark = pytest.mark.slow_except(
    "test_the_newest_whole_file_is_compared_key_by_key", "test_files_of_increments_say_that_they_cannot_be_compared"
)

FEED = ("market_supervision", "business_license")
FIRST = datetime(2024, 5, 1, 8)
HTTP = """    transport:
      kind: http
      connection: market_api
      path: api/license
      signature: {kind: none}
      paging: {kind: number, size: 3}
      response: {rows: rows, total: total}
      since_parameter: since
      until_parameter: until
      row_id: [统一社会信用代码]
      attempts: 1
    window: {kind: watermark, column: updateTime, overlap_minutes: 60}
"""
CHANGED_TIMES = (
    ("    version: delivery ", "    version: source_updated_at "),
    ("      district: {column: 地区}", "      district: {column: 地区}\n      source_updated_at: {column: updateTime}"),
    ("      - source_updated_at\n", ""),
)


def with_feed(installation: Installation, folder: Path, *changes: tuple[str, str], transport: str = "") -> None:
    shutil.copytree(installation.settings.catalog_folder, folder)
    path = folder / "departments" / "market_supervision.yaml"
    text = path.read_text(encoding="utf-8")
    if transport:
        begin, end = text.index("    transport:\n"), text.index("    deliveries:")
        text = text[:begin] + transport + text[end:]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    environment = {**installation.settings.environment, "ZHENGKU_CATALOG_DIR": str(folder)}
    installation.settings = Settings(home=installation.settings.home, environment=environment)


class Interface:
    """An HTTP interface with pages by number; `dies_at` cuts the answer of that page."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, str]] = {}
        self.dies_at: int | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                page, size = int(asked["page"]), int(asked["size"])
                if page == outer.dies_at:
                    self.close_connection = True
                    return
                rows = [
                    row
                    for row in sorted(outer.rows.values(), key=lambda row: row["updateTime"])
                    if asked.get("since", "") <= row["updateTime"] <= asked.get("until", "9")
                ]
                body = json.dumps({"total": len(rows), "rows": rows[(page - 1) * size : page * size]}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def put(self, number: int, moment: datetime) -> str:
        code = credit_code(number)
        self.rows[code] = {
            "企业名称": "鄂州市虚构商贸有限公司",
            "统一社会信用代码": code,
            "注册日期": "2020-05-01",
            "企业类型": "有限责任公司",
            "法人代表": "张某某",
            "注册资金": "100万元",
            "经营范围": "虚构货物的批发",
            "所在省份": "湖北",
            "地区": "鄂州",
            "注册地址": "鄂州市鄂城区虚构路",
            "updateTime": f"{moment:%Y-%m-%d %H:%M:%S}",
        }
        return code


@pytest.fixture
def interface() -> Iterator[Interface]:
    served = Interface()
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()


@pytest.fixture
def http(installation: Installation, interface: Interface, tmp_path: Path) -> Installation:
    with_feed(installation, tmp_path / "catalog", *CHANGED_TIMES, transport=HTTP)
    environment = {
        **installation.settings.environment,
        "ZHENGKU_CONN_MARKET_API": f"http://127.0.0.1:{interface.server.server_port}",
    }
    installation.settings = Settings(home=installation.settings.home, environment=environment)
    for number in range(1, 11):
        interface.put(number, FIRST + timedelta(hours=7 * number))
    interface.put(900, FIRST + timedelta(days=9))
    installation.run()
    return installation


def standing(installation: Installation) -> set[tuple[str, str]]:
    return set(installation.query("select record_key, kind from reconciliation.difference where settled_at is null"))


def test_an_interface_is_listed_and_the_planted_holes_are_found_and_fixed(http, interface):
    assert Reconciliation(http.pipeline).compare(*FEED).differences == 0
    lost, silent = credit_code(4), credit_code(7)
    http.query("delete from store.certificate where record_key = %s returning 1", lost)
    del interface.rows[silent]
    stale = interface.put(2, FIRST + timedelta(hours=100))
    result = Reconciliation(http.pipeline).compare(*FEED)
    assert (result.method, result.differences) == ("keys", 3)
    assert standing(http) == {(lost, "missing_in_store"), (silent, "missing_at_source"), (stale, "differs")}
    Reconciliation(http.pipeline).fix(*FEED)
    assert Reconciliation(http.pipeline).compare(*FEED).differences == 1
    assert standing(http) == {(silent, "missing_at_source")}


def test_an_interface_that_dies_in_the_middle_leaves_the_last_result(http, interface):
    http.query("delete from store.certificate where record_key = %s returning 1", credit_code(4))
    Reconciliation(http.pipeline).compare(*FEED)
    before, runs = standing(http), http.query("select * from reconciliation.run")
    interface.rows.pop(credit_code(7))
    interface.dies_at = 3
    with pytest.raises((DeliveryUnavailable, SourceRefused)):
        Reconciliation(http.pipeline).compare(*FEED)
    assert (standing(http), http.query("select * from reconciliation.run")) == (before, runs)
    landed = Path(http.settings.landing_url).glob("**/reconciliation/*")
    assert list(landed) == []


def test_a_changed_row_whose_time_did_not_move_cannot_be_seen(http, interface):
    interface.rows[credit_code(3)]["企业名称"] = "鄂州市虚构改名有限公司"
    assert Reconciliation(http.pipeline).compare(*FEED).differences == 0


def test_the_newest_whole_file_is_compared_key_by_key(installation, tmp_path, make_row):
    with_feed(installation, tmp_path / "catalog", ("    deliveries: increments", "    deliveries: snapshots"))
    installation.deliver_rows("a.csv", *(make_row(number) for number in range(1, 9)))
    assert installation.run_one().status == "loaded"
    assert Reconciliation(installation.pipeline).compare(*FEED).differences == 0
    installation.query("delete from store.certificate where record_key = %s returning 1", credit_code(3))
    result = Reconciliation(installation.pipeline).compare(*FEED)
    assert (result.method, result.missing_in_store, result.differences) == ("snapshot", 1, 1)
    assert standing(installation) == {(credit_code(3), "missing_in_store")}
    # The next whole register is compared all the same: the ledger's entry of the comparison is no newer delivery.
    installation.deliver_rows("b.csv", *(make_row(number) for number in range(1, 8)), minutes_ago=30)
    assert installation.run_one().compared == "compared"
    assert Reconciliation(installation.pipeline).compare(*FEED).differences == 0
    assert standing(installation) == set()


def test_files_of_increments_say_that_they_cannot_be_compared(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    result = Reconciliation(installation.pipeline).compare(*FEED)
    assert (result.method, result.source_count) == ("not_comparable", None)
    assert result.note is not None
    assert "无法比对" in result.note


def test_the_command_tells_fixes_and_its_problems_are_returned(installation, tmp_path, make_row):
    with_feed(installation, tmp_path / "catalog", ("    deliveries: increments", "    deliveries: snapshots"))
    installation.deliver_rows("a.csv", *(make_row(number) for number in range(1, 5)))
    installation.run_one()
    environment = {**installation.settings.environment, "ZHENGKU_RETURN_DIR": str(tmp_path / "returns")}

    def run(*arguments: str) -> tuple[int, str]:
        done = zhengku(environment, *arguments)
        return done.returncode, done.stdout + done.stderr

    assert run("reconcile", "--whole")[0] == 0
    installation.query("delete from store.certificate where record_key = %s returning 1", credit_code(3))
    status, told = run("reconcile", "--department", "market_supervision", "--json")
    assert (status, [result["missing_in_store"] for result in json.loads(told)]) == (1, [1])
    assert "snapshot" in run("reconcile")[1]
    [listed] = json.loads(run("problems", "list", "--json")[1])
    assert listed["rules"] == ["reconciliation.missing_in_store"]
    assert credit_code(3) not in json.dumps(listed["payload"], ensure_ascii=False)
    assert run("problems", "show", str(listed["problem_id"]))[0] == 0
    # It has no row that could go through the pipeline again.
    assert run("problems", "redrive", "market_supervision/business_license", "--reason", "试")[0] == 1
    assert run("problems", "return", "market_supervision")[0] == 0
    assert run("report", "publish")[0] == 0
    assert run("reconcile", "--fix")[0] == 0
    assert installation.query("select status from quarantine.problem_row") == [("corrected",)]
    assert run("reconcile", "--feed", "business_license")[0] == 1
