"""Many rows at once as lines of COPY's text format (PostgreSQL, "COPY", "Text Format")."""

from collections.abc import Sequence
from typing import Final

# While values are joined, these mark the end of a row, the end of a value, and null: hardly any text contains them.
_ROW_END: Final = "\x1e"
_VALUE_END: Final = "\x1f"
_NULL: Final = "\0"
_BYTES: Final = frozenset({bytes, type(None)})
_ENDS: Final = bytes.maketrans(b"\x1e\x1f", b"\n\t")
_ESCAPES: Final = ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r"))


def escaped(value: str) -> str:
    """Return a value as COPY text has it."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def copy_lines(columns: Sequence[Sequence[str | None]]) -> bytes | None:
    """Return the rows of some columns (at least one, all of one length) as COPY text in UTF-8, a line feed after each.

    None when a value holds NUL, U+001E, U+001F or a lone surrogate: such rows have to be written one by one.
    """
    rows = len(columns[0])
    if not rows:
        return b""
    nulls = 0
    texts: list[Sequence[str]] = []
    for values in columns:
        if type(None) in set(map(type, values)):
            texts.append([_NULL if value is None else value for value in values])
            nulls += values.count(None)
        else:
            texts.append(values)  # type: ignore[arg-type]
    joined = _ROW_END.join(map(_VALUE_END.join, zip(*texts, strict=True))) + _ROW_END
    try:
        text = joined.encode()
    except UnicodeEncodeError:
        return None
    return _as_copy_text(text, rows, len(columns), nulls)


def copy_lines_of_bytes(columns: Sequence[Sequence[bytes | None]]) -> bytes | None:
    """Return the same for values that are bytes of text; None also when a value is not bytes, or not UTF-8."""
    rows = len(columns[0])
    nulls = 0
    texts: list[Sequence[bytes]] = []
    for values in columns:
        kinds = set(map(type, values))
        if not kinds <= _BYTES:
            return None
        if type(None) in kinds:
            texts.append([b"\0" if value is None else value for value in values])
            nulls += values.count(None)
        else:
            texts.append(values)  # type: ignore[arg-type]
    text = b"\x1e".join(map(b"\x1f".join, zip(*texts, strict=True))) + b"\x1e"
    try:
        text.decode()
    except UnicodeDecodeError:
        return None
    return _as_copy_text(text, rows, len(columns), nulls)


def _as_copy_text(text: bytes, rows: int, width: int, nulls: int) -> bytes | None:
    """Escape joined values, and replace the marks between them by those of COPY."""
    if text.count(b"\x1e") != rows or text.count(b"\x1f") != rows * (width - 1):
        return None
    if (text.count(b"\0") if nulls else b"\0" in text) != nulls:
        return None
    for plain, escaped in _ESCAPES:
        if plain in text:
            text = text.replace(plain, escaped)
    text = text.translate(_ENDS)
    return text.replace(b"\0", b"\\N") if nulls else text
