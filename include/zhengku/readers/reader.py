"""What every reader of a landed delivery gives, whatever form the delivery has."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from zhengku.readers.blocks import Block, Note


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
