"""The nightly validation report as files: one self-contained page, and a workbook with every problem record.

Personal data is masked in both. They lie below the folder of reports, readable by this account alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from psycopg.rows import dict_row

from zhengku.catalog import Catalog, Feed
from zhengku.catalog.record_masks import payload_masks
from zhengku.database import store_connection
from zhengku.errors import CatalogError
from zhengku.ledger import Connection
from zhengku.masking import mask_text, mask_unknown
from zhengku.report.run_report import SEVERITY_NAMES
from zhengku.report.sheets import Book, Column, Cover, Sheets, atomic_write, city_clock, city_time
from zhengku.report.templates import day_text, percent, templates
from zhengku.review.night import (
    DRIFT_NAMES,
    FEED_STATE_NAMES,
    DepartmentProblems,
    Drift,
    FeedFigures,
    NightReport,
    QuietRule,
    RuleFigures,
    WaitingBatch,
    WarnedRow,
    warned_rows,
)
from zhengku.review.problems import STATUS_NAMES, ProblemFilter, about_chosen
from zhengku.settings import Settings
from zhengku.validate.guidance import wrong_columns
from zhengku.validate.suites import Rule, load_suites

SAMPLES_SHOWN: Final = 5
"""Problem records that the page shows of each feed and rule; the workbook has all."""

GROUPS_SHOWN: Final = 400
"""Feeds and rules of which the page shows samples, those with most records first."""

WORDS: Final[Mapping[str, Mapping[Any, str]]] = {
    "severities": SEVERITY_NAMES,
    "states": FEED_STATE_NAMES,
    "drift": DRIFT_NAMES,
    "statuses": STATUS_NAMES,
}
"""What the template of the figures calls things."""

_WHOLE_ROW = "（整行）"


@dataclass(frozen=True)
class NightProblem:
    """A problem record of a night, with the columns that are wrong and their values, masked."""

    problem_id: int
    department: str
    feed: str
    rules: list[str]
    reason: str
    columns: str
    values: str
    status: str
    attempts: int
    times_seen: int
    last_batch_id: int
    last_row_no: int
    first_opened_at: datetime


@dataclass
class _Group:
    """The records of a feed that fail a rule."""

    anchor: str
    title: str
    rule_id: str
    reason: str
    number: int = 0
    rows: list[NightProblem] = field(default_factory=list)


def report_folder(settings: Settings, report: NightReport) -> Path:
    """Return the folder of a report's files."""
    return settings.report_folder / "nights" / f"{report.night}" / f"v{report.version}"


def file_name(night: date, version: int, ending: str) -> str:
    """Return the name of a file of a report."""
    return f"归集校验日报_{night}_第{version}版.{ending}"


def write_night(settings: Settings, catalog: Catalog, report: NightReport) -> tuple[Path, Path]:
    """Write the page and the workbook of a report; return their places.

    What they show of problem records is as the quarantine is now. Raises `OSError` when they cannot be written.
    """
    folder = report_folder(settings, report)
    workbook = folder / file_name(report.night, report.version, "xlsx")
    page = folder / file_name(report.night, report.version, "html")
    groups: dict[tuple[str, str, str], _Group] = {}
    with store_connection(settings.database_url) as connection, atomic_write(workbook) as aside:
        warned = warned_rows(connection, report.night)
        found = night_problems(connection, settings, catalog, report.night)
        _write_workbook(aside, report, warned, _grouped(found, report, groups))
    shown = sorted(groups.values(), key=lambda group: -group.number)[:GROUPS_SHOWN]
    anchors = {key: group.anchor for key, group in groups.items() if group in shown}

    def link(path: str = "problems", department: str = "", feed: str = "", rule: str = "", **_: object) -> str | None:
        """Lead to the rows of a rule, else to the first of a feed, a department or all."""
        if path != "problems":
            return None
        asked = [part for part in (department, feed, rule) if part]
        found = [anchor for key, anchor in anchors.items() if list(key[: len(asked)]) == asked]
        return f"#{found[0]}" if found else None

    text = (
        templates()
        .get_template("night_report.html.j2")
        .render(report=report, words=WORDS, link=link, samples=shown, samples_shown=SAMPLES_SHOWN)
    )
    with atomic_write(page) as aside:
        aside.write_text(text, encoding="utf-8")
    return page, workbook


def night_problems(connection: Connection, settings: Settings, catalog: Catalog, night: date) -> Iterator[NightProblem]:
    """Read the problem records that stood in what was collected on a night, by feed, masked."""
    chosen = ProblemFilter(night=night)

    @cache
    def shown(department: str, feed_id: str) -> "_Masker":
        return _Masker(settings, catalog, department, feed_id)

    # In pieces: there may be a hundred thousand.
    with connection.cursor("night_problems", row_factory=dict_row) as cursor:
        cursor.itersize = 5_000
        cursor.execute(about_chosen("review/night.night_problems", chosen), chosen.parameters())
        for row in cursor:
            columns, values = shown(row["department"], row["feed"]).told(row)
            yield NightProblem(
                problem_id=row["problem_id"],
                department=row["department"],
                feed=row["feed"],
                rules=row["rules"],
                reason="；".join(row["reasons"]),
                columns=columns,
                values=values,
                status=row["status"],
                attempts=row["attempts"],
                times_seen=row["times_seen"],
                last_batch_id=row["last_batch_id"],
                last_row_no=row["last_row_no"],
                first_opened_at=row["first_opened_at"],
            )


class _Masker:
    """What of a feed's wrong rows is shown: the columns that their rules look at."""

    def __init__(self, settings: Settings, catalog: Catalog, department: str, feed_id: str) -> None:
        self._columns: dict[str, tuple[str, ...]] = {}
        self._masks: dict[str, Callable[[str], str]] = {}
        try:
            feed: Feed = catalog.feed(department, feed_id)
        except CatalogError:
            # Of a feed that is no longer in the catalogue nobody knows what its columns mean.
            return
        self._masks = payload_masks(feed, catalog)
        suites = load_suites(settings.suite_folder, feed.suites)
        rules: dict[str, Rule] = {rule.rule_id: rule for suite in suites for rule in suite.rules}
        self._columns = {rule_id: wrong_columns(rule_id, feed, rules) for rule_id in rules}

    def told(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """Return the wrong columns of a row, and their masked values."""
        payload = row["payload"]
        if payload is None:
            return _WHOLE_ROW, f"＊（{row['payload_length']}字节）"
        names = list(dict.fromkeys(name for rule in row["rules"] for name in self._columns.get(rule, ())))
        values = [
            "（空）" if not (value := payload.get(name)) else mask_text(self._masks.get(name, mask_unknown)(value))
            for name in names
        ]
        return "、".join(names) or _WHOLE_ROW, "；".join(values)


def _grouped(
    rows: Iterator[NightProblem], report: NightReport, groups: dict[tuple[str, str, str], _Group]
) -> Iterator[NightProblem]:
    """Pass rows on, and keep the first of each feed and rule for the page."""
    told = {(rule.department, rule.feed, rule.rule_id): rule.reason for rule in report.figures.rules}
    for row in rows:
        for rule_id in row.rules:
            key = (row.department, row.feed, rule_id)
            group = groups.get(key)
            if group is None:
                title = report.figures.title(row.department, row.feed)
                group = groups[key] = _Group(_anchor(*key), title, rule_id, told.get(key, row.reason))
            group.number += 1
            if group.number <= SAMPLES_SHOWN:
                group.rows.append(row)
        yield row


def _anchor(department: str, feed: str, rule: str) -> str:
    return "rows-" + re.sub(r"[^a-z0-9_]+", "-", f"{department} {feed} {rule}".strip())


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


def _write_workbook(
    path: Path, report: NightReport, warned: Sequence[WarnedRow], found: Iterator[NightProblem]
) -> None:
    figures = report.figures
    told = {rule.rule_id: rule.reason for rule in figures.rules}

    def title(row: RuleFigures | Drift | WaitingBatch | WarnedRow | NightProblem) -> str:
        return figures.title(row.department, row.feed)

    feed_columns: tuple[Column[FeedFigures], ...] = (
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
    rule_columns: tuple[Column[RuleFigures], ...] = (
        Column("来源", 36, title, "wrap"),
        Column("问题", 40, lambda row: row.reason, "wrap"),
        Column("规则", 40, lambda row: row.rule_id, "wrap"),
        Column("级别", 16, lambda row: SEVERITY_NAMES[row.severity], "centre"),
        Column("新", 5, lambda row: "新" if row.is_new else None, "centre", lambda row: row.is_new),
        Column("行数", 10, lambda row: row.failed, "number"),
        Column("占比", 9, lambda row: _percent(row.share), "figure"),
        Column("前7夜占比", 10, lambda row: _percent(row.share_7), "figure"),
        Column("前30夜占比", 10, lambda row: _percent(row.share_30), "figure"),
    )
    waiting_columns: tuple[Column[WaitingBatch], ...] = (
        Column("批次", 9, lambda row: row.batch_id, "count"),
        Column("状态", 10, lambda row: "整份退回" if row.status == "rejected" else "暂扣待审", "centre"),
        Column("来源", 36, title, "wrap"),
        Column("文件", 30, lambda row: row.source_name, "wrap"),
        Column("行数", 10, lambda row: row.fetched, "number"),
        Column("原因", 50, lambda row: row.reason, "wrap"),
        Column("规则", 34, lambda row: row.rule_id, "wrap"),
        Column("时间", 16, lambda row: row.recorded_at, "centre"),
    )
    drift_columns: tuple[Column[Drift], ...] = (
        Column("来源", 36, title, "wrap"),
        Column("列", 26, lambda row: row.column_name, "wrap"),
        Column("变动", 12, lambda row: DRIFT_NAMES[row.change], "centre"),
        Column("详情", 44, lambda row: row.detail, "wrap"),
        Column("目录中未约定", 12, lambda row: "是" if row.is_unknown else None, "centre"),
    )
    progress_columns: tuple[Column[DepartmentProblems], ...] = (
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
    quiet_columns: tuple[Column[QuietRule], ...] = (
        Column("规则", 50, lambda row: row.rule_id, "wrap"),
        Column("不合格原因", 50, lambda row: row.reason, "wrap"),
        Column("说明", 36, lambda row: None if row.was_asked else "没有来源提供该字段，或近期没有数据", "wrap"),
    )
    warned_columns: tuple[Column[WarnedRow], ...] = (
        Column("来源", 36, title, "wrap"),
        Column("警告", 44, lambda row: told.get(row.rule_id, row.rule_id), "wrap"),
        Column("规则", 40, lambda row: row.rule_id, "wrap"),
        Column("批次", 9, lambda row: row.batch_id, "count"),
        Column("行", 9, lambda row: row.row_no, "count"),
        Column("关键字段（已遮蔽）", 26, lambda row: row.record_key, "wrap"),
    )
    problem_columns: tuple[Column[NightProblem], ...] = (
        Column("问题编号", 10, lambda row: row.problem_id, "count"),
        Column("来源", 34, title, "wrap"),
        Column("问题", 38, lambda row: row.reason, "wrap"),
        Column("列", 18, lambda row: row.columns, "wrap"),
        Column("送来的值（已遮蔽）", 24, lambda row: row.values, "wrap"),
        Column("批次", 9, lambda row: row.last_batch_id, "count"),
        Column("行", 9, lambda row: row.last_row_no, "count"),
        Column("第几次", 6, lambda row: row.attempts, "count"),
        Column("见过几次", 6, lambda row: row.times_seen, "count"),
        Column("首次发现", 16, lambda row: city_clock(row.first_opened_at), "time"),
        Column("状态", 9, lambda row: STATUS_NAMES[row.status], "centre"),  # type: ignore[index]
    )
    day = f"{report.night:%Y-%m-%d}"
    book = Book(path, f"归集校验日报 {day}", report.made_at, f"第{report.version}版", "内部资料，已脱敏")
    sheets: list[Sheets[Any]] = []
    for name, columns, rows in (
        (_FEEDS, feed_columns, figures.feeds),
        (_RULES, rule_columns, figures.rules),
        (_WAITING, waiting_columns, figures.waiting),
        (_DRIFT, drift_columns, figures.drift),
        (_PROGRESS, progress_columns, figures.problems),
        (_QUIET, quiet_columns, figures.quiet_rules),
        (_WARNED, warned_columns, warned),
        (_PROBLEMS, problem_columns, found),
    ):
        sheet: Sheets[Any] = Sheets(book, name, columns)
        sheet.write(rows)
        sheets.append(sheet)
    cover = Cover(book, "归集校验日报")
    cover.write_title(f"{day_text(report.night)}　第{report.version}版")
    cover.write_heading("报告信息")
    cover.write_particular("生成时间", city_time(report.made_at))
    cover.write_heading("全市概览")
    cover.write_header("项目", "行数", "来源", "含义")
    for name, count, meaning in (
        ("取得", "fetched", "从各部门取得的行"),
        ("入库", "loaded", "新增、更新、删除"),
        ("未变", "unchanged", "与库内相同、旧于库内、批内重复"),
        ("隔离", "quarantined", "未通过校验，成为问题数据"),
        ("警告", "warned", "入库而有警告"),
        ("暂扣", "held", "整批待审"),
    ):
        of_feeds = sum(1 for feed in figures.feeds if getattr(feed, count))
        cover.write_count(name, figures.total(count), of_feeds, meaning)
    cover.write_contents(sheets, _CONTENTS)
    cover.write_remarks(_REMARKS)
    book.close()


def _percent(share: float | None) -> str | None:
    return None if share is None else percent(share)
