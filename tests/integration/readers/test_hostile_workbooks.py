"""Workbooks that are broken off, are something else, or were made to kill their reader: rejected, and only they."""

import io
import re
import zipfile

import pytest
from tests.support.workbooks import COLUMNS, cells, feed_of_workbooks, in_first_sheet, in_part, workbook

from zhengku.readers import workbook_process


@pytest.fixture
def register(installation, tmp_path):
    return feed_of_workbooks(installation, tmp_path)


GOOD = workbook({"数据": [COLUMNS, cells(1)]})


def archive(**parts: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for name, part in parts.items():
            new.writestr(name, part)
    return content.getvalue()


def with_texts(claim: bytes) -> bytes:
    """Return a workbook whose shared texts claim to be so many."""
    kind = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    content = in_part(
        GOOD,
        "xl/_rels/workbook.xml.rels",
        lambda part: part.replace(
            b"</Relationships>",
            b'<Relationship Id="rIdS" Target="sharedStrings.xml" Type="' + kind + b'"/></Relationships>',
        ),
    )
    out = io.BytesIO(content)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as new:
        namespace = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        new.writestr("xl/sharedStrings.xml", b'<sst xmlns="' + namespace + b'" ' + claim + b"></sst>")
    return out.getvalue()


def before_rows(content: bytes) -> bytes:
    return in_first_sheet(GOOD, lambda part: part.replace(b"<sheetData>", b"<sheetData>" + content))


def sparse(part: bytes) -> bytes:
    """Many empty rows below a broad one: little to read, and a large rectangle."""
    wide = b"<row>" + b"<c><v>1</v></c>" * 16_000 + b"</row>"
    return re.sub(rb"<sheetData>.*</sheetData>", b"<sheetData>" + wide + b"<row/>" * 900_000 + wide, part)


OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096)

BROKEN = {
    "PK": (b"PK", "上传中断"),
    "two bytes": (b"ab", "不是XLSX文件"),
    "empty archive": (b"PK\x05\x06" + bytes(18), "空的压缩包"),
    "broken off": (GOOD[: len(GOOD) // 2], "不完整"),
    "old workbook": (OLD, "旧版Excel"),
    "encrypted": (OLD + "EncryptedPackage".encode("utf-16-le"), "输入密码"),
    "web page": ("<html><table><tr><td>企业名称</td></tr></table></html>".encode(), "网页"),
    "PDF": (b"%PDF-1.7\n" + bytes(100), "PDF"),
    "CSV": ("企业名称,统一社会信用代码\n".encode(), "不是XLSX文件"),
    "document": (archive(**{"word/document.xml": b"<w/>"}), "Word"),
    "binary workbook": (archive(**{"xl/workbook.bin": b"x"}), "XLSB"),
    "archive": (archive(**{"数据.xlsx": GOOD}), "没有工作簿"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_file_that_is_no_workbook_is_rejected_with_what_it_is(register, kind):
    content, said = BROKEN[kind]
    register.deliver("1.xlsx", content)
    batch = register.run_one()
    assert (batch.status, batch.rule_id) == ("rejected", "file.not_workbook")
    assert said in batch.reason
    assert "XLSX" in batch.detail


HOSTILE = {
    "texts claimed": (with_texts(b'count="4000000000" uniqueCount="4000000000"'), True),
    "more texts claimed than a number holds": (with_texts(b'uniqueCount="99999999999999999999"'), True),
    "places without an end": (before_rows(b' r="A1"' * 300_000), False),
    "places within a cell without an end": (before_rows(b"<c" + b' r="A1"' * 300_000), True),
    "cells without an end": (before_rows(b'<c r="A1"' * 300_000), True),
    "blanks without a row": (before_rows(b" " * 40_000_000), False),
    "blanks without an end": (before_rows(b" " * 80_000_000), True),
    "a name without an end": (before_rows(b"<row>" + b"<" + b"x" * 3_000_000), None),
    "a large rectangle": (in_first_sheet(GOOD, sparse), True),
}


QUICK = ("texts claimed", "blanks without an end", "a large rectangle")
"""Each dies in another way: what is claimed, what is endless, what is far apart."""


@pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in HOSTILE]
)
def test_workbook_made_to_kill_its_reader_ends_and_the_files_beside_it_load(register, kind):
    content, rejected = HOSTILE[kind]
    assert len(content) < 100_000
    register.deliver("0.xlsx", workbook({"数据": [COLUMNS, cells(7)]}), minutes_ago=90)
    register.deliver("1.xlsx", content)
    register.deliver("2.xlsx", workbook({"数据": [COLUMNS, cells(8)]}), minutes_ago=30)
    first, hostile, last = register.run()
    assert (first.inserted, last.inserted) == (1, 1)
    if rejected is not None:
        assert hostile.status == ("rejected" if rejected else "loaded")
    assert hostile.rule_id in (None, "file.not_workbook", "file.missing_column")
    register.deliver("3.xlsx", workbook({"数据": [COLUMNS, cells(9)]}), minutes_ago=1)
    assert register.run_one().inserted == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "least", "said"), [("MOST_MEMORY", 160 * 1024**2, "内存"), ("MOST_SECONDS", 1, "解析用时超过1秒")]
)
def test_reader_that_needs_more_than_its_limits_is_a_reason_to_reject_the_file(
    register, monkeypatch, limit, least, said
):
    monkeypatch.setattr(workbook_process, limit, least)
    row = b"<row>" + b"<c><v>1</v></c>" * 10 + b"</row>"
    # Two million cells take more than a second and more than what is left of the memory.
    register.deliver("1.xlsx", before_rows(row * 400_000))
    batch = register.run_one()
    assert (batch.status, batch.rule_id) == ("rejected", "file.not_workbook")
    assert said in batch.reason


@pytest.mark.parametrize("number", ["KILL", "TERM"])
def test_reader_that_is_ended_from_outside_says_nothing_of_the_file(register, monkeypatch, number):
    monkeypatch.setattr(workbook_process, "_COMMAND", ("/bin/sh", "-c", f"kill -{number} $$"))
    register.deliver("1.xlsx", GOOD)
    with pytest.raises(workbook_process.WorkerKilled, match=f"SIG{number}"):
        register.run()
    monkeypatch.undo()
    assert register.run_one().inserted == 1
