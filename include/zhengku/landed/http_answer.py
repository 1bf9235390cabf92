"""The answers of an interface, as bytes: the values of the envelope, and the rows, one by one.

A row that cannot be read must not make its page unreadable. So an answer is cut into rows before they are decoded, and
only the rows that a strict parser refuses are read by slower, tolerant parsers.
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
"""Levels of objects in objects; a row with more is no valid row."""


_LONGEST_AT_ONCE: Final = 4 * 1024 * 1024
"""Bytes of the largest list of rows that is decoded at once: as Python objects it takes several times that."""


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


class UnreadableAnswer(Exception):
    """The body is not JSON, or not of the shape that the feed expects; the text says which, without a value."""


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
    """The place of the list of rows (keys joined by dots), and what else an interface may send there.

    `also` holds `nothing` where an interface without rows sends null, an empty text, list or object, or no key, at the
    place or on the path to it; `one_row` for a single row as an object; `json_text` where the list, or an object on the
    path to it, is sent as a text of JSON.
    """

    place: str
    also: Collection[str] = ()


class Answer:
    """One body, whose rows are at `rows`. Raises `UnreadableAnswer` when it is no JSON object.

    JSON with small mistakes is read as `zhengku.landed.loose_json` describes.
    """

    def __init__(self, body: bytes, charset: str = "utf-8", rows: RowsPlace | None = None) -> None:
        # Some gateways declare GBK whatever they send. A body that decodes as UTF-8, and is not only ASCII, is UTF-8.
        if charset != "utf-8" and not _is_utf8(body):
            # Bytes that the charset cannot decode stay as they are, and only make their own row bad.
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
        if self._parse(body):
            return
        self._fixed = _readable(body)
        if self._parse(self._fixed):
            return
        self._fixed = None
        try:
            self._loose = read_page(body.decode("utf-8", "surrogateescape"), rows.place if rows else "")
        except (NotReadable, RecursionError):
            raise UnreadableAnswer(f"a body of {len(body)} bytes that is no JSON object") from None

    def _parse(self, body: bytes) -> bool:
        """Parse the body down to the list of rows; return False when it is not strict JSON."""
        self._levels.clear()
        try:
            self._top = _OBJECT.decode(body)
            raw = self._raw_at(self._rows_at.place) if self._rows_at is not None else None
            if raw is not None and bytes(memoryview(raw)[:1]) == b"[":
                self._list_raw = raw
        except _NOT_DECODED:
            return False
        except UnreadableAnswer:
            # JSON, but of another shape: `rows` raises the error.
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
            raise UnreadableAnswer(f"a value at {place} that cannot be read") from None

    def _loose_at(self, place: str) -> Any:
        level: Any = self._loose
        *parents, last = place.split(".")
        for key in parents:
            level = level.get(key)
            if level is None or level in self._empty_values:
                return None
            if not isinstance(level, dict):
                raise UnreadableAnswer(f"no object at {key} on the way to {place}")
        return level.get(last)

    @property
    def _empty_values(self) -> Sequence[Any]:
        return ("", [], {}) if self._rows_at is not None and "nothing" in self._rows_at.also else ()

    def _raw_at(self, place: str) -> msgspec.Raw | None:
        level = self._top
        *parents, last = place.split(".")
        path = ""
        for key in parents:
            path = f"{path}{key}."
            # Total, cursor and rows are often in one object, and decoding it takes a pass over all its bytes.
            if (known := self._levels.get(path)) is not None:
                level = known
                continue
            raw = level.get(key)
            if raw is None:
                return None
            if bytes(memoryview(raw)[:1]) != b"{":
                value = _VALUE.decode(raw)
                if value is None or value in self._empty_values:
                    return None
                raise UnreadableAnswer(f"no object at {key} on the way to {place}")
            level = self._levels[path] = _OBJECT.decode(raw)
        return level.get(last)

    def rows(self) -> "Sequence[msgspec.Raw] | Sequence[bytes]":
        """Return the rows, each as the bytes received (in UTF-8). Raises `UnreadableAnswer`."""
        assert self._rows_at is not None, "the place of the rows was not given"
        place, also = self._rows_at.place, self._rows_at.also
        if self._list_raw is not None:
            found = _LIST.decode(self._list_raw)
            return found if self._fixed is None else self._originals(found)
        value = self.at(place)
        # Some gateways send null on a page without rows.
        if (value is None and self.has(place)) or (value in (None, *self._empty_values) and "nothing" in also):
            return []
        if isinstance(value, Rows) and (value.is_list or "one_row" in also):
            return value
        if isinstance(value, dict) and "one_row" in also:
            raw = self._raw_at(place)
            assert raw is not None
            return [raw] if self._fixed is None else self._originals([raw])
        is_object = isinstance(value, dict | Rows)
        received = "nothing" if value is None else "an object" if is_object else type(value).__name__
        raise UnreadableAnswer(
            f"{received} at {place}, where the list of rows should be (rows_also says what else a feed may have there)"
        )

    def has(self, place: str) -> bool:
        """Return whether the object that a place is in has its key."""
        path, _, last = place.rpartition(".")
        if self._loose is not None:
            level = self._loose_at(path) if path else self._loose
            return isinstance(level, dict) and last in level
        return last in (self._levels.get(f"{path}.", {}) if path else self._top)

    def _originals(self, rows: Sequence[msgspec.Raw]) -> list[bytes]:
        """Return rows as received; the fixed body has the same length, so they are at the same offsets."""
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
        """Return the list of `rows` as one piece, which decodes faster; None where it is long or was fixed."""
        raw = self._list_raw
        return raw if raw is not None and self._fixed is None and len(memoryview(raw)) <= _LONGEST_AT_ONCE else None


def _is_utf8(body: bytes) -> bool:
    try:
        return not body.decode("utf-8").isascii()
    except UnicodeDecodeError:
        return False


def _unwrapped(body: bytes, path: Sequence[str]) -> bytes:
    """Return a body in which texts of JSON at the rows' place, or on the path to it, are replaced by that JSON."""
    body = body.strip()
    try:
        if body.startswith(b'"'):
            text = json.loads(body, strict=False)
            return _unwrapped(text.encode("utf-8", "surrogatepass"), path) if text.strip() else body
        if path and body.startswith(b"{"):
            level = _OBJECT.decode(body)
            if path[0] in level:
                inner = msgspec.Raw(_unwrapped(bytes(level[path[0]]), path[1:]))
                return msgspec.json.encode({**level, path[0]: inner})
    except (*_NOT_DECODED, ValueError):
        # The body is then read, or refused, as it is.
        return body
    return body


def _readable(body: bytes) -> bytes:
    """Replace what a strict parser refuses in strings by as many invalid bytes, which it only refuses in their row."""

    def escape(match: re.Match[bytes]) -> bytes:
        return b"\xff" * len(match[0]) if _SURROGATE.fullmatch(match[0]) else match[0]

    def fix(match: re.Match[bytes]) -> bytes:
        text = _CONTROL.sub(b"\xff", match[0])
        return _ESCAPE.sub(escape, text) if b"\\u" in text else text

    return _STRING.sub(fix, body)


def read_row(raw: msgspec.Raw | bytes) -> dict[str, Any] | None:
    """Return a row's object, or None when it is no object.

    Bytes that are not UTF-8 are returned as lone surrogates, which no database accepts; fractions and large numbers as
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
    """Return the keys that an object of a row has twice with different values: the row contradicts itself."""
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
        # The tolerant parser takes the last value.
        return ()
    return repeated


def _size(row: msgspec.Raw | bytes) -> int:
    return len(memoryview(row))


class UniformRows:
    """Decodes rows that have no keys but `names`, many at once: several times as fast as row by row.

    None of the values may be an object. Rows that it refuses may be valid; they have to be read by `read_row`. Only the
    values of the columns `selected` (all when left out) are decoded; the others are only checked for objects.
    """

    def __init__(self, names: Sequence[str], selected: Collection[str] | None = None) -> None:
        self.names: Final = tuple(names)
        self.selected: Final = self.names if selected is None else tuple(name for name in names if name in selected)
        self._decoders: list[msgspec.json.Decoder[list[Any]]] = []
        fields = [f"f{place}" for place in range(len(self.names))]
        kinds = [Any if name in self.selected else msgspec.Raw for name in self.names]
        # Most rows have every key, which decodes faster; the second decoder tells missing keys from nulls.
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
        if 0 < len(self.selected) < len(self.names):
            self._values = attrgetter(*(fields[self.names.index(name)] for name in self.selected))

    def columns(
        self,
        rows: "Sequence[msgspec.Raw | bytes] | None",
        *,
        longest: int | None = None,
        row_list: msgspec.Raw | None = None,
        once: bool = False,
    ) -> list[tuple[Any, ...]] | None:
        """Return the values of each of `selected`, None for a missing key, as `read_row` gives them.

        None when there are no rows, or one of them cannot be decoded so, holds an object, is longer than `longest`
        bytes or (with `once`) has a key twice. `row_list` is the list of the same rows in one piece, where there is
        one; then `rows` may be None, and None is also returned where the list is longer than `longest`.
        """
        if not self._decoders or (not rows and rows is not None):
            return None
        if row_list is not None:
            joined = bytes(row_list)
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
        # Pieces that are no rows by themselves may be rows when joined.
        if not decoded or (rows is not None and len(decoded) != len(rows)):
            return None
        no_objects = joined.count(b"{") == len(decoded)
        if len(self.selected) < len(self.names) and not no_objects:
            # An object among the values, or a brace in a text: only decoding all values shows which.
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
        if len(self.selected) == len(self.names):
            return list(zip(*map(astuple, decoded), strict=True))
        if not self.selected:
            return []
        values = map(self._values, decoded)
        return list(zip(*values, strict=True)) if len(self.selected) > 1 else [tuple(values)]


def flattened(row: dict[str, Any], needed: Collection[str] | None = None) -> dict[str, Any] | None:
    """Return a row with its nested objects as columns: `extend.准驾车型`. An empty object is no column.

    None when two values would have one name, or objects are nested deeper than `DEEPEST`. Where `needed` is given, None
    only when this is so for one of these columns, or its value is an object: of other columns, the first value is
    taken, and values nested too deep are left out.
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
                # {"valid_to": {"$date": …}}: there is a value, but not where the feed reads it.
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
    """Return whether PostgreSQL can hold a text: no NUL, no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
