"""Sums, signatures and remarks below a table are no records: counted apart, told, and in nobody's way."""

from __future__ import annotations

import io
import re

import pytest
from openpyxl import Workbook
from tests.support.changed_department import change_department
from tests.support.installation import HEADER

FOOTERS = {
    "sum in the first column": "合计,,共2所,,,,,,,",
    "sum with blanks inside": "合　计,,2,,,,,,,",
    "sum alone": "总计：2",
    "sum in the key's column": ",合计,,,,,,,,",
    "sum with its count beside it": "合计,共2户,,,,,,,,",
    "sum of a district": "鄂城区小计,,2,,,,,,,",
    "sum in a numbered row": "3,合计,,,,,,,,",
    "who made it": "制表人：张某某,,,审核人：李某某,,,填报日期：2026-11-23,,,",
    "who checked it": "审核人,李某某,,,,,,,,",
    "when": "填报日期,20261123,,,,,,,,",
    "more cells than the header": "小计,,,,,,,,,,,,2",
    "remark": "备注：以上为虚构数据,,,,,,,,,",
    "cells without anything": ",,,,,,,,,",
    "blanks alone": " ,　,,,,,,,,",
    "the header once more": HEADER,
    "the header once more, spaced": HEADER.replace("企业名称", "企业 名称"),
    "nothing below": "（以下无正文）,,,,,,,,,",
    "end": "-- 结束 --,,,,,,,,,",
    "end in English": "END,,,,,,,,,",
    "total in English": "Total:,2,,,,,,,,",
    "page": "第1页 共3页,,,,,,,,,",
    "stamp": "单位（盖章）：,,,,,,,,,",
    "number of records": "记录数：2,,,,,,,,,",
}


@pytest.mark.parametrize(
    "footer",
    [
        pytest.param(footer, id=kind, marks=() if place < 3 else pytest.mark.slow)
        for place, (kind, footer) in enumerate(FOOTERS.items())
    ],
)
def test_footer_is_counted_apart_and_what_vanished_is_marked(register, make_row, footer):
    register.deliver_rows("1.csv", make_row(1), make_row(2), make_row(3), minutes_ago=60)
    register.run_one()
    register.deliver_rows("2.csv", make_row(1), make_row(2), footer, minutes_ago=30)
    batch = register.run_one()
    assert (batch.status, batch.fetched, batch.footers, batch.quarantined) == ("loaded", 2, 1, 0)
    assert (batch.compared, batch.disappeared) == ("compared", 1)
    assert register.query("select removal from store.certificate order by record_key") == [
        (None,),
        (None,),
        ("disappeared",),
    ]
    [note] = batch.notes
    assert note.startswith("表尾行1行")
    assert note.endswith("第4行")
    assert "某某" not in note


@pytest.mark.parametrize(
    "row",
    [
        # A company may be called so, and its number tells that it is one.
        {"企业名称": "合计"},
        {"企业名称": "总计划虚构有限公司"},
        {"企业名称": "制表人虚构有限公司"},
        {"企业名称": "完"},
        {"企业名称": "Total"},
        {"企业名称": "单位（虚构）有限公司"},
    ],
)
def test_record_with_a_number_is_none(installation, make_row, row):
    installation.deliver_rows("1.csv", make_row(1), make_row(2, **row))
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted, batch.footers, batch.notes) == (2, 2, 0, [])


def test_row_without_a_number_is_still_a_problem(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1), make_row(2, 统一社会信用代码=""))
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted, batch.quarantined, batch.footers) == (2, 1, 1, 0)


def test_words_are_the_feeds(installation, tmp_path, make_row):
    change_department(
        installation, tmp_path, lambda text: text.replace("    fields:\n", "    footer_words: [完]\n    fields:\n", 1)
    )
    installation.deliver_rows("1.csv", make_row(1), "完,,,,,,,,,", "合计,,,,,,,,,")
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted, batch.quarantined, batch.footers) == (2, 1, 1, 1)


def test_manifest_may_count_the_footer_or_not(installation, make_row):
    for night, rows in enumerate((2, 3)):
        installation.deliver_rows(
            f"{night}.csv", make_row(1), make_row(2), f"合计,,{night},,,,,,,", minutes_ago=60 - night
        )
        installation.deliver(f"{night}.csv.manifest.json", f'{{"rows": {rows}}}')
        assert installation.run_one().status == "loaded"


def test_footer_of_a_spreadsheet(installation, tmp_path, make_row, header):
    change_department(
        installation,
        tmp_path,
        lambda text: re.sub(
            r"format: .*|format:\n(        .*\n)+", "format: {kind: xlsx}\n", text.replace("*.csv", "*.xlsx")
        ),
    )
    book = Workbook()
    sheet = book.active
    footers = (["合计", None, 1], ["制表人：张某某", None, None, "审核人：李某某"])
    for cells in (header.split(","), make_row(1).split(","), *footers):
        sheet.append(cells)
    sheet.merge_cells("A3:B3")
    content = io.BytesIO()
    book.save(content)
    installation.deliver("1.xlsx", content.getvalue())
    batch = installation.run_one()
    assert (batch.status, batch.fetched, batch.inserted, batch.footers) == ("loaded", 1, 1, 2)


def test_report_tells_of_it(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1), "合计,,1,,,,,,,", "制表人：张某某,,,,,,,,,")
    installation.run("night")
    page = installation.pipeline.conclude("market_supervision", "night").read_text(encoding="utf-8")
    assert "表尾行2行（合计、制表人），不是数据，未计入取得：第3、4行。" in page
    assert "张某某" not in page
