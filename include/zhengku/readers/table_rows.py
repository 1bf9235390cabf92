"""Reads the landed rows of an exchange database (see `zhengku.landed.row_file`) for PostgreSQL's COPY."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from operator import methodcaller
from typing import BinaryIO, Final

import msgspec

from zhengku.errors import DeliveryRejected
from zhengku.readers.blocks import PAYLOAD_LIMIT, BadRow, Block, Note
from zhengku.readers.quoting import RowRule
from zhengku.readers.row_rules import ROW_RULES

LONGEST_ROW: Final = 1024 * 1024
"""Bytes of a row's line; a longer row is a bad one."""

_BLOCK: Final = 256 * 1024
_TABS: Final = methodcaller("count", b"\t")


class _First(msgspec.Struct):
    table: str
    columns: list[str]
    unread: list[str] = []


class _Last(msgspec.Struct, forbid_unknown_fields=True):
    rows: int


class _Binary(msgspec.Struct, forbid_unknown_fields=True):
    base64: str


_ROW: Final = msgspec.json.Decoder(list[str | _Binary | None])


def open_table_rows(content: BinaryIO, *, required_columns: Sequence[str]) -> "TableRowReader":
    """Read the first line of landed rows and return a reader positioned before the first row.

    Raises `DeliveryRejected`: `file.incomplete` when the line has another form, `file.missing_column`. The iteration
    raises `file.incomplete` when the file is cut, garbled, or has another number of rows than its last line says.
    """
    return TableRowReader(content, required_columns)


class TableRowReader:
    """The rows of one landed table, in blocks; iterate it once.

    `row_no` is the line in the landed file; the first row's is 2. `unread` are the table's other columns.
    """

    def __init__(self, content: BinaryIO, required_columns: Sequence[str]) -> None:
        self._content = content
        self.fetched = 0
        self.good = 0
        self.blank_lines = 0
        self.notes: tuple[Note, ...] = ()
        self._lines = _lines(content)
        [line, *self._waiting] = next(self._lines, [b""])
        self._offset = len(line) + 1
        try:
            first = msgspec.json.decode(line, type=_First)
        # The chained error could quote the line.
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _incomplete("its first line does not name table and columns") from None
        self.columns: tuple[str, ...] = tuple(first.columns)
        self.unread: tuple[str, ...] = tuple(first.unread)
        missing = [name for name in required_columns if name not in self.columns]
        if missing:
            raise missing_columns(first.table, missing, self.columns)

    def __iter__(self) -> Iterator[Block]:
        """Iterate over the blocks."""
        lines = self._waiting
        while True:
            block, ended = self._block(lines)
            if block.rows or block.bad:
                yield block
            if ended:
                if next(self._lines, None) is not None:
                    raise _incomplete(f"more follows after its last line, number {self.fetched + 2}")
                return
            following = next(self._lines, None)
            if following is None:
                raise _incomplete(f"it ends after line {self.fetched + 1} without a count of its rows")
            lines = following

    def _block(self, lines: list[bytes]) -> tuple[Block, bool]:
        """Return the rows of some lines, and whether the last line of the file was among them."""
        text = self._text_at_once(lines)
        if text is not None:
            self.fetched += len(lines)
            self.good += len(lines)
            self._offset += sum(map(len, lines)) + len(lines)
            return Block(text, len(lines), []), False
        parts: list[bytes] = []
        bad: list[BadRow] = []
        for place, line in enumerate(lines):
            row_no = self.fetched + 2
            if line.startswith(b"\\{"):
                self._check_last(line[1:])
                if place != len(lines) - 1:
                    raise _incomplete(f"more follows after its last line, number {row_no}")
                return self._finished(parts, bad), True
            self.fetched += 1
            if len(line) > LONGEST_ROW:
                bad.append(self._bad(line, row_no, "row.too_long", f"{len(line)} bytes, at most {LONGEST_ROW}"))
            elif line.startswith(b"\\["):
                bad.append(self._unfit(line, row_no))
            else:
                self._check_row(line, row_no)
                parts.append(b"%d\t%b\n" % (row_no, line))
            self._offset += len(line) + 1
        return self._finished(parts, bad), False

    def _text_at_once(self, lines: list[bytes]) -> bytes | None:
        """Return lines as COPY text after their numbers, or None when one of them has to be checked by itself."""
        if set(map(_TABS, lines)) != {len(self.columns) - 1} or max(map(len, lines)) > LONGEST_ROW:
            return None
        first = self.fetched + 2
        numbers = [b"%d" % number for number in range(first, first + len(lines))]
        text = b"\n".join(map(b"\t".join, zip(numbers, lines, strict=True))) + b"\n"
        if b"\t\\[" in text or b"\t\\{" in text or b"\0" in text:
            return None
        try:
            text.decode()
        except UnicodeDecodeError:
            return None
        return text

    def _check_row(self, line: bytes, row_no: int) -> None:
        values, width = line.count(b"\t") + 1, len(self.columns)
        if values != width:
            raise _incomplete(f"line {row_no} has {values} values, expected {width}")
        try:
            line.decode()
        except UnicodeDecodeError:
            raise _incomplete(f"line {row_no} is not UTF-8") from None
        if b"\0" in line:
            raise _incomplete(f"line {row_no} holds NUL")

    def _unfit(self, line: bytes, row_no: int) -> BadRow:
        """Return the bad row of a line that PostgreSQL cannot hold."""
        width = len(self.columns)
        try:
            row = _ROW.decode(line[1:])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _incomplete(f"line {row_no} is no row") from None
        if len(row) != width:
            raise _incomplete(f"line {row_no} has {len(row)} values, expected {width}")
        for column, value in enumerate(row, 1):
            if isinstance(value, _Binary):
                return self._bad(line, row_no, "row.encoding", f"value {column} of {width}", column)
            if value is not None and "\0" in value:
                return self._bad(line, row_no, "row.nul", f"value {column} of {width}", column)
        raise _incomplete(f"line {row_no} is marked as unfit, and nothing in it says why")

    def _finished(self, parts: list[bytes], bad: list[BadRow]) -> Block:
        self.good += len(parts)
        return Block(b"".join(parts), len(parts), bad)

    def _check_last(self, line: bytes) -> None:
        try:
            last = msgspec.json.decode(line, type=_Last)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _incomplete(f"line {self.fetched + 2} is neither a row nor a count of rows") from None
        if last.rows != self.fetched:
            raise _incomplete(f"it has {self.fetched} rows, its last line says {last.rows}")

    def _bad(self, line: bytes, row_no: int, rule_id: RowRule, detail: str, column: int | None = None) -> BadRow:
        where = f"第{column}列" if column else ""
        # The backslash is ours.
        content = line[1:] if line.startswith(b"\\[") else line
        return BadRow(
            row_no=row_no,
            rule_id=rule_id,
            detail_zh=f"{where}{ROW_RULES[rule_id]}",
            detail_en=detail,
            byte_offset=self._offset + len(line) - len(content),
            byte_length=len(content),
            sha256=sha256(content).hexdigest(),
            payload=content[:PAYLOAD_LIMIT],
        )


def _lines(content: BinaryIO) -> Iterator[list[bytes]]:
    """Yield complete lines without their line feeds, some at a time; raises `DeliveryRejected` for a cut line."""
    rest: list[bytes] = []
    while block := content.read(_BLOCK):
        end = block.rfind(b"\n")
        if end < 0:
            rest.append(block)
            continue
        rest.append(block[:end])
        yield b"".join(rest).split(b"\n")
        rest = [block[end + 1 :]]
    if any(rest):
        raise _incomplete("it ends within a line")


def missing_columns(table: str, missing: Sequence[str], received: Sequence[str]) -> DeliveryRejected:
    """Return the error for a table without columns that the feed needs."""
    return DeliveryRejected(
        "file.missing_column",
        f"The table {table} lacks {', '.join(missing)}; it has {', '.join(received)}. Ask the department for these "
        "columns, or change the feed's mapping in the catalogue if the department renamed them.",
        f"数据表 {table} 缺少列：{'、'.join(missing)}；实有：{'、'.join(received)}。请补齐后重新提供。",
    )


def _incomplete(what: str) -> DeliveryRejected:
    return DeliveryRejected(
        "file.incomplete",
        f"The landed rows are not as they were written: {what}. Collect the feed again.",
        "落地文件不完整或已损坏，需要重新归集。",
    )
