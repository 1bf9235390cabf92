"""The problem ledger (问题台账, annex 3 of the plan): persistent problems become entries, later written off.

Of the steps 发现 → 通报 → 整改 → 销号 the pipeline does the first and the last; the section records the notification
(通报). Days are those of Asia/Shanghai.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from psycopg.rows import class_row

from zhengku.catalog import Catalog
from zhengku.catalog.review_config import load_review
from zhengku.clearance.evaluations import bad_reviews
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError, RecordNotFound
from zhengku.ledger import Connection
from zhengku.report.sheets import Book, Column, Cover, Sheets, atomic_write
from zhengku.report.templates import percent
from zhengku.review.night_figures import NightFigures
from zhengku.review.problems import night_bounds
from zhengku.settings import Settings

log = logging.getLogger(__name__)

EntryKind = Literal["stale_feed", "problem_share", "overdue_reviews"]
ENTRY_NAMES: Mapping[EntryKind, str] = {
    "stale_feed": "数据未按时归集",
    "problem_share": "数据质量不达标",
    "overdue_reviews": "差评整改逾期",
}
_NIGHTS = 7

Condition = tuple[EntryKind, str, str]
"""Kind, department and feed ("" for the entire department) of a persistent problem."""


@dataclass(frozen=True)
class LedgerEntry:
    """An entry of the ledger; `department` is an id of the catalogue, or the name of a department of the halls."""

    entry_id: int
    entry_no: str
    kind: EntryKind
    department: str
    feed: str
    description: str
    opened_on: date
    notified_on: date | None
    notified_by: str | None
    updated_on: date
    written_off_on: date | None
    evidence: str | None

    @property
    def progress(self) -> str:
        """Its progress in Chinese (进展状态)."""
        if self.written_off_on is not None:
            return "已销号"
        return f"整改中（{self.notified_on} 通报）" if self.notified_on else "已发现，待通报"


def entries(connection: Connection, *, standing: bool = False) -> list[LedgerEntry]:
    """Return the entries, those not written off first, the newest first; with `standing` only those not written off."""
    values = {"standing": standing, "entry_no": None}
    with connection.cursor(row_factory=class_row(LedgerEntry)) as cursor:
        return cursor.execute(statement("review/problem_ledger.entries"), values).fetchall()


def record_notification(connection: Connection, entry_no: str, notified_by: str, day: date) -> None:
    """Record that a department was notified of an entry (通报).

    Raises `ConfigurationError` without a name, `RecordNotFound` when the ledger has no entry of that number that is not
    written off.
    """
    if not notified_by.strip():
        raise ConfigurationError("Expected who notified the department, got a blank. The name is recorded: give it.")
    values = {"entry_no": entry_no, "notified_by": notified_by.strip(), "day": day}
    if connection.execute(statement("review/problem_ledger.notify_entry"), values).fetchone() == (0,):
        raise RecordNotFound(f"No entry {entry_no!r} of the ledger is open. `zhengku problems ledger` lists them.")


def update_ledger(settings: Settings, catalog: Catalog, figures: NightFigures, day: date) -> list[LedgerEntry]:
    """Enter the persistent problems of a day, write off the solved ones; return the entries not written off.

    `figures` are those of that night. Safe to repeat.
    """
    with store_connection(settings.database_url) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtextextended('zhengku.problem_ledger', 0))")
        found = _conditions(connection, settings, catalog, figures, day)
        with connection.cursor(row_factory=class_row(LedgerEntry)) as cursor:
            known = cursor.execute(statement("review/problem_ledger.standing_entries")).fetchall()
        standing = {(entry.kind, entry.department, entry.feed): entry for entry in known}
        for condition, description in found.items():
            entry = standing.get(condition)
            if entry is None:
                kind, department, feed = condition
                values: dict[str, Any] = {
                    "kind": kind,
                    "department": department,
                    "feed": feed,
                    "description": description,
                    "day": day,
                    "year": f"{day.year}",
                }
                row = connection.execute(statement("review/problem_ledger.open_entry"), values).fetchone()
                assert row is not None
                log.info("Entry %s of the problem ledger: %s of %s %s", row[0], *condition)
            elif entry.description != description:
                connection.execute(
                    statement("review/problem_ledger.describe_entry"),
                    {"entry_id": entry.entry_id, "description": description, "day": day},
                )
        for condition, entry in standing.items():
            if condition not in found:
                evidence = _evidence(connection, entry, figures)
                connection.execute(
                    statement("review/problem_ledger.write_off_entry"),
                    {"entry_id": entry.entry_id, "day": day, "evidence": evidence},
                )
                log.info("Entry %s of the problem ledger is written off", entry.entry_no)
        return entries(connection, standing=True)


def _conditions(
    connection: Connection, settings: Settings, catalog: Catalog, figures: NightFigures, day: date
) -> dict[Condition, str]:
    """Return the persistent problems of a day, with their descriptions in Chinese."""
    config = load_review(settings.catalog_folder)
    found: dict[Condition, str] = {}
    for feed in figures.feeds:
        idle = feed.idle_working_days
        if idle is not None and idle >= config.ledger_stale_working_days:
            found["stale_feed", feed.department, feed.feed] = (
                f"“{feed.title}”已连续{idle}个工作日没有新数据入库（最近入库 {feed.last_loaded_at or '从未'}）"
            )
    start, end = night_bounds(day)
    values = {
        "begin": start - timedelta(days=_NIGHTS - 1),
        "night_end": end,
        "rows": config.ledger_from_rows,
        "share": config.ledger_problem_share,
    }
    for department, fetched, quarantined in connection.execute(
        statement("review/problem_ledger.problem_shares"), values
    ).fetchall():
        share = percent(float(quarantined) / float(fetched))
        found["problem_share", department, ""] = (
            f"近{_NIGHTS}夜提供数据{int(fetched):,}条，其中问题数据{int(quarantined):,}条，占{share}，"
            f"超过{percent(config.ledger_problem_share)}"
        )
    overdue: dict[str, list[int]] = {}
    for review in bad_reviews(connection, catalog, day):
        if review.state in ("callback_overdue", "rectification_overdue"):
            counts = overdue.setdefault(review.handling_department or "未填部门", [0, 0])
            counts[review.state == "rectification_overdue"] += 1
    for department, (callbacks, rectifications) in overdue.items():
        parts = [f"回访逾期{callbacks}件"] * bool(callbacks) + [f"整改逾期{rectifications}件"] * bool(rectifications)
        found["overdue_reviews", department, ""] = f"实名差评{'、'.join(parts)}"
    return found


def _evidence(connection: Connection, entry: LedgerEntry, figures: NightFigures) -> str:
    """Return in Chinese why an entry is written off."""
    if entry.kind == "stale_feed":
        for feed in figures.feeds:
            if (feed.department, feed.feed) == (entry.department, entry.feed):
                return f"已恢复归集，最近入库 {feed.last_loaded_at}"
        return "该来源已不在目录中"
    if entry.kind == "problem_share":
        feeds = [feed for feed in figures.feeds if feed.department == entry.department]
        fetched, wrong = sum(feed.fetched for feed in feeds), sum(feed.quarantined for feed in feeds)
        return f"近{_NIGHTS}夜问题数据占比已降至限值以内；本夜提供{fetched:,}条，问题数据{wrong:,}条"
    return "逾期的实名差评均已回访、整改"


def responsible_department(catalog: Catalog, entry: LedgerEntry) -> str:
    """Return the name of the department that is responsible for an entry (责任单位)."""
    return catalog.department_name(entry.department)


def write_ledger(path: Path, catalog: Catalog, listed: list[LedgerEntry], written_at: datetime) -> None:
    """Write entries as the workbook of annex 3. Raises `FileNotWritten`."""
    columns: tuple[Column[LedgerEntry], ...] = (
        Column("编号", 12, lambda row: row.entry_no, "centre"),
        Column("问题类型", 16, lambda row: ENTRY_NAMES[row.kind], "centre"),
        Column("具体描述", 60, lambda row: row.description, "wrap"),
        Column("责任单位", 24, lambda row: responsible_department(catalog, row), "wrap"),
        Column("进展状态", 24, lambda row: row.progress, "centre", lambda row: row.written_off_on is None),
        Column("销号时间", 12, lambda row: row.written_off_on, "day"),
        Column("发现时间", 12, lambda row: row.opened_on, "day"),
        Column("销号依据", 44, lambda row: row.evidence, "wrap"),
    )
    with atomic_write(path) as aside:
        book = Book(aside, "问题台账", written_at, f"{written_at:%Y-%m-%d}", "内部资料")
        sheet = Sheets(book, "问题台账", columns)
        sheet.write(listed)
        cover = Cover(book, "问题台账（附件3）")
        cover.write_title(f"{written_at:%Y-%m-%d}")
        cover.write_heading("概况")
        cover.write_header("项目", "条数", "", "含义")
        standing = sum(entry.written_off_on is None for entry in listed)
        cover.write_count("未销号", standing, None, "问题仍在持续")
        cover.write_count("已销号", len(listed) - standing, None, "问题已消除，凭据见“销号依据”")
        cover.write_contents([sheet], {"问题台账": "持续存在的问题：自动立项，问题消除后凭据销号"})
        cover.write_remarks(
            (
                "数据未按时归集、数据质量不达标、差评整改逾期的限值见 include/catalog/review.yaml。",
                "“通报”由大数据科在“问题数据”页面或以 zhengku problems notify 登记。",
            )
        )
        book.close()
