"""An HTTP interface as a source: all pages of a window in one file, read again when they shifted meanwhile."""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, Final

from zhengku import clock
from zhengku.errors import DeliveryUnavailable
from zhengku.landed.landing import Landed, LandingArea
from zhengku.landed.manifest import Manifest
from zhengku.landed.page_file import Remarks, page_bytes, totals_bytes
from zhengku.transports.http.cursor_pager import CursorPager
from zhengku.transports.http.model import HttpApi
from zhengku.transports.http.number_pager import NumberPager
from zhengku.transports.http.page import PageRequests, PagesShifted
from zhengku.transports.http.pager import Pager
from zhengku.transports.http.rows import RowNotes
from zhengku.transports.http.session import LONGEST_PAUSE, HttpSession
from zhengku.transports.http.time_pager import TimePager
from zhengku.transports.source import Chunks, Collected, Delivery, Position, Source, SourceFeed, Window

log = logging.getLogger(__name__)

_PAGERS: Final[dict[str, type[Pager[Any]]]] = {"number": NumberPager, "cursor": CursorPager, "time": TimePager}


class HttpApiSource(Source):
    """An HTTP interface of one feed.

    `address` is `https://id:secret@host/base`, id and secret percent-encoded; `slots` readers share the department's
    limit of requests. The first pause after a failure is about `first_pause` seconds, and they double.
    """

    def __init__(self, feed: SourceFeed, api: HttpApi, address: str, slots: int, *, first_pause: float = 1.0) -> None:
        self._feed = feed
        self._api = api
        self._address = address
        self._slots = slots
        self._first_pause = first_pause

    def deliveries(self, window: Window) -> Sequence[Delivery]:
        """Return the one reading of `window`; nothing is requested yet."""
        return [
            Delivery(
                name=f"{self._feed.name} {self._api.path} {window}",
                modified_at=clock.now(),
                is_file=False,
                window=window,
            )
        ]

    def check(self) -> None:
        """Raise `ConfigurationError` for an unreadable address, and where no request can be signed or sent."""
        with closing(HttpSession(self._api, self._address, self._slots, self._first_pause, self._feed.name)) as session:
            session.check()

    def land(
        self, delivery: Delivery, landing: LandingArea, path: str, on_bytes: Callable[[int], None] | None = None
    ) -> Collected:
        """Read all pages of the delivery's window into one page file (see `page_file`).

        A window whose pages shifted while they were read is read again from its start, up to `attempts` times.
        Raises `DeliveryUnavailable` when that, or the tries of one request, did not help; `SourceRefused` when another
        try would fail in the same way; `ConfigurationError` for an unreadable address; `StorageFull`.
        """
        api = self._api
        window = delivery.window or Window()
        repeated: frozenset[bytes] = frozenset()
        with closing(HttpSession(api, self._address, self._slots, self._first_pause, self._feed.name)) as session:
            for attempt in range(1, api.attempts + 1):
                reading = _Reading(self._feed, api, session, window, delivery.modified_at, repeated)
                try:
                    landed: Landed = landing.put(Chunks(reading.pieces()), path, on_bytes=on_bytes)
                except PagesShifted as error:
                    repeated = error.repeated
                    if attempt == api.attempts:
                        raise DeliveryUnavailable(
                            f"{self._feed.name}: the pages of {session.shown} ({window}) shifted while they were read, "
                            f"{attempt} times; the last time: {error}. Collect at an hour when the department writes "
                            "less, or ask it for an interface whose pages stand still (until_parameter)."
                        ) from None
                    pause = min(self._first_pause * 2 ** (attempt - 1), LONGEST_PAUSE)
                    log.warning(
                        "%s: the pages of %s shifted (%s); the window is read again in %.1f s.",
                        self._feed.name,
                        session.shown,
                        error,
                        pause,
                    )
                    time.sleep(pause)
                else:
                    return Collected(landed, Manifest(rows=reading.rows, digests={}), reading.position)
        raise AssertionError("attempts is at least one")


class _Reading:
    """One reading of a window from its start, as a page file."""

    def __init__(
        self,
        feed: SourceFeed,
        api: HttpApi,
        session: HttpSession,
        window: Window,
        started_at: datetime,
        repeated: Collection[bytes] = (),
    ) -> None:
        self.rows = 0
        self._notes = RowNotes(feed, api, session.shown, started_at, repeated)
        requests = PageRequests(api, session, window)
        self._pager = _PAGERS[api.paging.kind](feed, api, api.paging, requests, self._notes)

    @property
    def position(self) -> Position | None:
        """The newest time among the rows that is not after the reading's start, with its row's key; None for none."""
        return self._notes.position

    def pieces(self) -> Iterator[bytes]:
        """Yield the page file's bytes, a page at a time."""
        pages = 0
        for page in self._pager.pages():
            pages += 1
            self.rows += len(page.rows)
            yield page_bytes(pages, page.body.content, page.body.charset)
        remarks = Remarks(self._notes.repeated_ids, self._pager.ended_by_repeating, self._pager.without_cursor)
        yield totals_bytes(pages, self.rows, self._notes.column_names(), remarks)
