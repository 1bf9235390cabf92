"""One page of an HTTP interface, the requests for pages, and the error of pages that do not fit together."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from zhengku.clock import CITY_TIME_ZONE
from zhengku.landed.http_answer import UnreadableAnswer
from zhengku.transports.http.client import Body
from zhengku.transports.http.model import HttpApi
from zhengku.transports.http.session import HttpSession
from zhengku.transports.source import Window

Row = msgspec.Raw | bytes


class PagesShifted(Exception):
    """The pages do not fit together; the text says what was expected and what was received.

    `repeated` are marks of rows that were on two pages, where only that is wrong: in the next reading, a source that
    holds these rows twice repeats the same ones, pages that shift repeat others.
    """

    def __init__(self, what: str, repeated: Collection[bytes] = ()) -> None:
        super().__init__(what)
        self.repeated = frozenset(repeated)


@dataclass(frozen=True, slots=True)
class Page:
    """One page that was received successfully, with the values of its envelope."""

    body: Body
    rows: Sequence[Row]
    row_list: msgspec.Raw | None
    total: int | None
    cursor: str
    names_cursor: bool

    def digest(self) -> bytes:
        """Return a digest of the rows only: the envelope may hold a time, or the page's number."""
        if self.row_list is not None:
            return hashlib.sha256(self.row_list).digest()
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(row)
            digest.update(b"\n")
        return digest.digest()


class PageRequests:
    """Requests for the pages of one reading of `window`."""

    def __init__(self, api: HttpApi, session: HttpSession, window: Window) -> None:
        self._api = api
        self._session = session
        self.window = window

    @property
    def shown(self) -> str:
        """The address as messages show it."""
        return self._session.shown

    def ask(self, parameters: dict[str, str | int], cursor_place: str | None = None) -> Page:
        """Request the page of these parameters; `cursor_place` is where its answer names the next cursor.

        Raises what `HttpSession.ask` raises.
        """
        api = self._api
        bounds: dict[str, str | int] = {}
        if api.since_parameter and self.window.start:
            bounds[api.since_parameter] = self.written(self.window.start)
        if api.until_parameter and self.window.end:
            bounds[api.until_parameter] = self.written(self.window.end)

        def read(body: Body) -> Page:
            shape = api.response
            rows = body.answer.rows()
            total = _total(body.answer.at(shape.total), shape.total) if shape.total else None
            cursor = _cursor(body.answer.at(cursor_place), cursor_place) if cursor_place else ""
            names_cursor = cursor_place is None or body.answer.has(cursor_place)
            return Page(body, rows, body.answer.row_list(), total, cursor, names_cursor)

        return self._session.ask({**bounds, **parameters}, read)

    def written(self, moment: datetime) -> str:
        """Return a moment as the interface writes times."""
        return moment.astimezone(CITY_TIME_ZONE).strftime(self._api.time_format)


def _total(value: object, place: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:18])
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UnreadableAnswer(f"no count at {place}, where the total of rows should be")
    return value


def _cursor(value: object, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        raise UnreadableAnswer(f"neither text nor number at {place}, where the next cursor should be")
    return str(value).strip()
