"""Reading a landed delivery as rows, whatever form it came in."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Protocol

from zhengku.catalog import Feed
from zhengku.catalog.department import CsvFormat, ExchangeDatabase, HttpApi
from zhengku.collect.http_answer import RowsPlace
from zhengku.stage.blocks import Block, Note
from zhengku.stage.pages import open_pages
from zhengku.stage.records import open_records
from zhengku.stage.table_rows import open_table_rows
from zhengku.stage.workbook import WorkbookForm
from zhengku.stage.workbook_process import WorkbookApart


class Reader(Protocol):
    """The rows of one landed delivery, in blocks; iterate it once.

    `columns` are the delivered names, a required column by its required name. The totals are final when the iteration
    has ended: `fetched` counts all rows, good and bad.
    """

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns of every block's rows, behind `row_no`."""

    @property
    def unread(self) -> Sequence[str]:
        """Names of delivered columns that nobody maps and that were left where they are."""

    @property
    def fetched(self) -> int:
        """Rows read so far, good and bad."""

    @property
    def good(self) -> int:
        """Rows that stand in a block's COPY text."""

    @property
    def blank_lines(self) -> int:
        """Lines that hold nothing and are no rows."""

    @property
    def notes(self) -> Sequence[Note]:
        """What was read in another way than the ordinary one, so far."""

    def __iter__(self) -> Iterator[Block]:
        """Iterate over the blocks."""


def open_reader(content: BinaryIO, feed: Feed, origin: str = "delivery") -> Reader:
    """Open what was landed for a batch of a feed; raises `DeliveryRejected` when it is wrong as a whole.

    Problem records that are redriven lie in the form of a table's rows, whatever the feed's transport.
    """
    if origin == "redrive":
        return open_table_rows(content, required_columns=feed.required_columns)
    transport = feed.transport
    if isinstance(transport, HttpApi):
        return open_pages(
            content,
            required_columns=feed.required_columns,
            rows=RowsPlace(transport.response.rows, transport.response.rows_also),
            omits_empty=transport.response.omits_empty,
        )
    if isinstance(transport, ExchangeDatabase):
        return open_table_rows(content, required_columns=feed.required_columns)
    form = transport.format
    if isinstance(form, CsvFormat):
        return open_records(
            content,
            required_columns=feed.required_columns,
            encodings=form.encodings,
            delimiter=form.delimiter,
            max_record_bytes=form.max_record_bytes,
            max_record_lines=form.max_record_lines,
            max_columns=form.max_columns,
            max_title_rows=form.max_title_rows,
            allow_empty=form.allow_empty,
        )
    return WorkbookApart(content, feed.required_columns, WorkbookForm.of(form))
