"""A published list as a workbook (XLSX) for halls and sections: sheets to filter, to print and to hand on.

Rows are written as they come, in bounded memory. Every text is a text cell, whatever it begins with, so that nothing
that somebody typed in at a counter is ever calculated. The same list gives the same bytes.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, Literal, TypeVar

import xlsxwriter  # type: ignore[import-untyped]  # It has no types.
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]

from zhengku.catalog.codes import CODES
from zhengku.clearance.lists import (
    NO_DISTRICT_ZH,
    BadReview,
    ChangedService,
    GroupRates,
    ListRow,
    PublishedList,
    Rate,
    Section,
)
from zhengku.clearance.streamed_sheet import StreamedSheet, Value
from zhengku.settings import CITY_TIME_ZONE

SHEET_ROWS = 1_048_576
"""Rows that a sheet of this format holds, its header among them."""

KIND_NAMES = {"working": "工作清单", "final": "终清单"}
SECTION_NAMES = {"unrated": "未评办件", "default_rated": "默认评价"}
STATE_NAMES = {"new": "新增", "carried_over": "结转", "reopened": "重现"}
CHANGE_NAMES = {"added": "新列入", "removed": "移出", "changed": "改列"}
REVIEW_STATE_NAMES = {
    "callback_overdue": "回访逾期",
    "rectification_overdue": "整改逾期",
    "open": "办理中",
    "done_late": "逾期完成",
    "done": "按期完成",
}
"""In the order of their urgency, in which the sheet shows them."""

_BAD_REVIEWS = "差评整改"
_RATES = "指标"
_DIFFERENCE = "与上一版差异"
_COVER = "封面"

_CONTENTS = {
    "未评办件": "截止时刻尚无本人有效评价的办件，按区划、承办部门、大厅、窗口、经办人排列",
    "默认评价": "仅有系统默认评价的办件；默认评价不是群众评价，不计入主动评价",
    _BAD_REVIEWS: "实名差评的回访与整改，逾期的在前",
    _RATES: "各项比率及其分子、分母、口径",
    _DIFFERENCE: "本版相对上一版新列入、移出、改列的办件",
}
_REMARKS = (
    "本清单用于提醒办事群众自愿评价，任何人不得代为评价或诱导评价。",
    "申请人、联系电话已脱敏；清单仅供工作使用，请妥善保管。",
    "清单一经发布不再改动；如有更正，另发新的版次。",
)

_Look = Literal["wrap", "centre", "figure", "count", "number", "day", "time"]
_RowT = TypeVar("_RowT")

_FONT = "微软雅黑"
_DARK, _PALE, _LINE, _RED = "#1F4E79", "#DDEBF7", "#BFBFBF", "#C00000"
_WEEKDAYS = "一二三四五六日"
_MOST_LINES = 20


@dataclass(frozen=True)
class _Column(Generic[_RowT]):
    """A column: `width` in characters, `alarm` tells which of its cells are red."""

    header: str
    width: float
    value: Callable[[_RowT], Value]
    look: _Look
    alarm: Callable[[_RowT], bool] | None = None


@dataclass(frozen=True)
class _RateLine:
    group: GroupRates
    rate: Rate


_ROW_COLUMNS: tuple[_Column[ListRow], ...] = (
    _Column("区划", 9, lambda row: row.district_name, "wrap"),
    _Column("承办部门", 16, lambda row: row.handling_department, "wrap"),
    _Column("大厅", 18, lambda row: row.hall, "wrap"),
    _Column("窗口", 9, lambda row: row.window, "wrap"),
    _Column("经办人", 8, lambda row: row.handler, "wrap"),
    _Column("办件编号", 21, lambda row: row.case_number, "wrap"),
    _Column("服务序号", 6, lambda row: row.service_number, "centre"),
    _Column("事项编码", 15, lambda row: row.service_item_code, "wrap"),
    _Column("事项名称", 26, lambda row: row.service_item_name, "wrap"),
    _Column("申请人", 10, lambda row: row.applicant, "wrap"),
    _Column("联系电话", 13, lambda row: row.phone, "centre"),
    _Column("办结时间", 16, lambda row: _local(row.finished_at), "time"),
    _Column("已过工作日", 7, lambda row: row.age_working_days, "count"),
    _Column("评价截止日", 11, lambda row: row.deadline, "day", lambda row: row.overdue),
    _Column("逾期", 6, lambda row: "逾期" if row.overdue else None, "centre", lambda row: row.overdue),
    _Column("状态", 7, lambda row: STATE_NAMES[row.state], "centre"),
)
_DEFAULT_AT: _Column[ListRow] = _Column("默认评价时间", 16, lambda row: _local(row.default_at), "time")

_REVIEW_COLUMNS: tuple[_Column[BadReview], ...] = (
    _Column("状态", 9, lambda row: REVIEW_STATE_NAMES[row.state], "centre", lambda row: "overdue" in row.state),
    _Column("评价编号", 18, lambda row: row.evaluation_number, "wrap"),
    _Column("区划", 9, lambda row: row.district_name, "wrap"),
    _Column("承办部门", 16, lambda row: row.handling_department, "wrap"),
    _Column("大厅", 14, lambda row: row.hall, "wrap"),
    _Column("窗口", 9, lambda row: row.window, "wrap"),
    _Column("经办人", 8, lambda row: row.handler, "wrap"),
    _Column("办件编号", 21, lambda row: row.case_number, "wrap"),
    _Column("服务序号", 6, lambda row: row.service_number, "centre"),
    _Column("事项名称", 24, lambda row: row.service_item_name, "wrap"),
    _Column("评价等级", 10, lambda row: CODES["evaluation"]["level"].get(row.level, row.level), "centre"),
    _Column("评价时间", 16, lambda row: _local(row.evaluated_at), "time"),
    _Column("差评原因", 30, lambda row: row.reason, "wrap"),
    _Column("回访期限", 11, lambda row: row.callback_due, "day", lambda row: row.state == "callback_overdue"),
    _Column("回访时间", 16, lambda row: _local(row.called_back_at), "time"),
    _Column("整改期限", 11, lambda row: row.rectification_due, "day", lambda row: row.state == "rectification_overdue"),
    _Column("整改完成时间", 16, lambda row: _local(row.rectified_at), "time"),
)

_RATE_COLUMNS: tuple[_Column[_RateLine], ...] = (
    _Column("区划", 14, lambda row: row.group.district_name, "wrap"),
    _Column("承办部门", 22, lambda row: row.group.handling_department or "全部部门", "wrap"),
    _Column("指标", 22, lambda row: row.rate.name_zh, "wrap"),
    _Column("数值", 11, lambda row: row.rate.shown, "figure"),
    _Column("分子", 11, lambda row: row.rate.numerator, "number"),
    _Column("分母", 11, lambda row: row.rate.denominator, "number"),
    _Column("口径", 76, lambda row: row.rate.definition_zh, "wrap"),
)


def write_workbook(
    path: Path,
    published: PublishedList,
    title_zh: str,
    unrated: Iterable[ListRow],
    default_rated: Iterable[ListRow],
    bad_reviews: Sequence[BadReview],
    rates: Sequence[GroupRates],
    difference: Sequence[ChangedService] = (),
    district_names: Mapping[str, str] | None = None,
    max_rows: int = SHEET_ROWS,
) -> None:
    """Write a list, or a district's part of it, to `path`, aside first, readable by this account alone.

    `unrated` and `default_rated` are read one after the other, each in the order of the list; what has more rows than a
    sheet (`max_rows`, its header among them) goes on in another one. `difference` against the version before is shown
    from version 2 on, its districts by `district_names` (key → name). Times are shown in Asia/Shanghai.

    Raises `ValueError` for a row in the wrong section, `OSError` when the file cannot be written; nothing is left of it
    then, and what stood at `path` stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Beside the target, and not where everybody's temporary files are: rows lie in it until the file is packed.
    with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        aside = Path(folder) / path.name
        book = _Book(aside, published, title_zh, max_rows)
        tally: Counter[str] = Counter()
        sheets: list[_Sheets[Any]] = [
            _write_section(book, "unrated", unrated, _ROW_COLUMNS, tally),
            _write_section(book, "default_rated", default_rated, (*_ROW_COLUMNS, _DEFAULT_AT), tally),
            _write_bad_reviews(book, bad_reviews),
            _write_rates(book, rates),
        ]
        if published.version > 1:
            sheets.append(_write_difference(book, difference, district_names or {}))
        _Cover(book, published, title_zh).write(tally, sheets)
        book.close()
        aside.chmod(0o600)
        aside.replace(path)


class _Book:
    """The workbook with its formats."""

    def __init__(self, path: Path, published: PublishedList, title_zh: str, max_rows: int) -> None:
        if not 2 <= max_rows <= SHEET_ROWS:
            raise ValueError(f"expected 2 to {SHEET_ROWS} rows of a sheet, got {max_rows}")
        self.max_rows = max_rows
        self.workbook: Any = xlsxwriter.Workbook(
            os.fspath(path), {"constant_memory": True, "tmpdir": os.fspath(path.parent)}
        )
        self.workbook.use_zip64()
        self.workbook.set_properties({"title": title_zh, "created": published.published_at.astimezone(UTC)})
        name = f"{KIND_NAMES[published.kind]} {published.day:%Y-%m-%d} 第{published.version}版"
        cutoff = _city_time(published.cutoff_at, published.day)
        # `&` begins an instruction there; both parts together must stay below 255 characters.
        self.print_header = f"&L{title_zh[:100].replace('&', '&&')}&R{name}（截至 {cutoff}）"
        self.cover: Any = self.workbook.add_worksheet(_COVER)
        self.formats: dict[tuple[_Look, bool], Any] = {
            (look, is_alarm): self.format(
                **_LOOKS[look], **({"font_color": _RED, "bold": True} if is_alarm else {}), border=1, border_color=_LINE
            )
            for look in _LOOKS
            for is_alarm in (False, True)
        }
        self.header = self.format(
            bold=True,
            font_color="#FFFFFF",
            bg_color=_DARK,
            border=1,
            border_color=_LINE,
            align="center",
            text_wrap=True,
        )

    def format(self, **properties: object) -> Any:
        return self.workbook.add_format({"font_name": _FONT, "font_size": 10, "valign": "vcenter", **properties})

    def add_sheet(self, name: str) -> Any:
        sheet = self.workbook.add_worksheet(name, worksheet_class=StreamedSheet)
        self.set_up_print(sheet)
        return sheet

    def set_up_print(self, sheet: Any) -> None:
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.set_margins(left=0.4, right=0.4, top=0.7, bottom=0.6)
        sheet.center_horizontally()
        sheet.fit_to_pages(1, 0)
        sheet.set_header(self.print_header)
        sheet.set_footer("&L内部资料，已脱敏&C第 &P 页，共 &N 页&R&A")

    def close(self) -> None:
        try:
            self.workbook.close()
        except FileCreateError as error:
            # It wraps the error of the system, which says what is the matter.
            raise error.args[0] from error


_LOOKS: dict[_Look, dict[str, object]] = {
    "wrap": {"num_format": "@", "text_wrap": True},
    "centre": {"num_format": "@", "align": "center"},
    "figure": {"num_format": "@", "align": "right", "indent": 1},
    "count": {"num_format": "0", "align": "center"},
    "number": {"num_format": "#,##0", "align": "right", "indent": 1},
    "day": {"num_format": "yyyy-mm-dd", "align": "center"},
    "time": {"num_format": "yyyy-mm-dd hh:mm", "align": "center"},
}


@dataclass
class _Part:
    """A sheet: rows `first` to `last` of its section, with the places of the two."""

    sheet: Any
    name: str
    first: int
    last: int
    begins: str = ""
    ends: str = ""


class _Sheets(Generic[_RowT]):
    """The rows of one kind, on as many sheets as they need."""

    def __init__(
        self,
        book: _Book,
        name: str,
        columns: Sequence[_Column[_RowT]],
        place: Callable[[_RowT], str] = lambda _: "",
    ) -> None:
        self.book = book
        self.name = name
        self.columns = columns
        self.place = place
        self.count = 0
        self.parts: list[_Part] = []
        self._begin_part()

    def write(self, rows: Iterable[_RowT]) -> None:
        """Write all rows, and finish the sheets."""
        formats = self.book.formats
        count_format = formats["count", False]
        columns = [
            (column.value, column.alarm, formats[column.look, False], formats[column.look, True], int(column.width))
            for column in self.columns
        ]
        part = self.parts[-1]
        line, last_line = 0, self.book.max_rows - 1
        row: _RowT | None = None
        for row in rows:
            if line == last_line:
                part = self._begin_part()
                line = 0
            line += 1
            self.count += 1
            part.last = self.count
            if line == 1:
                part.begins = self.place(row)
            elif line == last_line:
                part.ends = self.place(row)
            cells: list[tuple[Value, Any]] = [(self.count, count_format)]
            lines = 1
            for value, alarm, usual, alarming, width in columns:
                content = value(row)
                # Numbers, days and times have the width that they need.
                if isinstance(content, str) and len(content) * 2 > width:
                    lines = max(lines, _lines(content, width))
                cells.append((content, alarming if alarm is not None and alarm(row) else usual))
            part.sheet.write_line(line, _height(lines), cells)
        if row is None:
            part.sheet.write_string(1, 1, "（本表无数据）", self.book.format(font_color="#7F7F7F"))
        else:
            part.ends = self.place(row)
        for part in self.parts:
            self._finish(part)

    def _begin_part(self) -> _Part:
        if len(self.parts) == 1:
            # Only now it is known that there are several. Nothing has taken up the name yet: `_finish` comes last.
            self.parts[0].name = self.parts[0].sheet.name = f"{self.name}(1)"
        name = f"{self.name}({len(self.parts) + 1})" if self.parts else self.name
        sheet = self.book.add_sheet(name)
        sheet.set_column(0, 0, 7)
        sheet.set_row(0, 32)
        sheet.write_string(0, 0, "序号", self.book.header)
        for position, column in enumerate(self.columns, 1):
            sheet.set_column(position, position, column.width)
            sheet.write_string(0, position, column.header, self.book.header)
        sheet.freeze_panes(1, 0)
        self.parts.append(_Part(sheet, name, self.count + 1, self.count))
        return self.parts[-1]

    def _finish(self, part: _Part) -> None:
        part.sheet.autofilter(0, 0, part.last - part.first + 1, len(self.columns))
        part.sheet.repeat_rows(0)


def _write_section(
    book: _Book,
    section: Section,
    rows: Iterable[ListRow],
    columns: Sequence[_Column[ListRow]],
    tally: Counter[str],
) -> _Sheets[ListRow]:
    def counted() -> Iterable[ListRow]:
        for row in rows:
            if row.section != section:
                raise ValueError(f"expected rows of section {section}, got one of {row.section}")
            tally[section] += 1
            tally[row.state] += 1
            tally["overdue"] += row.overdue
            yield row

    sheets = _Sheets(book, SECTION_NAMES[section], columns, _place)
    sheets.write(counted())
    return sheets


def _write_bad_reviews(book: _Book, reviews: Sequence[BadReview]) -> _Sheets[BadReview]:
    urgency = list(REVIEW_STATE_NAMES)
    sheets = _Sheets(book, _BAD_REVIEWS, _REVIEW_COLUMNS)
    sheets.write(sorted(reviews, key=lambda review: urgency.index(review.state)))
    return sheets


def _write_rates(book: _Book, groups: Sequence[GroupRates]) -> _Sheets[_RateLine]:
    sheets = _Sheets(book, _RATES, _RATE_COLUMNS)
    sheets.write(_RateLine(group, rate) for group in groups for rate in group.rates)
    return sheets


def _write_difference(
    book: _Book, changes: Sequence[ChangedService], district_names: Mapping[str, str]
) -> _Sheets[ChangedService]:
    def district(row: ChangedService) -> str:
        return NO_DISTRICT_ZH if row.district is None else district_names.get(row.district, row.district)

    columns: tuple[_Column[ChangedService], ...] = (
        _Column("变化", 8, lambda row: CHANGE_NAMES[row.change], "centre"),
        _Column("上一版", 11, _section_before, "centre"),
        _Column("本版", 11, lambda row: None if row.change == "removed" else SECTION_NAMES[row.section], "centre"),
        _Column("区划", 12, district, "wrap"),
        _Column("承办部门", 20, lambda row: row.handling_department, "wrap"),
        _Column("大厅", 20, lambda row: row.hall, "wrap"),
        _Column("窗口", 12, lambda row: row.window, "wrap"),
        _Column("经办人", 9, lambda row: row.handler, "wrap"),
        _Column("办件编号", 22, lambda row: row.case_number, "wrap"),
        _Column("服务序号", 6, lambda row: row.service_number, "centre"),
        _Column("事项名称", 36, lambda row: row.service_item_name, "wrap"),
        _Column("办结时间", 16, lambda row: _local(row.finished_at), "time"),
    )
    sheets = _Sheets(book, _DIFFERENCE, columns)
    sheets.write(changes)
    return sheets


def _section_before(row: ChangedService) -> str | None:
    match row.change, row.section:
        case "added", _:
            return None
        case ("removed", "unrated") | ("changed", "default_rated"):
            return SECTION_NAMES["unrated"]
        case _:
            return SECTION_NAMES["default_rated"]


def _place(row: ListRow) -> str:
    parts = (row.district_name, row.handling_department, row.hall, row.window)
    return "·".join(part for part in parts if part)


class _Cover:
    """The first sheet: what list this is, how many rows it has, how fresh it is, and what stands where."""

    _WIDTHS = (20, 16, 16, 100)

    def __init__(self, book: _Book, published: PublishedList, title_zh: str) -> None:
        self.book = book
        self.sheet = book.cover
        self.published = published
        self.title = title_zh
        self.line = 0
        self.label = book.format(bold=True, bg_color=_PALE, border=1, border_color=_LINE, indent=1)
        text = {"num_format": "@", "border": 1, "border_color": _LINE, "text_wrap": True, "indent": 1}
        self.value = book.format(**text)
        self.warning = book.format(**text, font_color=_RED)
        self.number = book.format(num_format="#,##0", border=1, border_color=_LINE, align="right", indent=1)
        self.heading = book.format(bold=True, font_size=12, font_color=_DARK)

    def write(self, tally: Counter[str], sheets: Sequence[_Sheets[Any]]) -> None:
        """Write the sheet; it comes first and is written last, since only then it is known what stands where."""
        self.book.set_up_print(self.sheet)
        self.sheet.fit_to_pages(1, 1)
        self.sheet.hide_gridlines(2)
        self.sheet.set_default_row(_height(1))
        for position, width in enumerate(self._WIDTHS):
            self.sheet.set_column(position, position, width)
        self._write_title()
        self._write_particulars()
        self._write_counts(tally)
        self._write_contents(sheets)
        self._write_heading("说明")
        for number, remark in enumerate(_REMARKS, 1):
            self._merge(0, f"{number}. {remark}", self.book.format())

    def _write_title(self) -> None:
        published = self.published
        day = f"{published.day.year}年{published.day.month}月{published.day.day}日"
        subtitle = (
            f"{KIND_NAMES[published.kind]}　{day}（星期{_WEEKDAYS[published.day.weekday()]}）　第{published.version}版"
        )
        self.sheet.set_row(0, 36)
        self._merge(0, self.title, self.book.format(bold=True, font_size=20, font_color=_DARK, align="center"))
        self.sheet.set_row(1, 24)
        self._merge(0, subtitle, self.book.format(font_size=12, align="center"))

    def _write_particulars(self) -> None:
        published = self.published
        self._write_heading("清单信息")
        self._write_particular("清单日期", f"{published.day:%Y-%m-%d}")
        self._write_particular("清单种类", KIND_NAMES[published.kind])
        self._write_particular("版次", f"第{published.version}版")
        self._write_particular("截止时刻", _city_time(published.cutoff_at, published.day))
        self._write_particular("发布时间", _city_time(published.published_at))
        if not published.stale:
            self._write_particular("数据来源", "各来源均已读取至截止时刻之后")
        for source in published.stale:
            since = "从未读取" if source.read_at is None else f"最近读取于 {_city_time(source.read_at)}"
            text = f"{source.title}：截止时刻之后未再读取，{since}，本清单可能不全"
            self._write_particular("未更新的来源", text, is_warning=True)
        if published.calendar_note:
            self._write_particular("工作日历", published.calendar_note, is_warning=True)

    def _write_counts(self, tally: Counter[str]) -> None:
        counts = self.published.counts
        self._write_heading("件数")
        self._write_header("项目", "本表", "全市清单", "含义")
        lines: tuple[tuple[str, int | None, int | None, str], ...] = (
            ("未评办件", tally["unrated"], counts.unrated, _CONTENTS["未评办件"]),
            ("默认评价", tally["default_rated"], counts.default_rated, _CONTENTS["默认评价"]),
            ("其中：新增", tally["new"], counts.new, "本日首次列入"),
            ("其中：结转", tally["carried_over"], counts.carried_over, "上一日终清单已列、至今未评"),
            ("其中：重现", tally["reopened"], counts.reopened, "曾列入而后销号，因原评价失效等再次列入"),
            ("其中：逾期", tally["overdue"], None, "已过评价截止日"),
            ("已评销号", None, counts.cleared, "上一日终清单所列，已有本人有效评价"),
            ("撤销", None, counts.withdrawn, "上一日终清单所列，因撤回、移除等不再属可评价办件"),
            ("本次归档", None, counts.archived, "超过留单期限仍未评价，不再列入"),
            ("累计归档", None, counts.archived_total, "截至本清单，历次归档合计"),
        )
        for name, here, city, meaning in lines:
            self.sheet.write_string(self.line, 0, name, self.label)
            for position, count in ((1, here), (2, city)):
                if count is None:
                    self.sheet.write_string(self.line, position, "—", self.number)
                else:
                    self.sheet.write_number(self.line, position, count, self.number)
            self.sheet.write_string(self.line, 3, meaning, self.value)
            self.line += 1

    def _write_contents(self, sheets: Sequence[_Sheets[Any]]) -> None:
        self._write_heading("目录")
        self._write_header("工作表", "行数", "序号", "内容")
        link = self.book.format(border=1, border_color=_LINE, font_color="#0563C1", underline=1, indent=1)
        for kind in sheets:
            for part in kind.parts:
                count = part.last - part.first + 1
                extent = f"{part.first:,} – {part.last:,}" if count else "—"
                content = _CONTENTS[kind.name]
                if len(kind.parts) > 1 and part.begins:
                    content = f"自 {part.begins} 至 {part.ends}"
                self.sheet.set_row(self.line, _height(_lines(content, self._WIDTHS[3])))
                self.sheet.write_url(self.line, 0, f"internal:'{part.name}'!A1", link, part.name)
                self.sheet.write_number(self.line, 1, count, self.number)
                self.sheet.write_string(self.line, 2, extent, self.number)
                self.sheet.write_string(self.line, 3, content, self.value)
                self.line += 1

    def _write_heading(self, text: str) -> None:
        self.line += 1
        self.sheet.set_row(self.line, 22)
        self.sheet.write_string(self.line, 0, text, self.heading)
        self.line += 1

    def _write_header(self, *names: str) -> None:
        for position, name in enumerate(names):
            self.sheet.write_string(self.line, position, name, self.book.header)
        self.line += 1

    def _write_particular(self, name: str, value: str, *, is_warning: bool = False) -> None:
        self.sheet.write_string(self.line, 0, name, self.label)
        self.sheet.set_row(self.line, _height(_lines(value, sum(self._WIDTHS[1:]))))
        self._merge(1, value, self.warning if is_warning else self.value)

    def _merge(self, first_column: int, text: str, cell_format: Any) -> None:
        last_column = len(self._WIDTHS) - 1
        self.sheet.merge_range(self.line, first_column, self.line, last_column, "", cell_format)
        self.sheet.write_string(self.line, first_column, text, cell_format)
        self.line += 1


def _lines(text: str, width: int) -> int:
    """Return how many lines a text takes in a column: programs that show a sheet do not all make rows higher."""
    # In this encoding a character has about as many bytes as it is wide.
    return sum(max(1, -(-len(line.encode("gb18030")) // width)) for line in text.split("\n"))


def _height(lines: int) -> float:
    """Return the height of a row in points."""
    return 4.5 + 13.5 * min(lines, _MOST_LINES)


def _local(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(CITY_TIME_ZONE)


def _city_time(moment: datetime, day: date | None = None) -> str:
    """Return `2026-11-24 16:30` (Asia/Shanghai); the midnight that ends `day` as its 24:00."""
    local = moment.astimezone(CITY_TIME_ZONE)
    if day is not None and local.time() == time() and (local.date() - day).days == 1:
        return f"{day:%Y-%m-%d} 24:00"
    return f"{local:%Y-%m-%d %H:%M}"
