"""What the reading of an interface finds out about it is told in log, ledger and report, not in the log alone."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.changed_department import change_department
from tests.support.http_interface import Interface, Reply, Request, envelope
from tests.support.installation import HEADER, license_row

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.installation import Installation

pytestmark = pytest.mark.slow_except(
    "test_row_ids_that_stand_for_two_rows_are_told", "test_what_landed_tells_it_without_the_source"
)

TRANSPORT = """    transport:
      kind: http
      connection: office
      path: licenses
      signature: {kind: none}
      paging: PAGING
      response: {rows: data.rows, code: code, message: msg}
      row_id: [id]
      requests_per_minute: 100000
    window: {kind: whole}
    deliveries: snapshots
"""
DOUBLED = (
    "个行标识各对应不止一行：数据源自身重复，或翻页的排序不唯一（可能漏行）；"
    "各行均已采集，请部门确认用哪些字段区分各行、按其排序"
)


def row(number: int, **more: Any) -> dict[str, Any]:
    [values] = csv.reader([license_row(number)])
    return {"id": str(number), **dict(zip(HEADER.split(","), values, strict=True)), **more}


ROWS = [row(number) for number in range(1, 7)]


def read_from(
    installation: Installation, tmp_path: Path, interface: Interface, paging: str = "{kind: number, size: 3}"
) -> None:
    """Let the installation's feed ask the interface."""

    def change(text: str) -> str:
        begin, end = text.index("    transport:\n"), text.index("    # The register has no")
        return text[:begin] + TRANSPORT.replace("PAGING", paging) + text[end:]

    installation.settings.environment["ZHENGKU_CONN_OFFICE"] = interface.address
    change_department(installation, tmp_path, change)


def by_number(rows: list[dict[str, Any]], size: int = 3) -> Any:
    def answer(request: Request) -> Reply:
        first = (int(request.query["page"]) - 1) * size
        return Reply(envelope(rows[first : first + size]))

    return answer


def test_row_ids_that_stand_for_two_rows_are_told(installation, tmp_path, interface, caplog):
    """The first is on one page and known at once; the second on two, and a second reading tells."""
    rows = [ROWS[0], {**row(7), "id": "1"}, *ROWS[1:4], {**row(8), "id": "2"}, ROWS[4]]
    interface.answer = by_number(rows)
    read_from(installation, tmp_path, interface)
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted) == (7, 7)
    assert batch.notes == [f"有2{DOUBLED}"]
    assert "2 row id(s) stand for more than one row" in caplog.text


@pytest.mark.parametrize("paging", ["{kind: number, size: 3}", "{kind: cursor, cursor: data.next, size: 3}"])
def test_last_page_that_comes_again_beyond_the_end_is_told(installation, tmp_path, interface, caplog, paging):
    def answer(request: Request) -> Reply:
        size = int(request.query["size"])
        last = -(-len(ROWS) // size)
        page = min(int(request.query.get("page", request.query.get("cursor", 1))), last)
        return Reply(envelope(ROWS[(page - 1) * size : page * size], next=str(min(page + 1, last))))

    interface.answer = answer
    read_from(installation, tmp_path, interface, paging)
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted) == (6, 6)
    assert batch.notes == ["接口在末页之后仍返回末页，据此以前2页为全部数据，请部门在应答中给出总数以便核对"]
    assert "answers its last page again beyond the end" in caplog.text


def test_values_that_stay_in_the_landed_pages_are_told(installation, tmp_path, interface, caplog):
    rows = [row(1, 备注="虚构\0"), row(2, 备注="虚构", 图片="图" * 400_000), row(3)]
    interface.answer = by_number(rows)
    read_from(installation, tmp_path, interface)
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted) == (3, 3)
    assert batch.notes == ["未对应的字段中有2个值数据库无法存放或过长，未读取，原文留存在落地文件中"]
    assert "2 values that nobody maps" in caplog.text


def test_columns_beyond_the_limit_are_told(installation, tmp_path, interface):
    interface.answer = by_number([row(1, **{f"多余{place}": "值" for place in range(400)})])
    read_from(installation, tmp_path, interface)
    batch = installation.run_one()
    assert batch.inserted == 1
    assert batch.notes == ["字段超过400个，其中11个未对应的字段未读取，原文留存在落地文件中"]


def test_an_ordinary_reading_has_nothing_to_tell(installation, tmp_path, interface):
    interface.answer = by_number(ROWS)
    read_from(installation, tmp_path, interface)
    [collected] = installation.pipeline.collect("market_supervision", "business_license", "told")
    batch = installation.pipeline.load(collected.batch_id)
    assert (batch.inserted, batch.notes) == (6, [])
    with installation.pipeline.landing.open(batch.landing_path) as content:
        assert set(json.loads(content.read().splitlines()[-1])) == {"pages", "rows", "columns"}


def test_report_tells_what_the_reading_found_out(installation, tmp_path, interface):
    interface.answer = by_number([ROWS[0], {**row(7), "id": "1"}])
    read_from(installation, tmp_path, interface)
    installation.run("told")
    page = installation.pipeline.conclude("market_supervision", "told").read_text(encoding="utf-8")
    assert f'<p class="note">有1{DOUBLED}。</p>' in page


def test_what_landed_tells_it_without_the_source(installation, tmp_path, interface):
    interface.answer = by_number([ROWS[0], {**row(7), "id": "1"}])
    read_from(installation, tmp_path, interface)
    [collected] = installation.pipeline.collect("market_supervision", "business_license", "told")
    interface.answer = lambda request: Reply(status=500)
    assert installation.pipeline.load(collected.batch_id).notes == [f"有1{DOUBLED}"]
