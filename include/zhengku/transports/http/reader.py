"""Reads the landed pages of an HTTP interface as rows for PostgreSQL's COPY.

A fault of the complete file raises `DeliveryRejected`; a fault of one row makes a `BadRow` with its bytes, and the rows
around it are read.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from typing import Any, BinaryIO, Final

import msgspec

from zhengku.errors import DeliveryRejected
from zhengku.landed.copy_text import copy_lines, escaped
from zhengku.landed.http_answer import (
    Answer,
    RowsPlace,
    UniformRows,
    UnreadableAnswer,
    flattened,
    read_row,
    repeated_keys,
    storable,
)
from zhengku.landed.loose_json import Literal
from zhengku.landed.page_file import Page, Totals, read_pages, read_totals
from zhengku.readers.blocks import PAYLOAD_LIMIT, BadRow, Block, Note
from zhengku.readers.column_names import shown
from zhengku.readers.quoting import Fault

MAX_COLUMNS: Final = 400
MAX_ROW_BYTES: Final = 1024 * 1024
BLOCK_ROWS: Final = 500
"""Rows of one block of a page with an unusual row; the block with that row is read row by row."""

_NONE_TYPE: Final = type(None)
_PLAIN: Final = frozenset({str, _NONE_TYPE})
_TEXTS: Final = frozenset({str, Literal, _NONE_TYPE})
_SIMPLE: Final = frozenset({*_TEXTS, int, bool})
_LONGEST_UNMAPPED: Final = 64 * 1024
"""Characters of a value that is not mapped; a longer one stays in the landed pages where its row is too long."""

_NO_OBJECT: Final = Fault("row.shape", "不是由字段名和值组成的对象", "no JSON object")
_TWO_VALUES: Final = Fault("row.shape", "同一字段名出现两次且值不同", "a mapped key comes twice with different values")
_TOO_NESTED: Final = Fault(
    "row.shape",
    "嵌套过深、字段名重复或应为值处是对象",
    "objects lie too deep, two values have one column name, or an object stands where a value should",
)
_NUL: Final = Fault("row.nul", "含空字符（NUL）", "a value or a name holds NUL")
_NOT_TEXT: Final = Fault(
    "row.encoding", "含无法识别的字符编码", "a value or a name holds bytes or escapes that are no character"
)


def open_pages(
    content: BinaryIO, *, required_columns: Sequence[str], rows: str | RowsPlace, omits_empty: bool
) -> "PageReader":
    """Return a reader of a page file (see `zhengku.landed.page_file`) that can seek.

    `rows` is the place of the list of rows in every page. Columns are the rows' keys in the order of their first
    appearance, those of nested objects joined by dots; with `omits_empty`, required ones that no row has follow them. A
    missing key is NULL. Columns that are not required make no row bad: their values that cannot be stored stay in the
    landed pages, and so do all columns that exceed `MAX_COLUMNS`. Raises `DeliveryRejected` with `file.incomplete`,
    `file.missing_column`; iterating raises `file.incomplete`.
    """
    totals = read_totals(content)
    columns = totals.columns if totals.rows else tuple(required_columns)
    missing = [name for name in required_columns if name not in columns]
    if missing and not omits_empty:
        raise DeliveryRejected(
            "file.missing_column",
            f"None of the {totals.rows} rows has {shown(missing)}, of {len(required_columns)} expected keys; they have "
            f"{shown(columns)}. Ask the department for these keys, or change the feed's mapping in the catalogue if "
            "they were renamed; set omits_empty if rows leave out keys without a value.",
            f"接口返回的数据缺少字段：{shown(missing, '、')}；实有：{shown(columns, '、')}。请补齐后重新提供。",
        )
    columns = (*columns, *missing)
    needed = frozenset(required_columns)
    others = [name for name in columns if name not in needed]
    left_out = frozenset(others[max(0, MAX_COLUMNS - len(columns) + len(others)) :])
    place = RowsPlace(rows) if isinstance(rows, str) else rows
    return PageReader(content, totals, columns, place, needed, left_out)


class PageReader:
    """The rows of one page file, in blocks; iterate it once.

    A row's `row_no` is its count among the rows of all pages, from 1. `fetched` = `good` + `bad`. `notes` say what the
    reading of the source found out and, when the iteration has ended, how much was left in the landed pages.
    """

    def __init__(
        self,
        content: BinaryIO,
        totals: Totals,
        columns: tuple[str, ...],
        rows: RowsPlace,
        needed: Collection[str],
        left_out: Collection[str],
    ) -> None:
        self.columns: Final = tuple(name for name in columns if name not in left_out)
        self.unread: Final = tuple(name for name in columns if name in left_out)
        self.good = 0
        self.bad = 0
        self.blank_lines: Final = 0
        self._content = content
        self._totals = totals
        self._rows = rows
        self._needed = needed
        self._unmapped: Final = [name not in needed for name in self.columns]
        self._last_names: Final = frozenset(name.rpartition(".")[2] for name in needed)
        self._uniform: Final = UniformRows(self.columns)
        self._left_values = 0

    @property
    def fetched(self) -> int:
        """Rows read so far, good and bad."""
        return self.good + self.bad

    @property
    def notes(self) -> tuple[Note, ...]:
        """Unusual things about these pages, for department and city, without values."""
        return tuple(_notes(self._totals, len(self.unread), self._left_values))

    def __iter__(self) -> Iterator[Block]:
        for page in read_pages(self._content, self._totals):
            try:
                answer = Answer(page.body, page.charset, self._rows)
                row_list = answer.row_list()
                if row_list is not None and (at_once := self._text_at_once(None, row_list)) is not None:
                    text, count = at_once
                    self.good += count
                    yield Block(text, count, [])
                    continue
                rows = answer.rows()
            except UnreadableAnswer as error:
                raise DeliveryRejected(
                    "file.incomplete",
                    f"Page {page.number} of the landed pages has {error}. Collect the feed again.",
                    f"第{page.number}页数据无法读取，请重新采集。",
                ) from None
            for start in range(0, len(rows), BLOCK_ROWS):
                yield self._block(rows[start : start + BLOCK_ROWS], page)
        if self.fetched != self._totals.rows:
            raise DeliveryRejected(
                "file.incomplete",
                f"The landed pages hold {self.fetched} rows, their last line says {self._totals.rows}. Collect the "
                "feed again.",
                "落地的接口数据行数与合计不符，请重新采集。",
            )

    def _block(self, rows: "Sequence[msgspec.Raw | bytes]", page: Page) -> Block:
        at_once = self._text_at_once(rows)
        if at_once is not None:
            text, count = at_once
            self.good += count
            return Block(text, count, [])
        out: list[bytes] = []
        bad: list[BadRow] = []
        for row_no, raw in enumerate(rows, self.fetched + 1):
            line = self._line(raw)
            if isinstance(line, Fault):
                bad.append(_bad_row(row_no, raw, line, page))
            else:
                out.append(b"%d\t%b\n" % (row_no, line))
        self.good += len(out)
        self.bad += len(bad)
        return Block(b"".join(out), len(out), bad)

    def _text_at_once(
        self, rows: "Sequence[msgspec.Raw | bytes] | None", row_list: msgspec.Raw | None = None
    ) -> tuple[bytes, int] | None:
        """Return rows as COPY text, and their number; None when one of them has to be read by itself.

        They are given one by one, or all as one list (`row_list`).
        """
        columns = self._uniform.columns(rows, longest=MAX_ROW_BYTES, row_list=row_list, once=True)
        if not columns:
            return None
        first, count = self.fetched + 1, len(columns[0])
        texts: list[Sequence[str | None]] = [list(map(str, range(first, first + count)))]
        for values in columns:
            kinds = set(map(type, values))
            if not kinds <= _SIMPLE:
                return None
            if kinds <= _TEXTS:
                texts.append(values)
            elif kinds == {int}:
                texts.append(list(map(str, values)))
            else:
                texts.append([None if value is None else _text(value) for value in values])
        text = copy_lines(texts)
        return None if text is None else (text, count)

    def _line(self, raw: msgspec.Raw | bytes) -> bytes | Fault:
        """Return a row as COPY text without its number; columns that are not mapped make no row bad."""
        row = read_row(raw)
        length = len(memoryview(raw))
        if row is None:
            return _too_long(length) if length > MAX_ROW_BYTES else _NO_OBJECT
        if bytes(raw).count(b'":') > len(row) and not self._last_names.isdisjoint(repeated_keys(raw)):
            return _TWO_VALUES
        if dict in map(type, row.values()):
            row = flattened(row, self._needed)
            if row is None:
                return _TOO_NESTED
        values: list[Any] = list(map(row.get, self.columns))
        if not _PLAIN.issuperset(map(type, values)):
            try:
                values = [None if value is None else _text(value) for value in values]
            except RecursionError:
                return _TOO_NESTED
        if length > MAX_ROW_BYTES:
            values, shorter = self._shortened(values)
            if length - shorter > MAX_ROW_BYTES:
                return _too_long(length)
        line = _copy_line(values)
        if isinstance(line, Fault) and any(self._unmapped):
            stored = [
                None if unmapped and value is not None and not storable(value) else value
                for value, unmapped in zip(values, self._unmapped, strict=True)
            ]
            line = _copy_line(stored)
            self._left_values += stored.count(None) - values.count(None)
        return line

    def _shortened(self, values: list[str | None]) -> tuple[list[str | None], int]:
        """Return values without long ones that are not mapped, such as pictures, and how many bytes these had."""
        rest: list[str | None] = []
        shorter = 0
        for value, unmapped in zip(values, self._unmapped, strict=True):
            if unmapped and value is not None and len(value) > _LONGEST_UNMAPPED:
                shorter += len(value.encode("utf-8", "surrogatepass"))
                self._left_values += 1
                rest.append(None)
            else:
                rest.append(value)
        return rest, shorter


def _notes(totals: Totals, unread: int, left_values: int) -> Iterator[Note]:
    if doubled := totals.remarks.doubled:
        yield Note(
            f"有{doubled}个行标识各对应不止一行：数据源自身重复，或翻页的排序不唯一（可能漏行）；"
            "各行均已采集，请部门确认用哪些字段区分各行、按其排序",
            f"{doubled} row id(s) belong to more than one row: the source holds them twice, or the order of its "
            "pages is not unique, and then other rows may be missing; all received rows were collected. Ask the "
            "department which columns tell its rows apart (row_id), and to order by them",
        )
    if totals.remarks.ended_by_repeating:
        yield Note(
            f"接口在末页之后仍返回末页，据此以前{totals.pages}页为全部数据，请部门在应答中给出总数以便核对",
            f"the interface answers its last page again after the end, so {totals.pages} pages were taken for all; "
            "name response.total to be sure",
        )
    if totals.remarks.without_cursor:
        yield Note(
            "接口首页为满页，应答中没有游标，据此以一页为全部数据，请核对目录中游标的位置",
            "the first page was full and named no cursor, so it was taken for the only one; check the place of the "
            "cursor in the feed's paging",
        )
    if unread:
        yield Note(
            f"字段超过{MAX_COLUMNS}个，其中{unread}个未对应的字段未读取，原文留存在落地文件中",
            f"{unread} columns that are not mapped, above the limit of {MAX_COLUMNS}, were left in the landed pages",
        )
    if left_values:
        yield Note(
            f"未对应的字段中有{left_values}个值数据库无法存放或过长，未读取，原文留存在落地文件中",
            f"{left_values} values that are not mapped, and that PostgreSQL cannot hold or that made a row too long, "
            "were left in the landed pages",
        )


def _too_long(length: int) -> Fault:
    return Fault(
        "row.too_long", f"本行{length}字节，上限{MAX_ROW_BYTES}字节", f"{length} bytes, the limit is {MAX_ROW_BYTES}"
    )


def _copy_line(values: list[str | None]) -> bytes | Fault:
    # The row is checked at once instead of value by value: NUL represents null, and a tab ends a value.
    text = "\t".join(["\0" if value is None else value for value in values])
    nulls = values.count(None)
    if text.count("\0") != nulls:
        return _NUL
    if text.count("\t") != len(values) - 1 or "\\" in text or "\n" in text or "\r" in text:
        text = "\t".join(["\0" if value is None else escaped(value) for value in values])
    if nulls:
        text = text.replace("\0", "\\N")
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _NOT_TEXT


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return _compact(value)


def _compact(value: object) -> str:
    """Return a value inside a list as compact JSON, numbers as received."""
    if isinstance(value, Literal):
        return value
    if isinstance(value, str):
        # NUL and lone surrogates are not escaped: as escapes they would be text, and the row would not become bad.
        return '"' + "".join(_JSON_ESCAPES.get(char, char) for char in value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(_compact, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_compact(key)}:{_compact(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


_JSON_ESCAPES: Final = {
    '"': '\\"',
    "\\": "\\\\",
    **{chr(code): json.dumps(chr(code))[1:-1] for code in range(1, 32)},
}


def _bad_row(row_no: int, raw: msgspec.Raw | bytes, fault: Fault, page: Page) -> BadRow:
    content = bytes(raw)
    if page.charset != "utf-8":
        # As received, not as converted to UTF-8.
        content = content.decode("utf-8", "surrogateescape").encode(page.charset, "surrogateescape")
    return BadRow(
        row_no=row_no,
        rule_id=fault.rule_id,
        detail_zh=fault.detail_zh,
        detail_en=fault.detail_en,
        byte_offset=page.offset,
        byte_length=len(content),
        sha256=sha256(content).hexdigest(),
        payload=content[:PAYLOAD_LIMIT],
    )
