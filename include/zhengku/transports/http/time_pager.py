"""Pages by time: each is requested from the time of the newest row of the one before."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from zhengku.errors import ConfigurationError, SourceRefused
from zhengku.transports.http.model import TimePaging
from zhengku.transports.http.page import Page
from zhengku.transports.http.pager import Pager

log = logging.getLogger(__name__)

# From the finest step: one that a time_format cannot express does not change what it writes.
_STEPS: Final = (
    timedelta(microseconds=1),
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)


class TimePager(Pager[TimePaging]):
    """Moves on by the time of the newest row until no later row follows."""

    def pages(self) -> Iterator[Page]:
        """Iterate over the pages that have rows."""
        paging = self._paging
        if self._rows.time_column is None or not self._api.since_parameter:
            raise ConfigurationError(
                f"{self._feed.name}: paging by time needs a watermark window and a since_parameter. Name both in the "
                "department's file."
            )
        at = self._requests.window.start
        since = self._requests.written(at) if at else ""
        size = paging.size
        first_total: int | None = None
        number = 0
        doubted = leaves_out = False
        while True:
            number += 1
            parameters: dict[str, str | int] = {paging.size_parameter: size}
            if since:
                # A little earlier where the interface leaves out rows of exactly the requested time.
                parameters[self._api.since_parameter] = self._before(at, since) if leaves_out and at else since
            page = self._requests.ask(parameters)
            if number == 1:
                first_total = page.total
            newest, fresh = self._rows.take_new(page, number)
            if fresh:
                yield page
            if page.rows and newest is None:
                raise self._without_times(number)
            if number > 1 and not leaves_out and fresh == len(page.rows):
                # The page lacks the row whose time it was requested from.
                leaves_out = True
                self._log_exclusive_since()
                continue
            reached = self._requests.written(newest) if newest else since
            if reached != since and newest is not None and (at is None or newest > at):
                at, since, size, doubted = newest, reached, paging.size, False
                continue
            # All rows have one time: either this is the end, or the rest of that time does not fit on the page.
            more = page.total is not None and page.total > len(page.rows)
            if len(page.rows) < size and not more:
                if doubted:
                    raise self._capped(page, since, size)
                # An interface may return fewer rows than requested: without a total, only a further page shows the end.
                if page.rows and page.total is None and self._has_rows_after(at, paging):
                    # A row may have been written between both requests. Then the page has it now, unless it is cut.
                    doubted = True
                    continue
                self._rows.check_complete(first_total, self._rows.distinct_rows)
                return
            if size >= paging.largest_size:
                raise SourceRefused(
                    f"{self._feed.name}: more rows of {self._requests.shown} have the one time {since} than a page of "
                    f"{size} rows holds; expected fewer. Raise largest_size, or page by number or cursor."
                )
            size, doubted = min(size * 4, paging.largest_size), False

    def _without_times(self, number: int) -> SourceRefused:
        return SourceRefused(
            f"{self._feed.name}: expected times like {self._api.time_format} in {self._rows.time_column} of "
            f"{self._requests.shown}, no row of page {number} has one that can be read, so the next page cannot be "
            "requested. Correct time_format and the window's column, or page by number or cursor."
        )

    def _log_exclusive_since(self) -> None:
        log.warning(
            "%s: %s leaves out the rows of exactly the time that %s names (it should be inclusive), so a little "
            "earlier time is requested.",
            self._feed.name,
            self._requests.shown,
            self._api.since_parameter,
        )

    def _capped(self, page: Page, since: str, size: int) -> SourceRefused:
        return SourceRefused(
            f"{self._feed.name}: expected all rows from {since} on, or {size} of them, from {self._requests.shown}; "
            f"{len(page.rows)} were received that end at that time, and later rows follow. The interface caps its "
            f"pages at {len(page.rows)} rows, and more rows than that may have one time: they would be lost. Ask the "
            "department to raise the cap, or page by number or cursor."
        )

    def _before(self, at: datetime, since: str) -> str:
        """Return the nearest earlier time that is written otherwise than `since`."""
        for step in _STEPS:
            with suppress(OverflowError):
                if (text := self._requests.written(at - step)) != since:
                    return text
        return since

    def _has_rows_after(self, at: datetime | None, paging: TimePaging) -> bool:
        """Return whether the interface has rows after `at` that a page from `at`, had it been complete, would hold.

        One request finds that out, for the next time that can be written; its rows are not noted. More requests, for
        later times, are only needed where an interface returns older rows than requested, because it only compares
        days or has another clock.
        """
        if at is None or self._api.since_parameter is None:
            return False
        requested = since = self._requests.written(at)
        for step in _STEPS:
            try:
                following = at + step
                text = self._requests.written(following)
            except OverflowError:
                return False
            if text == requested:
                continue
            if self._api.until_parameter and self._requests.window.end and following > self._requests.window.end:
                # Rows that the page lacks can no longer be found within the window.
                return False
            requested = text
            page = self._requests.ask({paging.size_parameter: paging.size, self._api.since_parameter: requested})
            older = False
            for raw in page.rows:
                is_known, moment = self._rows.preview(raw)
                if not is_known:
                    return True
                if moment is not None:
                    if moment > at and self._requests.written(moment) != since:
                        return True
                    older = True
            if not older:
                return False
        raise SourceRefused(
            f"{self._feed.name}: expected from {self._requests.shown} only rows from {requested} on, and all received "
            f"ones are older: it ignores {self._api.since_parameter}, so the end of its rows cannot be found. Correct "
            "since_parameter and time_format, or page by number or cursor."
        )
