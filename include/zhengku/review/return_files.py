"""The files of a return: a workbook with a sheet for each feed, and a CSV file for each feed.

They are NOT masked, since the department must find its own rows.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from zhengku.catalog import Catalog, Feed
from zhengku.database import statement
from zhengku.ledger import Connection
from zhengku.readers.blocks import shown_row
from zhengku.readers.row_rules import ROW_EXPECTED, ROW_RULES
from zhengku.report.csv_cells import harmless
from zhengku.report.sheets import Book, Column, Cover, Sheets, atomic_write, city_clock, city_time
from zhengku.review.return_records import ProblemReturn
from zhengku.settings import Settings
from zhengku.validate.guidance import expected, right_example, wrong_columns
from zhengku.validate.suites import Rule, load_suites

_REMARKS = (
    "每行是一条未能入库的数据：前几列说明问题，其后是贵单位送来的原样内容，列名与贵单位的列名一致。",
    "请在贵单位的系统中更正后，按原渠道重新提供；更正的数据通过校验即自动销号，无需在本表中填写。",
    "本表含未脱敏的个人信息，仅限贵单位经办人员使用，用后请按规定销毁。",
)
_ENTIRE_ROW = "（整行）"
_SHEET_NAME = 28

_Guidance = tuple[tuple[str, ...], str, str]
"""The wrong columns of a rule, what it expects, and a right example."""


@dataclass(frozen=True)
class ReturnFile:
    """A file of a return: its name in the department's folder, bytes and SHA-256 (hex)."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class ReturnedRow:
    """A problem record of a return, with what is wrong and expected in the department's own columns and codes."""

    problem_id: int
    opened_at: datetime
    attempts: int
    columns: str
    values: str
    reason: str
    expected: str
    example: str
    place: str
    payload: Mapping[str, str | None]


class ReturnFiles:
    """Reads the rows of returns and writes their files, for one installation."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.settings = settings
        self.catalog = catalog

    def rows(self, connection: Connection, made: ProblemReturn, feed: Feed) -> Iterator[ReturnedRow]:
        """Yield the rows of a return that belong to a feed."""
        rules = _rules_of(self.settings, feed)
        guidance: dict[str, _Guidance] = {rule_id: ((), words, "") for rule_id, words in ROW_EXPECTED.items()}
        for rule_id, rule in rules.items():
            guidance[rule_id] = (
                wrong_columns(rule_id, feed, rules),
                expected(rule, feed, self.catalog),
                right_example(rule, feed, self.catalog),
            )
        # Read in blocks: a return may have a hundred thousand rows.
        with connection.cursor("returned_problems", row_factory=dict_row) as cursor:
            cursor.execute(
                statement("review/returns.returned_problems"), {"return_id": made.return_id, "feed": feed.id}
            )
            for row in cursor:
                yield _returned_row(row, guidance)

    def write_workbook(
        self, connection: Connection, made: ProblemReturn, counts: Mapping[str, int], path: Path
    ) -> None:
        """Write the workbook of a return, with a sheet for each feed of `counts`. Raises `FileNotWritten`."""
        name = self.catalog.department(made.department).name
        with atomic_write(path) as aside:
            book = Book(
                aside,
                f"{name}问题数据退回单",
                made.made_at,
                f"第{made.return_id}号 {city_time(made.made_at)}",
                "含个人信息，仅限本部门使用",
                unmasked=True,
            )
            sheets: list[Sheets[Any]] = []
            contents: dict[str, str] = {}
            for place, feed_id in enumerate(counts, 1):
                feed = self.catalog.feed(made.department, feed_id)
                sheet_name = f"{place}.{_sheet_name(feed.title)}"
                names = _columns_of(connection, made, feed_id)
                sheet = Sheets(book, sheet_name, [*_COLUMNS, *map(_delivered_column, names)])
                sheet.write(self.rows(connection, made, feed))
                sheets.append(sheet)
                contents[sheet_name] = f"{feed.title}（{feed_id}）的问题数据"
            cover = Cover(book, f"{name}问题数据退回单")
            cover.write_title(f"第{made.return_id}号　{city_time(made.made_at)}")
            cover.write_heading("退回信息")
            cover.write_particular("退回部门", name)
            cover.write_particular("问题数据", f"{made.problems:,} 条")
            cover.write_particular("整改期限", f"{made.due_on:%Y-%m-%d}（当日 24:00 之前重新提供）")
            cover.write_contents(sheets, contents)
            cover.write_remarks(_REMARKS)
            book.close()

    def write_csv(self, connection: Connection, made: ProblemReturn, feed_id: str, path: Path) -> None:
        """Write the CSV file of a feed's rows. Raises `FileNotWritten`."""
        names = _columns_of(connection, made, feed_id)
        with atomic_write(path) as aside, aside.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*(column.header for column in _COLUMNS), "整改期限", *map(harmless, names)])
            for row in self.rows(connection, made, self.catalog.feed(made.department, feed_id)):
                cells = [column.value(row) for column in _COLUMNS]
                writer.writerow(
                    [
                        *(f"{cell:%Y-%m-%d %H:%M}" if isinstance(cell, datetime) else harmless(cell) for cell in cells),
                        made.due_on,
                        *(harmless(row.payload.get(name)) for name in names),
                    ]
                )


_COLUMNS: tuple[Column[ReturnedRow], ...] = (
    Column("问题编号", 10, lambda row: row.problem_id, "count"),
    Column("首次发现", 16, lambda row: city_clock(row.opened_at), "time"),
    Column("第几次", 6, lambda row: row.attempts, "count", lambda row: row.attempts > 1),
    Column("来源位置", 22, lambda row: row.place, "wrap"),
    Column("问题列", 16, lambda row: row.columns, "wrap"),
    Column("送来的值", 24, lambda row: row.values, "wrap"),
    Column("问题说明", 34, lambda row: row.reason, "wrap"),
    Column("应为", 34, lambda row: row.expected, "wrap"),
    Column("正确示例", 22, lambda row: row.example, "wrap"),
)


def _columns_of(connection: Connection, made: ProblemReturn, feed_id: str) -> list[str]:
    values = {"return_id": made.return_id, "feed": feed_id}
    return [row[0] for row in connection.execute(statement("review/returns.returned_columns"), values).fetchall()]


def _rules_of(settings: Settings, feed: Feed) -> dict[str, Rule]:
    suites = load_suites(settings.suite_folder, feed.suites)
    return {rule.rule_id: rule for suite in suites for rule in suite.rules}


def _returned_row(row: Mapping[str, Any], guidance: Mapping[str, _Guidance]) -> ReturnedRow:
    payload: Mapping[str, str | None] = row["payload"] or {}
    columns: list[tuple[str, ...]] = []
    values: list[str] = []
    words: list[str] = []
    examples: list[str] = []
    for rule_id in row["rules"]:
        # Of a rule that no longer exists only the reason is known.
        names, meaning, example = guidance.get(rule_id, ((), "", ""))
        columns.append(names)
        values.append("；".join(f"{payload.get(name) or '（空）'}" for name in names) if payload else _raw(row))
        words.append(meaning)
        examples.append(example)
    is_row = any(rule_id in ROW_RULES for rule_id in row["rules"])
    return ReturnedRow(
        problem_id=row["problem_id"],
        opened_at=row["first_opened_at"],
        attempts=row["attempts"],
        columns=_numbered(["、".join(names) or _ENTIRE_ROW for names in columns]),
        values=_numbered(values),
        reason=_numbered(row["reasons"]),
        expected=_numbered(words),
        example=_numbered(examples),
        place=f"{row['source_name']} {shown_row(row['last_row_no'])}" if is_row or not payload else row["source_name"],
        payload=payload,
    )


def _raw(row: Mapping[str, Any]) -> str:
    content = bytes(row["payload_bytes"] or b"")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("gb18030", "replace")


def _numbered(parts: Sequence[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return "\n".join(f"{place}. {part}" for place, part in enumerate(parts, 1))


def _sheet_name(title: str) -> str:
    """Return a title shortened to a valid name of a sheet."""
    return "".join("_" if character in "[]:*?/\\'" else character for character in title)[:_SHEET_NAME]


def _delivered_column(name: str) -> Column[ReturnedRow]:
    return Column(name, 18, lambda row: row.payload.get(name), "wrap")


def file_record(path: Path) -> ReturnFile:
    """Return the name, size and SHA-256 of a written file."""
    with path.open("rb") as file:
        return ReturnFile(path.name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
