"""Pages by time: each asks for what changed since the newest row of the one before."""

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

# From the finest on: what a time_format cannot express does not change what it writes.
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
                # A little earlier where the very time that is asked for is left out.
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
                # The row from whose time on this page was asked for is not on it.
                leaves_out = True
                self._log_exclusive_since()
                continue
            reached = self._requests.written(newest) if newest else since
            if reached != since and newest is not None and (at is None or newest > at):
                at, since, size, doubted = newest, reached, paging.size, False
                continue
            # All that came bears one time: either this is the end, or the rest of that time does not fit the page.
            more = page.total is not None and page.total > len(page.rows)
            if len(page.rows) < size and not more:
                if doubted:
                    raise self._capped(page, since, size)
                # An interface may give fewer rows than asked for: without a total, only what follows tells the end.
                if page.rows and page.total is None and self._rows_follow(at, paging):
                    # A row may have come between both requests. Then the same page has it now, unless it is cut.
                    doubted = True
                    continue
                self._rows.check_complete(first_total, self._rows.distinct_rows)
                return
            if size >= paging.largest_size:
                raise SourceRefused(
                    f"{self._feed.name}: more rows of {self._requests.shown} bear the one time {since} than a page of "
                    f"{size} rows holds; expected fewer. Raise largest_size, or page by number or cursor."
                )
            size, doubted = min(size * 4, paging.largest_size), False

    def _without_times(self, number: int) -> SourceRefused:
        return SourceRefused(
            f"{self._feed.name}: expected times like {self._api.time_format} in {self._rows.time_column} of "
            f"{self._requests.shown}, no row of page {number} has one that can be read: nobody can tell what follows. "
            "Correct time_format and the window's column, or page by number or cursor."
        )

    def _log_exclusive_since(self) -> None:
        log.warning(
            "%s: %s leaves out the rows of the very time that %s names (it should be inclusive), so a little earlier "
            "is asked for.",
            self._feed.name,
            self._requests.shown,
            self._api.since_parameter,
        )

    def _capped(self, page: Page, since: str, size: int) -> SourceRefused:
        return SourceRefused(
            f"{self._feed.name}: expected all rows from {since} on, or {size} of them, from {self._requests.shown}; "
            f"{len(page.rows)} came that end at that time, and later rows follow. The interface caps its pages at "
            f"{len(page.rows)} rows, and more rows than that may bear one time: they would be lost. Ask the department "
            "to raise the cap, or page by number or cursor."
        )

    def _before(self, at: datetime, since: str) -> str:
        """Return the nearest earlier time that is written otherwise than `since`."""
        for step in _STEPS:
            with suppress(OverflowError):
                if (text := self._requests.written(at - step)) != since:
                    return text
        return since

    def _rows_follow(self, at: datetime | None, paging: TimePaging) -> bool:
        """Tell whether the interface has rows behind `at` that a whole page from `at` on would have held.

        One request tells, for the next time that can be written; what it brings is looked at and not taken. Only an
        interface that gives older rows than asked for, because it looks at the day alone or has another clock, is asked
        for later times.
        """
        if at is None or self._api.since_parameter is None:
            return False
        asked = since = self._requests.written(at)
        for step in _STEPS:
            try:
                following = at + step
                text = self._requests.written(following)
            except OverflowError:
                return False
            if text == asked:
                continue
            if self._api.until_parameter and self._requests.window.end and following > self._requests.window.end:
                # Whatever the page left out, nothing in the window can show it.
                return False
            asked = text
            page = self._requests.ask({paging.size_parameter: paging.size, self._api.since_parameter: asked})
            older = False
            for raw in page.rows:
                came_before, moment = self._rows.look_at(raw)
                if not came_before:
                    return True
                if moment is not None:
                    if moment > at and self._requests.written(moment) != since:
                        return True
                    older = True
            if not older:
                return False
        raise SourceRefused(
            f"{self._feed.name}: expected from {self._requests.shown} only rows from {asked} on, and all that came is "
            f"older: it does not heed {self._api.since_parameter}, so nobody can tell where its rows end. Correct "
            "since_parameter and time_format, or page by number or cursor."
        )
