import io
import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from tests.support.workbooks import in_first_sheet, in_part

from zhengku.errors import DeliveryRejected
from zhengku.readers import workbook_archive
from zhengku.readers.blocks import BadRow
from zhengku.readers.workbook import WorkbookForm, open_workbook
from zhengku.transports.file_drop.model import XlsxFormat

REQUIRED = ["名称", "代码"]


def workbook(
    rows: Sequence[Sequence[object]], *merged: str, change: Callable[[Worksheet], object] | None = None
) -> bytes:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    for row in rows:
        sheet.append(list(row))
    for cells in merged:
        sheet.merge_cells(cells)
    if change:
        change(sheet)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def with_shared_strings(content: bytes) -> bytes:
    """Put the texts into a part of their own, as Excel does."""
    texts: list[bytes] = []

    def shared(found: re.Match[bytes]) -> bytes:
        texts.append(found[2])
        return b'<c%b t="s"><v>%d</v></c>' % (found[1], len(texts) - 1)

    namespace = b"http://schemas.openxmlformats.org/"
    content = in_first_sheet(
        content, lambda part: re.sub(rb'<c([^>]*) t="inlineStr"><is>(.*?)</is></c>', shared, part, flags=re.DOTALL)
    )
    content = in_part(
        content,
        "xl/_rels/workbook.xml.rels",
        lambda part: part.replace(
            b"</Relationships>",
            b'<Relationship Id="rIdS" Target="sharedStrings.xml" Type="%bofficeDocument/2006/relationships/'
            b'sharedStrings"/></Relationships>' % namespace,
        ),
    )
    out = io.BytesIO(content)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "xl/sharedStrings.xml",
            b'<sst xmlns="%bspreadsheetml/2006/main">%b</sst>'
            % (namespace, b"".join(b"<si>%b</si>" % text for text in texts)),
        )
    return out.getvalue()


class Read:
    """All that a workbook gives: rows by row number, texts or None, and bad rows."""

    def __init__(self, content: bytes, required: Sequence[str] = REQUIRED, **form: Any) -> None:
        told = WorkbookForm.of(XlsxFormat(kind="xlsx", **form))
        reader = open_workbook(io.BytesIO(content), required_columns=required, form=told)
        self.columns = reader.columns
        self.rows: dict[int, list[str | None]] = {}
        self.bad: list[BadRow] = []
        for block in reader:
            lines = block.copy_text.decode().split("\n")[:-1]
            assert len(lines) == block.rows
            for line in lines:
                number, *values = line.split("\t")
                self.rows[int(number)] = [None if value == "\\N" else unescaped(value) for value in values]
            self.bad += block.bad
        self.blank_lines = reader.blank_lines
        assert reader.good == len(self.rows)
        assert reader.fetched == len(self.rows) + len(self.bad)


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}[found[1]], text)


def rejected(content: bytes, required: Sequence[str] = REQUIRED, **form: Any) -> DeliveryRejected:
    with pytest.raises(DeliveryRejected) as failure:
        Read(content, required, **form)
    error = failure.value
    assert "\n" not in str(error)
    assert any("\u4e00" <= char <= "\u9fff" for char in error.reason)
    return error


# ---- the header


def test_title_rows_and_blank_rows_above_the_header_are_skipped() -> None:
    read = Read(
        workbook([["鄂州市证照清单", None], [], ["填报单位：", "某局"], ["名称", "代码"], ["甲", "1"]], "A1:B1")
    )
    assert read.columns == ("名称", "代码")
    assert read.rows == {5: ["甲", "1"]}


def test_header_is_not_looked_for_below_the_allowed_titles() -> None:
    content = workbook([["标题", None], ["单位", None], ["名称", "代码"], ["甲", "1"]])
    assert Read(content, max_title_rows=2).rows == {4: ["甲", "1"]}
    assert rejected(content, max_title_rows=1).rule == "file.missing_column"


def test_names_under_a_merged_name_are_joined_with_it() -> None:
    rows = [
        ["某局证照清单", None, None, None],
        ["序号", "持证主体", None, "有效期"],
        [None, "名称", "代码", "至"],
        [1, "甲", "91", "长期"],
    ]
    read = Read(workbook(rows, "A1:D1", "A2:A3", "B2:C2"), ["持证主体/名称", "持证主体/代码", "序号"], header_rows=2)
    assert read.columns == ("序号", "持证主体/名称", "持证主体/代码", "有效期/至")
    assert read.rows == {4: ["1", "甲", "91", "长期"]}


def test_merged_title_that_bears_the_name_of_a_column_is_no_header() -> None:
    read = Read(workbook([["名称", None], ["名称", "代码"], ["甲", "1"]], "A1:B1"))
    assert read.rows == {3: ["甲", "1"]}


def test_table_need_not_begin_in_the_first_cell() -> None:
    read = Read(workbook([[], [], [None, None, "名称", "代码"], [None, None, "甲", "1"]]))
    assert read.columns == ("名称", "代码")
    assert read.rows == {4: ["甲", "1"]}


def test_blanks_and_line_breaks_in_a_name_do_not_count() -> None:
    assert Read(workbook([[" 名 称\n", "代码"], ["甲", "1"]])).columns == ("名称", "代码")


def test_missing_column_is_told_with_what_came() -> None:
    error = rejected(workbook([["名称", "号码"], ["张虚构", "1"]]))
    assert error.rule == "file.missing_column"
    assert "代码" in str(error)
    assert "号码" in str(error)
    assert "张虚构" not in str(error)


def test_values_are_not_told_where_no_header_is_found() -> None:
    assert "张虚构" not in str(rejected(workbook([["张虚构", "420"]])))


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("file.missing_column", []),
        ("file.no_rows", [["名称", "代码"]]),
        ("file.no_rows", [["名称", "代码"], [], ["", " "]]),
        ("file.duplicate_column", [["名称", "代码", "名称"], ["甲", "1", "乙"]]),
        ("file.too_many_columns", [["名称", "代码", *(f"列{n}" for n in range(200))], ["甲", "1"]]),
    ],
)
def test_wrong_header_rejects_the_file(rule: str, rows: list[list[object]]) -> None:
    assert rejected(workbook(rows)).rule == rule


def test_sheet_without_rows_is_in_order_where_the_feed_says_so() -> None:
    assert Read(workbook([["名称", "代码"]]), allow_empty=True).rows == {}


# ---- the sheet


def two_sheets(hidden: bool = False) -> bytes:
    book = Workbook()
    first = book.active
    assert isinstance(first, Worksheet)
    first.title = "字典"
    first.append(["一", "二"])
    first.sheet_state = "hidden" if hidden else "visible"
    second = book.create_sheet("数据")
    second.append(["名称", "代码"])
    second.append(["甲", "1"])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_sheet_is_found_by_its_name() -> None:
    assert Read(two_sheets(), sheet="数据").rows == {2: ["甲", "1"]}


def test_hidden_sheet_is_not_the_first() -> None:
    assert Read(two_sheets(hidden=True)).rows == {2: ["甲", "1"]}


def test_missing_sheet_is_told_with_those_that_are_there() -> None:
    error = rejected(two_sheets(), sheet="证照")
    assert error.rule == "file.sheet"
    assert "字典, 数据" in str(error)
    assert "字典、数据" in error.reason


# ---- the cells


def test_texts_that_are_shared_by_the_sheets_are_read_like_others() -> None:
    content = with_shared_strings(workbook([["名称", "代码"], ["甲", "1"], ["甲\n乙", "#N/A"]]))
    assert Read(content).rows == {2: ["甲", "1"], 3: ["甲\n乙", "#N/A"]}


def read_cell(value: object, number_format: str | None = None) -> str | None:
    def change(sheet: Worksheet) -> None:
        if number_format:
            sheet["B2"].number_format = number_format

    return Read(workbook([["名称", "代码"], ["甲", value]], change=change)).rows[2][1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (5.0, "5"),
        (-3, "-3"),
        (0.5, "0.5"),
        (0.0000001, "0.0000001"),
        (123456789012345, "123456789012345"),
        (date(2019, 1, 1), "2019-01-01"),
        (datetime(2019, 1, 1, 8, 30), "2019-01-01 08:30:00"),
        (datetime(2019, 1, 1, 8, 29, 59, 999_700), "2019-01-01 08:30:00"),
        (time(8, 30), "08:30:00"),
        (timedelta(hours=30, minutes=5), "30:05:00"),
        (True, "TRUE"),
        (False, "FALSE"),
        ("00123", "00123"),
        (" 有 空格　", " 有 空格　"),
        ("一\t二\n三\\N", "一\t二\n三\\N"),
        ("\\N", "\\N"),
        ("", None),
        (None, None),
    ],
)
def test_cell_becomes_the_text_that_a_person_sees(value: object, text: str | None) -> None:
    assert read_cell(value) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        # As Excel writes it, as Java does, and as JavaScript does.
        ("4.2070219900101E+17", "4.20702199001010E+17"),
        ("4.2070219900101E17", "4.20702199001010E+17"),
        ("420702199001010000", "4.20702199001010E+17"),
        ("1234567890123450", "1.23456789012345E+15"),
        ("1.234567890123456E15", "1.23456789012346E+15"),
        # Written out by a program that keeps all digits: no double of 64 bits looks like that.
        ("420702199001010011", "420702199001010011"),
        ("420702199001010012", "420702199001010012"),
        ("1234567890123456", "1234567890123456"),
        ("-42070219900101001234567", "-42070219900101001234567"),
        ("900000000000000", "900000000000000"),
        ("2.0200002E7", "20200002"),
        ("20200001.0", "20200001"),
        ("0.30000000000000004", "0.30000000000000004"),
    ],
)
def test_number_that_a_spreadsheet_may_have_rounded_is_told_from_one_that_is_exact(written: str, text: str) -> None:
    content = in_first_sheet(
        workbook([["名称", "代码"], ["甲", 77], ["乙", 5]]), lambda part: part.replace(b">77<", f">{written}<".encode())
    )
    assert Read(content).rows == {2: ["甲", text], 3: ["乙", "5"]}


def test_serial_number_without_a_date_format_stays_a_number() -> None:
    assert read_cell(43466, "General") == "43466"


def test_error_of_a_formula_is_kept_as_shown() -> None:
    content = workbook([["名称", "代码"], ["甲", "#N/A"], [None, "#DIV/0!"], ["丙", "3"]])
    assert Read(content).rows == {2: ["甲", "#N/A"], 3: [None, "#DIV/0!"], 4: ["丙", "3"]}


def test_nul_in_a_cell_makes_a_bad_row_and_its_neighbours_are_read() -> None:
    content = workbook([["名称", "代码"], ["甲", "x_x0000_y"], ["乙", "2"]])
    read = Read(content)
    assert [(row.row_no, row.rule_id) for row in read.bad] == [(2, "row.nul")]
    assert read.rows == {3: ["乙", "2"]}


def test_endless_cell_makes_a_bad_row_with_its_begin_as_payload() -> None:
    content = in_first_sheet(
        workbook([["名称", "代码"], ["甲", "WIDE"], ["乙", "2"]]),
        lambda part: part.replace(b"WIDE", b"9" * 1_100_000),
    )
    read = Read(content)
    [bad] = read.bad
    assert (bad.row_no, bad.rule_id, len(bad.payload)) == (2, "row.too_long", 65536)
    assert bad.byte_length > 1_100_000
    assert read.rows == {3: ["乙", "2"]}


# ---- the rows


def test_value_merged_over_rows_belongs_to_each_of_them() -> None:
    rows = [["名称", "代码", "街道"], ["甲", "1", "东"], ["乙", "2", None], ["丙", "3", None], ["丁", "4", None]]
    read = Read(workbook(rows, "C2:C4"))
    assert [row[2] for row in read.rows.values()] == ["东", "东", "东", None]


def test_row_that_has_only_a_share_of_a_merged_value_is_blank() -> None:
    read = Read(workbook([["名称", "代码"], ["甲", "1"], [None, None], ["乙", "2"]], "A2:A3", "B2:B3"))
    assert read.rows == {2: ["甲", "1"], 4: ["乙", "2"]}
    assert read.blank_lines == 1


def test_totals_and_remarks_are_rows_for_the_checks_to_find() -> None:
    rows = [["名称", "代码"], ["甲", "1"], [], ["合计", None], ["注：以上为虚构", None]]
    read = Read(workbook(rows, "A5:B5"))
    assert read.rows == {2: ["甲", "1"], 4: ["合计", None], 5: ["注：以上为虚构", None]}
    assert read.blank_lines == 1


def test_value_beside_the_table_makes_a_bad_row() -> None:
    read = Read(workbook([["名称", "代码"], ["甲", "1", None, "旁注"], ["乙", "2"]]))
    assert [(row.row_no, row.rule_id) for row in read.bad] == [(2, "row.ragged")]
    assert "第4列" in read.bad[0].detail_zh
    assert "旁注" in read.bad[0].payload.decode()
    assert "旁注" not in read.bad[0].detail_zh + read.bad[0].detail_en
    assert read.rows == {3: ["乙", "2"]}


def test_many_rows_come_in_blocks_and_in_order() -> None:
    read = Read(workbook([["名称", "代码"], *([f"虚构{n}", n] for n in range(20_000))]))
    assert list(read.rows) == list(range(2, 20_002))
    assert read.rows[20_001] == ["虚构19999", "19999"]


# ---- what is no workbook


def encrypted() -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096)


def archive(**parts: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for name, part in parts.items():
            new.writestr(name, part)
    return content.getvalue()


GOOD = workbook([["名称", "代码"], ["甲", "1"]])


@pytest.mark.parametrize(
    "content",
    [
        "名称,代码\n甲,1\n".encode(),
        encrypted(),
        b"PK\x03\x04" + bytes(500),
        GOOD[: len(GOOD) // 2],
        GOOD[:-30],
        archive(a=b"text"),
        in_part(GOOD, "xl/workbook.xml", lambda part: b"<no"),
        in_part(GOOD, "xl/workbook.xml", lambda part: part.replace(b"<sheet ", b"<other ")),
        in_first_sheet(GOOD, lambda part: part[:200]),
        in_part(with_shared_strings(GOOD), "xl/sharedStrings.xml", lambda part: part[:-9]),
    ],
    ids=["csv", "encrypted", "zeros", "half", "no end", "other archive", "index", "no sheet", "sheet", "strings"],
)
def test_what_is_no_workbook_is_rejected(content: bytes) -> None:
    assert rejected(content).rule == "file.not_workbook"


def test_empty_file_is_rejected() -> None:
    assert rejected(b"").rule == "file.empty"


def test_archive_that_unpacks_to_more_than_the_limit_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_archive, "LARGEST_UNCOMPRESSED", 8 * 1024 * 1024)
    bomb = in_first_sheet(GOOD, lambda part: part + b" " * 9 * 1024 * 1024)
    assert len(bomb) < 100_000
    assert "unpacked" in str(rejected(bomb))


def test_stray_value_in_the_last_cell_is_rejected_and_not_gigabytes_of_memory() -> None:
    def stray(sheet: Worksheet) -> None:
        sheet["XFD1048576"] = "x"

    error = rejected(workbook([["名称", "代码"], ["甲", "1"]], change=stray))
    assert "stray value" in str(error)


def test_formatted_but_empty_cells_far_away_do_no_harm() -> None:
    def formatted(sheet: Worksheet) -> None:
        sheet["XFD1048576"].number_format = "0.00"

    assert Read(workbook([["名称", "代码"], ["甲", "1"]], change=formatted)).rows == {2: ["甲", "1"]}


# ---- any content

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(date(1900, 3, 1)),
    st.datetimes(datetime(1900, 3, 1)),
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=9
    ),
    st.sampled_from(["\\", "\\N", "\t", "a\nb", "\\.", " ", "　", "#N/A", "#REF!", "TRUE", "_x0000_", "_x000D_"]),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(CELLS, max_size=5), max_size=12))
def test_every_row_of_any_grid_is_a_record_or_bad_or_blank(grid: list[list[object]]) -> None:
    # Text that begins with "=" would be a formula.
    rows = [[f"'{cell}" if isinstance(cell, str) and cell.startswith("=") else cell for cell in row] for row in grid]
    read = Read(workbook([["名称", "代码", "其他"], *rows, ["末", "0"]]))
    assert len(read.rows) + len(read.bad) + read.blank_lines == len(rows) + 1
    assert all(len(row) == 3 for row in read.rows.values())
    assert {*read.rows, *(row.row_no for row in read.bad)} <= set(range(2, len(rows) + 3))
    for number, row in enumerate(rows, 2):
        if number in read.rows:
            for cell, text in zip(row, read.rows[number], strict=False):
                # Blanks alone are nothing in XML, unless it is said that they count.
                if isinstance(cell, str) and cell.strip() and "_x" not in cell:
                    assert text == cell


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_bytes_raise_nothing_but_a_rejection(data: st.DataObject) -> None:
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        Read(bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content))
    except DeliveryRejected as error:
        assert error.rule.startswith("file.")  # noqa: PT017 (whether it raises is up to the damage)


SHARED = with_shared_strings(GOOD)
PARTS = [
    "xl/workbook.xml",
    "xl/worksheets/sheet1.xml",
    "xl/sharedStrings.xml",
    "xl/styles.xml",
    "xl/_rels/workbook.xml.rels",
]
SCRAPS = [
    b"",
    b"<",
    b">",
    b'"',
    b"/",
    b"A",
    b"0",
    b"-1",
    b"99999999999",
    b"&",
    b"&#0;",
    b"\xff",
    b"<c>",
    b"XFD9",
    b"s",
    b"e",
]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PARTS), st.data())
def test_damaged_xml_raises_nothing_but_a_rejection(part: str, data: st.DataObject) -> None:
    def damage(text: bytes) -> bytes:
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(text)))
            text = text[:at] + data.draw(st.sampled_from(SCRAPS)) + text[at + data.draw(st.integers(0, 3)) :]
        return text

    try:
        Read(in_part(SHARED, part, damage))
    except DeliveryRejected as error:
        assert error.rule.startswith("file.")  # noqa: PT017 (whether it raises is up to the damage)
