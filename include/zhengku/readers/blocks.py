"""What readers pass on from a landed delivery: blocks of good rows for PostgreSQL's COPY, bad rows, and notes."""

from dataclasses import dataclass, field
from typing import Final

from zhengku.readers.quoting import RowRule

PAYLOAD_LIMIT: Final = 64 * 1024
"""Bytes of a bad row that are stored with it; the complete row stays in the landed file."""

SHEET_ROWS: Final = 1_000_000_000
"""Added to the row numbers for each further sheet of a workbook: no delivery has so many rows."""


def shown_row(row_no: int) -> str:
    """Return in Chinese where a row is in its delivery: 第7行, 第2张工作表第7行 (of the sheets that were read)."""
    sheet, row = divmod(row_no, SHEET_ROWS)
    return f"第{sheet + 1}张工作表第{row}行" if sheet else f"第{row}行"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A physical line, or one element of a page, that cannot be read as a record.

    `row_no` is its place in the delivery: the line of a text file, the row of a spreadsheet (plus `SHEET_ROWS` for each
    sheet before), the number of the row among those of all pages (the first is 1). `byte_offset` and `byte_length`
    locate it in the landed file, without the line feed that ends a line; for a row of a page, `byte_offset` is that of
    the page's body, for one of a spreadsheet 0. `sha256` (hex) is of the complete row, `payload` its first 64 KiB as
    received. The details name positions and counts, never values. `cells` are the values of a short row that has
    another number of them than the header, such as a remark or a sum below a table.
    """

    row_no: int
    rule_id: RowRule
    detail_zh: str
    detail_en: str
    byte_offset: int
    byte_length: int
    sha256: str
    payload: bytes = field(repr=False)
    cells: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Note:
    """Something unusual that a reader met and that made no row bad; shown in log, ledger and report.

    `text_zh` is for people, `text_en` for the log; neither holds a value.
    """

    text_zh: str
    text_en: str


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive records: `rows` lines of COPY text in UTF-8 (`row_no`, then the columns), and the bad rows."""

    copy_text: bytes = field(repr=False)
    rows: int
    bad: list[BadRow]
