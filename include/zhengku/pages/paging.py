"""Long tables are shown a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

PAGE_ROWS = 100

T = TypeVar("T")


@dataclass(frozen=True)
class Paging:
    """Which of `total` rows are shown; `requested` is the page in the address, from 1.

    >>> paging = Paging(total=130, requested=9)
    >>> paging.number, paging.pages, paging.first_row, paging.last_row
    (2, 2, 101, 130)
    """

    total: int
    requested: int = 1

    @property
    def pages(self) -> int:
        """The number of pages: 1 also without rows."""
        return max(-(-self.total // PAGE_ROWS), 1)

    @property
    def number(self) -> int:
        """The page shown: the last one when a later one was requested."""
        return min(self.requested, self.pages)

    @property
    def offset(self) -> int:
        """The number of rows on earlier pages."""
        return (self.number - 1) * PAGE_ROWS

    @property
    def first_row(self) -> int:
        """Number of the first row shown, from 1."""
        return self.offset + 1

    @property
    def last_row(self) -> int:
        """Number of the last row shown; 0 without rows."""
        return min(self.offset + PAGE_ROWS, self.total)

    def shown(self, rows: Sequence[T]) -> Sequence[T]:
        """Return the page's part of all rows."""
        return rows[self.offset : self.offset + PAGE_ROWS]
