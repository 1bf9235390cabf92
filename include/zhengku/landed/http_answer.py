"""What an interface answers, as bytes: the places in its envelope, and its rows, each by itself.

A row that cannot be read must not cost the page that it stands in. So an answer is cut into rows before they are
decoded, and only the row that is wrong is looked at with more patience.
"""

import codecs
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from zhengku.landed.loose_json import Literal, NotReadable, Rows, read_page, read_value

DEEPEST: Final = 32
"""Objects in objects; a row of more is no row."""


_LONGEST_AT_ONCE: Final = 4 * 1024 * 1024
"""Bytes of a list of rows that is decoded at once: as objects of Python it takes several times that."""


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
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"(\s*+:)?+', re.DOTALL)
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


@dataclass(frozen=True, slots=True)
class RowsPlace:
    """Where the list of rows stands (keys joined by dots), and what else an interface puts there.

    `nothing`: null, an empty text, list or object, or no key at all, there or on the way, where there are no rows;
    `one_row`: a single row as an object; `json_text`: the list, or what lies on the way to it, as a text of JSON.
    """

    place: str
    also: Collection[str] = ()


class Answer:
    """One body, whose rows stand at `rows`. Raises `NoAnswer` when it is no JSON object.

    JSON that is nearly right is read as `zhengku.landed.loose_json` tells.
    """

    def __init__(self, body: bytes, charset: str = "utf-8", rows: RowsPlace | None = None) -> None:
        # Some gateways name GBK whatever they send: what is UTF-8, and more than ASCII, is so by no chance.
        if charset != "utf-8" and not _is_utf8(body):
            # Bytes that are none of the charset's stay as they are, and make one row bad.
            body = body.decode(charset, "surrogateescape").encode("utf-8", "surrogateescape")
        while (body := body.strip()).startswith(codecs.BOM_UTF8):
            body = body.removeprefix(codecs.BOM_UTF8)
        self._rows_at = rows
        if rows is not None and "json_text" in rows.also:
            body = _unwrapped(body, rows.place.split("."))
        self._body = body
        self._fixed: bytes | None = None
        self._loose: dict[str, Any] | None = None
        self._top: dict[str, msgspec.Raw] = {}
        self._levels: dict[str, dict[str, msgspec.Raw]] = {}
        self._list_raw: msgspec.Raw | None = None
        if self._is_read(body):
            return
        self._fixed = _readable(body)
        if self._is_read(self._fixed):
            return
        self._fixed = None
        try:
            self._loose = read_page(body.decode("utf-8", "surrogateescape"), rows.place if rows else "")
        except (NotReadable, RecursionError):
            raise NoAnswer(f"a body of {len(body)} bytes that is no JSON object") from None

    def _is_read(self, body: bytes) -> bool:
        """Take the body apart down to its rows; False when it is not JSON by the letter."""
        self._levels.clear()
        try:
            self._top = _OBJECT.decode(body)
            raw = self._raw_at(self._rows_at.place) if self._rows_at is not None else None
            if raw is not None and bytes(memoryview(raw)[:1]) == b"[":
                self._list_raw = raw
        except _NOT_DECODED:
            return False
        except NoAnswer:
            # JSON, but of another shape: who asks for the rows is told.
            return True
        return True

    def at(self, place: str) -> Any:
        """Return the value at a place, keys joined by dots; None where there is none."""
        if self._loose is not None:
            return self._loose_at(place)
        raw = self._raw_at(place)
        try:
            return None if raw is None else _VALUE.decode(raw)
        except _NOT_DECODED:
            raise NoAnswer(f"a value at {place} that cannot be read") from None

    def _loose_at(self, place: str) -> Any:
        level: Any = self._loose
        *parents, last = place.split(".")
        for key in parents:
            level = level.get(key)
            if level is None or level in self._nothings:
                return None
            if not isinstance(level, dict):
                raise NoAnswer(f"no object at {key} on the way to {place}")
        return level.get(last)

    @property
    def _nothings(self) -> Sequence[Any]:
        return ("", [], {}) if self._rows_at is not None and "nothing" in self._rows_at.also else ()

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
            if bytes(memoryview(raw)[:1]) != b"{":
                value = _VALUE.decode(raw)
                if value is None or value in self._nothings:
                    return None
                raise NoAnswer(f"no object at {key} on the way to {place}")
            level = self._levels[way] = _OBJECT.decode(raw)
        return level.get(last)

    def rows(self) -> "Sequence[msgspec.Raw] | Sequence[bytes]":
        """Return the rows, each as the bytes that came (in UTF-8). Raises `NoAnswer`."""
        assert self._rows_at is not None, "the place of the rows was not told"
        place, also = self._rows_at.place, self._rows_at.also
        if self._list_raw is not None:
            found = _LIST.decode(self._list_raw)
            return found if self._fixed is None else self._originals(found)
        value = self.at(place)
        # Empty pages of some gateways: null for no rows.
        if (value is None and self.has(place)) or (value in (None, *self._nothings) and "nothing" in also):
            return []
        if isinstance(value, Rows) and (value.is_list or "one_row" in also):
            return value
        if isinstance(value, dict) and "one_row" in also:
            raw = self._raw_at(place)
            assert raw is not None
            return [raw] if self._fixed is None else self._originals([raw])
        came = "nothing" if value is None else "an object" if isinstance(value, dict | Rows) else type(value).__name__
        raise NoAnswer(
            f"{came} at {place}, where the list of rows should stand (rows_also says what else a feed may have there)"
        )

    def has(self, place: str) -> bool:
        """Tell whether the object around a place has its key."""
        way, _, last = place.rpartition(".")
        if self._loose is not None:
            level = self._loose_at(way) if way else self._loose
            return isinstance(level, dict) and last in level
        return last in (self._levels.get(f"{way}.", {}) if way else self._top)

    def _originals(self, rows: Sequence[msgspec.Raw]) -> list[bytes]:
        """Return rows as they came; what was fixed has the same length, so they lie at the same places."""
        assert self._fixed is not None
        assert self._rows_at is not None
        raw = self._raw_at(self._rows_at.place)
        assert raw is not None
        start = self._fixed.find(bytes(raw)) + (self._list_raw is not None)
        originals: list[bytes] = []
        for row in rows:
            while self._fixed[start] in _BETWEEN:
                start += 1
            length = len(memoryview(row))
            originals.append(self._body[start : start + length])
            start += length
        return originals

    def row_list(self) -> msgspec.Raw | None:
        """Return the list of `rows` as one piece, which decodes sooner; None where it is long or was fixed."""
        raw = self._list_raw
        return raw if raw is not None and self._fixed is None and len(memoryview(raw)) <= _LONGEST_AT_ONCE else None


def _is_utf8(body: bytes) -> bool:
    try:
        return not body.decode("utf-8").isascii()
    except UnicodeDecodeError:
        return False


def _unwrapped(body: bytes, way: Sequence[str]) -> bytes:
    """Return a body in which texts of JSON on the way to the rows, or in their place, are the JSON that they say."""
    body = body.strip()
    try:
        if body.startswith(b'"'):
            text = json.loads(body, strict=False)
            return _unwrapped(text.encode("utf-8", "surrogatepass"), way) if text.strip() else body
        if way and body.startswith(b"{"):
            level = _OBJECT.decode(body)
            if way[0] in level:
                return msgspec.json.encode({**level, way[0]: msgspec.Raw(_unwrapped(bytes(level[way[0]]), way[1:]))})
    except (*_NOT_DECODED, ValueError):
        # It is read, or refused, as it is.
        return body
    return body


def _readable(body: bytes) -> bytes:
    """Replace what a strict parser refuses inside strings by as many bytes that it only refuses in the row itself."""

    def escape(match: re.Match[bytes]) -> bytes:
        return b"\xff" * len(match[0]) if _SURROGATE.fullmatch(match[0]) else match[0]

    def fix(match: re.Match[bytes]) -> bytes:
        text = _CONTROL.sub(b"\xff", match[0])
        return _ESCAPE.sub(escape, text) if b"\\u" in text else text

    return _STRING.sub(fix, body)


def read_row(raw: msgspec.Raw | bytes) -> dict[str, Any] | None:
    """Return a row's object, or None when it is no object.

    Bytes that are no UTF-8 come out as lone surrogates, which no database takes; fractions and large numbers as
    `Literal`.
    """
    try:
        row = _VALUE.decode(raw)
    except _NOT_DECODED:
        text = bytes(raw).decode("utf-8", "surrogateescape")
        try:
            row = json.loads(text, strict=False, parse_float=Literal, parse_int=Literal, parse_constant=Literal)
        except (ValueError, RecursionError):
            try:
                row = read_value(text)
            except (NotReadable, RecursionError):
                return None
    return row if isinstance(row, dict) else None


def repeated_keys(raw: msgspec.Raw | bytes) -> Collection[str]:
    """Return the keys that one object of a row has twice with different values: the row says two things."""
    repeated: set[str] = set()

    def noted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found and found[key] != value:
                repeated.add(key)
            found[key] = value
        return found

    try:
        json.loads(bytes(raw).decode("utf-8", "surrogateescape"), strict=False, object_pairs_hook=noted)
    except (ValueError, RecursionError):
        # Read loosely, the last one counts.
        return ()
    return repeated


def _size(row: msgspec.Raw | bytes) -> int:
    return len(memoryview(row))


class UniformRows:
    """Decodes rows that have no keys but `names`, many at once: several times as fast as row by row.

    None of the values may be an object. What such a decoder refuses is not wrong: it is read by `read_row`. Values
    that are not `wanted` (all are, when left out) cost less; they are only looked at for objects.
    """

    def __init__(self, names: Sequence[str], wanted: Collection[str] | None = None) -> None:
        self.names: Final = tuple(names)
        self.wanted: Final = self.names if wanted is None else tuple(name for name in names if name in wanted)
        self._decoders: list[msgspec.json.Decoder[list[Any]]] = []
        fields = [f"f{place}" for place in range(len(self.names))]
        kinds = [Any if name in self.wanted else msgspec.Raw for name in self.names]
        # Most rows have every key, which is decoded sooner; then others, whose missing keys are told from nulls.
        for defaults in ((), [msgspec.UNSET] * len(fields)):
            members = [tuple(member) for member in zip(fields, kinds, *([defaults] if defaults else []), strict=True)]
            try:
                form = msgspec.defstruct(
                    "UniformRow",
                    members,
                    rename=dict(zip(fields, self.names, strict=True)),
                    forbid_unknown_fields=True,
                    gc=False,
                )
            except (ValueError, UnicodeEncodeError):
                # Two equal names, or one with a quote or a control character.
                return
            if self.names:
                decoder = msgspec.json.Decoder(list[form], float_hook=Literal)  # type: ignore[valid-type]
                self._decoders.append(decoder)
        if 0 < len(self.wanted) < len(self.names):
            self._values = attrgetter(*(fields[self.names.index(name)] for name in self.wanted))

    def columns(
        self,
        rows: "Sequence[msgspec.Raw | bytes] | None",
        *,
        longest: int | None = None,
        whole: msgspec.Raw | None = None,
        once: bool = False,
    ) -> list[tuple[Any, ...]] | None:
        """Return the values of each of `wanted`, None for a missing key, as `read_row` gives them.

        None when there are no rows, or one of them cannot be decoded so, holds an object, is longer than `longest`
        bytes or (with `once`) has a key twice. `whole` is the list of these very rows in one piece, where there is one;
        then `rows` may be left out, and None is returned where the list is longer than `longest` too.
        """
        if not self._decoders or (not rows and rows is not None):
            return None
        if whole is not None:
            joined = bytes(whole)
        else:
            assert rows is not None
            joined = b"[" + b",".join(rows) + b"]"
        if longest is not None and len(joined) > longest and (rows is None or max(map(_size, rows)) > longest):
            return None
        for decoder in self._decoders:
            try:
                decoded = decoder.decode(joined)
            except _NOT_DECODED:
                continue
            break
        else:
            return None
        # Bytes that are no row by themselves may be some when joined.
        if not decoded or (rows is not None and len(decoded) != len(rows)):
            return None
        no_objects = joined.count(b"{") == len(decoded)
        if len(self.wanted) < len(self.names) and not no_objects:
            # An object among the values, or a brace in a text: only decoding all of them tells.
            return None
        columns = self._columns(decoded)
        keys = len(decoded) * len(self.names)
        if decoder is not self._decoders[0]:
            missing = [values.count(msgspec.UNSET) for values in columns]
            keys -= sum(missing)
            columns = [
                tuple(None if value is msgspec.UNSET else value for value in values) if count else values
                for values, count in zip(columns, missing, strict=True)
            ]
        if once and joined.count(b'":') != keys and sum(map(bool, _STRINGS.findall(joined))) != keys:
            return None
        if no_objects:
            return columns
        return None if any(dict in set(map(type, values)) for values in columns) else columns

    def _columns(self, decoded: list[Any]) -> list[tuple[Any, ...]]:
        if len(self.wanted) == len(self.names):
            return list(zip(*map(astuple, decoded), strict=True))
        if not self.wanted:
            return []
        values = map(self._values, decoded)
        return list(zip(*values, strict=True)) if len(self.wanted) > 1 else [tuple(values)]


def flattened(row: dict[str, Any], needed: Collection[str] | None = None) -> dict[str, Any] | None:
    """Return a row whose nested objects became columns: `extend.准驾车型`. An empty object is no column.

    None when two values would get one name, or objects lie deeper than `DEEPEST`; where `needed` is given, only when
    that is true of one of these columns, or an object stands in its place: of others, the first value counts, and what
    lies too deep is left out.
    """
    flat: dict[str, Any] = {}
    return flat if _flatten("", row, flat, 0, needed) else None


def _flatten(
    prefix: str, values: dict[str, Any], flat: dict[str, Any], depth: int, needed: Collection[str] | None
) -> bool:
    for key, value in values.items():
        name = prefix + key
        if isinstance(value, dict):
            if value and needed is not None and name in needed:
                # {"valid_to": {"$date": …}}: there is a value, and none that is read.
                return False
            if depth == DEEPEST:
                if needed is None or any(each.startswith(f"{name}.") for each in needed):
                    return False
            elif not _flatten(f"{name}.", value, flat, depth + 1, needed):
                return False
        elif name not in flat:
            flat[name] = value
        elif needed is None or name in needed:
            return False
    return True


def storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold a text: no NUL, no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
