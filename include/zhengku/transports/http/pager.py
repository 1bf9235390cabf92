"""The parts that all styles of paging share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

from zhengku.transports.http.model import CursorPaging, HttpApi, NumberPaging, TimePaging
from zhengku.transports.http.page import Page, PageRequests, PagesShifted
from zhengku.transports.http.rows import RowNotes
from zhengku.transports.source import SourceFeed

PagingT = TypeVar("PagingT", NumberPaging, CursorPaging, TimePaging)


class Pager(ABC, Generic[PagingT]):
    """Requests the pages of one reading in a style of paging; iterate `pages` once."""

    def __init__(self, feed: SourceFeed, api: HttpApi, paging: PagingT, requests: PageRequests, rows: RowNotes) -> None:
        self._feed = feed
        self._api = api
        self._paging: PagingT = paging
        self._requests = requests
        self._rows = rows
        self._full_pages: set[bytes] = set()
        self.ended_by_repeating = False
        """Whether the interface returned its last page again instead of an end."""
        self.without_cursor = False
        """Whether the first page was full and named no cursor."""

    @abstractmethod
    def pages(self) -> Iterator[Page]:
        """Iterate over the pages that have rows, in order.

        Raises `PagesShifted` when the pages do not fit together, and `SourceRefused`, `DeliveryUnavailable`.
        """

    def _same_total(self, total: int | None, page: Page, *, first: bool) -> int | None:
        """Return the total of rows, which every page must name alike; None where none names one."""
        if first or page.total is None:
            return page.total if first else total
        if total != page.total:
            raise PagesShifted(f"expected a total of {total} rows as on the first page, got {page.total}")
        return total

    def _check_new_page(self, page: Page, digest: bytes, number: int, size: int) -> None:
        """Raise `PagesShifted` for a full page that was received before."""
        # A page of few rows may repeat: without a row_id nothing shows that its rows are the same ones.
        if len(page.rows) < size:
            return
        if digest in self._full_pages:
            raise PagesShifted(f"expected new rows on page {number}, it is the same as an earlier page")
        self._full_pages.add(digest)
