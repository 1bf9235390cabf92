"""The interface of all readers of landed deliveries, whatever the form of the delivery."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from zhengku.readers.blocks import Block, Note


class Reader(Protocol):
    """The rows of one landed delivery, in blocks; iterate it once.

    `columns` are the delivered names, a required column by its required name. The totals are final when the iteration
    has ended: `fetched` counts all rows, good and bad.

    A reader of a text in which every line is a row of one column, as long as no tab or backslash is in it:

    >>> from io import BytesIO
    >>> class LineReader:
    ...     columns = ("number",)
    ...     unread = ()
    ...     blank_lines = 0
    ...     notes = ()
    ...
    ...     def __init__(self, content):
    ...         self._content = content
    ...         self.fetched = self.good = 0
    ...
    ...     def __iter__(self):
    ...         for line in self._content:
    ...             self.fetched += 1
    ...             self.good += 1
    ...             yield Block(b"%d\\t%b" % (self.fetched, line), rows=1, bad=[])
    >>> reader = LineReader(BytesIO(b"A-1\\nA-2\\n"))
    >>> [block.copy_text for block in reader]
    [b'1\\tA-1\\n', b'2\\tA-2\\n']
    >>> reader.fetched, reader.good
    (2, 2)
    """

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns of every block's rows, after `row_no`."""

    @property
    def unread(self) -> Sequence[str]:
        """Names of delivered columns that the feed does not map and that were not read."""

    @property
    def fetched(self) -> int:
        """Rows read so far, good and bad."""

    @property
    def good(self) -> int:
        """Rows in the COPY text of the blocks."""

    @property
    def blank_lines(self) -> int:
        """Lines without content, which are no rows."""

    @property
    def notes(self) -> Sequence[Note]:
        """Unusual things that made no row bad, so far."""

    def __iter__(self) -> Iterator[Block]:
        """Iterate over the blocks."""
