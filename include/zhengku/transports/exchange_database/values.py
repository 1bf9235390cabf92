"""Values of an exchange database: as parameters of queries, and as the text of keys."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from zhengku.landed.row_file import text_of


def parameter(value: Any, kind: sa.types.TypeEngine[Any] | None = None) -> sa.BindParameter[Any]:
    """Return a parameter whose type the database finds out, unless `kind` gives one."""
    return sa.bindparam(None, value, unique=True, type_=sa.types.NullType() if kind is None else kind)


def after_key(keys: Sequence[sa.ColumnElement[Any]], values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that a row's key comes after `values`, in terms that every database knows."""
    alternatives = [
        sa.and_(*(keys[same] == values[same] for same in range(place)), keys[place] > values[place])
        for place in range(len(keys))
    ]
    if len(keys) == 1:
        return alternatives[0]
    # The first term follows from the others; by it, the database finds where to start in an index.
    return sa.and_(keys[0] >= values[0], sa.or_(*alternatives))


def is_binary(kind: sa.types.TypeEngine[Any]) -> bool:
    """Return whether a column of this type holds bytes."""
    return isinstance(kind, sa.types._Binary)


def is_number(kind: sa.types.TypeEngine[Any]) -> bool:
    """Return whether a column of this type holds numbers."""
    return isinstance(kind, sa.Integer | sa.Numeric | mysql.BIT)


def is_text(value: Any) -> bool:
    """Return whether a value is text: anything but bytes, and bytes that are UTF-8 or GB 18030 without NUL."""
    if not isinstance(value, bytes | bytearray | memoryview):
        return True
    for encoding in ("utf-8", "gb18030"):
        try:
            return "\0" not in bytes(value).decode(encoding)
        except UnicodeDecodeError:
            continue
    return False


def key_text(value: Any, column: str) -> str | None:
    """Return the text of a key's value as it lands; None for null and for bytes that are no text."""
    text = text_of(value, column)
    return text if isinstance(text, str) else None


def key_value(kind: sa.types.TypeEngine[Any], text: str) -> Any:
    """Return a key's value from its text; None when the text is no value of `kind`: the column's type has changed."""
    python_type: type = type(None)
    with suppress(NotImplementedError):
        python_type = kind.python_type
    readers: Mapping[type, Callable[[str], Any]] = {
        int: int,
        Decimal: Decimal,
        float: float,
        datetime: datetime.fromisoformat,
        date: date.fromisoformat,
        UUID: UUID,
        str: str,
    }
    try:
        return readers[python_type](text) if python_type in readers else None
    except (ValueError, ArithmeticError):
        return None
