"""The landed form of a table's rows: lines of UTF-8, with a last line that marks a complete file.

The first line is a JSON object with `table`, `columns`, and `unread`, where the table has other columns. Every row is a
line of COPY's text format, its values in the order of the columns. A row that PostgreSQL cannot hold (NUL in a text,
bytes that are no text) is a backslash and a JSON array of texts, nulls and {"base64": …}; the last line is a backslash
and an object with `rows`, their count: no line of COPY text starts with a backslash and a bracket. The same rows give
the same bytes.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeGuard
from uuid import UUID

import msgspec

from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import SourceRefused
from zhengku.landed.copy_text import copy_lines, copy_lines_of_bytes, escaped

_ENCODER: Final = msgspec.json.Encoder()
Converters = Mapping[int, Callable[[Sequence[Any]], Sequence[Any]]]
"""Functions that convert the values of a column, by the place of the column."""

_NO_CONVERTERS: Final[Converters] = {}
# Rows of one group: one row that is not plain has its complete group written row by row.
_TOGETHER: Final = 1000


def first_line(table: str, columns: Sequence[str], unread: Sequence[str] = ()) -> bytes:
    """Return the line that names table and columns, and the table's other columns, which were not read."""
    others = {"unread": list(unread)} if unread else {}
    return _ENCODER.encode({"table": table, "columns": list(columns), **others}) + b"\n"


def last_line(rows: int) -> bytes:
    """Return the line that says how many rows precede it."""
    return b"\\" + _ENCODER.encode({"rows": rows}) + b"\n"


def row_lines(rows: Sequence[Sequence[Any]], columns: Sequence[str], converters: Converters = _NO_CONVERTERS) -> bytes:
    """Return one line for each of `rows`, with the driver's values, which `converters` convert first where given.

    Numbers and truth values become their text, times `2026-11-23 01:02:03` (Asia/Shanghai where they have a zone),
    bytes text where they are UTF-8 or GB18030, and {"base64": …} where they are neither.
    Raises `SourceRefused` for a type of value that has no text; the message names column and type.
    """
    pieces: list[bytes] = []
    for start in range(0, len(rows), _TOGETHER):
        part: list[Sequence[Any]] = list(zip(*rows[start : start + _TOGETHER], strict=True))
        for place, convert in converters.items():
            part[place] = convert(part[place])
        if any(type(values[0]) is bytes for values in part) and (text := copy_lines_of_bytes(part)) is not None:
            pieces.append(text)
            continue
        texts_by_column = [_as_text(values, name) for values, name in zip(part, columns, strict=True)]
        plain = [values for values in texts_by_column if _is_plain(values)]
        lines = copy_lines(plain) if len(plain) == len(texts_by_column) else None
        pieces.append(b"".join(map(_line, zip(*texts_by_column, strict=True))) if lines is None else lines)
    return b"".join(pieces)


def _is_plain(values: Sequence["str | dict[str, str] | None"]) -> TypeGuard[Sequence[str | None]]:
    return dict not in set(map(type, values))


def _line(row: Sequence["str | dict[str, str] | None"]) -> bytes:
    texts: list[str] = []
    for value in row:
        if value is None:
            texts.append("\\N")
        elif isinstance(value, dict) or "\0" in value:
            return b"\\" + _ENCODER.encode(row) + b"\n"
        else:
            texts.append(escaped(value))
    return ("\t".join(texts) + "\n").encode()


def text_of(value: Any, column: str) -> "str | dict[str, str] | None":
    """Return the landed form of one value."""
    return None if value is None else _form(type(value), column)(value)


def _as_text(values: Sequence[Any], column: str) -> Sequence["str | dict[str, str] | None"]:
    kinds = set(map(type, values)) - {str, type(None)}
    if not kinds:
        return values
    if len(kinds) == 1 and str not in map(type, values):
        form = _form(kinds.pop(), column)
        return [None if value is None else form(value) for value in values]
    return [text_of(value, column) for value in values]


def _form(kind: type, column: str) -> Callable[[Any], "str | dict[str, str]"]:
    for known, form in _FORMS:
        if issubclass(kind, known):
            return form
    raise SourceRefused(
        f"Column {column} holds values of the type {kind.__name__}, which has no text. Ask the department for a view "
        "that casts it to text, or list it in the feed's ignored_columns."
    )


def _of_datetime(value: datetime) -> str:
    return str(value.astimezone(CITY_TIME_ZONE).replace(tzinfo=None) if value.tzinfo else value)


def _of_bytes(value: "bytes | bytearray | memoryview") -> "str | dict[str, str]":
    content = bytes(value)
    for encoding in ("utf-8", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return {"base64": base64.b64encode(content).decode("ascii")}


def _of_json(value: Any) -> str:
    return _ENCODER.encode(value).decode()


# `bool` comes before `int` and `datetime` before `date`, whose subclasses they are.
_FORMS: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any], "str | dict[str, str]"]], ...]] = (
    (str, str),
    (bool, lambda value: "true" if value else "false"),
    (int, str),
    (Decimal, lambda value: format(value, "f")),
    (float, repr),
    (datetime, _of_datetime),
    ((date, time, timedelta, UUID), str),
    ((bytes, bytearray, memoryview), _of_bytes),
    ((dict, list), _of_json),
)
