"""Pages by a cursor that each answer names for the next one."""

import logging
from collections.abc import Iterator
from typing import Final

from zhengku.transports.http.model import CursorPaging
from zhengku.transports.http.page import Page, PagesShifted
from zhengku.transports.http.pager import Pager

log = logging.getLogger(__name__)

_MOST_EMPTY_PAGES: Final = 50


class CursorPager(Pager[CursorPaging]):
    """Follows the cursors until an answer names none."""

    def pages(self) -> Iterator[Page]:
        """Iterate over the pages that have rows."""
        paging = self._paging
        total: int | None = None
        received = empty = first_length = 0
        cursor = ""
        cursors: set[str] = set()
        cursor_stood_still, last_digest = False, b""
        number = 0
        while True:
            number += 1
            parameters: dict[str, str | int] = {paging.size_parameter: paging.size}
            if cursor:
                parameters[paging.cursor_parameter] = cursor
            page = self._requests.ask(parameters, paging.cursor)
            total = self._same_total(total, page, first=number == 1)
            digest = page.digest()
            if cursor and page.rows and page.cursor == cursor and digest == last_digest:
                self._log_repeated_page(number)
                self._rows.check_complete(total, received)
                return
            if number == 1 and not page.names_cursor and len(page.rows) >= paging.size:
                self._log_missing_cursor(paging.cursor)
            if page.rows:
                self._check_new_page(page, digest, number, first_length or paging.size)
                if self._rows.take_all(page) and len(page.rows) >= max(first_length, 2):
                    raise self._rows.repeated_page_error(page, number, paging.cursor_parameter)
                first_length = first_length or len(page.rows)
                received += len(page.rows)
                empty = 0
                yield page
            else:
                empty += 1
            if not page.cursor or (not page.rows and page.cursor in cursors):
                self._rows.check_complete(total, received)
                return
            if page.cursor in cursors and page.cursor != cursor:
                raise PagesShifted(
                    f"expected a new cursor after page {number}, the answer names one that was used before"
                )
            if page.cursor == cursor and cursor_stood_still:
                raise PagesShifted(
                    f"expected a new cursor after page {number}, its cursor stays the same and its rows do not"
                )
            if empty > _MOST_EMPTY_PAGES:
                raise PagesShifted(
                    f"expected rows or an end, {empty} pages in succession were empty and had new cursors"
                )
            cursors.add(page.cursor)
            cursor_stood_still, last_digest = page.cursor == cursor, digest
            cursor = page.cursor

    def _log_repeated_page(self, number: int) -> None:
        self.ended_by_repeating = True
        log.warning(
            "%s: page %d of %s repeats the one before, with its cursor: it answers its last page after the end, so %d "
            "pages are all.",
            self._feed.name,
            number,
            self._requests.shown,
            number - 1,
        )

    def _log_missing_cursor(self, place: str) -> None:
        self.without_cursor = True
        log.warning(
            "%s: the first page of %s is full and has nothing at %s, so this page was taken for the only one. Correct "
            "the place of the cursor if more rows are there.",
            self._feed.name,
            self._requests.shown,
            place,
        )
