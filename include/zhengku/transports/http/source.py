"""An HTTP interface as a source: all pages of a window, read as one, and read again when they shifted meanwhile."""

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from zhengku import clock
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import ConfigurationError, DeliveryUnavailable, SourceRefused
from zhengku.landed.http_answer import NoAnswer, UniformRows, flattened, read_row, storable
from zhengku.landed.landing import Landed, LandingArea
from zhengku.landed.manifest import Manifest
from zhengku.landed.page_file import Remarks, page_bytes, totals_bytes
from zhengku.transports.http.model import CursorPaging, HttpApi, NumberPaging, TimePaging
from zhengku.transports.http.session import LONGEST_PAUSE, Body, HttpSession
from zhengku.transports.source import Chunks, Collected, Delivery, Position, Source, SourceFeed, Window
from zhengku.transports.window import Watermark

log = logging.getLogger(__name__)

_MOST_EMPTY_PAGES: Final = 50
_MOST_COLUMNS: Final = 1000
_MOST_SHAPES: Final = 10_000
_LONGEST_NAME: Final = 1000
_MARK_BYTES: Final = 16
# One odd row has all of these looked at one by one.
_TOGETHER: Final = 500
# From the finest on: what a time_format cannot express does not change what it writes.
_STEPS: Final = (
    timedelta(microseconds=1),
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)
# strptime takes microseconds for each row; what these write, the quick parser reads the same.
_ISO_FORMATS: Final = frozenset(
    {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S%z"}
)

Row = msgspec.Raw | bytes


class _Shifted(Exception):
    """The pages do not make one whole; the text says what was expected and what came.

    `repeated` are marks of rows that came on two pages, where that alone is wrong: a source that holds them twice gives
    the same ones again, pages that shift give others.
    """

    def __init__(self, what: str, repeated: Collection[bytes] = ()) -> None:
        super().__init__(what)
        self.repeated = frozenset(repeated)


@dataclass(frozen=True, slots=True)
class _Page:
    """One page in order, with the parts of its envelope."""

    body: Body
    rows: Sequence[Row]
    row_list: msgspec.Raw | None
    total: int | None
    cursor: str
    names_cursor: bool


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
        """Return the one reading of `window`; nothing is asked yet."""
        return [
            Delivery(
                name=f"{self._feed.name} {self._api.path} {window}",
                modified_at=clock.now(),
                is_file=False,
                window=window,
            )
        ]

    def check(self) -> None:
        """Raise `ConfigurationError` for an address that is none, and where no request can be signed or sent."""
        with closing(HttpSession(self._api, self._address, self._slots, self._first_pause, self._feed.name)) as session:
            session.check()

    def land(
        self, delivery: Delivery, landing: LandingArea, path: str, on_bytes: Callable[[int], None] | None = None
    ) -> Collected:
        """Read all pages of the delivery's window into one page file (see `page_file`).

        A window whose pages shifted while they were read is read again from its start, up to `attempts` times.
        Raises `DeliveryUnavailable` when that, or the tries of one request, did not help; `SourceRefused` when another
        try would end the same; `ConfigurationError` for an address that is none; `StorageFull`.
        """
        api = self._api
        window = delivery.window or Window()
        repeated: frozenset[bytes] = frozenset()
        with closing(HttpSession(api, self._address, self._slots, self._first_pause, self._feed.name)) as session:
            for attempt in range(1, api.attempts + 1):
                reading = _Reading(self._feed, api, session, window, delivery.modified_at, repeated)
                try:
                    landed: Landed = landing.put(Chunks(reading.pieces()), path, on_bytes=on_bytes)
                except _Shifted as error:
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
    """One reading of a window from its start: the pages, and what they tell together."""

    def __init__(
        self,
        feed: SourceFeed,
        api: HttpApi,
        session: HttpSession,
        window: Window,
        begin: datetime,
        repeated: Collection[bytes] = (),
    ) -> None:
        self.rows = 0
        self._begin = begin
        self._feed = feed
        self._needed = frozenset(feed.required_columns)
        self._api = api
        self._session = session
        self._window = window
        self._time_column = feed.window.column if isinstance(feed.window, Watermark) else None
        self._newest: datetime | None = None
        self._newest_key: tuple[str, ...] = ()
        self._pages = 0
        # Names of columns as they came, and whether one had a value; none is ever taken out.
        self._columns: dict[str, bool] = {}
        self._uniform = self._quick = UniformRows(())
        self._parents: set[str] = set()
        self._shapes: set[object] = set()
        # Of 16 bytes at most: a window may have millions of rows.
        self._seen: set[bytes] = set()
        # Marks that came more than once: on one page, which is one answer and cannot shift, and on two.
        self._doubled: set[bytes] = set()
        self._repeated: set[bytes] = set()
        self._repeated_before = repeated
        self._full_pages: set[bytes] = set()
        self._ended_by_repeating = False
        self._without_cursor = False
        self._times: dict[str, datetime | None] = {}

    @property
    def position(self) -> Position | None:
        """The newest time among the rows that is not after the reading's begin, with its row's key; None for none."""
        return None if self._newest is None else Position(self._newest, self._newest_key)

    def pieces(self) -> Iterator[bytes]:
        """Iterate over the page file's bytes, a page at a time."""
        paging = self._api.paging
        if isinstance(paging, NumberPaging):
            pages = self._by_number(paging)
        elif isinstance(paging, CursorPaging):
            pages = self._by_cursor(paging)
        else:
            pages = self._by_time(paging)
        for page in pages:
            self._pages += 1
            self.rows += len(page.rows)
            yield page_bytes(self._pages, page.body.content, page.body.charset)
        remarks = Remarks(len(self._doubled | self._repeated), self._ended_by_repeating, self._without_cursor)
        yield totals_bytes(self._pages, self.rows, self._column_names(), remarks)

    def _by_number(self, paging: NumberPaging) -> Iterator[_Page]:
        total: int | None = None
        came = 0
        first_length = 0
        last_digest = b""
        number = paging.first
        while True:
            page = self._ask({paging.page_parameter: number, paging.size_parameter: paging.size})
            total = self._same_total(total, page, first=number == paging.first)
            digest = _digest(page)
            if total is None and page.rows and digest == last_digest:
                self._beyond_the_end(paging, number, page)
                self._ended_by_repeating = True
                self._tell_doubled()
                return
            if page.rows:
                self._not_seen_page(page, digest, number, first_length or paging.size)
                if self._take_all(page) and len(page.rows) >= max(first_length, 2):
                    raise self._came_again(
                        page, number, f"{paging.page_parameter}, or its pages begin with another number"
                    )
                came += len(page.rows)
                yield page
            if total is not None:
                if came >= total or not page.rows:
                    if page.rows and len(page.rows) >= (first_length or paging.size):
                        self._nothing_beyond(total, paging, number, digest)
                    self._whole(total, came)
                    return
            elif not page.rows or (number > paging.first and len(page.rows) < first_length):
                self._whole(total, came)
                return
            # An interface may give fewer rows than asked for: the first page tells how many a full one has.
            first_length = first_length or len(page.rows)
            last_digest = digest
            number += 1

    def _nothing_beyond(self, total: int, paging: NumberPaging, number: int, digest: bytes) -> None:
        """Make sure that nothing follows a full page with which the total was reached: it may be that of a page."""
        following = self._ask({paging.page_parameter: number + 1, paging.size_parameter: paging.size})
        if following.rows and _digest(following) != digest:
            raise SourceRefused(
                f"{self._feed.name}: expected {total} rows from {self._session.shown}, as it says itself, and page "
                f"{number + 1} behind them has {len(following.rows)} more: {self._api.response.total} is not the "
                "number of all rows (that of one page, or one that is capped). Correct response.total, or leave it out."
            )

    def _beyond_the_end(self, paging: NumberPaging, number: int, page: _Page) -> None:
        """Make sure that a page which repeats the one before it means the end.

        Some interfaces give their last page for every number beyond it: then the next one is the same again. Rows that
        were inserted meanwhile, as many as a page has, would make one page repeat and others follow.
        """
        following = self._ask({paging.page_parameter: number + 1, paging.size_parameter: paging.size})
        if _digest(following) != _digest(page):
            raise _Shifted(f"expected new rows on page {number}, it is the same as the page before, and others follow")
        is_full = len(page.rows) >= paging.size
        half = (paging.size if is_full else len(page.rows)) // 2
        if number == paging.first + 1 and (half or is_full):
            # It may also be that the number of the page is not heeded, and its size as little: half as many rows to a
            # page tell. An interface without pages gives all it has, whatever it is asked for.
            second = self._ask({paging.page_parameter: number, paging.size_parameter: max(half, 1)})
            has_no_pages = not is_full and _digest(second) == _digest(page)
            expected = list(map(bytes, page.rows[half : half * 2]))
            if not half or (list(map(bytes, second.rows)) != expected and not has_no_pages):
                raise SourceRefused(
                    f"{self._feed.name}: expected other rows on page {number} of {self._session.shown}, the first page "
                    f"came again: it does not heed {paging.page_parameter}, or nobody can tell. Correct "
                    "page_parameter and size_parameter, or name response.total."
                )
        log.warning(
            "%s: pages %d and %d of %s repeat the one before: it answers its last page for every number beyond the "
            "end, so %d pages are the whole. Name response.total to be sure.",
            self._feed.name,
            number,
            number + 1,
            self._session.shown,
            number - paging.first,
        )

    def _by_cursor(self, paging: CursorPaging) -> Iterator[_Page]:
        total: int | None = None
        came = empty = first_length = 0
        cursor = ""
        cursors: set[str] = set()
        stood, last_digest = False, b""
        number = 0
        while True:
            number += 1
            parameters: dict[str, str | int] = {paging.size_parameter: paging.size}
            if cursor:
                parameters[paging.cursor_parameter] = cursor
            page = self._ask(parameters, paging.cursor)
            total = self._same_total(total, page, first=number == 1)
            digest = _digest(page)
            if cursor and page.rows and page.cursor == cursor and digest == last_digest:
                log.warning(
                    "%s: page %d of %s repeats the one before, with its cursor: it answers its last page beyond the "
                    "end, so %d pages are the whole.",
                    self._feed.name,
                    number,
                    self._session.shown,
                    number - 1,
                )
                self._ended_by_repeating = True
                self._whole(total, came)
                return
            if number == 1 and not page.names_cursor and len(page.rows) >= paging.size:
                self._without_cursor = True
                log.warning(
                    "%s: the first page of %s is full and has nothing at %s, so one page was taken for the whole. "
                    "Correct the place of the cursor if more rows are there.",
                    self._feed.name,
                    self._session.shown,
                    paging.cursor,
                )
            if page.rows:
                self._not_seen_page(page, digest, number, first_length or paging.size)
                if self._take_all(page) and len(page.rows) >= max(first_length, 2):
                    raise self._came_again(page, number, paging.cursor_parameter)
                first_length = first_length or len(page.rows)
                came += len(page.rows)
                empty = 0
                yield page
            else:
                empty += 1
            if not page.cursor or (not page.rows and page.cursor in cursors):
                self._whole(total, came)
                return
            if page.cursor in cursors and page.cursor != cursor:
                raise _Shifted(f"expected a new cursor behind page {number}, the answer names one that was used before")
            if page.cursor == cursor and stood:
                raise _Shifted(
                    f"expected a new cursor behind page {number}, its cursor stands still and its rows do not"
                )
            if empty > _MOST_EMPTY_PAGES:
                raise _Shifted(f"expected rows or an end, {empty} pages in succession came empty with new cursors")
            cursors.add(page.cursor)
            stood, last_digest = page.cursor == cursor, digest
            cursor = page.cursor

    def _by_time(self, paging: TimePaging) -> Iterator[_Page]:
        if self._time_column is None or not self._api.since_parameter:
            raise ConfigurationError(
                f"{self._feed.name}: paging by time needs a watermark window and a since_parameter. Name both in the "
                "department's file."
            )
        at = self._window.start
        since = self._written(at) if at else ""
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
            page = self._ask(parameters)
            if number == 1:
                first_total = page.total
            newest, fresh = self._take_new(page, number)
            if fresh:
                yield page
            if page.rows and newest is None:
                raise SourceRefused(
                    f"{self._feed.name}: expected times like {self._api.time_format} in {self._time_column} of "
                    f"{self._session.shown}, no row of page {number} has one that can be read: nobody can tell what "
                    "follows. Correct time_format and the window's column, or page by number or cursor."
                )
            if number > 1 and not leaves_out and fresh == len(page.rows):
                # The row from whose time on this page was asked for is not on it.
                leaves_out = True
                log.warning(
                    "%s: %s leaves out the rows of the very time that %s names (it should be inclusive), so a little "
                    "earlier is asked for.",
                    self._feed.name,
                    self._session.shown,
                    self._api.since_parameter,
                )
                continue
            reached = self._written(newest) if newest else since
            if reached != since and newest is not None and (at is None or newest > at):
                at, since, size, doubted = newest, reached, paging.size, False
                continue
            # All that came bears one time: either this is the end, or the rest of that time does not fit the page.
            more = page.total is not None and page.total > len(page.rows)
            if len(page.rows) < size and not more:
                if doubted:
                    raise SourceRefused(
                        f"{self._feed.name}: expected all rows from {since} on, or {size} of them, from "
                        f"{self._session.shown}; {len(page.rows)} came that end at that time, and later rows follow. "
                        f"The interface caps its pages at {len(page.rows)} rows, and more rows than that may bear one "
                        "time: they would be lost. Ask the department to raise the cap, or page by number or cursor."
                    )
                # An interface may give fewer rows than asked for: without a total, only what follows tells the end.
                if page.rows and page.total is None and self._rows_follow(at, paging):
                    # A row may have come between both requests. Then the same page has it now, unless it is cut.
                    doubted = True
                    continue
                self._whole(first_total, len(self._seen))
                return
            if size >= paging.largest_size:
                raise SourceRefused(
                    f"{self._feed.name}: more rows of {self._session.shown} bear the one time {since} than a page of "
                    f"{size} rows holds; expected fewer. Raise largest_size, or page by number or cursor."
                )
            size, doubted = min(size * 4, paging.largest_size), False

    def _before(self, at: datetime, since: str) -> str:
        """Return the nearest earlier time that is written otherwise than `since`."""
        for step in _STEPS:
            with suppress(OverflowError):
                if (text := self._written(at - step)) != since:
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
        asked = since = self._written(at)
        for step in _STEPS:
            try:
                following = at + step
                text = self._written(following)
            except OverflowError:
                return False
            if text == asked:
                continue
            if self._api.until_parameter and self._window.end and following > self._window.end:
                # Whatever the page left out, nothing in the window can show it.
                return False
            asked = text
            page = self._ask({paging.size_parameter: paging.size, self._api.since_parameter: asked})
            older = False
            for raw in page.rows:
                row = read_row(raw)
                row = flattened(row, self._needed) if row is not None else None
                moment = self._time(row.get(self._time_column)) if row is not None and self._time_column else None
                if self._mark(raw, row) not in self._seen:
                    return True
                if moment is not None:
                    if moment > at and self._written(moment) != since:
                        return True
                    older = True
            if not older:
                return False
        raise SourceRefused(
            f"{self._feed.name}: expected from {self._session.shown} only rows from {asked} on, and all that came is "
            f"older: it does not heed {self._api.since_parameter}, so nobody can tell where its rows end. Correct "
            "since_parameter and time_format, or page by number or cursor."
        )

    def _ask(self, parameters: dict[str, str | int], cursor_place: str | None = None) -> _Page:
        api = self._api
        asked: dict[str, str | int] = {}
        if api.since_parameter and self._window.start:
            asked[api.since_parameter] = self._written(self._window.start)
        if api.until_parameter and self._window.end:
            asked[api.until_parameter] = self._written(self._window.end)

        def read(body: Body) -> _Page:
            shape = api.response
            rows = body.answer.rows()
            total = _total(body.answer.at(shape.total), shape.total) if shape.total else None
            cursor = _cursor(body.answer.at(cursor_place), cursor_place) if cursor_place else ""
            names_cursor = cursor_place is None or body.answer.has(cursor_place)
            return _Page(body, rows, body.answer.row_list(), total, cursor, names_cursor)

        return self._session.ask({**asked, **parameters}, read)

    def _written(self, moment: datetime) -> str:
        return moment.astimezone(CITY_TIME_ZONE).strftime(self._api.time_format)

    def _same_total(self, total: int | None, page: _Page, *, first: bool) -> int | None:
        if first or page.total is None:
            return page.total if first else total
        if total != page.total:
            raise _Shifted(f"expected a total of {total} rows as on the first page, got {page.total}")
        return total

    def _whole(self, total: int | None, came: int) -> None:
        if total is not None and total != came:
            raise _Shifted(f"expected {total} rows by the interface's total, {came} came")
        if self._repeated and self._repeated != self._repeated_before:
            raise _Shifted(
                f"expected each row once, {len(self._repeated)} came on two pages (by row_id); if the next reading "
                "brings the same ones twice, the source holds them twice",
                self._repeated,
            )
        self._tell_doubled()

    def _tell_doubled(self) -> None:
        """Tell of row ids that the source holds twice: both rows are taken, and the load finds which one counts."""
        doubled = self._doubled | self._repeated
        if doubled:
            log.warning(
                "%s: %d row id(s) of %s stand for more than one row, in one answer or in two readings alike: the "
                "source holds them twice, the pages did not shift. All their rows are collected; ask the department "
                "which columns tell its rows apart (row_id).",
                self._feed.name,
                len(doubled),
                self._session.shown,
            )

    def _came_again(self, page: _Page, number: int, heeded: str) -> Exception:
        """Return the error of a full page whose rows had all come: once it may be chance, in two readings alike not."""
        message = (
            f"expected other rows on page {number} of {self._session.shown}, every one of its {len(page.rows)} had "
            f"come before: it does not heed {heeded}"
        )
        if self._repeated == self._repeated_before:
            return SourceRefused(f"{self._feed.name}: {message}. Correct the feed's paging.")
        return _Shifted(message, self._repeated)

    def _not_seen_page(self, page: _Page, digest: bytes, number: int, size: int) -> None:
        # A page of few rows may well repeat: without a row_id nothing says that its rows are the same ones.
        if len(page.rows) < size:
            return
        if digest in self._full_pages:
            raise _Shifted(f"expected new rows on page {number}, it is the same as an earlier page")
        self._full_pages.add(digest)

    def _take_all(self, page: _Page) -> bool:
        """Take rows; those that came before are noted, and the end of the reading tells what that means.

        Tells whether all of them had come before.
        """
        marks, _ = self._noted(page, marked=bool(self._api.row_id))
        fresh = set(marks)
        had_come = bool(fresh) and fresh <= self._seen
        if len(fresh) < len(marks):
            self._doubled.update(mark for mark, times in Counter(marks).items() if times > 1)
        self._repeated |= fresh & self._seen
        self._seen |= fresh
        return had_come

    def _take_new(self, page: _Page, number: int) -> tuple[datetime | None, int]:
        """Take rows that may begin with known ones; return the page's newest time and how many rows are new."""
        known = len(self._seen)
        newest: datetime | None = None
        marks, times = self._noted(page, marked=True)
        for at in times:
            if at is None:
                continue
            if newest is not None and at < newest:
                raise SourceRefused(
                    f"{self._feed.name}: expected the rows of {self._session.shown} in the order of "
                    f"{self._time_column}, and page {number} goes back in time: rows would be lost. Ask the "
                    "department for that order, or page by number or cursor."
                )
            newest = at
        self._seen.update(marks)
        return newest, len(self._seen) - known

    def _noted(self, page: _Page, *, marked: bool) -> tuple[list[bytes], list[datetime | None]]:
        """Note columns and times of rows; return what tells them from others (if `marked`), and the time of each."""
        marks: list[bytes] = []
        times: list[datetime | None] = []
        rows = page.rows
        if page.row_list is not None and self._note_at_once(rows, marks, times, marked=marked, whole=page.row_list):
            return marks, times
        for start in range(0, len(rows), _TOGETHER):
            part = rows[start : start + _TOGETHER]
            if self._note_at_once(part, marks, times, marked=marked):
                continue
            for raw in part:
                row, at = self._take(raw)
                times.append(at)
                if marked:
                    marks.append(self._mark(raw, row))
        return marks, times

    def _note_at_once(
        self,
        rows: Sequence[Row],
        marks: list[bytes],
        times: list[datetime | None],
        *,
        marked: bool,
        whole: msgspec.Raw | None = None,
    ) -> bool:
        """Do the same for rows with known columns and no objects; return False, and do nothing, for others."""
        decoder = self._quick_decoder()
        columns = decoder.columns(rows, whole=whole)
        if columns is None:
            decoder = self._uniform
            columns = decoder.columns(rows, whole=whole)
        if columns is None:
            return False
        named = dict(zip(decoder.wanted, columns, strict=True))
        row_ids = [named[name] for name in self._api.row_id if name in named]
        if marked and (
            not row_ids or len(row_ids) < len(self._api.row_id) or any(None in values for values in row_ids)
        ):
            return False
        for name, values in named.items():
            if not self._columns[name]:
                self._columns[name] = any(value is not None for value in values)
        if marked:
            joined = (
                _texts(row_ids[0]) if len(row_ids) == 1 else map("\0".join, zip(*map(_texts, row_ids), strict=True))
            )
            marks.extend(map(_mark_of, joined))
        moments = self._moments(named.get(self._time_column or ""), len(rows))
        times.extend(moments)
        newest = max((at for at in moments if at is not None and at <= self._begin), default=None)
        if newest is not None:
            place = len(moments) - 1 - moments[::-1].index(newest)
            self._move(newest, [named[name][place] if name in named else None for name in self._api.row_id])
        return True

    def _quick_decoder(self) -> UniformRows:
        """Return the decoder of what is looked at here: row id, time, and what had no value yet."""
        names = tuple(self._columns)
        wanted = {*self._api.row_id, self._time_column, *(name for name, valued in self._columns.items() if not valued)}
        if self._uniform.names != names:
            self._uniform = UniformRows(names)
        if self._quick.names != names or set(self._quick.wanted) != wanted & set(names):
            self._quick = UniformRows(names, {name for name in wanted if name})
        return self._quick

    def _moments(self, values: tuple[Any, ...] | None, count: int) -> list[datetime | None]:
        """Return the times of rows by the values of the time's column."""
        if values is None:
            return [None] * count
        if not set(map(type, values)) <= {str, type(None)}:
            return [self._time(value) for value in values]
        distinct = {value: self._time(value) for value in set(values)}
        return [distinct[value] for value in values]

    def _move(self, at: datetime, key: Sequence[Any]) -> None:
        """Take a row's time for the newest one, unless a newer one came.

        A row from the future moves nothing: what comes later with a time before it would never be read.
        """
        if at <= self._begin and (self._newest is None or at >= self._newest):
            self._newest = at
            texts = tuple(map(_text, key))
            self._newest_key = texts if all(map(storable, texts)) else ()

    def _take(self, raw: Row) -> tuple[dict[str, Any] | None, datetime | None]:
        """Note columns and time of a row; return it flat, or None when it is no object."""
        row = read_row(raw)
        if row is not None:
            kinds = tuple(map(type, row.values()))
            if dict in kinds:
                self._note_parents("", row)
                row = flattened(row, self._needed)
                if row is not None:
                    kinds = tuple(map(type, row.values()))
        if row is None:
            return None, None
        shape = (tuple(row), kinds)
        if shape not in self._shapes:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            self._shapes.add(shape)
            for name, kind in zip(row, kinds, strict=True):
                self._note_column(name, kind is not type(None))
        if self._time_column is None:
            return row, None
        at = self._time(row.get(self._time_column))
        if at is not None:
            self._move(at, [row.get(name) for name in self._api.row_id])
        return row, at

    def _note_column(self, name: str, has_value: bool) -> None:
        # The reader rejects far fewer columns, and makes a row bad whose names no database takes.
        if name in self._columns:
            self._columns[name] = self._columns[name] or has_value
        elif name in self._needed or (
            len(self._columns) < _MOST_COLUMNS and len(name) <= _LONGEST_NAME and storable(name)
        ):
            self._columns[name] = has_value

    def _note_parents(self, prefix: str, values: dict[str, Any]) -> None:
        if len(self._parents) > _MOST_COLUMNS or prefix.count(".") > 32:
            return
        for key, value in values.items():
            if isinstance(value, dict):
                self._parents.add(prefix + key)
                self._note_parents(f"{prefix}{key}.", value)

    def _column_names(self) -> list[str]:
        """Return the columns; where an object stands in other rows, null is an object without values, no column."""
        return [name for name, has_value in self._columns.items() if has_value or name not in self._parents]

    def _mark(self, raw: Row, row: dict[str, Any] | None) -> bytes:
        """Return what tells a row from others: a digest of its row_id, or of the whole where it has none."""
        values = [row.get(name) for name in self._api.row_id] if row is not None else []
        if not values or None in values:
            return hashlib.blake2b(bytes(raw), digest_size=_MARK_BYTES).digest()
        return _mark_of("\0".join(map(_text, values)))

    def _time(self, value: object) -> datetime | None:
        if not isinstance(value, str):
            return None
        try:
            return self._times[value]
        except KeyError:
            if len(self._times) > 1000:
                self._times.clear()
            at = self._times[value] = _moment(value.strip(), self._api.time_format)
            return at


def _digest(page: _Page) -> bytes:
    """Return what tells a page's rows from those of others; its envelope may have a time, or its own number."""
    if page.row_list is not None:
        return hashlib.sha256(page.row_list).digest()
    digest = hashlib.sha256()
    for row in page.rows:
        digest.update(row)
        digest.update(b"\n")
    return digest.digest()


def _moment(text: str, time_format: str) -> datetime | None:
    at: datetime | None = None
    if time_format not in _ISO_FORMATS:
        try:
            at = datetime.strptime(text, time_format)
        except ValueError:
            at = None
    if at is None:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return None
    try:
        return (at if at.tzinfo else at.replace(tzinfo=CITY_TIME_ZONE)).astimezone(CITY_TIME_ZONE)
    except OverflowError:
        return None


def _mark_of(row_id: str) -> bytes:
    content = row_id.encode("utf-8", "surrogatepass")
    # A short one is its own mark: none of them is as long as a digest.
    return content if len(content) < _MARK_BYTES else hashlib.blake2b(content, digest_size=_MARK_BYTES).digest()


def _texts(values: Sequence[object]) -> Iterable[str]:
    kinds = set(map(type, values))
    return values if kinds == {str} else map(str if kinds == {int} else _text, values)  # type: ignore[return-value]


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _total(value: object, place: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:18])
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise NoAnswer(f"no count at {place}, where the total of rows should stand")
    return value


def _cursor(value: object, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        raise NoAnswer(f"neither text nor number at {place}, where the next cursor should stand")
    return str(value).strip()
