"""One reading of a table of an exchange database, page by page, as the pieces of a landed file.

A reading goes by key: ordered by the window's column and the row id (by the row id only for a complete table), each
page starts after the last row of the page before. So rows that share a time, however many, are neither lost nor read
twice. Rows without a time or with an incomplete row id cannot be ordered in this way. They are read last, by one
streamed query; those without a time (null, or before 1900, as 0000-00-00 is) are read by every run, since nobody can
say when they changed.

The reading ends at the newest time (or greatest row id) that the table had when it started: a table that is written to
all the time does not keep it going. Rows that are written later are left to the next run.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import SourceRefused
from zhengku.landed.row_file import first_line, last_line, row_lines
from zhengku.transports.exchange_database.model import ExchangeDatabase
from zhengku.transports.exchange_database.row_readers import RowReader
from zhengku.transports.exchange_database.table import Table
from zhengku.transports.exchange_database.values import (
    after_key,
    is_binary,
    is_number,
    key_text,
    key_value,
    parameter,
)
from zhengku.transports.exchange_database.window_column import WindowColumn
from zhengku.transports.source import EARLIEST, Delivery, Position, SourceFeed, Window
from zhengku.transports.window import Watermark

NOW_SECONDS: Final = 60
"""A window that ends at most so many seconds before its reading ends at the present, which bounds nothing."""

_LATEST: Final = datetime.max - timedelta(seconds=1)


class Reading:
    """One reading of `table` by `reader`; iterate `pieces` once.

    `rows` counts the rows read so far, `position` is how far the reading got. `shown` names the table in messages.
    Raises `SourceRefused` when the window's column holds no times.
    """

    def __init__(
        self,
        feed: SourceFeed,
        database: ExchangeDatabase,
        shown: str,
        table: Table,
        reader: RowReader,
        delivery: Delivery,
    ) -> None:
        self.rows = 0
        self.position: Position | None = None
        self._database = database
        self._shown = shown
        self._table = table
        self._reader = reader
        self._window = delivery.window or Window()
        self._started_at = delivery.modified_at
        self._window_column: WindowColumn | None = None
        if isinstance(feed.window, Watermark):
            place = table.key[0]
            self._window_column = WindowColumn(table.names[place], table.types[place], database.time_format, shown)

    def pieces(self) -> Generator[bytes, None, None]:
        """Yield the landed file, a page at a time."""
        yield first_line(self._database.table, self._table.names, self._table.unread)
        conditions = self._keyed_rows_in_window()
        end = self._up_to_newest_key(conditions)
        if end is not None:
            yield from self._pages([*conditions, end])
        yield from self._rows_without_key()
        yield last_line(self.rows)

    @property
    def _keys(self) -> list[sa.ColumnElement[Any]]:
        return [self._table.compared(place) for place in self._table.key]

    def _time_bound(self, column: WindowColumn, at: datetime) -> sa.BindParameter[Any]:
        """Return a time as the window's column is compared with it; a naive one is in Asia/Shanghai."""
        value = column.compared(at)
        if self._reader.sends != "values":
            return parameter(str(value))
        return sa.bindparam(None, value, unique=True, type_=self._keys[0].type)

    def _key_bound(self, value: Any, place: int) -> sa.BindParameter[Any]:
        """Return a value that was read from the key's column at `place`, as that column is compared with it."""
        kind = self._table.types[place]
        if self._reader.sends == "values":
            return sa.bindparam(None, value, unique=True, type_=self._table.columns[place].type)
        if isinstance(value, bytes) and self._reader.sends == "bytes" and not is_binary(kind):
            text = value.decode("utf-8", "surrogateescape")
            number = key_value(kind, text) if is_number(kind) else None
            # MariaDB compares a number with a text as two fractions, which are not exact.
            value = text if number is None else number
        return parameter(value)

    def _times_in_window(self) -> list[sa.ColumnElement[bool]]:
        """Return the conditions by which the window bounds the time; none for a complete table."""
        if self._window_column is None:
            return []
        window = self._window
        at = self._keys[0]
        start = max(window.start, EARLIEST.replace(tzinfo=CITY_TIME_ZONE)) if window.start else EARLIEST
        conditions = [at >= self._time_bound(self._window_column, start)]
        if window.end and window.end < self._started_at - timedelta(seconds=NOW_SECONDS):
            conditions.append(at <= self._time_bound(self._window_column, window.end))
        return conditions

    def _keyed_rows_in_window(self) -> list[sa.ColumnElement[bool]]:
        """Return the conditions of the window's rows that have a complete key, so that they can be ordered."""
        conditions = [*self._times_in_window(), *(column.is_not(None) for column in self._keys)]
        window = self._window
        if self._window_column and window.start and len(window.after) == len(self._database.row_id):
            row_id = [self._table.names.index(name) for name in self._database.row_id]
            last_read = dict(zip(row_id, window.after, strict=True))
            values = [key_value(self._table.types[place], last_read[place]) for place in self._table.key[1:]]
            if None not in values:
                rest = [
                    parameter(value, self._table.columns[place].type)
                    for value, place in zip(values, self._table.key[1:], strict=True)
                ]
                conditions.append(after_key(self._keys, [self._time_bound(self._window_column, window.start), *rest]))
        return conditions

    def _up_to_newest_key(self, conditions: Sequence[sa.ColumnElement[bool]]) -> sa.ColumnElement[bool] | None:
        """Return the condition that ends the reading at the newest key there is now; None when there is no row."""
        first = self._keys[0]
        query = sa.select(self._table.selected[self._table.key[0]]).where(*conditions).order_by(first.desc()).limit(1)
        found = self._reader.fetch(query)
        if not found or found[0][0] is None:
            return None
        [[newest]] = found
        if isinstance(newest, datetime) and newest.replace(tzinfo=None) < _LATEST:
            # Some databases have times finer than the microseconds that we receive.
            newest += timedelta(milliseconds=1)
        return first <= self._key_bound(newest, self._table.key[0])

    def _pages(self, conditions: Sequence[sa.ColumnElement[bool]]) -> Iterator[bytes]:
        """Yield the rows that can be ordered, a query for each page."""
        table = self._table
        query = sa.select(*table.selected).select_from(table.clause).where(*conditions).order_by(*self._keys)
        query = query.limit(self._database.page_rows)
        last: list[Any] | None = None
        following = self._reader.ask(query)
        while True:
            page = list(following())
            if not page:
                return
            if last is not None and self._key_of(page[0]) == last:
                raise SourceRefused(
                    f"{self._shown}: the rows after a page start with its last row, so its key cannot be compared as "
                    "it is read (times finer than a microsecond, or fractions). Ask the department for a view that "
                    f"rounds {', '.join(table.names[place] for place in table.key)}, or name another row_id."
                )
            last = self._key_of(page[-1])
            full = len(page) == self._database.page_rows
            if full:
                following = self._reader.ask(query.where(self._after(last)))
            if full and not table.distinct:
                page += self._rest_of_same_key(page, last)
            self._advance_position(page)
            yield self._lines(page)
            if not full:
                return

    def _key_of(self, row: Sequence[Any]) -> list[Any]:
        return [row[place] for place in self._table.key]

    def _after(self, last: Sequence[Any]) -> sa.ColumnElement[bool]:
        values = [self._key_bound(value, place) for value, place in zip(last, self._table.key, strict=True)]
        return after_key(self._keys, values)

    def _rest_of_same_key(self, page: Sequence[tuple[Any, ...]], last: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return the rows after a page that have exactly the key of its last row: the next page would leave them out.

        Nothing in the table guarantees distinct keys, and a collation may find different texts equal.
        """
        same = [
            self._table.compared(place) == self._key_bound(value, place)
            for value, place in zip(last, self._table.key, strict=True)
        ]
        tied = self._reader.fetch(sa.select(*self._table.selected).select_from(self._table.clause).where(*same))
        if len(tied) <= 1:
            return []
        left = Counter(map(_hashable, tied))
        for row in reversed(page):
            seen = _hashable(row)
            if not left[seen]:
                break
            left[seen] -= 1
        rest = []
        for row in tied:
            if left[_hashable(row)] > 0:
                left[_hashable(row)] -= 1
                rest.append(row)
        return rest

    def _rows_without_key(self) -> Iterator[bytes]:
        """Yield the rows that cannot be ordered (no time, or an incomplete row id), streamed by one query."""
        table, keys = self._table, self._keys
        row_id = keys[1:] if self._window_column else keys
        condition = sa.or_(*(column.is_(None) for column in row_id)) if row_id else sa.false()
        if self._window_column:
            timeless = sa.or_(keys[0].is_(None), keys[0] < self._time_bound(self._window_column, EARLIEST))
            condition = sa.or_(timeless, sa.and_(*self._times_in_window(), condition))
        query = sa.select(*table.selected).select_from(table.clause).where(condition).order_by(*keys)
        for page in self._reader.stream(query, self._database.page_rows):
            self._advance_position(page)
            yield self._lines(page)

    def _lines(self, page: Sequence[tuple[Any, ...]]) -> bytes:
        self.rows += len(page)
        return row_lines(page, self._table.names, self._reader.converters)

    def _advance_position(self, page: Sequence[tuple[Any, ...]]) -> None:
        """Take the newest row of a page, whose rows are in order, as the position.

        Texts that are no times are passed over, and so are rows from the future: they are last, and rows that are
        written later, with an earlier time, would never be read.
        """
        if self._window_column is None:
            return
        for row in reversed(page):
            at = self._window_column.time_of(row[self._table.key[0]])
            if at is None or at > self._started_at:
                continue
            if at.replace(tzinfo=None) >= EARLIEST and (self.position is None or at >= self.position.at):
                row_id = [(name, row[self._table.names.index(name)]) for name in self._database.row_id]
                key = tuple(key_text(value, name) for name, value in row_id)
                if all(part is not None for part in key):
                    self.position = Position(at, tuple(str(part) for part in key))
                elif self.position is None or at > self.position.at:
                    self.position = Position(at)
            return


def _hashable(row: tuple[Any, ...]) -> tuple[str, ...]:
    # Values such as lists cannot be counted as they are.
    return tuple(map(repr, row))
