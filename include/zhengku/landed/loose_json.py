"""A tolerant parser for the JSON of real interfaces; it finds the end of a row that even it cannot read.

A strict parser refuses a complete page for one `NaN`. Here bare words (`NaN`, `undefined`, `None`, `007`, `.5`) are
texts, single quotes are quotes, a comma may precede a closing bracket, keys need no quotes. A row that cannot be read
nevertheless ends where the next one starts.
"""

import json
import re
from typing import Any, Final

_DEEPEST: Final = 64
_BLANKS: Final = re.compile(r"[\s\ufeff]*")
_STRING: Final = re.compile(r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'""", re.DOTALL)
_WORD: Final = re.compile(r"""[^\s,:\[\]{}"']+""")
_WHOLE_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FIRST_KEY: Final = re.compile(r"""\{\s*("(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|[^\s,:\[\]{}"']+)\s*:""", re.DOTALL)
_MOST_ENDS: Final = 1000
_WORDS: Final = {"true": True, "True": True, "false": False, "False": False, "null": None}
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Literal(str):
    """A number, or another bare word, as it was written: 1.10 stays 1.10."""

    __slots__ = ()


class NotReadable(Exception):
    """The text is no JSON, not even for the tolerant parser."""


class Rows(list[bytes]):
    """The rows of a page, each as its bytes in the page; `is_list` is false for one object in the list's place."""

    is_list = True


def read_page(text: str, place: str) -> dict[str, Any]:
    """Return a page's object, with `Rows` for the list at `place` (keys joined by dots). Raises `NotReadable`.

    `text` holds bytes that are not UTF-8 as lone surrogates (`surrogateescape`).
    """
    reader = _Reader(text)
    start = reader.skip(0)
    if text[start : start + 1] != "{":
        raise NotReadable
    value, end = reader.members(start + 1, place.split("."), 0)
    if reader.skip(end) != len(text):
        raise NotReadable
    return value


def read_value(text: str) -> Any:
    """Return the value of a text that holds nothing else. Raises `NotReadable`."""
    reader = _Reader(text)
    value, end = reader.value(reader.skip(0), 0)
    if reader.skip(end) != len(text):
        raise NotReadable
    return value


class _Reader:
    """Reads values at positions of a text; most methods return the value and the position after it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def skip(self, place: int) -> int:
        """Return the position of the next character that is no blank."""
        match = _BLANKS.match(self._text, place)
        assert match is not None
        return match.end()

    def value(self, place: int, depth: int) -> tuple[Any, int]:
        """Read the value that starts at `place`."""
        if depth > _DEEPEST:
            raise NotReadable
        mark = self._text[place : place + 1]
        if mark == "{":
            return self.members(place + 1, None, depth)
        if mark == "[":
            return self._items(place + 1, depth)
        if match := _STRING.match(self._text, place):
            return _unquoted(match[0]), match.end()
        if match := _WORD.match(self._text, place):
            return _word(match[0]), match.end()
        raise NotReadable

    def members(self, place: int, path: list[str] | None, depth: int) -> tuple[dict[str, Any], int]:
        """Read an object, after its opening brace; its member at the end of `path` is a page's list of rows."""
        found: dict[str, Any] = {}
        while True:
            place = self.skip(place)
            if self._text[place : place + 1] == "}":
                return found, place + 1
            match = _STRING.match(self._text, place)
            key = _unquoted(match[0]) if match else None
            if match is None and (match := _WORD.match(self._text, place)):
                key = match[0]
            if match is None or key is None:
                raise NotReadable
            place = self.skip(match.end())
            if self._text[place : place + 1] != ":":
                raise NotReadable
            place = self.skip(place + 1)
            on_path = path is not None and path[0] == key
            if on_path and path is not None and len(path) == 1 and self._text[place : place + 1] == "[":
                found[key], place = self._rows(place + 1, depth + 1)
            elif on_path and path is not None and len(path) == 1 and self._text[place : place + 1] == "{":
                _, end = self.value(place, 0)
                found[key] = rows = Rows([self._text[place:end].encode("utf-8", "surrogateescape")])
                rows.is_list, place = False, end
            elif on_path and path is not None and len(path) > 1 and self._text[place : place + 1] == "{":
                found[key], place = self.members(place + 1, path[1:], depth + 1)
            else:
                found[key], place = self.value(place, depth + 1)
            place = self._after_value(place, "}")

    def _items(self, place: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        while True:
            place = self.skip(place)
            if self._text[place : place + 1] == "]":
                return found, place + 1
            value, place = self.value(place, depth + 1)
            found.append(value)
            place = self._after_value(place, "]")

    def _after_value(self, place: int, closing: str) -> int:
        """Return the position after a comma, or that of the closing bracket."""
        place = self.skip(place)
        mark = self._text[place : place + 1]
        if mark == ",":
            return place + 1
        if mark == closing:
            return place
        raise NotReadable

    def _rows(self, place: int, levels: int) -> tuple[Rows, int]:
        """Read a list of rows, after its opening bracket; `levels` objects are open around it."""
        found = Rows()
        while True:
            place = self.skip(place)
            if self._text[place : place + 1] == "]":
                return found, place + 1
            if self._text[place : place + 1] == ",":
                place += 1
                continue
            try:
                _, end = self.value(place, 0)
                following = self.skip(end)
                if self._text[following : following + 1] not in ("]", ",", "{"):
                    raise NotReadable
            except NotReadable:
                following = end = self._end_of_broken(place, levels)
            found.append(self._text[place:end].encode("utf-8", "surrogateescape"))
            place = following

    def _end_of_broken(self, place: int, levels: int) -> int:
        """Return where an unreadable row ends: before the next row with the same first key, or with the list."""
        text = self._text
        match = _FIRST_KEY.match(text, place)
        key = re.escape(match[1]) if match else r"""["'\w]"""
        # The row's own closing brace may be missing.
        following = re.compile(r",\s*\{\s*" + key).search(text, place + 1)
        limit = following.start() if following else len(text)
        candidate = text.find("]", place, limit)
        for _ in range(_MOST_ENDS):
            if candidate < 0:
                break
            if self._closes(candidate + 1, levels):
                return self._last_mark(place, candidate)
            candidate = text.find("]", candidate + 1, limit)
        if following is None:
            raise NotReadable
        return self._last_mark(place, following.start())

    def _last_mark(self, place: int, end: int) -> int:
        """Return `end` without the blanks and commas before it."""
        while end > place + 1 and (self._text[end - 1].isspace() or self._text[end - 1] == ","):
            end -= 1
        return end

    def _closes(self, place: int, levels: int) -> bool:
        """Return whether the text after a list is a proper end of the page."""
        try:
            for _ in range(levels):
                place = self._after_value(place, "}")
                _, place = self.members(place, None, 0)
        except NotReadable:
            return False
        return self.skip(place) == len(self._text)


def _word(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else Literal(text)


def _unquoted(quoted: str) -> str:
    if quoted[0] == '"':
        try:
            return str(json.loads(quoted, strict=False))
        except ValueError:
            # An escape that JSON does not know.
            pass

    def char(match: re.Match[str]) -> str:
        mark = match[1]
        return chr(int(mark[1:], 16)) if len(mark) > 1 else _ESCAPES.get(mark, mark)

    return _ESCAPE.sub(char, quoted[1:-1])
