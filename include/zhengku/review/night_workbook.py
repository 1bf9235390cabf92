"""The workbook of the validation report: the figures of a night, its warned rows and all its problem records."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zhengku.report.run_report import SEVERITY_NAMES
from zhengku.report.sheets import Book, Column, Cover, Sheets, city_clock, city_time
from zhengku.report.templates import day_text, percent
from zhengku.review.night import NightReport, WarnedRow
from zhengku.review.night_figures import (
    DRIFT_NAMES,
    FEED_STATE_NAMES,
    DepartmentProblems,
    Drift,
    FeedFigures,
    NightFigures,
    QuietRule,
    RuleFigures,
    WaitingBatch,
)
from zhengku.review.night_problems import NightProblem
from zhengku.review.problems import STATUS_NAMES

_FEEDS = "按来源"
_RULES = "按规则"
_WAITING = "待处理批次"
_DRIFT = "接口变动"
_PROGRESS = "整改进度"
_QUIET = "未触发规则"
_WARNED = "警告"
_PROBLEMS = "问题数据"
_CONTENTS = {
    _FEEDS: "各部门各来源取得、入库、隔离、警告的行数与占比，及较前 7 夜、30 夜的变化",
    _RULES: "各来源违反各条规则的行数与占比；此前 30 夜未出现过的标为“新”",
    _WAITING: "暂扣待审的批次，与本夜整份退回的文件",
    _DRIFT: "列的增减与形态改变",
    _PROGRESS: "各部门问题数据的退回、更正、豁免",
    _QUIET: "久未有数据违反的规则，宜核对是否仍有意义",
    _WARNED: "入库而有警告的行：每批次每条规则的前 100 行，关键字段已遮蔽",
    _PROBLEMS: "本夜送来的数据中全部未入库的行，个人信息已遮蔽",
}
_REMARKS = (
    "取得 = 入库 + 未变 + 隔离 + 暂扣；占比 = 隔离 ÷（取得 − 暂扣）。",
    "个人信息已遮蔽；退回部门的文件另行生成，不在本表。",
    "报告一经生成不再改动；有补到的批次时另出新的版次。",
)
_TOTALS = (
    ("取得", "fetched", "从各部门取得的行"),
    ("入库", "loaded", "新增、更新、删除"),
    ("未变", "unchanged", "与库内相同、旧于库内、批内重复"),
    ("隔离", "quarantined", "未通过校验，成为问题数据"),
    ("警告", "warned", "入库而有警告"),
    ("暂扣", "held", "整批待审"),
)
"""Name, count of a feed and meaning of each line of the cover."""


def write_night_workbook(
    path: Path, report: NightReport, warned: Sequence[WarnedRow], problems: Iterator[NightProblem]
) -> None:
    """Write the workbook of a report; `problems` are read once, row by row. Raises `OSError`."""
    figures = report.figures
    name = f"归集校验日报 {report.night:%Y-%m-%d}"
    book = Book(path, name, report.made_at, f"第{report.version}版", "内部资料，已脱敏")
    sheets = [
        _sheet(book, _FEEDS, _FEED_COLUMNS, figures.feeds),
        _sheet(book, _RULES, _rule_columns(figures), figures.rules),
        _sheet(book, _WAITING, _waiting_columns(figures), figures.waiting),
        _sheet(book, _DRIFT, _drift_columns(figures), figures.drift),
        _sheet(book, _PROGRESS, _PROGRESS_COLUMNS, figures.problems),
        _sheet(book, _QUIET, _QUIET_COLUMNS, figures.quiet_rules),
        _sheet(book, _WARNED, _warned_columns(figures), warned),
        _sheet(book, _PROBLEMS, _problem_columns(figures), problems),
    ]
    _write_cover(book, report, sheets)
    book.close()


def _sheet(book: Book, name: str, columns: Sequence[Column[Any]], rows: Iterable[Any]) -> Sheets[Any]:
    sheet: Sheets[Any] = Sheets(book, name, columns)
    sheet.write(rows)
    return sheet


def _write_cover(book: Book, report: NightReport, sheets: Sequence[Sheets[Any]]) -> None:
    figures = report.figures
    cover = Cover(book, "归集校验日报")
    cover.write_title(f"{day_text(report.night)}　第{report.version}版")
    cover.write_heading("报告信息")
    cover.write_particular("生成时间", city_time(report.made_at))
    if report.seal is not None:
        cover.write_particular(
            "存证封条", f"第{report.seal.seal_id}号，{city_time(report.seal.sealed_until)} 以前的留痕"
        )
        cover.write_particular("存证链首", report.seal.head)
    cover.write_heading("全市概览")
    cover.write_header("项目", "行数", "来源", "含义")
    for name, count, meaning in _TOTALS:
        of_feeds = sum(1 for feed in figures.feeds if getattr(feed, count))
        cover.write_count(name, figures.total(count), of_feeds, meaning)
    cover.write_contents(sheets, _CONTENTS)
    cover.write_remarks(_REMARKS)


def _percent(share: float | None) -> str | None:
    return None if share is None else percent(share)


def _source(figures: NightFigures, width: int) -> Column[Any]:
    """Return the column with the Chinese names of a row's department and feed."""
    return Column("来源", width, lambda row: figures.title(row.department, row.feed), "wrap")


_FEED_COLUMNS: tuple[Column[FeedFigures], ...] = (
    Column("部门", 22, lambda row: row.department_name, "wrap"),
    Column("来源", 26, lambda row: row.title, "wrap"),
    Column("状态", 10, lambda row: FEED_STATE_NAMES[row.state], "centre", lambda row: row.state != "good"),
    Column("取得", 10, lambda row: row.fetched, "number"),
    Column("入库", 10, lambda row: row.loaded, "number"),
    Column("未变", 10, lambda row: row.unchanged, "number"),
    Column("隔离", 9, lambda row: row.quarantined, "number"),
    Column("占比", 9, lambda row: _percent(row.share), "figure"),
    Column("前7夜占比", 10, lambda row: _percent(row.share_7), "figure"),
    Column("前30夜占比", 10, lambda row: _percent(row.share_30), "figure"),
    Column("警告", 9, lambda row: row.warned, "number"),
    Column("暂扣", 9, lambda row: row.held, "number"),
    Column("不再出现", 9, lambda row: row.disappeared, "number"),
    Column("通常行数", 10, lambda row: None if row.usual_rows is None else round(row.usual_rows), "number"),
    Column("未更新工作日", 9, lambda row: row.idle_working_days, "count"),
    Column("最近入库", 16, lambda row: row.last_loaded_at, "centre"),
)

_PROGRESS_COLUMNS: tuple[Column[DepartmentProblems], ...] = (
    Column("部门", 30, lambda row: row.department_name, "wrap"),
    Column("待退回", 10, lambda row: row.open, "number"),
    Column("其中迟未退回", 10, lambda row: row.unreturned, "number", lambda row: row.unreturned > 0),
    Column("已退回", 10, lambda row: row.returned, "number"),
    Column("其中逾期", 10, lambda row: row.overdue, "number", lambda row: row.overdue > 0),
    Column("其中将到期", 10, lambda row: row.due_soon, "number"),
    Column("已豁免", 10, lambda row: row.waived, "number"),
    Column("已更正待销号", 12, lambda row: row.corrected, "number"),
    Column("最早发现", 16, lambda row: row.oldest, "centre"),
)

_QUIET_COLUMNS: tuple[Column[QuietRule], ...] = (
    Column("规则", 50, lambda row: row.rule_id, "wrap"),
    Column("不合格原因", 50, lambda row: row.reason, "wrap"),
    Column("说明", 36, lambda row: None if row.was_asked else "没有来源提供该字段，或近期没有数据", "wrap"),
)


def _rule_columns(figures: NightFigures) -> tuple[Column[RuleFigures], ...]:
    return (
        _source(figures, 36),
        Column("问题", 40, lambda row: row.reason, "wrap"),
        Column("规则", 40, lambda row: row.rule_id, "wrap"),
        Column("级别", 16, lambda row: SEVERITY_NAMES[row.severity], "centre"),
        Column("新", 5, lambda row: "新" if row.is_new else None, "centre", lambda row: row.is_new),
        Column("行数", 10, lambda row: row.failed, "number"),
        Column("占比", 9, lambda row: _percent(row.share), "figure"),
        Column("前7夜占比", 10, lambda row: _percent(row.share_7), "figure"),
        Column("前30夜占比", 10, lambda row: _percent(row.share_30), "figure"),
    )


def _waiting_columns(figures: NightFigures) -> tuple[Column[WaitingBatch], ...]:
    return (
        Column("批次", 9, lambda row: row.batch_id, "count"),
        Column("状态", 10, lambda row: "整份退回" if row.status == "rejected" else "暂扣待审", "centre"),
        _source(figures, 36),
        Column("文件", 30, lambda row: row.source_name, "wrap"),
        Column("行数", 10, lambda row: row.fetched, "number"),
        Column("原因", 50, lambda row: row.reason, "wrap"),
        Column("规则", 34, lambda row: row.rule_id, "wrap"),
        Column("时间", 16, lambda row: row.recorded_at, "centre"),
    )


def _drift_columns(figures: NightFigures) -> tuple[Column[Drift], ...]:
    return (
        _source(figures, 36),
        Column("列", 26, lambda row: row.column_name, "wrap"),
        Column("变动", 12, lambda row: DRIFT_NAMES[row.change], "centre"),
        Column("详情", 44, lambda row: row.detail, "wrap"),
        Column("目录中未约定", 12, lambda row: "是" if row.is_unknown else None, "centre"),
    )


def _warned_columns(figures: NightFigures) -> tuple[Column[WarnedRow], ...]:
    reasons = {rule.rule_id: rule.reason for rule in figures.rules}
    return (
        _source(figures, 36),
        Column("警告", 44, lambda row: reasons.get(row.rule_id, row.rule_id), "wrap"),
        Column("规则", 40, lambda row: row.rule_id, "wrap"),
        Column("批次", 9, lambda row: row.batch_id, "count"),
        Column("行", 9, lambda row: row.row_no, "count"),
        Column("关键字段（已遮蔽）", 26, lambda row: row.record_key, "wrap"),
    )


def _problem_columns(figures: NightFigures) -> tuple[Column[NightProblem], ...]:
    return (
        Column("问题编号", 10, lambda row: row.problem_id, "count"),
        _source(figures, 34),
        Column("问题", 38, lambda row: row.reason, "wrap"),
        Column("列", 18, lambda row: row.columns, "wrap"),
        Column("送来的值（已遮蔽）", 24, lambda row: row.values, "wrap"),
        Column("批次", 9, lambda row: row.last_batch_id, "count"),
        Column("行", 9, lambda row: row.last_row_no, "count"),
        Column("第几次", 6, lambda row: row.attempts, "count"),
        Column("见过几次", 6, lambda row: row.times_seen, "count"),
        Column("首次发现", 16, lambda row: city_clock(row.first_opened_at), "time"),
        Column("状态", 9, lambda row: STATUS_NAMES[row.status], "centre"),
    )
