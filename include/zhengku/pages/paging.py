"""Long tables are shown a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

PAGE_ROWS = 100

T = TypeVar("T")


@dataclass(frozen=True)
class Paging:
    """Which of `total` rows are shown; `wanted` is the page asked for, the first is 1.

    >>> paging = Paging(total=130, wanted=9)
    >>> paging.number, paging.pages, paging.first_row, paging.last_row
    (2, 2, 101, 130)
    """

    total: int
    wanted: int = 1

    @property
    def pages(self) -> int:
        """How many pages there are: one also without rows."""
        return max(-(-self.total // PAGE_ROWS), 1)

    @property
    def number(self) -> int:
        """The page shown: the last one where one behind it was asked for."""
        return min(self.wanted, self.pages)

    @property
    def offset(self) -> int:
        """How many rows stand on earlier pages."""
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
