"""Returns (退回): problem records sent back to their department, in files and where the feed says so in its database.

The files are not masked, since the department must find its own rows: they lie in that department's folder alone,
readable by the pipeline's account alone, and each hand-over is recorded. A return is entered first and its files are
written then, so that what died half-way is finished by `write_return`.
"""

import csv
import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from zhengku.catalog import Catalog, Feed
from zhengku.catalog.review_config import ReviewConfig, load_review
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError, ZhengkuError
from zhengku.ledger import Connection
from zhengku.readers.blocks import shown_row
from zhengku.readers.row_rules import ROW_EXPECTED, ROW_RULES
from zhengku.report.csv_cells import harmless
from zhengku.report.sheets import Book, Column, Cover, Sheets, atomic_write, city_clock, city_time
from zhengku.settings import Settings
from zhengku.transports.registry import connector_of
from zhengku.validate.guidance import expected, right_example, wrong_columns
from zhengku.validate.suites import Rule, load_suites

log = logging.getLogger(__name__)

_REMARKS = (
    "每行是一条未能入库的数据：前几列说明问题，其后是贵单位送来的原样内容，列名与贵单位的列名一致。",
    "请在贵单位的系统中更正后，按原渠道重新提供；更正的数据通过校验即自动销号，无需在本表中填写。",
    "本表含未脱敏的个人信息，仅限贵单位经办人员使用，用后请按规定销毁。",
)
_UNREADABLE = "（整行）"
_SHEET_NAME = 28


@dataclass(frozen=True)
class ReturnFile:
    """A file of a return: its name in the department's folder, bytes and SHA-256 (hex)."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class ProblemReturn:
    """A return; `files` is None until they are written. How many of its problems wait, are waived, are solved."""

    return_id: int
    department: str
    made_at: datetime
    made_by: str
    due_on: date
    problems: int
    files: list[dict[str, Any]] | None
    waiting: int
    waived: int
    solved: int


@dataclass(frozen=True)
class HandOver:
    """One time that something of a return was handed over."""

    channel: str
    item: str
    handed_over_by: str
    handed_over_at: datetime


CHANNEL_NAMES = {"folder": "放入部门目录", "exchange_table": "写入前置库", "download": "经页面下载"}


@dataclass(frozen=True)
class _Line:
    """A problem of a return, in the department's words."""

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


class Returns:
    """The returns of one installation."""

    def __init__(self, settings: Settings, catalog: Catalog, config: ReviewConfig | None = None) -> None:
        self.settings = settings
        self.catalog = catalog
        self._config = config

    @cached_property
    def config(self) -> ReviewConfig:
        """The numbers of the review."""
        return self._config or load_review(self.settings.catalog_folder)

    def folder(self, department: str) -> Path:
        """Return the folder of a department's returns."""
        return self.settings.return_folder / department

    def make(
        self,
        department: str,
        made_by: str,
        now: datetime,
        problem_ids: Sequence[int] | None = None,
        *,
        reason: str | None = None,
        request_id: int | None = None,
    ) -> ProblemReturn:
        """Return the open problems of a department (or those that are named), write its files, and hand them over.

        `now`, with a zone, tells the day from which the term counts; `reason` stands in the
        records' events, `request_id` tells what it is made for.
        Raises `ConfigurationError` without a name or when
        nothing is open, and what `write` raises.
        """
        if not made_by.strip():
            raise ConfigurationError("Expected who returns the problem records, got a blank. It is kept as evidence.")
        self.catalog.department(department)
        today = now.astimezone(CITY_TIME_ZONE).date()
        calendar = WorkingCalendar.load(self.settings.catalog_folder, today)
        due_on = calendar.add_working_days(today, self.config.correct_within_working_days)
        values: dict[str, Any] = {
            "department": department,
            "made_by": made_by.strip(),
            "reason": reason,
            "request_id": request_id,
            "due_on": due_on,
            "problem_ids": None if problem_ids is None else list(problem_ids),
        }
        with store_connection(self.settings.database_url) as connection:
            row = connection.execute(statement("review/returns.begin_return"), values).fetchone()
            assert row is not None
            values["return_id"] = row[0]
            number = connection.execute(statement("review/returns.return_open"), values).rowcount
            if not number:
                raise ConfigurationError(
                    f"{department} has no open problem records"
                    f"{' among those that are named' if problem_ids is not None else ''}: nothing is returned. "
                    "`zhengku problems list` shows what there is."
                )
            connection.execute(statement("review/returns.count_return"), {**values, "problems": number})
        return self.write(int(values["return_id"]))

    def finish(self) -> list[ProblemReturn]:
        """Write the files of the returns that have none, because what made them died; return these.

        One that cannot be written keeps none of the others from it; its error is raised in the end, of several the
        first.
        """
        with store_connection(self.settings.database_url) as connection:
            unwritten = returns(connection, unwritten=True, limit=1_000)
        finished: list[ProblemReturn] = []
        failures: list[ZhengkuError | OSError] = []
        for one in unwritten:
            try:
                finished.append(self.write(one.return_id))
            except (ZhengkuError, OSError) as error:
                log.warning("Return %d: %s", one.return_id, error)
                failures.append(error)
        if failures:
            raise failures[0]
        return finished

    def write(self, return_id: int) -> ProblemReturn:
        """Write the files of a return anew, and its rows into the exchange databases; return it.

        The same return gives the same rows. Raises `ConfigurationError` when there is no such return, `SourceRefused`
        when an exchange database does not take the rows, `DeliveryUnavailable` when one cannot be reached, `OSError`.
        """
        with store_connection(self.settings.database_url) as connection:
            made = one_return(connection, return_id)
            feeds = connection.execute(statement("review/returns.returned_feeds"), {"return_id": return_id}).fetchall()
            counts = {feed: int(number) for feed, number in feeds}
            folder = self.folder(made.department) / f"{return_id:06d}"
            workbook = folder / f"问题数据退回_{self.catalog.department(made.department).name}_第{return_id}号.xlsx"
            files = [workbook]
            self._write_workbook(connection, made, counts, workbook)
            for feed_id in counts:
                path = folder / f"问题数据退回_第{return_id}号_{feed_id}.csv"
                self._write_csv(connection, made, feed_id, path)
                files.append(path)
            for path in files:
                _hand_over(connection, return_id, "folder", path.name, "zhengku")
            # They lie there, whatever a database says.
            connection.commit()
            for feed_id in counts:
                feed = self.catalog.feed(made.department, feed_id)
                if (place := feed.transport.returns_to) is not None:
                    self._write_at_source(connection, made, feed)
                    _hand_over(connection, return_id, "exchange_table", place, "zhengku")
            connection.execute(
                statement("review/returns.finish_return"),
                {"return_id": return_id, "files": Jsonb([vars(_file(path)) for path in files])},
            )
            return one_return(connection, return_id)

    def hand_over(self, return_id: int, name: str, handed_over_by: str) -> Path:
        """Return the place of a file of a return for a person to fetch, and record that it was handed over.

        Raises `ConfigurationError` when the return has no such file.
        """
        with store_connection(self.settings.database_url) as connection:
            made = one_return(connection, return_id)
            path = self.folder(made.department) / f"{return_id:06d}" / name
            if name not in {file["name"] for file in made.files or ()} or not path.is_file():
                raise ConfigurationError(
                    f"Return {return_id} has no file {name!r} in {self.folder(made.department)}. "
                    f"`zhengku problems return --again {return_id}` writes its files anew."
                )
            _hand_over(connection, return_id, "download", name, handed_over_by)
        return path

    def remind(self, now: datetime) -> list[str]:
        """Remind the departments whose returned problems are overdue or due soon; return these departments.

        A reminder lies in the department's folder and is replaced by the next one; it goes when nothing is due.
        """
        today = now.astimezone(CITY_TIME_ZONE).date()
        calendar = WorkingCalendar.load(self.settings.catalog_folder, today)
        soon = calendar.add_working_days(today, self.config.remind_before_working_days)
        with store_connection(self.settings.database_url) as connection:
            waiting = [one for one in returns(connection, limit=100_000) if one.waiting and one.due_on <= soon]
        reminded: list[str] = []
        for department in self.catalog.departments.values():
            path = self.folder(department.department) / "整改提醒.txt"
            mine = [one for one in waiting if one.department == department.department]
            if not mine:
                path.unlink(missing_ok=True)
                continue
            lines = [f"{department.name}：", "", f"截至 {today}，贵单位下列问题数据尚未更正："]
            lines += [
                f"    第{one.return_id}号退回单：{one.waiting:,} 条，整改期限 {one.due_on}"
                f"（{'已逾期' if one.due_on < today else '即将到期'}）"
                for one in sorted(mine, key=lambda one: one.due_on)
            ]
            lines += ["", "请按退回单更正后，按原渠道重新提供；更正的数据通过校验即自动销号。"]
            with atomic_write(path) as aside:
                aside.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig")
            reminded.append(department.department)
        return reminded

    def _lines(self, connection: Connection, made: ProblemReturn, feed: Feed) -> Iterator[_Line]:
        rules = _rules_of(self.settings, feed)
        told: dict[str, tuple[tuple[str, ...], str, str]] = {
            rule_id: ((), words, "") for rule_id, words in ROW_EXPECTED.items()
        }
        for rule_id, rule in rules.items():
            told[rule_id] = (
                wrong_columns(rule_id, feed, rules),
                expected(rule, feed, self.catalog),
                right_example(rule, feed, self.catalog),
            )
        # In pieces: a department may have a hundred thousand at once.
        with connection.cursor("returned_problems", row_factory=dict_row) as cursor:
            cursor.execute(
                statement("review/returns.returned_problems"), {"return_id": made.return_id, "feed": feed.id}
            )
            for row in cursor:
                yield _line(row, told)

    def _write_workbook(
        self, connection: Connection, made: ProblemReturn, counts: Mapping[str, int], path: Path
    ) -> None:
        name = self.catalog.department(made.department).name
        with atomic_write(path) as aside:
            book = Book(
                aside,
                f"{name}问题数据退回单",
                made.made_at,
                f"第{made.return_id}号 {city_time(made.made_at)}",
                "含个人信息，仅限本部门使用",
            )
            sheets: list[Sheets[Any]] = []
            contents: dict[str, str] = {}
            for place, feed_id in enumerate(counts, 1):
                feed = self.catalog.feed(made.department, feed_id)
                sheet_name = f"{place}.{_sheet_name(feed.title)}"
                names = _columns_of(connection, made, feed_id)
                sheet = Sheets(book, sheet_name, [*_COLUMNS, *map(_delivered, names)])
                sheet.write(self._lines(connection, made, feed))
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

    def _write_csv(self, connection: Connection, made: ProblemReturn, feed_id: str, path: Path) -> None:
        names = _columns_of(connection, made, feed_id)
        with atomic_write(path) as aside, aside.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*(column.header for column in _COLUMNS), "整改期限", *map(harmless, names)])
            for row in self._lines(connection, made, self.catalog.feed(made.department, feed_id)):
                cells = [column.value(row) for column in _COLUMNS]
                writer.writerow(
                    [
                        *(f"{cell:%Y-%m-%d %H:%M}" if isinstance(cell, datetime) else harmless(cell) for cell in cells),
                        made.due_on,
                        *(harmless(row.payload.get(name)) for name in names),
                    ]
                )

    def _write_at_source(self, connection: Connection, made: ProblemReturn, feed: Feed) -> None:
        """Write the rows of a return to the place that the feed's transport has for them."""
        address = self.settings.connection(feed.transport.connection)
        row_id = feed.transport.row_columns
        rows = [
            {
                "return_id": made.return_id,
                "problem_id": line.problem_id,
                "feed": feed.id,
                "row_key": "|".join(f"{column}={line.payload.get(column) or ''}" for column in row_id),
                "wrong_columns": line.columns,
                "wrong_values": line.values,
                "reason": line.reason,
                "expected": line.expected,
                "example": line.example,
                "due_on": made.due_on,
                "returned_at": made.made_at.astimezone(CITY_TIME_ZONE).replace(tzinfo=None),
            }
            for line in self._lines(connection, made, feed)
        ]
        # What a try before this one wrote is replaced.
        mine = {"return_id": made.return_id, "feed": feed.id}
        connector_of(feed).write_returned(address, RETURN_COLUMNS, rows, mine)


RETURN_COLUMNS = (
    "return_id",
    "problem_id",
    "feed",
    "row_key",
    "wrong_columns",
    "wrong_values",
    "reason",
    "expected",
    "example",
    "due_on",
    "returned_at",
)
"""Columns of the table in an exchange database that returned records are written to."""

_COLUMNS: tuple[Column[_Line], ...] = (
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


def returns(
    connection: Connection,
    *,
    return_id: int | None = None,
    department: str | None = None,
    unwritten: bool = False,
    limit: int = 50,
) -> list[ProblemReturn]:
    """List returns, the newest first; `unwritten` are those whose files are not there yet."""
    values = {"return_id": return_id, "department": department, "unwritten": unwritten, "limit": limit}
    with connection.cursor(row_factory=class_row(ProblemReturn)) as cursor:
        return cursor.execute(statement("review/returns.returns"), values).fetchall()


def one_return(connection: Connection, return_id: int) -> ProblemReturn:
    """Read a return. Raises `ConfigurationError` when there is none of that number."""
    found = returns(connection, return_id=return_id, limit=1)
    if not found:
        raise ConfigurationError(f"There is no return {return_id}. `zhengku problems returns` lists them.")
    return found[0]


def hand_overs(connection: Connection, return_id: int) -> list[HandOver]:
    """Return when, by whom and how the parts of a return were handed over, the oldest first."""
    with connection.cursor(row_factory=class_row(HandOver)) as cursor:
        return cursor.execute(statement("review/returns.hand_overs"), {"return_id": return_id}).fetchall()


def _hand_over(connection: Connection, return_id: int, channel: str, item: str, handed_over_by: str) -> None:
    values = {"return_id": return_id, "channel": channel, "item": item, "handed_over_by": handed_over_by}
    connection.execute(statement("review/returns.record_hand_over"), values)


def _columns_of(connection: Connection, made: ProblemReturn, feed_id: str) -> list[str]:
    values = {"return_id": made.return_id, "feed": feed_id}
    return [row[0] for row in connection.execute(statement("review/returns.returned_columns"), values).fetchall()]


def _rules_of(settings: Settings, feed: Feed) -> dict[str, Rule]:
    suites = load_suites(settings.suite_folder, feed.suites)
    return {rule.rule_id: rule for suite in suites for rule in suite.rules}


def _line(row: Mapping[str, Any], told: Mapping[str, tuple[tuple[str, ...], str, str]]) -> _Line:
    payload: Mapping[str, str | None] = row["payload"] or {}
    columns: list[tuple[str, ...]] = []
    values: list[str] = []
    words: list[str] = []
    examples: list[str] = []
    for rule_id in row["rules"]:
        # Of a rule that is no longer there the reason alone is known.
        names, meant, example = told.get(rule_id, ((), "", ""))
        columns.append(names)
        values.append("；".join(f"{payload.get(name) or '（空）'}" for name in names) if payload else _raw(row))
        words.append(meant)
        examples.append(example)
    is_row = any(rule_id in ROW_RULES for rule_id in row["rules"])
    return _Line(
        problem_id=row["problem_id"],
        opened_at=row["first_opened_at"],
        attempts=row["attempts"],
        columns=_numbered(["、".join(names) or _UNREADABLE for names in columns]),
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
    """Return as much of a title as a sheet may be called."""
    return "".join("_" if character in "[]:*?/\\'" else character for character in title)[:_SHEET_NAME]


def _delivered(name: str) -> Column[_Line]:
    return Column(name, 18, lambda row: row.payload.get(name), "wrap")


def _file(path: Path) -> ReturnFile:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1024 * 1024):
            digest.update(block)
    return ReturnFile(path.name, path.stat().st_size, digest.hexdigest())
