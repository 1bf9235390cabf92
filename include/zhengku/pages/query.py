"""Reading the query parameters of a page's address; a wrong value is refused."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from fastapi import HTTPException, Request, status
from starlette.datastructures import UploadFile

from zhengku import clock
from zhengku.database import LARGEST_BIGINT, LARGEST_INTEGER

NOWHERE = "none"
"""The value for rows without a district of the city, or without a department or hall."""

LONGEST_TEXT = 200


def _wrong(name: str) -> HTTPException:
    return HTTPException(status.HTTP_400_BAD_REQUEST, f"网址中的“{name}”无法识别。")


async def refuse_unreadable(request: Request) -> None:
    """Raise `HTTPException` 400 where an address or a form has text that the store cannot hold.

    Every route depends on it: NUL and halves of surrogate pairs reach no function of a page.
    """
    sent: list[tuple[str, object]] = list(request.query_params.multi_items())
    if request.method == "POST":
        sent += (await request.form()).multi_items()
    for name, value in sent:
        if isinstance(value, UploadFile) or not (_is_storable(name) and _is_storable(str(value))):
            raise HTTPException(status.HTTP_400_BAD_REQUEST, "网址或表单中有无法识别的字符。")


def _is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def read_text(query: Mapping[str, str], name: str, longest: int = LONGEST_TEXT) -> str | None:
    """Return a parameter as text ("" where it is `NOWHERE`), None without it; raises `HTTPException` 400."""
    value = query.get(name, "")
    if len(value) > longest:
        raise _wrong(name)
    return "" if value == NOWHERE else value or None


def read_number(query: Mapping[str, str], name: str) -> int | None:
    """Return a parameter as a number above 0 (a page, a version), None without it; raises `HTTPException` 400."""
    return _read_up_to(query, name, LARGEST_INTEGER)


def read_id(query: Mapping[str, str], name: str) -> int | None:
    """Return a parameter as the number of a record, None without it; raises `HTTPException` 400."""
    return _read_up_to(query, name, LARGEST_BIGINT)


def _read_up_to(query: Mapping[str, str], name: str, largest: int) -> int | None:
    value = query.get(name, "")
    if not value:
        return None
    # Python refuses to convert thousands of digits.
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(largest)) and 0 < int(value) <= largest):
        raise _wrong(name)
    return int(value)


def read_day(query: Mapping[str, str], name: str) -> date | None:
    """Return a parameter as a day that can be computed with, None without it; raises `HTTPException` 400."""
    value = query.get(name, "")
    if not value:
        return None
    try:
        return clock.read_day(value)
    except ValueError:
        raise _wrong(name) from None


def read_one_of(query: Mapping[str, str], name: str, known: Collection[Any]) -> Any:
    """Return a parameter that must be one of `known`, None without it; raises `HTTPException` 400."""
    value = query.get(name, "")
    if value and value not in known:
        raise _wrong(name)
    return value or None
