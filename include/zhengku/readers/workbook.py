"""Reads a landed spreadsheet (XLSX) as rows for PostgreSQL's COPY.

Cells become text as a person sees them, as far as the file shows that: whole numbers without a point and with the
zeros and words of their format, dates as 2019-01-01, followed by times of day, TRUE and FALSE, the errors of formulas.
The database cleans and checks that text as it does any other.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from typing import BinaryIO, Final, Literal

import msgspec
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from zhengku.errors import DeliveryRejected
from zhengku.readers.blocks import PAYLOAD_LIMIT, SHEET_ROWS, BadRow, Block, Note
from zhengku.readers.column_names import (
    as_required,
    check_count,
    check_names,
    missing_columns,
    missing_from,
    shown,
    with_names_for_nameless,
)
from zhengku.readers.quoting import Fault
from zhengku.readers.workbook_archive import SheetPart, inspect, missing_sheet, not_workbook
from zhengku.readers.workbook_numbers import KEPT_DIGITS, long_number

BLOCK_SIZE: Final = 128 * 1024
"""Bytes of COPY text, about, that make a block."""

LONGEST_TEXT: Final = 1024 * 1024
"""Bytes of one cell. Excel itself allows 32,767 characters; other programs write what they have."""


UNCALCULATED: Final = "（公式未计算）"
"""The text of a cell whose formula nobody calculated."""

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
    """Where the header is: the names of the columns from `first`, above the sheet's row `body` (from 0)."""

    columns: tuple[str, ...]
    first: int
    body: int


@dataclass(frozen=True, slots=True)
class SheetRead:
    """How one sheet of a workbook was processed.

    `rows` counts its records that were read; row 5 of the sheet has the row number `first_row_no + 5`. For a sheet that
    was not read, `skipped` says why, in Chinese, and `rows` counts the rows that are not empty, titles included.
    """

    name: str
    rows: int
    first_row_no: int = 0
    skipped: str | None = None


@dataclass(slots=True)
class _Sheet:
    """A sheet that is read: its header, and the rows below it, of which the first few are in `searched`."""

    part: SheetPart
    rows: Iterator[tuple[int, list[str]]]
    searched: list[tuple[int, list[str]]]
    left: int
    header: _Header
    merges: Sequence[_Merge]
    order: tuple[int | None, ...] | None = None
    """For each column of the delivery, its place counted from `header.first`; None where the order is the same."""
    needed: frozenset[int] = frozenset()
    """Columns of the sheet, from 0, that the feed maps."""
    has_rows: bool = field(init=False)

    def __post_init__(self) -> None:
        body = [row for row in self.searched if row[0] >= self.header.body]
        self.searched = body
        while not (body and any(map(str.strip, body[-1][1]))) and (row := next(self.rows, None)):
            body.append(row)
        self.has_rows = any(any(map(str.strip, texts)) for _, texts in body)


class WorkbookForm(msgspec.Struct, frozen=True):
    """The settings of `XlsxFormat` that a reader needs; importing that takes longer than reading most workbooks."""

    requested_sheets: Literal["first", "all"] | tuple[str, ...]
    header_rows: int
    max_title_rows: int
    max_columns: int
    allow_empty: bool

    @classmethod
    def of(cls, form: object) -> "WorkbookForm":
        """Return the form with the attributes of an `XlsxFormat`."""
        return msgspec.convert(form, cls, from_attributes=True)


def open_workbook(content: BinaryIO, *, required_columns: Sequence[str], form: WorkbookForm) -> "WorkbookReader":
    """Open a landed spreadsheet and return a reader positioned before its first row.

    Of each sheet, the header is the first row, or `form.header_rows` rows, that has all `required_columns`, below at
    most `form.max_title_rows` rows of titles. `form.requested_sheets` says which sheets are read: `first`, the first
    that is not hidden and has the header (and rows, if any has both); `all` that are not hidden and have it; or those
    named, hidden or not. Sheets are held in memory, some 100 bytes for each cell.

    Raises `DeliveryRejected` with one of the rules `file.empty`, `file.not_workbook`, `file.sheet`,
    `file.missing_column`, `file.header`, `file.duplicate_column`, `file.too_many_columns`, `file.no_rows`.
    """
    parts = inspect(content)
    try:
        with CalamineWorkbook.from_filelike(content) as workbook:
            chosen = _ChosenSheets(workbook, parts, required_columns, form)
    except (CalamineError, OSError, ValueError) as error:
        # The error's text may quote a cell.
        raise not_workbook(f"its XML is damaged ({type(error).__name__})", "文件内容已损坏") from None
    reader = WorkbookReader(chosen.sheets, chosen.skipped, required_columns, form)
    if not reader.has_rows and not form.allow_empty:
        raise DeliveryRejected(
            "file.no_rows",
            f"The sheet {shown([sheet.part.name for sheet in chosen.sheets])} has a header and no row; expected at "
            "least one. Deliver the file again with its rows, or set allow_empty in the feed's format if an empty "
            "delivery is normal.",
            "工作表只有表头，没有数据行。请核对后重新报送。",
        )
    return reader


class _ChosenSheets:
    """Which sheets of a workbook are read, and why the others are not.

    `sheets` are those that are read, in their order, `skipped` the others.
    """

    def __init__(
        self, workbook: CalamineWorkbook, parts: Sequence[SheetPart], required: Sequence[str], form: WorkbookForm
    ) -> None:
        self._workbook = workbook
        self._required = required
        self._form = form
        self._is_one_of_several = len(parts) > 1
        self.sheets: list[_Sheet] = []
        self.skipped: list[SheetRead] = []
        self._wrong: list[tuple[SheetPart, DeliveryRejected]] = []
        requested = form.requested_sheets
        if isinstance(requested, tuple):
            self._take_named(parts, requested)
        else:
            # A workbook must show one sheet; where a program hid all of them, hiding means nothing.
            visible = [part for part in parts if part.is_visible] or list(parts)
            self._take_with_header(visible, only_first=requested == "first")
            for part in parts:
                if part not in visible:
                    self._skip(part, _HIDDEN)
        for part, _ in self._wrong:
            self._skip(part, _NO_HEADER)

    def _skip(self, part: SheetPart, why: str) -> None:
        self.skipped.append(SheetRead(part.name, part.rows, skipped=why if part.rows else EMPTY))

    def _take_named(self, parts: Sequence[SheetPart], names: Sequence[str]) -> None:
        by_name = {part.name.strip(): part for part in parts}
        for name in names:
            if name.strip() not in by_name:
                raise missing_sheet(name, [part.name for part in parts])
        named = [by_name[name.strip()] for name in dict.fromkeys(names)]
        self.sheets = [self._opened(part) for part in named]
        for part in parts:
            if part not in named:
                self._skip(part, _NOT_NAMED if part.is_visible else _HIDDEN)

    def _take_with_header(self, parts: Sequence[SheetPart], *, only_first: bool) -> None:
        found: list[_Sheet] = []
        for part in parts:
            if only_first and found and found[0].has_rows:
                self._skip(part, _NOT_FIRST)
                continue
            try:
                sheet = self._opened(part)
            except DeliveryRejected as error:
                # A sheet that has the header and another fault rejects the file, it is not skipped. While the names of
                # the columns are not known, any sheet may be the right one.
                if self._required and error.rule != "file.missing_column":
                    raise
                self._wrong.append((part, error))
                continue
            if only_first and found:
                if not sheet.has_rows:
                    self._skip(part, _NO_ROWS)
                    continue
                self._skip(found.pop().part, _NO_ROWS)
            found.append(sheet)
        if not found:
            raise self._no_header(parts)
        self.sheets = found

    def _no_header(self, parts: Sequence[SheetPart]) -> DeliveryRejected:
        """Return the rejection of the sheet that lacks the fewest columns, with the names of all that were searched."""
        if len(parts) == 1:
            return self._wrong[0][1]
        # The sheet with the fewest missing columns has the shortest reason; an empty one does not count.
        _, error = min(self._wrong, key=lambda each: (not each[0].rows, len(each[1].reason)))
        names = [part.name for part in parts]
        return DeliveryRejected(
            error.rule,
            f"None of the sheets {shown(names)} has the header; the nearest: {error}",
            f"已查看工作表：{shown(names, '、')}，均没有所需的表头。最接近的一张：{error.reason}",
        )

    def _opened(self, part: SheetPart) -> _Sheet:
        part.check_area()
        sheet = self._workbook.get_sheet_by_name(part.name)
        left = sheet.start[1] if sheet.start else 0
        rows = _texts(sheet, part)
        merges = _merges(sheet)
        searched = list(islice(rows, self._form.max_title_rows + self._form.header_rows))
        header = _find_header(searched, merges, self._required, self._form, part.name)
        if not self._required and len(header.columns) < _COLUMNS_OF_TABLE and self._is_one_of_several:
            raise missing_columns(header.columns, self._required, f" in sheet {shown([part.name])}.")
        return _Sheet(part, rows, searched, left, header, merges)


EMPTY: Final = "空白工作表"
_HIDDEN: Final = "隐藏的工作表"
_NO_HEADER: Final = "没有所需的表头"
_NOT_FIRST: Final = "约定只读第一张有表头的工作表"
_NOT_NAMED: Final = "不在约定的工作表之列"
_NO_ROWS: Final = "只有表头，没有数据行"
_COLUMNS_OF_TABLE: Final = 2


class WorkbookReader:
    """The rows of the sheets that are read, in blocks; iterate it once.

    `columns` are the names of the header, a required column by its required name; of several sheets, those of the first
    one and then those that only others have. `row_no` is the row's number in its sheet, plus `SHEET_ROWS` for each
    sheet before. A row below the header is a record, whatever it says (totals and remarks too: the checks quarantine
    them), unless its cells are empty. The value of cells merged over several rows belongs to each of these rows that
    has another value too. A row is bad when a formula in a required column has no value. `fetched` counts all records,
    good and bad.
    """

    def __init__(
        self, sheets: Sequence[_Sheet], skipped: Sequence[SheetRead], required: Sequence[str], form: WorkbookForm
    ) -> None:
        self.good = 0
        self.bad = 0
        self.blank_lines = 0
        self.notes: tuple[Note, ...] = ()
        self.unread: Final[tuple[str, ...]] = ()
        self._sheets = sheets
        self._skipped = skipped
        self._read_rows: list[int] = []
        self.columns: Final = tuple(dict.fromkeys(name for sheet in sheets for name in sheet.header.columns))
        check_count(len(self.columns), form.max_columns, "the header")
        for sheet in sheets:
            places = {name: place for place, name in enumerate(sheet.header.columns)}
            if sheet.header.columns != self.columns:
                sheet.order = tuple(map(places.get, self.columns))
            sheet.needed = frozenset(sheet.left + sheet.header.first + places[name] for name in required)
        self._blocks = self._read_sheets()
        self._first = next(self._blocks, None)

    @property
    def fetched(self) -> int:
        """Records read so far, good and bad."""
        return self.good + self.bad

    @property
    def has_rows(self) -> bool:
        """Whether the sheets have any record."""
        return self._first is not None

    @property
    def sheets(self) -> list[SheetRead]:
        """How each sheet was processed, starting with those that were read; final when the iteration has ended."""
        read = [
            SheetRead(sheet.part.name, rows, number * SHEET_ROWS)
            for number, (sheet, rows) in enumerate(zip(self._sheets, self._read_rows, strict=False))
        ]
        return [*read, *self._skipped]

    def __iter__(self) -> Iterator[Block]:
        if self._first is not None:
            yield self._first
        yield from self._blocks

    def _read_sheets(self) -> Iterator[Block]:
        for number, sheet in enumerate(self._sheets):
            before = self.fetched
            self._read_rows.append(0)
            for block in self._read_blocks(sheet, number * SHEET_ROWS):
                self._read_rows[number] = self.fetched - before
                yield block

    def _read_blocks(self, sheet: _Sheet, offset: int) -> Iterator[Block]:
        # Values merged over several columns stay in the first one: a remark across the table is no value of the others.
        merged_from: dict[int, list[_Merge]] = {}
        for merge in sheet.merges:
            if merge.top >= sheet.header.body and merge.bottom > merge.top:
                merged_from.setdefault(merge.top, []).append(merge)
        lines: list[bytes] = []
        bad: list[BadRow] = []
        size = 0
        merged: dict[int, tuple[int, str]] = {}
        for rows in (sheet.searched, sheet.rows):
            for place, texts in rows:
                uncalculated = sheet.needed & sheet.part.uncalculated.get(place, _NONE)
                for column in uncalculated:
                    texts[column - sheet.left] = UNCALCULATED
                blank = not any(text.strip() for text in texts)
                for column, (bottom, text) in list(merged.items()):
                    if place > bottom:
                        del merged[column]
                    elif not texts[column]:
                        texts[column] = text
                for merge in merged_from.get(place, ()):
                    merged[merge.left] = (merge.bottom, texts[merge.left])
                if blank:
                    self.blank_lines += 1
                    continue
                outcome = _uncalculated(uncalculated) if uncalculated else _line(sheet, offset + place + 1, texts)
                if isinstance(outcome, Fault):
                    bad.append(self._bad_row(sheet, offset + place + 1, texts, outcome))
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

    def _bad_row(self, sheet: _Sheet, row_no: int, texts: Sequence[str], fault: Fault) -> BadRow:
        # A spreadsheet's row has no bytes of its own in the file.
        raw = json.dumps(texts, ensure_ascii=False).encode(errors="backslashreplace")
        where = f"工作表“{shown([sheet.part.name])}”" if len(self._sheets) > 1 else ""
        return BadRow(
            row_no=row_no,
            rule_id=fault.rule_id,
            detail_zh=f"{where}{fault.detail_zh}",
            detail_en=fault.detail_en,
            byte_offset=0,
            byte_length=len(raw),
            sha256=sha256(raw).hexdigest(),
            payload=raw[:PAYLOAD_LIMIT],
            cells=_in_order(sheet, texts) if fault.rule_id == "row.ragged" and len(raw) < 1000 else (),
        )


def _in_order(sheet: _Sheet, texts: Sequence[str]) -> tuple[str, ...]:
    """Return the values of a row by the delivery's columns, as far as they go."""
    values = texts[sheet.header.first :]
    if sheet.order is None:
        return tuple(values)
    return tuple("" if place is None or place >= len(values) else values[place] for place in sheet.order)


def _line(sheet: _Sheet, row_no: int, texts: Sequence[str]) -> bytes | Fault:
    """Return a record as a line of COPY text."""
    first, end = sheet.header.first, sheet.header.first + len(sheet.header.columns)
    for column, text in (*enumerate(texts[:first]), *enumerate(texts[end:], end)):
        if text.strip():
            number = column + sheet.left + 1
            return Fault(
                "row.ragged",
                f"第{number}列没有列名，却有内容",
                f"a value in column {number} of the sheet, above which the header has no name",
            )
    values = texts[first:end]
    if sheet.order is not None:
        values = ["" if place is None else values[place] for place in sheet.order]
    line = "\t".join(values)
    if "\\" in line or "\n" in line or "\r" in line or line.count("\t") >= len(values):
        values = [text.translate(_ESCAPES) for text in values]
    line = "\t".join([str(row_no), *(text or "\\N" for text in values)])
    # XML has no NUL, but "_x0000_" means one.
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


_NONE: Final[frozenset[int]] = frozenset()


def _uncalculated(columns: Collection[int]) -> Fault:
    numbers = sorted(column + 1 for column in columns)
    return Fault(
        "row.formula",
        f"第{'、'.join(map(str, numbers))}列是公式，文件中没有它的计算结果",
        f"a formula without a value in column {', '.join(map(str, numbers))} of the sheet",
    )


def _texts(sheet: CalamineSheet, part: SheetPart) -> Iterator[tuple[int, list[str]]]:
    """Iterate over the rows from the first that is not empty: place from 0, and texts."""
    left = sheet.start[1] if sheet.start else 0
    top = sheet.start[0] if sheet.start else 0
    width, end = 0, 0
    for place, cells in enumerate(sheet.iter_rows()):
        end = place + 1
        if place < top:
            continue
        texts = [cell if type(cell) is str else _text(cell) for cell in cells]
        width = len(texts)
        for column, text in part.texts.get(place, {}).items():
            if 0 <= column - left < width:
                texts[column - left] = text
        yield place, texts
    # Rows at the end that hold only formulas without a value are missing from calamine's rows.
    for place in sorted(place for place in part.uncalculated if place >= end):
        yield place, [""] * width


def _merges(sheet: CalamineSheet) -> list[_Merge]:
    if sheet.start is None or sheet.end is None:
        return []
    (top_row, left_column), (last_row, last_column) = sheet.start, sheet.end
    return [
        _Merge(top, min(bottom, last_row), left - left_column, min(right, last_column) - left_column)
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or []
        # A range holds the value of its first cell; outside the area of values there is none.
        if top_row <= top <= last_row and left_column <= left <= last_column
    ]


def _text(cell: int | float | str | bool | time | date | datetime | timedelta) -> str:
    """Return a cell as a person sees it."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, int | float):
        if abs(cell) >= 10**KEPT_DIGITS:
            return long_number(repr(cell))
        if isinstance(cell, int) or cell.is_integer():
            return str(int(cell))
        return format(Decimal(repr(cell)), "f")
    if isinstance(cell, datetime):
        # Times are fractions of a day, so that whole seconds may be a little too early.
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
    rows: Sequence[tuple[int, list[str]]],
    merges: Sequence[_Merge],
    required: Sequence[str],
    form: WorkbookForm,
    sheet: str,
) -> _Header:
    readings = [
        (rows[at][0] + form.header_rows, _names(rows[at : at + form.header_rows], merges))
        for at in range(min(form.max_title_rows + 1, len(rows) - form.header_rows + 1))
    ]
    if required:
        body, names = min(readings, key=lambda reading: len(missing_from(reading[1], required)), default=(0, []))
    else:
        # The names are not known yet: a title fills few cells, or is part of all the names.
        body, names = max(readings, key=lambda reading: _distinct_below(reading[1]), default=(0, []))
    named = [column for column, name in enumerate(names) if name.strip()]
    if not named or missing_from(names, required):
        where = f"sheet {shown([sheet])}"
        places = f" in the first {len(rows)} rows of {where} that are not empty." if rows else f"; {where} is empty."
        raise missing_columns(
            [names[column] for column in named], required, places, f"所查工作表：“{shown([sheet])}”。"
        )
    first = named[0]
    names = with_names_for_nameless(names[first : named[-1] + 1])
    check_count(len(names), form.max_columns, "the header")
    check_names(names)
    return _Header(as_required(names, required), first, body)


def _distinct_below(names: Sequence[str]) -> int:
    """Count different names; zero where a title is part of all of them."""
    named = [name for name in names if name]
    tops = {name.split("/")[0] for name in named}
    return 0 if len(tops) == 1 and len(named) > 1 else len(set(named))


def _names(rows: Sequence[tuple[int, list[str]]], merges: Sequence[_Merge]) -> list[str]:
    """Return the names that some rows, read as a header, give the columns.

    A name merged over several columns is a part of the names below it. In the last row there are none below, so it
    names its first column only, and a title merged across the table is no header.
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
