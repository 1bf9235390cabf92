"""What an interface answers, as bytes: the places in its envelope, and its rows, each by itself.

A row that cannot be read must not cost the page that it stands in. So an answer is cut into rows before they are
decoded, and only the row that is wrong is looked at with more patience.
"""

import codecs
import json
import re
from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

DEEPEST: Final = 32
"""Objects in objects; a row of more is no row."""


_LONGEST_AT_ONCE: Final = 4 * 1024 * 1024
"""Bytes of a list of rows that is decoded at once: as objects of Python it takes several times that."""


class Literal(str):
    """A number as it was written: 1.10 stays 1.10."""

    __slots__ = ()


_NULL: Final = msgspec.Raw(b"null")
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_VALUE: Final = msgspec.json.Decoder(float_hook=Literal)
_NOT_DECODED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_CONTROL: Final = re.compile(rb"[\x00-\x1f]")
_PAIR: Final = rb"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE: Final = re.compile(rb"\\(?:" + _PAIR + rb"|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_BETWEEN: Final = b" \t\r\n,"


class NoAnswer(Exception):
    """The body is no JSON, or not of the shape that the feed says; the text tells which, and never a value."""


def codec_of(content_type: str | None) -> str:
    """Return `gb18030` where a Content-Type names it or one of its parts (GBK, GB2312), else `utf-8`."""
    match = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", content_type or "", re.IGNORECASE)
    try:
        name = codecs.lookup(match[1]).name if match else "utf-8"
    except LookupError:
        name = "utf-8"
    return "gb18030" if name in ("gb18030", "gbk", "gb2312") else "utf-8"


class Answer:
    """One body. Raises `NoAnswer` when it is no JSON object."""

    def __init__(self, body: bytes, charset: str = "utf-8") -> None:
        if charset != "utf-8":
            # Bytes that are none of the charset's stay as they are, and make one row bad.
            body = body.decode(charset, "surrogateescape").encode("utf-8", "surrogateescape")
        self._body = body.removeprefix(codecs.BOM_UTF8)
        self._mended: bytes | None = None
        self._levels: dict[str, dict[str, msgspec.Raw]] = {}
        try:
            self._top = _OBJECT.decode(self._body)
        except _NOT_DECODED:
            self._mended = _readable(self._body)
            try:
                self._top = _OBJECT.decode(self._mended)
            except _NOT_DECODED:
                raise NoAnswer(f"a body of {len(self._body)} bytes that is no JSON object") from None

    def at(self, place: str) -> Any:
        """Return the value at a place, keys joined by dots; None where there is none."""
        raw = self._raw_at(place)
        try:
            return None if raw is None else _VALUE.decode(raw)
        except _NOT_DECODED:
            raise NoAnswer(f"a value at {place} that cannot be read") from None

    def _raw_at(self, place: str) -> msgspec.Raw | None:
        level = self._top
        *parents, last = place.split(".")
        way = ""
        for key in parents:
            way = f"{way}{key}."
            # Total, cursor and rows often lie in one object, and to look into it takes a walk over all its bytes.
            if (known := self._levels.get(way)) is not None:
                level = known
                continue
            raw = level.get(key)
            if raw is None:
                return None
            try:
                level = self._levels[way] = _OBJECT.decode(raw)
            except _NOT_DECODED:
                if bytes(raw) == b"null":
                    return None
                raise NoAnswer(f"no object at {key} on the way to {place}") from None
        return level.get(last)

    def rows(self, place: str) -> "list[msgspec.Raw] | list[bytes]":
        """Return the rows of the list at a place, each as the bytes that came (in UTF-8). Raises `NoAnswer`."""
        raw = self._raw_at(place)
        if raw is None:
            raise NoAnswer(f"nothing at {place}, where the list of rows should stand")
        try:
            rows = _LIST.decode(raw)
        except _NOT_DECODED:
            # Empty pages of some gateways: null for no rows.
            if bytes(raw) == b"null":
                return []
            raise NoAnswer(f"no list at {place}") from None
        if self._mended is None:
            return rows
        # What was mended has the same length, so the original rows lie at the same places.
        start = self._mended.find(bytes(raw)) + 1
        originals: list[bytes] = []
        for row in rows:
            while self._mended[start] in _BETWEEN:
                start += 1
            length = len(memoryview(row))
            originals.append(self._body[start : start + length])
            start += length
        return originals

    def row_list(self, place: str) -> msgspec.Raw | None:
        """Return the list of `rows` as one piece, which decodes sooner; None where it is long or was mended."""
        raw = self._raw_at(place)
        return raw if raw is not None and self._mended is None and len(memoryview(raw)) <= _LONGEST_AT_ONCE else None


def _readable(body: bytes) -> bytes:
    """Replace what a strict parser refuses inside strings by as many bytes that it only refuses in the row itself."""

    def escape(match: re.Match[bytes]) -> bytes:
        return b"\xff" * len(match[0]) if _SURROGATE.fullmatch(match[0]) else match[0]

    def mend(match: re.Match[bytes]) -> bytes:
        text = _CONTROL.sub(b"\xff", match[0])
        return _ESCAPE.sub(escape, text) if b"\\u" in text else text

    return _STRING.sub(mend, body)


def read_row(raw: msgspec.Raw | bytes) -> dict[str, Any] | None:
    """Return a row's object, or None when it is no object.

    Bytes that are no UTF-8 come out as lone surrogates, which no database takes; fractions and large numbers as
    `Literal`.
    """
    try:
        row = _VALUE.decode(raw)
    except _NOT_DECODED:
        try:
            row = json.loads(
                bytes(raw).decode("utf-8", "surrogateescape"),
                strict=False,
                parse_float=Literal,
                parse_int=Literal,
                parse_constant=Literal,
            )
        except (ValueError, RecursionError):
            return None
    return row if isinstance(row, dict) else None


class UniformRows:
    """Decodes rows that have no keys but `names`, many at once: several times as fast as row by row.

    None of the values may be an object. What such a decoder refuses is not wrong: it is read by `read_row`. Values
    that are not `wanted` (all are, when left out) cost less; they are only looked at for objects.
    """

    def __init__(self, names: Sequence[str], wanted: Collection[str] | None = None) -> None:
        self.names: Final = tuple(names)
        self.wanted: Final = self.names if wanted is None else tuple(name for name in names if name in wanted)
        self._decoder: msgspec.json.Decoder[list[Any]] | None = None
        fields = [f"f{place}" for place in range(len(self.names))]
        try:
            form = msgspec.defstruct(
                "UniformRow",
                [
                    (field, Any if name in self.wanted else msgspec.Raw, None if name in self.wanted else _NULL)
                    for field, name in zip(fields, self.names, strict=True)
                ],
                rename=dict(zip(fields, self.names, strict=True)),
                forbid_unknown_fields=True,
                gc=False,
            )
        except (ValueError, UnicodeEncodeError):
            # Two equal names, or one with a quote or a control character.
            return
        if self.names:
            self._decoder = msgspec.json.Decoder(list[form], float_hook=Literal)  # type: ignore[valid-type]
        if 0 < len(self.wanted) < len(self.names):
            self._values = attrgetter(*(fields[self.names.index(name)] for name in self.wanted))

    def columns(
        self, rows: "Sequence[msgspec.Raw | bytes]", *, longest: int | None = None, whole: msgspec.Raw | None = None
    ) -> list[tuple[Any, ...]] | None:
        """Return the values of each of `wanted`, None for a missing key, as `read_row` gives them.

        None when there are no rows, or one of them cannot be decoded so, holds an object or is longer than `longest`
        bytes. `whole` is the list of these very rows in one piece, where there is one.
        """
        if self._decoder is None or not rows:
            return None
        joined = bytes(whole) if whole is not None else b"[" + b",".join(rows) + b"]"
        if len(self.wanted) < len(self.names) and joined.count(b"{") != len(rows):
            # An object among the values, or a brace in a text: only decoding tells.
            return None
        if longest is not None and len(joined) > longest and max(len(memoryview(row)) for row in rows) > longest:
            return None
        try:
            decoded = self._decoder.decode(joined)
        except _NOT_DECODED:
            return None
        # Bytes that are no row by themselves may be some when joined.
        if len(decoded) != len(rows):
            return None
        columns = self._columns(decoded)
        return None if any(dict in set(map(type, values)) for values in columns) else columns

    def _columns(self, decoded: list[Any]) -> list[tuple[Any, ...]]:
        if len(self.wanted) == len(self.names):
            return list(zip(*map(astuple, decoded), strict=True))
        if not self.wanted:
            return []
        values = map(self._values, decoded)
        return list(zip(*values, strict=True)) if len(self.wanted) > 1 else [tuple(values)]


def flattened(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return a row whose nested objects became columns: `extend.准驾车型`. An empty object is no column.

    None when two values would get one name, or objects lie deeper than `DEEPEST`.
    """
    flat: dict[str, Any] = {}
    return flat if _flatten("", row, flat, 0) else None


def _flatten(prefix: str, values: dict[str, Any], flat: dict[str, Any], depth: int) -> bool:
    for key, value in values.items():
        name = prefix + key
        if isinstance(value, dict):
            if depth == DEEPEST or not _flatten(f"{name}.", value, flat, depth + 1):
                return False
        elif name in flat:
            return False
        else:
            flat[name] = value
    return True


def storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold a text: no NUL, no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
