"""Reads a landed spreadsheet (XLSX) as rows for PostgreSQL's COPY.

Cells become text as a person sees them, as far as the file tells: whole numbers without a point, dates as 2019-01-01,
times of day behind them, TRUE and FALSE, the errors of formulas. The database cleans and checks that text as it does
any other.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from typing import BinaryIO, Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from zhengku.catalog.department import XlsxFormat
from zhengku.errors import DeliveryRejected
from zhengku.stage.blocks import PAYLOAD_LIMIT, BadRow, Block
from zhengku.stage.column_names import as_required, check_count, check_names, missing_columns, missing_from
from zhengku.stage.quoting import Fault
from zhengku.stage.workbook_archive import inspect, not_workbook

BLOCK_SIZE: Final = 128 * 1024
"""Bytes of COPY text, about, that make a block."""

LONGEST_TEXT: Final = 1024 * 1024
"""Bytes of one cell. Excel itself allows 32,767 characters; other programs write what they have."""

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True)
class _Merge:
    """A merged range; rows of the sheet and columns of the read area, from 0, both ends within it."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class _Header:
    """Where the names stand: those of the columns from `first`, above the sheet's row `body` (from 0)."""

    columns: tuple[str, ...]
    first: int
    body: int


def open_workbook(content: BinaryIO, *, required_columns: Sequence[str], form: XlsxFormat) -> "WorkbookReader":
    """Open a landed spreadsheet and return a reader that stands before its first row.

    The header is the first row, or `form.header_rows` rows, that has all `required_columns`, below at most
    `form.max_title_rows` rows of titles. The whole sheet is held in memory, some 100 bytes for each cell.

    Raises `DeliveryRejected` with one of the rules `file.empty`, `file.not_workbook`, `file.sheet`,
    `file.missing_column`, `file.header`, `file.duplicate_column`, `file.too_many_columns`, `file.no_rows`.
    """
    found = inspect(content, form.sheet)
    try:
        with CalamineWorkbook.from_filelike(content) as workbook:
            sheet = workbook.get_sheet_by_name(found.sheet)
    except (CalamineError, OSError, ValueError) as error:
        # Its text may quote a cell.
        raise not_workbook(f"its XML is damaged ({type(error).__name__})", "文件内容已损坏") from None
    reader = WorkbookReader(sheet, found.errors, required_columns, form)
    if not reader.has_rows and not form.allow_empty:
        raise DeliveryRejected(
            "file.no_rows",
            f"The sheet {found.sheet} has a header and no row; expected at least one. Deliver the file again with its "
            "rows, or set allow_empty in the feed's format if an empty delivery is normal.",
            "工作表只有表头，没有数据行。请核对后重新报送。",
        )
    return reader


class WorkbookReader:
    """The rows of one sheet, in blocks; iterate it once.

    `columns` are the names of the header, a required column by its required name. `row_no` is the row's number in the
    sheet. A row below the header is a record, whatever it says (totals and remarks too: the checks quarantine them),
    unless its cells are empty; the value of cells merged over several rows belongs to each of them that has another
    value of its own. `fetched` counts all records, good and bad.
    """

    def __init__(
        self,
        sheet: CalamineSheet,
        errors: dict[int, dict[int, str]],
        required: Sequence[str],
        form: XlsxFormat,
    ) -> None:
        self.good = 0
        self.bad = 0
        self.blank_lines = 0
        self._left = sheet.start[1] if sheet.start else 0
        self._top = sheet.start[0] if sheet.start else 0
        self._errors = errors
        self._rows = self._texts(sheet)
        merges = self._merges(sheet)
        searched = list(islice(self._rows, form.max_title_rows + form.header_rows))
        header = _find_header(searched, merges, required, form)
        self._first_column = header.first
        self.columns: Final = header.columns
        self.unread: Final[tuple[str, ...]] = ()
        # Values merged over several columns stay in the first: a remark across the table is no value of any column.
        self._merged_from: dict[int, list[_Merge]] = {}
        for merge in merges:
            if merge.top >= header.body and merge.bottom > merge.top:
                self._merged_from.setdefault(merge.top, []).append(merge)
        self._blocks = self._read_blocks([row for row in searched if row[0] >= header.body])
        self._first = next(self._blocks, None)

    @property
    def fetched(self) -> int:
        """Records read so far, good and bad."""
        return self.good + self.bad

    @property
    def has_rows(self) -> bool:
        """Whether the sheet has any record."""
        return self._first is not None

    def __iter__(self) -> Iterator[Block]:
        if self._first is not None:
            yield self._first
        yield from self._blocks

    def _texts(self, sheet: CalamineSheet) -> Iterator[tuple[int, list[str]]]:
        """Iterate over the rows from the first that is not empty: place from 0, and texts."""
        for place, cells in enumerate(sheet.iter_rows()):
            if place < self._top:
                continue
            texts = [cell if type(cell) is str else _text(cell) for cell in cells]
            # calamine gives nothing for the error of a formula.
            for column, error in self._errors.get(place, {}).items():
                if 0 <= column - self._left < len(texts):
                    texts[column - self._left] = error
            yield place, texts

    def _merges(self, sheet: CalamineSheet) -> list[_Merge]:
        if sheet.end is None:
            return []
        last_row, last_column = sheet.end
        return [
            _Merge(top, min(bottom, last_row), left - self._left, min(right, last_column) - self._left)
            for (top, left), (bottom, right) in sheet.merged_cell_ranges or []
            # A range holds the value of its first cell; outside the area of values there is none.
            if self._top <= top <= last_row and self._left <= left <= last_column
        ]

    def _read_blocks(self, searched: list[tuple[int, list[str]]]) -> Iterator[Block]:
        lines: list[bytes] = []
        bad: list[BadRow] = []
        size = 0
        merged: dict[int, tuple[int, str]] = {}
        for rows in (searched, self._rows):
            for place, texts in rows:
                blank = not any(text.strip() for text in texts)
                for column, (bottom, text) in list(merged.items()):
                    if place > bottom:
                        del merged[column]
                    elif not texts[column]:
                        texts[column] = text
                for merge in self._merged_from.get(place, ()):
                    merged[merge.left] = (merge.bottom, texts[merge.left])
                if blank:
                    self.blank_lines += 1
                    continue
                outcome = self._line(place, texts)
                if isinstance(outcome, Fault):
                    bad.append(self._bad_row(place, texts, outcome))
                    self.bad += 1
                    size += PAYLOAD_LIMIT
                else:
                    lines.append(outcome)
                    self.good += 1
                    size += len(outcome)
                if size >= BLOCK_SIZE:
                    yield Block(b"".join(lines), len(lines), bad)
                    lines, bad, size = [], [], 0
        if lines or bad:
            yield Block(b"".join(lines), len(lines), bad)

    def _line(self, place: int, texts: Sequence[str]) -> bytes | Fault:
        """Return a record as a line of COPY text."""
        first, end = self._first_column, self._first_column + len(self.columns)
        for column, text in (*enumerate(texts[:first]), *enumerate(texts[end:], end)):
            if text.strip():
                shown = column + self._left + 1
                return Fault(
                    "row.ragged",
                    f"第{shown}列没有列名，却有内容",
                    f"a value in column {shown} of the sheet, above which the header has no name",
                )
        values = texts[first:end]
        line = "\t".join(values)
        if "\\" in line or "\n" in line or "\r" in line or line.count("\t") >= len(values):
            values = [text.translate(_ESCAPES) for text in values]
        line = "\t".join([str(place + 1), *(text or "\\N" for text in values)])
        # XML has no NUL, but "_x0000_" stands for it.
        if "\0" in line:
            return Fault("row.nul", "含空字符（NUL）", "a NUL in a cell")
        try:
            encoded = line.encode()
        except UnicodeEncodeError:
            return Fault("row.encoding", "含无法识别的字符（单个代理码）", "a lone surrogate, which is no character")
        if len(encoded) > LONGEST_TEXT and any(len(text.encode()) > LONGEST_TEXT for text in texts):
            return Fault(
                "row.too_long",
                f"有单元格超过{LONGEST_TEXT}字节",
                f"a cell of more than {LONGEST_TEXT} bytes",
            )
        return encoded + b"\n"

    def _bad_row(self, place: int, texts: Sequence[str], fault: Fault) -> BadRow:
        # A spreadsheet's row has no bytes of its own in the file.
        raw = json.dumps(texts, ensure_ascii=False).encode(errors="backslashreplace")
        return BadRow(
            row_no=place + 1,
            rule_id=fault.rule_id,
            detail_zh=fault.detail_zh,
            detail_en=fault.detail_en,
            byte_offset=0,
            byte_length=len(raw),
            sha256=sha256(raw).hexdigest(),
            payload=raw[:PAYLOAD_LIMIT],
        )


def _text(cell: int | float | str | bool | time | date | datetime | timedelta) -> str:
    """Return a cell as a person sees it."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, int | float):
        if isinstance(cell, int) or (cell.is_integer() and abs(cell) < 10**15):
            return str(int(cell))
        # A spreadsheet keeps 15 digits: what has more (a code typed as a number) was wrong when the file was saved. It
        # is written out as it is, not as 4.2E+17, and fails its check.
        return format(Decimal(repr(cell)), "f").removesuffix(".0")
    if isinstance(cell, datetime):
        # Times are fractions of a day, so that whole seconds may come a little too early.
        rounded = cell + timedelta(milliseconds=500) if cell.year < MAXYEAR else cell
        return rounded.isoformat(" ", "seconds")
    if isinstance(cell, timedelta):
        seconds = round(abs(cell).total_seconds())
        sign = "-" if cell < timedelta() else ""
        return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if isinstance(cell, time):
        return cell.isoformat("seconds")
    return cell if isinstance(cell, str) else cell.isoformat()


def _find_header(
    rows: Sequence[tuple[int, list[str]]], merges: Sequence[_Merge], required: Sequence[str], form: XlsxFormat
) -> _Header:
    readings = [
        (rows[at][0] + form.header_rows, _names(rows[at : at + form.header_rows], merges))
        for at in range(min(form.max_title_rows + 1, len(rows) - form.header_rows + 1))
    ]
    if required:
        body, names = min(readings, key=lambda reading: len(missing_from(reading[1], required)), default=(0, []))
    else:
        # Nobody knows the names yet: titles fill few cells, or stand above all the names.
        body, names = max(readings, key=lambda reading: _distinct_below(reading[1]), default=(0, []))
    named = [column for column, name in enumerate(names) if name.strip()]
    if not named or missing_from(names, required):
        places = f" in the first {len(rows)} rows that are not empty." if rows else "; the sheet is empty."
        raise missing_columns([names[column] for column in named], required, places)
    first = named[0]
    names = names[first : named[-1] + 1]
    check_count(len(names), form.max_columns, "the header")
    check_names(names)
    return _Header(as_required(names, required), first, body)


def _distinct_below(names: Sequence[str]) -> int:
    """Count different names, none where a title is part of all of them."""
    named = [name for name in names if name]
    tops = {name.split("/")[0] for name in named}
    return 0 if len(tops) == 1 and len(named) > 1 else len(set(named))


def _names(rows: Sequence[tuple[int, list[str]]], merges: Sequence[_Merge]) -> list[str]:
    """Return the names that some rows, read as a header, give the columns.

    A name merged over several columns stands above the names of the rows below it. In the last row it has none below,
    so it names its first column only, and a title merged across the table is no header.
    """
    top, last = rows[0][0], rows[-1][0]
    origins: dict[tuple[int, int], tuple[int, int]] = {}
    for merge in merges:
        if merge.top < top or merge.top > last or (merge.top == last and merge.bottom == last):
            continue
        for row in range(merge.top, min(merge.bottom, last) + 1):
            for column in range(merge.left, merge.right + 1):
                origins[row, column] = (merge.top, merge.left)
    names = []
    for column in range(len(rows[0][1])):
        places = dict.fromkeys(origins.get((row, column), (row, column)) for row, _ in rows)
        parts = [rows[row - top][1][at].strip() for row, at in places]
        names.append("/".join(part for part in parts if part))
    return names
