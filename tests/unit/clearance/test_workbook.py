"""The workbook of a list, read back: the same rows, text that stays text, and sheets that can be printed."""

import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from zhengku.clearance.evaluations import BadReview
from zhengku.clearance.list_rows import ChangedService, ListRow
from zhengku.clearance.list_versions import ListCounts, ListVersion, StaleSource
from zhengku.clearance.rates import GroupRates, Rate
from zhengku.clearance.workbook import STATE_NAMES, write_workbook
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import FileNotWritten
from zhengku.report.streamed_sheet import LONGEST_TEXT, StreamedSheet

DAY = date(2026, 11, 24)
TITLE = "鄂州市未评办件清单"
COUNTS = ListCounts(
    unrated=7,
    default_rated=3,
    new=4,
    carried_over=5,
    reopened=1,
    cleared=11,
    withdrawn=2,
    archived=6,
    archived_total=60,
)
PUBLISHED = ListVersion(
    list_id=1,
    day=DAY,
    kind="final",
    version=1,
    cutoff_at=datetime(2026, 11, 24, 16, tzinfo=UTC),
    published_at=datetime(2026, 11, 24, 17, 5, tzinfo=UTC),
    counts=COUNTS,
    stale=(),
    calendar_note=None,
)


def row(number: int, **changed: Any) -> ListRow:
    values = {
        "record_key": f"EZ{number:015d}|1",
        "section": "unrated",
        "state": ("new", "carried_over", "reopened")[number % 3],
        "district": "echeng",
        "district_name": "鄂城区",
        "handling_department": "市公安局",
        "hall": "市民之家",
        "window": f"A{number:02d}",
        "handler": "张某",
        "case_number": f"{number:018d}",
        "service_number": "01",
        "service_item_code": "000123",
        "service_item_name": "居住证签注",
        "applicant": "李**",
        "phone": "138****0001",
        "finished_at": datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC) + timedelta(minutes=number),
        "age_working_days": number % 60,
        "deadline": date(2026, 11, 27),
        "overdue": False,
        "default_at": None,
    }
    return ListRow(**{**values, **changed})


def default_row(number: int) -> ListRow:
    return row(number, section="default_rated", default_at=datetime(2026, 11, 23, 2, 30, tzinfo=UTC))


def review(number: int, **changed: Any) -> BadReview:
    values = {
        "evaluation_number": f"HP{number:04d}",
        "record_key": "EZ1|1",
        "district": "echeng",
        "district_name": "鄂城区",
        "handling_department": "市公安局",
        "hall": "市民之家",
        "window": "A01",
        "handler": "张某",
        "case_number": "EZ1",
        "service_number": "1",
        "service_item_name": "居住证签注",
        "level": "very_dissatisfied",
        "evaluated_at": datetime(2026, 11, 20, 2, tzinfo=UTC),
        "reason": "等候太久",
        "callback_due": date(2026, 11, 23),
        "called_back_at": None,
        "rectification_due": date(2026, 12, 11),
        "rectified_at": None,
        "state": "open",
    }
    return BadReview(**{**values, **changed})


def written(
    folder: Path,
    unrated: Iterable[ListRow] = (),
    default_rated: Iterable[ListRow] = (),
    published: ListVersion = PUBLISHED,
    bad_reviews: Iterable[BadReview] = (),
    rates: Iterable[GroupRates] = (),
    **more: Any,
) -> Workbook:
    path = folder / "list.xlsx"
    write_workbook(path, published, TITLE, unrated, default_rated, [*bad_reviews], [*rates], **more)
    return load_workbook(path)


def records(sheet: Worksheet) -> list[dict[str, Any]]:
    header, *lines = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, header), line, strict=True)) for line in lines]


def local(moment: datetime) -> datetime:
    return moment.astimezone(CITY_TIME_ZONE).replace(tzinfo=None)


def cover(workbook: Workbook) -> dict[str, tuple[Any, ...]]:
    """The cover's lines by what stands first in them."""
    return {str(line[0]): line[1:] for line in workbook["封面"].iter_rows(values_only=True) if line[0] is not None}


def test_the_same_rows_come_out(tmp_path: Path) -> None:
    rows = [row(number, overdue=number % 2 == 0) for number in range(1, 8)]
    rows.append(row(8, handling_department=None, hall=None, window="", handler=None, applicant=None, phone=None))
    workbook = written(tmp_path, iter(rows))
    assert records(workbook["未评办件"]) == [
        {
            "序号": number,
            "区划": given.district_name,
            "承办部门": given.handling_department,
            "大厅": given.hall,
            "窗口": given.window or None,
            "经办人": given.handler,
            "办件编号": given.case_number,
            "服务序号": given.service_number,
            "事项编码": given.service_item_code,
            "事项名称": given.service_item_name,
            "申请人": given.applicant,
            "联系电话": given.phone,
            "办结时间": local(given.finished_at),
            "已过工作日": given.age_working_days,
            "评价截止日": datetime.combine(given.deadline, datetime.min.time()),
            "逾期": "逾期" if given.overdue else None,
            "状态": STATE_NAMES[given.state],
        }
        for number, given in enumerate(rows, 1)
    ]


def test_default_rated_rows_have_a_sheet_of_their_own(tmp_path: Path) -> None:
    workbook = written(tmp_path, [row(1)], [default_row(2), default_row(3)])
    told = records(workbook["默认评价"])
    assert [line["办件编号"] for line in told] == [f"{2:018d}", f"{3:018d}"]
    assert {line["默认评价时间"] for line in told} == {datetime(2026, 11, 23, 10, 30)}
    assert [line["办件编号"] for line in records(workbook["未评办件"])] == [f"{1:018d}"]


def test_a_row_in_the_wrong_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected rows of section unrated, got one of default_rated"):
        written(tmp_path, [default_row(1)])


def test_days_and_times_are_real_ones(tmp_path: Path) -> None:
    sheet = written(tmp_path, [row(1)])["未评办件"]
    at, deadline = sheet["M2"], sheet["O2"]
    assert (at.is_date, at.number_format) == (True, "yyyy-mm-dd hh:mm")
    assert (deadline.is_date, deadline.number_format) == (True, "yyyy-mm-dd")


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "=cmd|' /C calc'!A0",
        "<r>&</r>",
        "<r><t>x</t></r>",
        "007",
        "1e5",
        "TRUE",
        "{=1}",
        "\t=1",
    ],
)
def test_text_stays_text(tmp_path: Path, text: str) -> None:
    workbook = written(
        tmp_path,
        [row(1, service_item_name=text, case_number=text)],
        bad_reviews=[review(1, reason=text)],
        rates=[GroupRates(None, text, None, (Rate(text, text, 1, 2, text),))],
    )
    found = [workbook["未评办件"]["G2"], workbook["未评办件"]["J2"], workbook["差评整改"]["N2"], workbook["指标"]["E2"]]
    for cell in found:
        assert (cell.value, cell.data_type, cell.number_format) == (text, "s", "@")


@settings(max_examples=150)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_text_comes_out_as_it_went_in(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("sheet") / "one.xlsx"
    workbook = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    sheet = workbook.add_worksheet(worksheet_class=StreamedSheet)
    sheet.write_line(0, 15, [(text, workbook.add_format())])
    workbook.close()
    cell = load_workbook(path).worksheets[0]["A1"]
    assert cell.data_type == "s"
    assert unescape(cell.value) == text


def test_a_text_that_no_cell_holds_is_cut_and_says_so(tmp_path: Path) -> None:
    longest = "长" * LONGEST_TEXT
    reasons = [longest, longest + "长", "𠮷" * 20_000, "a\n" * 12_000]
    workbook = written(tmp_path, bad_reviews=[review(number, reason=reason) for number, reason in enumerate(reasons)])
    told = [line["差评原因"] for line in records(workbook["差评整改"])]
    assert told[0] == longest
    assert told[1] == "长" * (LONGEST_TEXT - 9) + "…（过长，已截断）"
    assert told[2] == "𠮷" * ((LONGEST_TEXT - 9) // 2) + "…（过长，已截断）"
    assert told[3] == "a\n" * 12_000
    assert all(len(text.encode("utf-16-le")) <= 2 * LONGEST_TEXT for text in told)


def test_a_day_that_the_format_does_not_know_stands_as_text(tmp_path: Path) -> None:
    early = row(1, finished_at=datetime(1899, 5, 6, 7, 8, tzinfo=CITY_TIME_ZONE), deadline=date(1900, 1, 5))
    [told] = records(written(tmp_path, [early])["未评办件"])
    assert (told["办结时间"], told["评价截止日"]) == ("1899-05-06 07:08", "1900-01-05")


def test_more_rows_than_a_sheet_holds_are_split(tmp_path: Path) -> None:
    rows = [row(number, window=f"{number}号") for number in range(1, 12)]
    workbook = written(tmp_path, iter(rows), [default_row(1), default_row(2)], max_rows=5)
    assert workbook.sheetnames == ["封面", "未评办件(1)", "未评办件(2)", "未评办件(3)", "默认评价", "差评整改", "指标"]
    parts = [records(workbook[f"未评办件({number})"]) for number in (1, 2, 3)]
    assert [len(part) for part in parts] == [4, 4, 3]
    assert [line["序号"] for part in parts for line in part] == list(range(1, 12))
    assert [line["办件编号"] for part in parts for line in part] == [given.case_number for given in rows]
    lines = cover(workbook)
    assert lines["未评办件(2)"] == (4, "5 – 8", "自 鄂城区·市公安局·市民之家·5号 至 鄂城区·市公安局·市民之家·8号")
    assert lines["未评办件(3)"] == (3, "9 – 11", "自 鄂城区·市公安局·市民之家·9号 至 鄂城区·市公安局·市民之家·11号")
    for number, rows_in_it in ((1, 5), (2, 5), (3, 4)):
        assert workbook[f"未评办件({number})"].auto_filter.ref == f"A1:Q{rows_in_it}"
        assert workbook[f"未评办件({number})"].print_title_rows == "$1:$1"


def test_a_sheet_that_is_just_full_is_not_split(tmp_path: Path) -> None:
    workbook = written(tmp_path, [row(number) for number in range(4)], max_rows=5)
    assert workbook.sheetnames == ["封面", "未评办件", "默认评价", "差评整改", "指标"]


def test_a_row_alone_on_the_last_sheet_is_its_first_and_last(tmp_path: Path) -> None:
    workbook = written(tmp_path, [row(number) for number in range(1, 6)], max_rows=5)
    place = "鄂城区·市公安局·市民之家·A05"
    assert cover(workbook)["未评办件(2)"] == (1, "5 – 5", f"自 {place} 至 {place}")


@pytest.mark.parametrize("rows", [1, 1_048_577])
def test_a_limit_that_no_sheet_has_is_refused(tmp_path: Path, rows: int) -> None:
    with pytest.raises(ValueError, match="expected 2 to 1048576"):
        written(tmp_path, max_rows=rows)


def test_links_lead_to_the_sheets(tmp_path: Path) -> None:
    workbook = written(tmp_path, [row(number) for number in range(6)], max_rows=5)
    links = {
        cell.value: cell.hyperlink.location for line in workbook["封面"].iter_rows() for cell in line if cell.hyperlink
    }
    assert links == {name: f"'{name}'!A1" for name in workbook.sheetnames[1:]}


def test_every_sheet_can_be_printed(tmp_path: Path) -> None:
    workbook = written(tmp_path, [row(1)], [default_row(1)], replace(PUBLISHED, version=2), [review(1)])
    for sheet in workbook.worksheets:
        assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 9)
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.page_setup.fitToWidth in (1, None)
        assert "&P" in sheet.oddFooter.center.text.replace("&[Page]", "&P")
        assert sheet.oddHeader.left.text == TITLE
        assert sheet.oddHeader.right.text == "终清单 2026-11-24 第2版（截至 2026-11-24 24:00）"
    for sheet in workbook.worksheets[1:]:
        assert sheet.freeze_panes == "A2"
        assert sheet.print_title_rows == "$1:$1"
        assert sheet.auto_filter.ref is not None
        assert sheet.page_setup.fitToHeight == 0


def test_a_row_is_as_high_as_its_texts_need(tmp_path: Path) -> None:
    sheet = written(tmp_path, [row(1), row(2, service_item_name="很长的事项名称" * 8)])["未评办件"]
    one, several = sheet.row_dimensions[2].height, sheet.row_dimensions[3].height
    assert (one, several) == (18, 4.5 + 13.5 * 5)


def test_what_is_overdue_is_red(tmp_path: Path) -> None:
    sheet = written(tmp_path, [row(1, overdue=True), row(2)])["未评办件"]
    assert [sheet[f"O{line}"].font.color.rgb == "FFC00000" for line in (2, 3)] == [True, False]


def test_the_cover_says_what_the_list_is(tmp_path: Path) -> None:
    published = replace(
        PUBLISHED,
        stale=(
            StaleSource("a/b", "自建系统办件", datetime(2026, 11, 23, 15, tzinfo=UTC)),
            StaleSource("c/d", "终端评价", None),
        ),
        calendar_note="工作日安排仅确知至2026年12月31日",
    )
    workbook = written(tmp_path, [row(1, overdue=True), row(2), row(3)], [default_row(4)], published)
    lines = list(workbook["封面"].iter_rows(values_only=True))
    assert lines[0][0] == TITLE
    assert lines[1][0] == "终清单　2026年11月24日（星期二）　第1版"
    told = [(line[0], line[1]) for line in lines]
    assert ("清单日期", "2026-11-24") in told
    assert ("清单种类", "终清单") in told
    assert ("版次", "第1版") in told
    assert ("截止时刻", "2026-11-24 24:00") in told
    assert ("发布时间", "2026-11-25 01:05") in told
    stale = [text for name, text in told if name == "未更新的来源"]
    assert len(stale) == 2
    assert "自建系统办件" in stale[0]
    assert "最近读取于 2026-11-23 23:00" in stale[0]
    assert "从未读取" in stale[1]
    assert ("工作日历", "工作日安排仅确知至2026年12月31日") in told
    counts = {name: line[:2] for name, line in cover(workbook).items()}
    # A district's workbook has its own rows beside those of the whole list.
    assert counts["其中：新增"] == (1, 4)
    assert counts["其中：结转"] == (2, 5)
    assert counts["其中：重现"] == (1, 1)
    assert counts["其中：逾期"] == (1, "—")
    assert counts["已评销号"] == ("—", 11)
    assert counts["撤销"] == ("—", 2)
    assert counts["本次归档"] == ("—", 6)
    assert counts["累计归档"] == ("—", 60)
    assert [(line[1], line[2]) for line in lines if line[0] == "未评办件"] == [(3, 7), (3, "1 – 3")]
    assert [(line[1], line[2]) for line in lines if line[0] == "默认评价"] == [(1, 3), (1, "1 – 1")]


def test_the_cover_of_a_working_list_that_is_up_to_date(tmp_path: Path) -> None:
    published = replace(PUBLISHED, kind="working", cutoff_at=datetime(2026, 11, 24, 8, 30, tzinfo=UTC))
    lines = cover(written(tmp_path, published=published))
    assert lines["清单种类"][0] == "工作清单"
    assert lines["截止时刻"][0] == "2026-11-24 16:30"
    assert "均已读取" in lines["数据来源"][0]
    assert "未更新的来源" not in lines
    assert "工作日历" not in lines


def test_bad_reviews_stand_overdue_first(tmp_path: Path) -> None:
    states = ["done", "open", "rectification_overdue", "done_late", "callback_overdue", "open"]
    reviews = [review(number, state=state) for number, state in enumerate(states)]
    reviews[0] = replace(
        reviews[0],
        called_back_at=datetime(2026, 11, 23, 1, tzinfo=UTC),
        rectified_at=datetime(2026, 12, 1, 1, tzinfo=UTC),
    )
    told = records(written(tmp_path, bad_reviews=reviews)["差评整改"])
    assert [(line["评价编号"], line["状态"]) for line in told] == [
        ("HP0004", "回访逾期"),
        ("HP0002", "整改逾期"),
        ("HP0001", "办理中"),
        ("HP0005", "办理中"),
        ("HP0003", "逾期完成"),
        ("HP0000", "按期完成"),
    ]
    last = told[-1]
    assert last["评价等级"] == "非常不满意"
    assert last["差评原因"] == "等候太久"
    assert last["回访期限"] == datetime(2026, 11, 23)
    assert last["回访时间"] == datetime(2026, 11, 23, 9)
    assert last["整改期限"] == datetime(2026, 12, 11)
    assert last["整改完成时间"] == datetime(2026, 12, 1, 9)
    assert told[0]["回访时间"] is None


def test_rates_stand_with_their_counts_and_definitions(tmp_path: Path) -> None:
    shown = Rate("满意率（含默认）", "满意及以上 ÷ 有效评价", 9989, 10000, "99.89%")
    none = Rate("按期整改率", "按期整改 ÷ 到期差评", 0, 0, "无差评")
    rates = [GroupRates(None, "鄂州市", None, (shown, none)), GroupRates("echeng", "鄂城区", "市公安局", (shown,))]
    told = [tuple(line.values())[1:] for line in records(written(tmp_path, rates=rates)["指标"])]
    assert told == [
        ("鄂州市", "全部部门", "满意率（含默认）", "99.89%", 9989, 10000, "满意及以上 ÷ 有效评价"),
        ("鄂州市", "全部部门", "按期整改率", "无差评", 0, 0, "按期整改 ÷ 到期差评"),
        ("鄂城区", "市公安局", "满意率（含默认）", "99.89%", 9989, 10000, "满意及以上 ÷ 有效评价"),
    ]


def changed(number: int, change: Any, section: Any, district: str | None = "echeng") -> ChangedService:
    return ChangedService(
        record_key=f"EZ{number}|1",
        district=district,
        handling_department="市公安局",
        hall=None,
        window=None,
        handler=None,
        case_number=f"EZ{number}",
        service_number="1",
        service_item_name="居住证签注",
        finished_at=datetime(2026, 11, 20, 1, tzinfo=UTC),
        change=change,
        section=section,
    )


def test_a_later_version_shows_how_it_differs(tmp_path: Path) -> None:
    difference = [
        changed(1, "added", "unrated"),
        changed(2, "removed", "unrated"),
        changed(3, "removed", "default_rated", "nowhere"),
        changed(4, "changed", "unrated", None),
        changed(5, "changed", "default_rated"),
    ]
    published = replace(PUBLISHED, version=2)
    workbook = written(tmp_path, published=published, difference=difference, district_names={"echeng": "鄂城区"})
    told = [tuple(line.values()) for line in records(workbook["与上一版差异"])]
    assert [line[1:5] for line in told] == [
        ("新列入", None, "未评办件", "鄂城区"),
        ("移出", "未评办件", None, "鄂城区"),
        ("移出", "默认评价", None, "nowhere"),
        ("改列", "默认评价", "未评办件", "本市以外或未填区划"),
        ("改列", "未评办件", "默认评价", "鄂城区"),
    ]
    assert told[0][9] == "EZ1"
    assert told[0][-1] == datetime(2026, 11, 20, 9)


def test_a_first_version_has_no_sheet_of_differences(tmp_path: Path) -> None:
    assert "与上一版差异" not in written(tmp_path, difference=[changed(1, "added", "unrated")]).sheetnames


def test_an_empty_list_says_so_on_every_sheet(tmp_path: Path) -> None:
    workbook = written(tmp_path)
    for sheet in workbook.worksheets[1:]:
        assert sheet["B2"].value == "（本表无数据）"
    assert cover(workbook)["指标"] == (0, "—", "各项比率及其分子、分母、口径")


def test_a_title_with_marks_of_the_page_header_stands_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    write_workbook(path, PUBLISHED, "甲&P乙" * 60, [], [], [], [])
    with zipfile.ZipFile(path) as archive:
        header = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "&amp;L甲&amp;&amp;P乙" in header
    assert "终清单 2026-11-24" in header


def test_the_file_is_for_this_account_alone_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    written(tmp_path, [row(1)])
    assert stat.S_IMODE((tmp_path / "list.xlsx").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["list.xlsx"]


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    written(tmp_path / "2026" / "11")
    assert stat.S_IMODE((tmp_path / "2026" / "11").stat().st_mode) == 0o700


def test_a_list_that_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    def breaking() -> Iterator[ListRow]:
        yield row(1)
        raise RuntimeError("the connection is gone")

    written(tmp_path, [row(1)])
    before = (tmp_path / "list.xlsx").read_bytes()
    with pytest.raises(RuntimeError, match="the connection is gone"):
        written(tmp_path, breaking())
    assert [path.name for path in tmp_path.iterdir()] == ["list.xlsx"]
    assert (tmp_path / "list.xlsx").read_bytes() == before


def test_an_error_of_the_system_names_the_folder_and_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xlsxwriter.workbook.ZipFile", full)
    with pytest.raises(FileNotWritten, match=rf"list.xlsx .*{tmp_path}: No space left.* MB free.*Free space there"):
        written(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_same_list_gives_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        written(tmp_path / name, [row(1)], [default_row(2)], bad_reviews=[review(1)])
        contents.append((tmp_path / name / "list.xlsx").read_bytes())
    assert contents[0] == contents[1]
