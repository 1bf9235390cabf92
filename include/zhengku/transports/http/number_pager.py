"""Pages by number and size."""

import logging
from collections.abc import Iterator

from zhengku.errors import SourceRefused
from zhengku.transports.http.model import NumberPaging
from zhengku.transports.http.page import Page, Shifted
from zhengku.transports.http.pager import Pager

log = logging.getLogger(__name__)


class NumberPager(Pager[NumberPaging]):
    """Asks for page after page until the total is reached, or a page is short, empty or repeated."""

    def pages(self) -> Iterator[Page]:
        """Iterate over the pages that have rows."""
        paging = self._paging
        total: int | None = None
        came = 0
        first_length = 0
        last_digest = b""
        number = paging.first
        while True:
            page = self._requests.ask({paging.page_parameter: number, paging.size_parameter: paging.size})
            total = self._same_total(total, page, first=number == paging.first)
            digest = page.digest()
            if total is None and page.rows and digest == last_digest:
                self._beyond_the_end(paging, number, page)
                self.ended_by_repeating = True
                self._rows.log_doubled()
                return
            if page.rows:
                self._check_new_page(page, digest, number, first_length or paging.size)
                if self._rows.take_all(page) and len(page.rows) >= max(first_length, 2):
                    raise self._rows.came_again(
                        page, number, f"{paging.page_parameter}, or its pages begin with another number"
                    )
                came += len(page.rows)
                yield page
            if total is not None:
                if came >= total or not page.rows:
                    if page.rows and len(page.rows) >= (first_length or paging.size):
                        self._nothing_beyond(total, paging, number, digest)
                    self._rows.check_complete(total, came)
                    return
            elif not page.rows or (number > paging.first and len(page.rows) < first_length):
                self._rows.check_complete(total, came)
                return
            # An interface may give fewer rows than asked for: the first page tells how many a full one has.
            first_length = first_length or len(page.rows)
            last_digest = digest
            number += 1

    def _nothing_beyond(self, total: int, paging: NumberPaging, number: int, digest: bytes) -> None:
        """Make sure that nothing follows a full page with which the total was reached: it may be that of a page."""
        following = self._requests.ask({paging.page_parameter: number + 1, paging.size_parameter: paging.size})
        if following.rows and following.digest() != digest:
            raise SourceRefused(
                f"{self._feed.name}: expected {total} rows from {self._requests.shown}, as it says itself, and page "
                f"{number + 1} behind them has {len(following.rows)} more: {self._api.response.total} is not the "
                "number of all rows (that of one page, or one that is capped). Correct response.total, or leave it out."
            )

    def _beyond_the_end(self, paging: NumberPaging, number: int, page: Page) -> None:
        """Make sure that a page which repeats the one before it means the end.

        Some interfaces give their last page for every number beyond it: then the next one is the same again. Rows that
        were inserted meanwhile, as many as a page has, would make one page repeat and others follow.
        """
        following = self._requests.ask({paging.page_parameter: number + 1, paging.size_parameter: paging.size})
        if following.digest() != page.digest():
            raise Shifted(f"expected new rows on page {number}, it is the same as the page before, and others follow")
        is_full = len(page.rows) >= paging.size
        half = (paging.size if is_full else len(page.rows)) // 2
        if number == paging.first + 1 and (half or is_full):
            # It may also be that the number of the page is not heeded, and its size as little: half as many rows to a
            # page tell. An interface without pages gives all it has, whatever it is asked for.
            second = self._requests.ask({paging.page_parameter: number, paging.size_parameter: max(half, 1)})
            has_no_pages = not is_full and second.digest() == page.digest()
            expected = list(map(bytes, page.rows[half : half * 2]))
            if not half or (list(map(bytes, second.rows)) != expected and not has_no_pages):
                raise SourceRefused(
                    f"{self._feed.name}: expected other rows on page {number} of {self._requests.shown}, the first "
                    f"page came again: it does not heed {paging.page_parameter}, or nobody can tell. Correct "
                    "page_parameter and size_parameter, or name response.total."
                )
        log.warning(
            "%s: pages %d and %d of %s repeat the one before: it answers its last page for every number beyond the "
            "end, so %d pages are the whole. Name response.total to be sure.",
            self._feed.name,
            number,
            number + 1,
            self._requests.shown,
            number - paging.first,
        )
