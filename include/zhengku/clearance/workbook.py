"""A published list as a workbook (XLSX) for halls and sections, with sheets to filter, print and pass on.

Rows are written as they are read, in bounded memory. Every text is a text cell, whatever it starts with: nothing typed
in at a counter is calculated as a formula. The same list gives the same bytes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhengku.catalog.codes import CODES
from zhengku.clearance.districts import NO_DISTRICT_ZH
from zhengku.clearance.evaluations import BadReview
from zhengku.clearance.list_rows import ChangedService, LeftService, ListedService, ListRow, Section
from zhengku.clearance.list_versions import ListVersion
from zhengku.clearance.rates import GroupRates, Rate
from zhengku.report.sheets import SHEET_ROWS, Book, Column, Cover, Sheets, atomic_write, city_clock, city_time

KIND_NAMES = {"working": "工作清单", "final": "终清单"}
SECTION_NAMES = {"unrated": "未评办件", "default_rated": "默认评价"}
STATE_NAMES = {"new": "新增", "carried_over": "结转", "reopened": "重现"}
CHANGE_NAMES = {"added": "新列入", "removed": "移出", "changed": "改列"}
LEFT_NAMES = {"cleared": "已评销号", "withdrawn": "撤销", "archived": "归档"}
REVIEW_STATE_NAMES = {
    "callback_overdue": "回访逾期",
    "rectification_overdue": "整改逾期",
    "open": "办理中",
    "done_late": "逾期完成",
    "done": "按期完成",
}
"""In the order of urgency, which is the order of the sheet."""

_BAD_REVIEWS = "差评整改"
_RATES = "指标"
_DIFFERENCE = "与上一版差异"
_LEFT = "销号与移出"

_CONTENTS = {
    "未评办件": "截止时刻尚无本人有效评价的办件，按区划、承办部门、大厅、窗口、经办人排列",
    "默认评价": "仅有系统默认评价的办件；默认评价不是群众评价，不计入主动评价",
    _BAD_REVIEWS: "实名差评的回访与整改，逾期的在前，为本版发布时所知",
    _RATES: "各项比率及其分子、分母、口径",
    _DIFFERENCE: "本版相对上一版新列入、移出、改列的办件",
    _LEFT: "上一日终清单所列、本版不再列出的办件及其原因，为本版发布时所知",
}
_REMARKS = (
    "本清单用于提醒办事群众自愿评价，任何人不得代为评价或诱导评价。",
    "申请人、联系电话已脱敏；清单仅供工作使用，请妥善保管。",
    "清单与差评整改一经发布不再改动；如有更正，另发新的版次。指标按生成本表时已入库的数据统计。",
)

_WEEKDAYS = "一二三四五六日"


@dataclass(frozen=True)
class _RateLine:
    group: GroupRates
    rate: Rate


_ROW_COLUMNS: tuple[Column[ListRow], ...] = (
    Column("区划", 9, lambda row: row.district_name, "wrap"),
    Column("承办部门", 16, lambda row: row.handling_department, "wrap"),
    Column("大厅", 18, lambda row: row.hall, "wrap"),
    Column("窗口", 9, lambda row: row.window, "wrap"),
    Column("经办人", 8, lambda row: row.handler, "wrap"),
    Column("办件编号", 21, lambda row: row.case_number, "wrap", unmasked=True),
    Column("服务序号", 6, lambda row: row.service_number, "centre"),
    Column("事项编码", 15, lambda row: row.service_item_code, "wrap"),
    Column("事项名称", 26, lambda row: row.service_item_name, "wrap"),
    Column("申请人", 10, lambda row: row.applicant, "wrap"),
    Column("联系电话", 13, lambda row: row.phone, "centre"),
    Column("办结时间", 16, lambda row: city_clock(row.finished_at), "time"),
    Column("已过工作日", 7, lambda row: row.age_working_days, "count"),
    Column("评价截止日", 11, lambda row: row.deadline, "day", lambda row: row.overdue),
    Column("逾期", 6, lambda row: "逾期" if row.overdue else None, "centre", lambda row: row.overdue),
    Column("状态", 7, lambda row: STATE_NAMES[row.state], "centre"),
)
_DEFAULT_AT: Column[ListRow] = Column("默认评价时间", 16, lambda row: city_clock(row.default_at), "time")

_REVIEW_COLUMNS: tuple[Column[BadReview], ...] = (
    Column("状态", 9, lambda row: REVIEW_STATE_NAMES[row.state], "centre", lambda row: "overdue" in row.state),
    Column("评价编号", 18, lambda row: row.evaluation_number, "wrap"),
    Column("区划", 9, lambda row: row.district_name, "wrap"),
    Column("承办部门", 16, lambda row: row.handling_department, "wrap"),
    Column("大厅", 14, lambda row: row.hall, "wrap"),
    Column("窗口", 9, lambda row: row.window, "wrap"),
    Column("经办人", 8, lambda row: row.handler, "wrap"),
    Column("办件编号", 21, lambda row: row.case_number, "wrap", unmasked=True),
    Column("服务序号", 6, lambda row: row.service_number, "centre"),
    Column("事项名称", 24, lambda row: row.service_item_name, "wrap"),
    Column("评价等级", 10, lambda row: CODES["evaluation"]["level"].get(row.level, row.level), "centre"),
    Column("评价时间", 16, lambda row: city_clock(row.evaluated_at), "time"),
    Column("差评原因", 30, lambda row: row.reason, "wrap"),
    Column("回访期限", 11, lambda row: row.callback_due, "day", lambda row: row.state == "callback_overdue"),
    Column("回访时间", 16, lambda row: city_clock(row.called_back_at), "time"),
    Column("整改期限", 11, lambda row: row.rectification_due, "day", lambda row: row.state == "rectification_overdue"),
    Column("整改完成时间", 16, lambda row: city_clock(row.rectified_at), "time"),
)

_RATE_COLUMNS: tuple[Column[_RateLine], ...] = (
    Column("区划", 14, lambda row: row.group.district_name, "wrap"),
    Column("承办部门", 22, lambda row: row.group.handling_department or "全部部门", "wrap"),
    Column("指标", 22, lambda row: row.rate.name_zh, "wrap"),
    Column("数值", 11, lambda row: row.rate.shown, "figure"),
    Column("分子", 11, lambda row: row.rate.numerator, "number"),
    Column("分母", 11, lambda row: row.rate.denominator, "number"),
    Column("口径", 76, lambda row: row.rate.definition_zh, "wrap"),
)


def write_workbook(
    path: Path,
    published: ListVersion,
    title_zh: str,
    unrated: Iterable[ListRow],
    default_rated: Iterable[ListRow],
    bad_reviews: Sequence[BadReview],
    rates: Sequence[GroupRates],
    difference: Sequence[ChangedService] = (),
    district_names: Mapping[str, str] | None = None,
    max_rows: int = SHEET_ROWS,
    left: Sequence[LeftService] = (),
) -> None:
    """Write a list, or a district's part of it, to `path`, which is replaced at the end; only this account can read it.

    `unrated` and `default_rated` are read one after the other, each in the order of the list; rows that exceed a sheet
    (`max_rows` including its header) continue in another one. `difference` from the version before is written from
    version 2 on, services that `left` since yesterday's list where there are any; `district_names` (key → name) has the
    names of their districts. Times are in Asia/Shanghai.

    Raises `ValueError` for a row of the wrong section, `FileNotWritten` when the file cannot be written; a file
    that was at `path` before stays unchanged then.
    """
    with atomic_write(path) as aside:
        cutoff = city_time(published.cutoff_at, published.day)
        name = f"{KIND_NAMES[published.kind]} {published.day:%Y-%m-%d} 第{published.version}版（截至 {cutoff}）"
        book = Book(aside, title_zh, published.published_at, name, "内部资料，已脱敏", max_rows)
        tally: Counter[str] = Counter()
        sheets: list[Sheets[Any]] = [
            _write_section(book, "unrated", unrated, _ROW_COLUMNS, tally),
            _write_section(book, "default_rated", default_rated, (*_ROW_COLUMNS, _DEFAULT_AT), tally),
            _write_bad_reviews(book, bad_reviews),
            _write_rates(book, rates),
        ]
        if left:
            sheets.append(_write_left(book, left, district_names or {}))
        if published.version > 1:
            sheets.append(_write_difference(book, difference, district_names or {}))
        _Cover(book, published, title_zh).write(tally, sheets)
        book.close()


def _write_section(
    book: Book,
    section: Section,
    rows: Iterable[ListRow],
    columns: Sequence[Column[ListRow]],
    tally: Counter[str],
) -> Sheets[ListRow]:
    def counted() -> Iterable[ListRow]:
        for row in rows:
            if row.section != section:
                raise ValueError(f"expected rows of section {section}, got one of {row.section}")
            tally[section] += 1
            tally[row.state] += 1
            tally["overdue"] += row.overdue
            yield row

    sheets = Sheets(book, SECTION_NAMES[section], columns, _place)
    sheets.write(counted())
    return sheets


def _write_bad_reviews(book: Book, reviews: Sequence[BadReview]) -> Sheets[BadReview]:
    urgency = list(REVIEW_STATE_NAMES)
    sheets = Sheets(book, _BAD_REVIEWS, _REVIEW_COLUMNS)
    sheets.write(sorted(reviews, key=lambda review: urgency.index(review.state)))
    return sheets


def _write_rates(book: Book, groups: Sequence[GroupRates]) -> Sheets[_RateLine]:
    sheets = Sheets(book, _RATES, _RATE_COLUMNS)
    sheets.write(_RateLine(group, rate) for group in groups for rate in group.rates)
    return sheets


def _write_difference(
    book: Book, changes: Sequence[ChangedService], district_names: Mapping[str, str]
) -> Sheets[ChangedService]:
    columns: tuple[Column[ChangedService], ...] = (
        Column("变化", 8, lambda row: CHANGE_NAMES[row.change], "centre"),
        Column("上一版", 11, _section_before, "centre"),
        Column("本版", 11, lambda row: None if row.change == "removed" else SECTION_NAMES[row.section], "centre"),
        *_service_columns(district_names),
    )
    sheets = Sheets(book, _DIFFERENCE, columns)
    sheets.write(changes)
    return sheets


def _write_left(book: Book, left: Sequence[LeftService], district_names: Mapping[str, str]) -> Sheets[LeftService]:
    columns: tuple[Column[LeftService], ...] = (
        Column("原因", 11, lambda row: LEFT_NAMES[row.reason], "centre"),
        Column("上一日", 11, lambda row: SECTION_NAMES[row.section], "centre"),
        *_service_columns(district_names),
    )
    sheets = Sheets(book, _LEFT, columns)
    sheets.write(left)
    return sheets


def _service_columns(district_names: Mapping[str, str]) -> tuple[Column[Any], ...]:
    def district(row: ListedService) -> str:
        return NO_DISTRICT_ZH if row.district is None else district_names.get(row.district, row.district)

    return (
        Column("区划", 12, district, "wrap"),
        Column("承办部门", 20, lambda row: row.handling_department, "wrap"),
        Column("大厅", 20, lambda row: row.hall, "wrap"),
        Column("窗口", 12, lambda row: row.window, "wrap"),
        Column("经办人", 9, lambda row: row.handler, "wrap"),
        Column("办件编号", 22, lambda row: row.case_number, "wrap", unmasked=True),
        Column("服务序号", 6, lambda row: row.service_number, "centre"),
        Column("事项名称", 36, lambda row: row.service_item_name, "wrap"),
        Column("办结时间", 16, lambda row: city_clock(row.finished_at), "time"),
    )


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


class _Cover(Cover):
    """The first sheet: which list this is, how many rows it has, how fresh its sources are, and what each sheet has."""

    def __init__(self, book: Book, published: ListVersion, title_zh: str) -> None:
        super().__init__(book, title_zh)
        self.published = published

    def write(self, tally: Counter[str], sheets: Sequence[Sheets[Any]]) -> None:
        """Write the sheet; it is the first but written last, when the numbers of rows and sheets are known."""
        day = self.published.day
        self.write_title(
            f"{KIND_NAMES[self.published.kind]}　{day.year}年{day.month}月{day.day}日"
            f"（星期{_WEEKDAYS[day.weekday()]}）　第{self.published.version}版"
        )
        self._write_particulars()
        self._write_counts(tally)
        self.write_contents(sheets, _CONTENTS)
        self.write_remarks(_REMARKS)

    def _write_particulars(self) -> None:
        published = self.published
        self.write_heading("清单信息")
        self.write_particular("清单日期", f"{published.day:%Y-%m-%d}")
        self.write_particular("清单种类", KIND_NAMES[published.kind])
        self.write_particular("版次", f"第{published.version}版")
        self.write_particular("截止时刻", city_time(published.cutoff_at, published.day))
        self.write_particular("发布时间", city_time(published.published_at))
        if not published.stale:
            self.write_particular("数据来源", "各来源均已读取至截止时刻之后")
        for source in published.stale:
            since = "从未读取" if source.read_at is None else f"最近读取于 {city_time(source.read_at)}"
            text = f"{source.title}：截止时刻之后未再读取，{since}，本清单可能不全"
            self.write_particular("未更新的来源", text, is_warning=True)
        if published.calendar_note:
            self.write_particular("工作日历", published.calendar_note, is_warning=True)

    def _write_counts(self, tally: Counter[str]) -> None:
        counts = self.published.counts
        self.write_heading("件数")
        self.write_header("项目", "本表", "全市清单", "含义")
        self.write_count("未评办件", tally["unrated"], counts.unrated, _CONTENTS["未评办件"])
        self.write_count("默认评价", tally["default_rated"], counts.default_rated, _CONTENTS["默认评价"])
        self.write_count("其中：新增", tally["new"], counts.new, "本日首次列入")
        self.write_count("其中：结转", tally["carried_over"], counts.carried_over, "上一日终清单已列、至今未评")
        self.write_count("其中：重现", tally["reopened"], counts.reopened, "曾列入而后销号，因原评价失效等再次列入")
        self.write_count("其中：逾期", tally["overdue"], None, "已过评价截止日")
        self.write_count("已评销号", None, counts.cleared, "上一日终清单所列，已有本人有效评价")
        self.write_count("撤销", None, counts.withdrawn, "上一日终清单所列，因撤回、移除等不再属可评价办件")
        self.write_count("本次归档", None, counts.archived, "超过留单期限仍未评价，不再列入")
        self.write_count("累计归档", None, counts.archived_total, "截至本清单，历次归档合计")
