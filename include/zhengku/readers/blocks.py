"""Rows on their way from a landed delivery to PostgreSQL's COPY: blocks of good ones, and the bad ones apart."""

from dataclasses import dataclass, field
from typing import Final

from zhengku.readers.quoting import RowRule

PAYLOAD_LIMIT: Final = 64 * 1024
"""Bytes of a bad row that are kept with it; the whole row stays in the landing file."""

SHEET_ROWS: Final = 1_000_000_000
"""What the row numbers of each further sheet of a workbook are greater by: no delivery has so many rows."""


def shown_row(row_no: int) -> str:
    """Return in Chinese where a row stands in its delivery: 第7行, 第2张工作表第7行 (of the sheets that were read)."""
    sheet, row = divmod(row_no, SHEET_ROWS)
    return f"第{sheet + 1}张工作表第{row}行" if sheet else f"第{row}行"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A physical line, or one element of a page, that is no record.

    `row_no` is its place in the delivery: the line of a text file, the row of a spreadsheet (of a further sheet
    greater by `SHEET_ROWS`), the count of a row among
    those of all pages (the first is 1). `byte_offset` and `byte_length` locate it in the landed file, without the line
    feed that ends a line; of a row of a page, `byte_offset` is that of the page's body, and of a spreadsheet's 0.
    `sha256` (hex) is of the whole row, `payload` its first 64 KiB as they came. The details name positions and
    counts, never values. `cells` are the values of a row that has another number of them than the header, as far as
    it is short: a remark or a sum below a table is such a row.
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
    """What was read in a way that is not the ordinary one, without costing a row: told in log, ledger and report.

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
