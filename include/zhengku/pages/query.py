"""Reading the query parameters of a page's address; a wrong value is refused."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from fastapi import HTTPException, status

NOWHERE = "none"
"""The value for rows without a district of the city, or without a department or hall."""

LONGEST_TEXT = 200


def _wrong(name: str) -> HTTPException:
    return HTTPException(status.HTTP_400_BAD_REQUEST, f"网址中的“{name}”无法识别。")


def read_text(query: Mapping[str, str], name: str) -> str | None:
    """Return a parameter as text ("" where it is `NOWHERE`), None without it; raises `HTTPException` 400."""
    value = query.get(name, "")
    if len(value) > LONGEST_TEXT or "\0" in value:
        raise _wrong(name)
    return "" if value == NOWHERE else value or None


def read_number(query: Mapping[str, str], name: str) -> int | None:
    """Return a parameter as a number above 0, None without it; raises `HTTPException` 400."""
    value = query.get(name, "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 7 and int(value) > 0):
        raise _wrong(name)
    return int(value)


def read_day(query: Mapping[str, str], name: str) -> date | None:
    """Return a parameter as a day, None without it; raises `HTTPException` 400."""
    value = query.get(name, "")
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _wrong(name) from None


def read_one_of(query: Mapping[str, str], name: str, known: Collection[Any]) -> Any:
    """Return a parameter that must be one of `known`, None without it; raises `HTTPException` 400."""
    value = query.get(name, "")
    if value and value not in known:
        raise _wrong(name)
    return value or None
