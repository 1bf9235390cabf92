"""Notes about the rows of all pages of one reading: their columns, repeated rows, and the newest time."""

import hashlib
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import SourceRefused
from zhengku.landed.http_answer import UniformRows, flattened, read_row, storable
from zhengku.transports.http.model import HttpApi
from zhengku.transports.http.page import Page, PagesShifted, Row
from zhengku.transports.source import Position, SourceFeed
from zhengku.transports.window import Watermark

log = logging.getLogger(__name__)

_MOST_COLUMNS: Final = 1000
_MOST_SHAPES: Final = 10_000
_LONGEST_NAME: Final = 1000
_MARK_BYTES: Final = 16
# Rows of one group: one unusual row has its complete group read row by row.
_TOGETHER: Final = 500
# strptime takes microseconds for each row; for these formats, the faster ISO parser gives the same.
_ISO_FORMATS: Final = frozenset(
    {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S%z"}
)


class RowNotes:
    """The notes of one reading; `shown` is the interface's address for messages.

    `started_at` is when the reading started. `repeated_before` are marks of rows that were on two pages in the previous
    reading.
    """

    def __init__(
        self, feed: SourceFeed, api: HttpApi, shown: str, started_at: datetime, repeated_before: Collection[bytes]
    ) -> None:
        self._feed = feed
        self._needed = frozenset(feed.required_columns)
        self._api = api
        self._shown = shown
        self._started_at = started_at
        self.time_column = feed.window.column if isinstance(feed.window, Watermark) else None
        self._newest: datetime | None = None
        self._newest_key: tuple[str, ...] = ()
        # Names of columns as received, and whether one had a value; none is ever removed.
        self._columns: dict[str, bool] = {}
        self._uniform = self._quick = UniformRows(())
        self._parents: set[str] = set()
        self._shapes: set[object] = set()
        # Marks of 16 bytes at most: a window may have millions of rows.
        self._seen: set[bytes] = set()
        # Marks received more than once: on one page, which is one answer and cannot shift, and on two.
        self._doubled: set[bytes] = set()
        self._repeated: set[bytes] = set()
        self._repeated_before = repeated_before
        self._times: dict[str, datetime | None] = {}

    @property
    def position(self) -> Position | None:
        """The newest time among the rows that is not after the reading's start, with its row's key; None for none."""
        return None if self._newest is None else Position(self._newest, self._newest_key)

    @property
    def distinct_rows(self) -> int:
        """How many different rows were received so far."""
        return len(self._seen)

    @property
    def repeated_ids(self) -> int:
        """How many row ids more than one row has so far."""
        return len(self._doubled | self._repeated)

    def preview(self, raw: Row) -> tuple[bool, datetime | None]:
        """Return whether a row was received before, and its time, without noting it."""
        row = read_row(raw)
        row = flattened(row, self._needed) if row is not None else None
        at = self.time_of(row.get(self.time_column)) if row is not None and self.time_column else None
        return self._mark(raw, row) in self._seen, at

    def check_complete(self, total: int | None, received: int) -> None:
        """Raise `PagesShifted` when not as many rows as the total were received, or some were on two pages."""
        if total is not None and total != received:
            raise PagesShifted(f"expected {total} rows by the interface's total, {received} were received")
        if self._repeated and self._repeated != self._repeated_before:
            raise PagesShifted(
                f"expected each row once, {len(self._repeated)} were on two pages (by row_id); if the next reading "
                "brings the same ones twice, the source holds them twice",
                self._repeated,
            )
        self.log_doubled()

    def log_doubled(self) -> None:
        """Log the row ids that the source holds twice: both rows are collected, the load decides which one counts."""
        doubled = self._doubled | self._repeated
        if doubled:
            log.warning(
                "%s: %d row id(s) of %s belong to more than one row, in one answer or in two readings alike: the "
                "source holds them twice, the pages did not shift. All their rows are collected; ask the department "
                "which columns tell its rows apart (row_id).",
                self._feed.name,
                len(doubled),
                self._shown,
            )

    def repeated_page_error(self, page: Page, number: int, ignored: str) -> Exception:
        """Return the error of a full page of known rows: in one reading it may be chance, in two the same way not."""
        message = (
            f"expected other rows on page {number} of {self._shown}, every one of its {len(page.rows)} had "
            f"been received before: it ignores {ignored}"
        )
        if self._repeated == self._repeated_before:
            return SourceRefused(f"{self._feed.name}: {message}. Correct the feed's paging.")
        return PagesShifted(message, self._repeated)

    def take_all(self, page: Page) -> bool:
        """Note the rows of a page; what repeated rows mean is decided at the end of the reading.

        Return whether all of them had been received before.
        """
        marks, _ = self._noted(page, marked=bool(self._api.row_id))
        fresh = set(marks)
        all_known = bool(fresh) and fresh <= self._seen
        if len(fresh) < len(marks):
            self._doubled.update(mark for mark, times in Counter(marks).items() if times > 1)
        self._repeated |= fresh & self._seen
        self._seen |= fresh
        return all_known

    def take_new(self, page: Page, number: int) -> tuple[datetime | None, int]:
        """Note the rows of a page that may start with known ones; return its newest time and how many are new."""
        known = len(self._seen)
        newest: datetime | None = None
        marks, times = self._noted(page, marked=True)
        for at in times:
            if at is None:
                continue
            if newest is not None and at < newest:
                raise SourceRefused(
                    f"{self._feed.name}: expected the rows of {self._shown} in the order of "
                    f"{self.time_column}, and page {number} goes back in time: rows would be lost. Ask the "
                    "department for that order, or page by number or cursor."
                )
            newest = at
        self._seen.update(marks)
        return newest, len(self._seen) - known

    def _noted(self, page: Page, *, marked: bool) -> tuple[list[bytes], list[datetime | None]]:
        """Note columns and times of rows; return a mark of each (if `marked`), which identifies it, and its time."""
        marks: list[bytes] = []
        times: list[datetime | None] = []
        rows = page.rows
        if page.row_list is not None and self._note_at_once(rows, marks, times, marked=marked, row_list=page.row_list):
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
        row_list: msgspec.Raw | None = None,
    ) -> bool:
        """Do what `_noted` does, for rows of known columns without objects; return False, doing nothing, for others."""
        decoder = self._quick_decoder()
        columns = decoder.columns(rows, row_list=row_list)
        if columns is None:
            decoder = self._uniform
            columns = decoder.columns(rows, row_list=row_list)
        if columns is None:
            return False
        named = dict(zip(decoder.selected, columns, strict=True))
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
        moments = self._moments(named.get(self.time_column or ""), len(rows))
        times.extend(moments)
        newest = max((at for at in moments if at is not None and at <= self._started_at), default=None)
        if newest is not None:
            place = len(moments) - 1 - moments[::-1].index(newest)
            self._advance_position(newest, [named[name][place] if name in named else None for name in self._api.row_id])
        return True

    def _quick_decoder(self) -> UniformRows:
        """Return a decoder of only what is needed here: row id, time, and columns that had no value yet."""
        names = tuple(self._columns)
        needed = {*self._api.row_id, self.time_column, *(name for name, valued in self._columns.items() if not valued)}
        if self._uniform.names != names:
            self._uniform = UniformRows(names)
        if self._quick.names != names or set(self._quick.selected) != needed & set(names):
            self._quick = UniformRows(names, {name for name in needed if name})
        return self._quick

    def _moments(self, values: tuple[Any, ...] | None, count: int) -> list[datetime | None]:
        """Return the times of rows by the values of the time's column."""
        if values is None:
            return [None] * count
        if not set(map(type, values)) <= {str, type(None)}:
            return [self.time_of(value) for value in values]
        distinct = {value: self.time_of(value) for value in set(values)}
        return [distinct[value] for value in values]

    def _advance_position(self, at: datetime, key: Sequence[Any]) -> None:
        """Take a row's time as the newest one, unless a newer one was received.

        Times in the future are left out: rows that are written later with an earlier time would never be read.
        """
        if at <= self._started_at and (self._newest is None or at >= self._newest):
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
        if self.time_column is None:
            return row, None
        at = self.time_of(row.get(self.time_column))
        if at is not None:
            self._advance_position(at, [row.get(name) for name in self._api.row_id])
        return row, at

    def _note_column(self, name: str, has_value: bool) -> None:
        # The reader rejects far fewer columns, and makes rows bad whose names no database accepts.
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

    def column_names(self) -> list[str]:
        """Return the columns; null in place of an object that other rows have is no column."""
        return [name for name, has_value in self._columns.items() if has_value or name not in self._parents]

    def _mark(self, raw: Row, row: dict[str, Any] | None) -> bytes:
        """Return what identifies a row: a digest of its row_id, or of the complete row where it has none."""
        values = [row.get(name) for name in self._api.row_id] if row is not None else []
        if not values or None in values:
            return hashlib.blake2b(bytes(raw), digest_size=_MARK_BYTES).digest()
        return _mark_of("\0".join(map(_text, values)))

    def time_of(self, value: object) -> datetime | None:
        """Return a value of the window's column as a time with a zone; None where it is none."""
        if not isinstance(value, str):
            return None
        try:
            return self._times[value]
        except KeyError:
            if len(self._times) > 1000:
                self._times.clear()
            at = self._times[value] = _moment(value.strip(), self._api.time_format)
            return at


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
    # A short row id is its own mark: none of these is as long as a digest.
    return content if len(content) < _MARK_BYTES else hashlib.blake2b(content, digest_size=_MARK_BYTES).digest()


def _texts(values: Sequence[object]) -> Iterable[str]:
    kinds = set(map(type, values))
    return values if kinds == {str} else map(str if kinds == {int} else _text, values)  # type: ignore[return-value]


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
