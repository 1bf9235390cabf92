"""Workbooks (XLSX) of tables for people: rows are streamed, in bounded memory, to as many sheets as they need.

Every text is stored in a text cell, whatever it starts with, so that no delivered text is evaluated as a formula. The
same rows give the same bytes.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, Literal, TypeVar

import xlsxwriter  # type: ignore[import-untyped]  # It has no types.
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]

from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import FileNotWritten
from zhengku.masking import mask_text
from zhengku.report.streamed_sheet import StreamedSheet, Value

SHEET_ROWS = 1_048_576
"""Rows that a sheet of this format can hold, its header included."""

Look = Literal["wrap", "centre", "figure", "count", "number", "share", "day", "time"]
RowT = TypeVar("RowT")

FONT = "微软雅黑"
DARK, PALE, LINE, RED = "#1F4E79", "#DDEBF7", "#BFBFBF", "#C00000"
_MOST_LINES = 20


@dataclass(frozen=True)
class Column(Generic[RowT]):
    """A column: `width` in characters; `alarm` returns whether the cell of a row is red.

    Its text is masked by `mask_text` unless it is `unmasked`: numbers by which a case is found in its own system.
    """

    header: str
    width: float
    value: Callable[[RowT], Value]
    look: Look
    alarm: Callable[[RowT], bool] | None = None
    unmasked: bool = False


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; at the end the file replaces `path`, readable only by this account.

    After an exception nothing of it is left, and an earlier file at `path` is unchanged. Raises `FileNotWritten` for
    every error of the operating system, those of whoever writes included.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # In the target's folder and not in the shared folder for temporary files: its content is personal data.
        with TemporaryDirectory(prefix=".written-", dir=path.parent) as folder:
            temporary = Path(folder) / path.name
            yield temporary
            temporary.chmod(0o600)
            temporary.replace(path)
    except OSError as error:
        raise FileNotWritten.at(path, error) from error


class Book:
    """The workbook with its formats."""

    def __init__(
        self,
        path: Path,
        title_zh: str,
        created: datetime,
        name_zh: str,
        footer_zh: str,
        max_rows: int = SHEET_ROWS,
        *,
        unmasked: bool = False,
    ) -> None:
        """Start a workbook; `name_zh` is printed opposite the title in the header of each page.

        Its texts are masked by `mask_text`, unless it is `unmasked`: for a department that gets its own rows.
        Raises `ValueError` unless a sheet has 2 to 1,048,576 rows.
        """
        if not 2 <= max_rows <= SHEET_ROWS:
            raise ValueError(f"expected 2 to {SHEET_ROWS} rows of a sheet, got {max_rows}")
        self.max_rows = max_rows
        self.mask = str if unmasked else mask_text
        self.workbook: Any = xlsxwriter.Workbook(
            os.fspath(path), {"constant_memory": True, "tmpdir": os.fspath(path.parent)}
        )
        self.workbook.use_zip64()
        self.workbook.set_properties({"title": title_zh, "created": created.astimezone(UTC)})
        # `&` starts a control code there; both parts together must stay below 255 characters.
        self.print_header = f"&L{title_zh[:100].replace('&', '&&')}&R{name_zh.replace('&', '&&')}"
        self.footer = footer_zh
        self.cover: Any = self.workbook.add_worksheet("封面")
        self.formats: dict[tuple[Look, bool], Any] = {
            (look, is_alarm): self.format(
                **_LOOKS[look], **({"font_color": RED, "bold": True} if is_alarm else {}), border=1, border_color=LINE
            )
            for look in _LOOKS
            for is_alarm in (False, True)
        }
        self.header = self.format(
            bold=True,
            font_color="#FFFFFF",
            bg_color=DARK,
            border=1,
            border_color=LINE,
            align="center",
            text_wrap=True,
        )

    def format(self, **properties: object) -> Any:
        """Return a format in the common font."""
        return self.workbook.add_format({"font_name": FONT, "font_size": 10, "valign": "vcenter", **properties})

    def add_sheet(self, name: str) -> Any:
        """Return a new sheet, set up for printing."""
        sheet = self.workbook.add_worksheet(name, worksheet_class=StreamedSheet)
        self.set_up_print(sheet)
        return sheet

    def set_up_print(self, sheet: Any) -> None:
        """Let a sheet print on A4, landscape, as wide as the page."""
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.set_margins(left=0.4, right=0.4, top=0.7, bottom=0.6)
        sheet.center_horizontally()
        sheet.fit_to_pages(1, 0)
        sheet.set_header(self.print_header)
        sheet.set_footer(f"&L{self.footer}&C第 &P 页，共 &N 页&R&A")

    def close(self) -> None:
        """Write the file. Raises `OSError` when that cannot be done."""
        try:
            self.workbook.close()
        except FileCreateError as error:
            # It wraps the error of the operating system, which says the cause.
            raise error.args[0] from error


_LOOKS: dict[Look, dict[str, object]] = {
    "wrap": {"num_format": "@", "text_wrap": True},
    "centre": {"num_format": "@", "align": "center"},
    "figure": {"num_format": "@", "align": "right", "indent": 1},
    "count": {"num_format": "0", "align": "center"},
    "number": {"num_format": "#,##0", "align": "right", "indent": 1},
    "share": {"num_format": "0.00%", "align": "right", "indent": 1},
    "day": {"num_format": "yyyy-mm-dd", "align": "center"},
    "time": {"num_format": "yyyy-mm-dd hh:mm", "align": "center"},
}


@dataclass
class _Part:
    """A sheet: rows `first` to `last` of its table, with the texts that identify the first and the last row."""

    sheet: Any
    name: str
    first: int
    last: int
    first_label: str = ""
    last_label: str = ""


class Sheets(Generic[RowT]):
    """The rows of one table, on as many sheets as they need."""

    def __init__(
        self,
        book: Book,
        name: str,
        columns: Sequence[Column[RowT]],
        place: Callable[[RowT], str] = lambda _: "",
    ) -> None:
        self.book = book
        self.name = name
        self.columns = columns
        self.place = place
        self.count = 0
        self.parts: list[_Part] = []
        self._begin_part()

    def write(self, rows: Iterable[RowT]) -> None:
        """Write all rows, and finish the sheets."""
        formats = self.book.formats
        count_format = formats["count", False]
        columns = [
            (
                column.value,
                str if column.unmasked else self.book.mask,
                column.alarm,
                formats[column.look, False],
                formats[column.look, True],
                int(column.width),
            )
            for column in self.columns
        ]
        part = self.parts[-1]
        line, last_line = 0, self.book.max_rows - 1
        row: RowT | None = None
        for row in rows:
            if line == last_line:
                part = self._begin_part()
                line = 0
            line += 1
            self.count += 1
            part.last = self.count
            if line == 1:
                part.first_label = self.place(row)
            elif line == last_line:
                part.last_label = self.place(row)
            cells: list[tuple[Value, Any]] = [(self.count, count_format)]
            lines = 1
            for value, mask, alarm, usual, alarming, width in columns:
                content = value(row)
                # Numbers, days and times fit into their columns.
                if isinstance(content, str):
                    content = mask(content)
                    if len(content) * 2 > width:
                        lines = max(lines, line_count(content, width))
                cells.append((content, alarming if alarm is not None and alarm(row) else usual))
            part.sheet.write_line(line, row_height(lines), cells)
        if row is None:
            part.sheet.write_string(1, 1, "（本表无数据）", self.book.format(font_color="#7F7F7F"))
        else:
            part.last_label = self.place(row)
        for part in self.parts:
            self._finish(part)

    def _begin_part(self) -> _Part:
        if len(self.parts) == 1:
            # Only with a second sheet are the sheets numbered. `_finish` has not used the name of the first one yet.
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


class Cover:
    """The first sheet, four columns wide; it is written last, when the content of all sheets is known."""

    _WIDTHS = (20, 16, 16, 100)

    def __init__(self, book: Book, title_zh: str) -> None:
        self.book = book
        self.sheet = book.cover
        self.title = title_zh
        self.line = 0
        self.label = book.format(bold=True, bg_color=PALE, border=1, border_color=LINE, indent=1)
        text = {"num_format": "@", "border": 1, "border_color": LINE, "text_wrap": True, "indent": 1}
        self.value = book.format(**text)
        self.warning = book.format(**text, font_color=RED)
        self.number = book.format(num_format="#,##0", border=1, border_color=LINE, align="right", indent=1)
        self.heading = book.format(bold=True, font_size=12, font_color=DARK)

    def write_title(self, subtitle: str) -> None:
        """Write the title, and a line below it."""
        self.book.set_up_print(self.sheet)
        self.sheet.fit_to_pages(1, 1)
        self.sheet.hide_gridlines(2)
        self.sheet.set_default_row(row_height(1))
        for position, width in enumerate(self._WIDTHS):
            self.sheet.set_column(position, position, width)
        self.sheet.set_row(0, 36)
        self._merge(0, self.title, self.book.format(bold=True, font_size=20, font_color=DARK, align="center"))
        self.sheet.set_row(1, 24)
        self._merge(0, subtitle, self.book.format(font_size=12, align="center"))

    def write_heading(self, text: str) -> None:
        """Write the heading of a part."""
        self.line += 1
        self.sheet.set_row(self.line, 22)
        self.sheet.write_string(self.line, 0, text, self.heading)
        self.line += 1

    def write_header(self, *names: str) -> None:
        """Write the names of the columns of a small table."""
        for position, name in enumerate(names):
            self.sheet.write_string(self.line, position, name, self.book.header)
        self.line += 1

    def write_particular(self, name: str, value: str, *, is_warning: bool = False) -> None:
        """Write a name and a text."""
        value = self.book.mask(value)
        self.sheet.write_string(self.line, 0, name, self.label)
        self.sheet.set_row(self.line, row_height(line_count(value, sum(self._WIDTHS[1:]))))
        self._merge(1, value, self.warning if is_warning else self.value)

    def write_count(self, name: str, first: int | None, second: int | None, meaning: str) -> None:
        """Write a name, two numbers (— where there is none), and what they mean."""
        self.sheet.write_string(self.line, 0, name, self.label)
        for position, count in ((1, first), (2, second)):
            if count is None:
                self.sheet.write_string(self.line, position, "—", self.number)
            else:
                self.sheet.write_number(self.line, position, count, self.number)
        self.sheet.write_string(self.line, 3, meaning, self.value)
        self.line += 1

    def write_contents(self, sheets: Sequence[Sheets[Any]], contents: Mapping[str, str]) -> None:
        """Write the list of sheets with links; `contents` has the description of each table by its name."""
        self.write_heading("目录")
        self.write_header("工作表", "行数", "序号", "内容")
        link = self.book.format(border=1, border_color=LINE, font_color="#0563C1", underline=1, indent=1)
        for kind in sheets:
            for part in kind.parts:
                count = part.last - part.first + 1
                extent = f"{part.first:,} – {part.last:,}" if count else "—"
                content = contents[kind.name]
                if len(kind.parts) > 1 and part.first_label:
                    content = self.book.mask(f"自 {part.first_label} 至 {part.last_label}")
                self.sheet.set_row(self.line, row_height(line_count(content, self._WIDTHS[3])))
                self.sheet.write_url(self.line, 0, f"internal:'{part.name}'!A1", link, part.name)
                self.sheet.write_number(self.line, 1, count, self.number)
                self.sheet.write_string(self.line, 2, extent, self.number)
                self.sheet.write_string(self.line, 3, content, self.value)
                self.line += 1

    def write_remarks(self, remarks: Sequence[str]) -> None:
        """Write numbered remarks."""
        self.write_heading("说明")
        for number, remark in enumerate(remarks, 1):
            self._merge(0, f"{number}. {remark}", self.book.format())

    def _merge(self, first_column: int, text: str, cell_format: Any) -> None:
        last_column = len(self._WIDTHS) - 1
        self.sheet.merge_range(self.line, first_column, self.line, last_column, "", cell_format)
        self.sheet.write_string(self.line, first_column, text, cell_format)
        self.line += 1


def line_count(text: str, width: int) -> int:
    """Return how many lines a text needs in a column: not every program adjusts the height of rows itself."""
    # In this encoding, a character has about as many bytes as its width in columns.
    return sum(max(1, -(-len(line.encode("gb18030")) // width)) for line in text.split("\n"))


def row_height(lines: int) -> float:
    """Return the height of a row in points."""
    return 4.5 + 13.5 * min(lines, _MOST_LINES)


def city_clock(moment: datetime | None) -> datetime | None:
    """Return a moment in Asia/Shanghai time; None stays None."""
    return None if moment is None else moment.astimezone(CITY_TIME_ZONE)


def city_time(moment: datetime, day: date | None = None) -> str:
    """Return `2026-11-24 16:30` (Asia/Shanghai); the midnight that ends `day` as its 24:00."""
    local = moment.astimezone(CITY_TIME_ZONE)
    if day is not None and local.time() == time() and (local.date() - day).days == 1:
        return f"{day:%Y-%m-%d} 24:00"
    return f"{local:%Y-%m-%d %H:%M}"
