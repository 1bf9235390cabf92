"""What departments do with workbooks, in the whole pipeline: several sheets, codes as numbers, errors, formulas."""

import logging
from datetime import date, datetime, time

import pytest
from openpyxl.worksheet.worksheet import Worksheet
from tests.support.workbooks import COLUMNS, cells, feed_of_workbooks, in_first_sheet, without_places, workbook

COVER = [["鄂州市虚构登记簿"], [], ["填报单位：某某局"], ["填报日期：2024-05-01"]]


@pytest.fixture
def form(request) -> str:
    return getattr(request, "param", "{kind: xlsx}")


@pytest.fixture
def register(installation, tmp_path, form):
    return feed_of_workbooks(installation, tmp_path, form)


def names(installation) -> set[str]:
    return {holder for (holder,) in installation.query("select holder from store.certificate")}


def name(number: int) -> str:
    return f"鄂州市虚构第{number:04d}号商贸有限公司"


def told(batch) -> dict[str, str | None]:
    return {sheet["name"]: sheet["skipped"] for sheet in batch.sheets}


# ---- sheets


def two_sheets(**others) -> bytes:
    rows = {"一季度": [COLUMNS, cells(1), cells(2)], "二季度": [COLUMNS, cells(3), cells(4)]}
    return workbook({**rows, **others})


def test_sheet_that_is_not_read_is_told_in_log_report_and_ledger(register, caplog):
    register.deliver("1.xlsx", two_sheets())
    with caplog.at_level(logging.WARNING):
        [batch] = register.run("night")
    assert (batch.status, batch.inserted) == ("loaded", 2)
    assert told(batch) == {"一季度": None, "二季度": "约定只读第一张有表头的工作表"}
    assert batch.sheets[1]["rows"] == 3
    assert any("二季度" in record.getMessage() for record in caplog.records)
    page = register.pipeline.conclude("market_supervision", "night").read_text(encoding="utf-8")
    assert "未读取的工作表“二季度”：约定只读第一张有表头的工作表，其中 3 行有内容" in page


@pytest.mark.parametrize("form", ["{kind: xlsx, sheets: all}", "{kind: xlsx, sheets: [二季度, 一季度]}"], indirect=True)
def test_sheets_that_the_feed_asks_for_are_read(register):
    register.deliver("1.xlsx", two_sheets())
    batch = register.run_one()
    assert (batch.fetched, batch.inserted) == (4, 4)
    assert names(register) == {name(number) for number in (1, 2, 3, 4)}
    assert set(told(batch).values()) == {None}


@pytest.mark.parametrize("form", ["{kind: xlsx}", "{kind: xlsx, sheets: all}"], indirect=True)
def test_cover_sheet_is_skipped_where_the_header_is_on_a_later_one(register):
    register.deliver("1.xlsx", workbook({"封面": COVER, "数据": [COLUMNS, cells(1)], "Sheet3": []}))
    batch = register.run_one()
    assert batch.inserted == 1
    assert told(batch) == {"封面": "没有所需的表头", "数据": None, "Sheet3": "空白工作表"}


def test_sheet_with_a_header_alone_does_not_hide_the_one_with_rows(register):
    register.deliver("1.xlsx", workbook({"模板": [COLUMNS], "数据": [COLUMNS, cells(1)]}))
    batch = register.run_one()
    assert batch.inserted == 1
    assert told(batch) == {"模板": "只有表头，没有数据行", "数据": None}


def test_message_names_the_sheets_that_were_looked_at(register):
    register.deliver("1.xlsx", workbook({"封面": COVER, "数据": [COLUMNS[1:], cells(1)[1:]]}))
    batch = register.run_one()
    assert (batch.status, batch.rule_id) == ("rejected", "file.missing_column")
    assert "封面" in batch.reason
    assert "数据" in batch.reason
    assert "企业名称" in batch.reason
    assert "封面, 数据" in batch.detail


def hide(book) -> None:
    book["二季度"].sheet_state = "hidden"


@pytest.mark.parametrize(
    ("form", "inserted"),
    [("{kind: xlsx, sheets: all}", 2), ("{kind: xlsx}", 2), ("{kind: xlsx, sheets: [二季度]}", 2)],
    indirect=["form"],
)
def test_hidden_sheet_is_read_where_it_is_named_and_told_elsewhere(register, form, inserted):
    rows = {"一季度": [COLUMNS, cells(1), cells(2)], "二季度": [COLUMNS, cells(3), cells(4)]}
    register.deliver("1.xlsx", workbook(rows, hide))
    batch = register.run_one()
    assert batch.inserted == inserted
    if "[" in form:
        assert names(register) == {name(3), name(4)}
        assert told(batch) == {"二季度": None, "一季度": "不在约定的工作表之列"}
    else:
        assert names(register) == {name(1), name(2)}
        assert told(batch) == {"一季度": None, "二季度": "隐藏的工作表"}


@pytest.mark.parametrize("form", ["{kind: xlsx, sheets: all}"], indirect=True)
def test_sheets_with_columns_in_another_order_are_read_by_name(register):
    turned = [list(reversed([*row, "备注"])) for row in (COLUMNS, cells(2, "X2"))]
    other = [["类别", "含义"], ["1", "有效"]]
    register.deliver("1.xlsx", workbook({"甲": [COLUMNS, cells(1, "X1")], "字典": other, "乙": [*COVER, *turned]}))
    batch = register.run_one()
    assert batch.inserted == 2
    assert told(batch) == {"甲": None, "乙": None, "字典": "没有所需的表头"}
    stored = register.query("select holder, service_item_code from store.certificate order by 1")
    assert stored == [(name(1), "X1"), (name(2), "X2")]
    # A column of one sheet alone is unknown, and costs no row.
    assert batch.unknown_columns == ["备注"]


@pytest.mark.parametrize("form", ["{kind: xlsx, sheets: all}"], indirect=True)
def test_rows_of_further_sheets_are_found_again_by_their_numbers(register):
    sheets = {
        "甲": [COLUMNS, cells(1), cells(2, 企业名称="")],
        "乙": [*COVER, COLUMNS, cells(3), cells(4, 企业名称="")],
    }
    register.deliver("1.xlsx", workbook({**sheets, "丙": [COLUMNS, *(cells(number) for number in range(10, 30))]}))
    [batch] = register.run("night")
    assert (batch.inserted, batch.quarantined) == (22, 2)
    problems = register.query("select last_row_no from quarantine.problem_row order by 1")
    assert problems == [(3,), (1_000_000_007,)]
    assert [sheet["first_row_no"] for sheet in batch.sheets] == [0, 1_000_000_000, 2_000_000_000]
    assert [sheet["rows"] for sheet in batch.sheets] == [2, 2, 20]
    page = register.pipeline.conclude("market_supervision", "night").read_text(encoding="utf-8")
    assert "读取的工作表：“甲”2 行、“乙”2 行、“丙”20 行。" in page
    assert '<td class="number">3</td>' in page
    assert '<td class="number">乙 7</td>' in page


@pytest.mark.parametrize("form", ["{kind: xlsx, sheets: [三季度]}"], indirect=True)
def test_sheet_that_is_named_and_not_there_rejects_the_file(register):
    register.deliver("1.xlsx", two_sheets())
    batch = register.run_one()
    assert batch.rule_id == "file.sheet"
    assert "一季度、二季度" in batch.reason


# ---- codes that are kept as numbers


def coded(number_format: str):
    def change(book) -> None:
        sheet: Worksheet = book.worksheets[0]
        for row in sheet.iter_rows(min_row=2, min_col=len(COLUMNS), max_col=len(COLUMNS)):
            row[0].number_format = number_format

    return change


SHOWN = [
    (123, "000000", "000123"),
    (7, '"鄂测"0000', "鄂测0007"),
    (7, "鄂测0000", "鄂测0007"),
    (7, '"鄂水"[$-804]0000"号"', "鄂水0007号"),
    (20240001, "0000-0000", "2024-0001"),
    (420700000012, "[Red]000000-000000", "420700-000012"),
    (7, "\\N\\o000", "NO007"),
    (7, "000;-000;;@", "007"),
    (7, "G/通用格式", "7"),
    (7, "General", "7"),
    (7, "@", "7"),
    (7, "0", "7"),
    (7, "0_ ", "7"),
    (1234567, "000000", "1234567"),
    (1234567, "#,##0", "1234567"),
    (0, "0000", "0000"),
    (12.5, "000000", "12.5"),
    ("0007", "000000", "0007"),
]
"""What a cell holds, the format that its code column gives it, and the code."""


def test_number_in_a_code_field_reads_as_its_format_shows_it(register):
    def each_in_its_format(book) -> None:
        for row, (_, number_format, _) in enumerate(SHOWN, start=2):
            book.worksheets[0].cell(row, len(COLUMNS)).number_format = number_format

    rows = [cells(number, value) for number, (value, _, _) in enumerate(SHOWN, start=1)]
    register.deliver("1.xlsx", workbook({"数据": [COLUMNS, *rows]}, each_in_its_format))
    assert register.run_one().inserted == len(SHOWN)
    read = register.query("select service_item_code from store.certificate order by row_no")
    assert read == [(code,) for _, _, code in SHOWN]


def test_day_that_a_spreadsheet_made_of_a_code_is_none(register):
    values = [date(2021, 3, 5), time(12, 0), datetime(2021, 3, 5, 8, 30), "2021-03-05", "2021-03-005", "3-5"]
    register.deliver(
        "1.xlsx", workbook({"数据": [COLUMNS, *(cells(n, value) for n, value in enumerate(values, start=1))]})
    )
    batch = register.run_one()
    assert (batch.inserted, batch.quarantined) == (2, 4)
    assert register.query("select distinct rules from quarantine.problem_row") == [(["certificate.codes.exact"],)]
    read = register.query("select service_item_code from store.certificate order by row_no")
    assert read == [("2021-03-005",), ("3-5",)]


def test_format_is_found_where_cells_do_not_tell_their_place(register):
    content = workbook({"数据": [COLUMNS, cells(1, 123), cells(2, 4)]}, coded("000000"))
    register.deliver("1.xlsx", in_first_sheet(content, without_places))
    assert register.run_one().inserted == 2
    assert register.query("select service_item_code from store.certificate order by 1") == [("000004",), ("000123",)]


# ---- formulas


def formulas(content: bytes, formula: bytes) -> bytes:
    """Put a formula where FORMULA stands."""
    return in_first_sheet(content, lambda part: part.replace(b"<is><t>FORMULA</t></is>", formula))


def without_kind(content: bytes) -> bytes:
    return in_first_sheet(content, lambda part: part.replace(b't="inlineStr"><f', b"><f"))


@pytest.mark.parametrize("formula", [b"<f>A2</f>", b"<f>A2</f><v></v>", b"<f>A2</f><v/>", b'<f t="shared" si="0"/>'])
def test_formula_without_a_value_is_told_and_no_silent_null(register, formula):
    rows = [COLUMNS, *(cells(number) for number in range(1, 9)), cells(9, "FORMULA")]
    register.deliver("1.xlsx", without_kind(formulas(workbook({"数据": rows}), formula)))
    batch = register.run_one()
    assert (batch.inserted, batch.quarantined) == (8, 1)
    [(row_no, rules, reasons, payload)] = register.query(
        "select last_row_no, rules, reasons, convert_from(payload_bytes, 'UTF8') from quarantine.problem_row"
    )
    assert (row_no, rules) == (10, ["row.formula"])
    assert "第11列" in reasons[0]
    assert name(9) in payload


def test_formula_in_a_column_that_nobody_maps_costs_no_row(register):
    rows = [[*COLUMNS, "备注"], [*cells(1), "FORMULA"], [*cells(2), "有"]]
    register.deliver("1.xlsx", without_kind(formulas(workbook({"数据": rows}), b"<f>A2</f>")))
    assert register.run_one().inserted == 2


def test_formula_that_gives_an_empty_text_is_no_missing_value(register):
    rows = [COLUMNS, cells(1, "FORMULA")]
    content = formulas(workbook({"数据": rows}), b'<f>IF(A2="","","")</f><v></v>')
    register.deliver("1.xlsx", in_first_sheet(content, lambda part: part.replace(b't="inlineStr"><f', b't="str"><f')))
    assert register.run_one().inserted == 1


def test_last_row_made_of_formulas_without_values_is_told(register):
    rows = [COLUMNS, *(cells(number) for number in range(1, 9)), ["FORMULA"] * len(COLUMNS)]
    register.deliver("1.xlsx", without_kind(formulas(workbook({"数据": rows}), b"<f>A2</f>")))
    batch = register.run_one()
    assert (batch.fetched, batch.inserted, batch.quarantined) == (9, 8, 1)
