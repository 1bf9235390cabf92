"""Pages by number and size."""

import logging
from collections.abc import Iterator

from zhengku.errors import SourceRefused
from zhengku.transports.http.model import NumberPaging
from zhengku.transports.http.page import Page, PagesShifted
from zhengku.transports.http.pager import Pager

log = logging.getLogger(__name__)


class NumberPager(Pager[NumberPaging]):
    """Asks for page after page until the total is reached, or a page is short, empty or repeated."""

    def pages(self) -> Iterator[Page]:
        """Iterate over the pages that have rows."""
        paging = self._paging
        total: int | None = None
        received = 0
        first_length = 0
        last_digest = b""
        number = paging.first
        while True:
            page = self._requests.ask({paging.page_parameter: number, paging.size_parameter: paging.size})
            total = self._same_total(total, page, first=number == paging.first)
            digest = page.digest()
            if total is None and page.rows and digest == last_digest:
                self._check_repeats_until_end(paging, number, page)
                self.ended_by_repeating = True
                self._rows.log_doubled()
                return
            if page.rows:
                self._check_new_page(page, digest, number, first_length or paging.size)
                if self._rows.take_all(page) and len(page.rows) >= max(first_length, 2):
                    raise self._rows.repeated_page_error(
                        page, number, f"{paging.page_parameter}, or its pages start with another number"
                    )
                received += len(page.rows)
                yield page
            if total is not None:
                if received >= total or not page.rows:
                    if page.rows and len(page.rows) >= (first_length or paging.size):
                        self._check_no_page_after_total(total, paging, number, digest)
                    self._rows.check_complete(total, received)
                    return
            elif not page.rows or (number > paging.first and len(page.rows) < first_length):
                self._rows.check_complete(total, received)
                return
            # An interface may return fewer rows than requested: the first page shows how many a full one has.
            first_length = first_length or len(page.rows)
            last_digest = digest
            number += 1

    def _check_no_page_after_total(self, total: int, paging: NumberPaging, number: int, digest: bytes) -> None:
        """Check that nothing follows a full page that reached the total: that may be the total of one page."""
        following = self._requests.ask({paging.page_parameter: number + 1, paging.size_parameter: paging.size})
        if following.rows and following.digest() != digest:
            raise SourceRefused(
                f"{self._feed.name}: expected {total} rows from {self._requests.shown}, as it says itself, and page "
                f"{number + 1} after them has {len(following.rows)} more: {self._api.response.total} is not the "
                "number of all rows (that of one page, or one that is capped). Correct response.total, or leave it out."
            )

    def _check_repeats_until_end(self, paging: NumberPaging, number: int, page: Page) -> None:
        """Check that a page that repeats the one before it means the end.

        Some interfaces return their last page for every higher number: then the next one is the same again. If as many
        rows as a page has were inserted during the reading, one page would repeat too, but others would follow.
        """
        following = self._requests.ask({paging.page_parameter: number + 1, paging.size_parameter: paging.size})
        if following.digest() != page.digest():
            raise PagesShifted(
                f"expected new rows on page {number}, it is the same as the page before, and others follow"
            )
        is_full = len(page.rows) >= paging.size
        half = (paging.size if is_full else len(page.rows)) // 2
        if number == paging.first + 1 and (half or is_full):
            # The interface may also ignore the number of the page, and perhaps its size: a request for pages of half
            # the size shows that. An interface without pages returns all rows to every request.
            second = self._requests.ask({paging.page_parameter: number, paging.size_parameter: max(half, 1)})
            has_no_pages = not is_full and second.digest() == page.digest()
            expected = list(map(bytes, page.rows[half : half * 2]))
            if not half or (list(map(bytes, second.rows)) != expected and not has_no_pages):
                raise SourceRefused(
                    f"{self._feed.name}: expected other rows on page {number} of {self._requests.shown}, the first "
                    f"page was returned again: it ignores {paging.page_parameter}, or that cannot be excluded. Correct "
                    "page_parameter and size_parameter, or name response.total."
                )
        log.warning(
            "%s: pages %d and %d of %s repeat the one before: it answers its last page for every number after the "
            "end, so %d pages are all. Name response.total to be sure.",
            self._feed.name,
            number,
            number + 1,
            self._requests.shown,
            number - paging.first,
        )
