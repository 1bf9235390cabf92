"""What a visitor chose to see, from the address of the page; a district that is not his is refused here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, get_args

from fastapi import Depends, HTTPException, Request, status

from zhengku.catalog.clearance_config import KINDS, ListKind
from zhengku.clearance.lists import RateGroup, Section, State
from zhengku.clearance.roles import Access
from zhengku.pages.host import visitor

Visitor = Annotated[Access, Depends(visitor)]

SECTIONS = get_args(Section)
STATES = get_args(State)
RATE_GROUPS = get_args(RateGroup)

NOWHERE = "none"
"""In an address: rows without a district of the city, or without a department or hall."""

LONGEST_TEXT = 200

SOON_WORKING_DAYS = 5
"""Who leaves a list by age within so many working days is to be asked now."""


@dataclass(frozen=True)
class Choice:
    """What is asked for; a part that is None is not chosen. `district` and the like are "" for rows without one.

    `since` is the version that another is compared with; `archive` is for rows that leave by age soon.
    """

    access: Access
    day: date | None = None
    kind: ListKind | None = None
    version: int | None = None
    district: str | None = None
    department: str | None = None
    hall: str | None = None
    section: Section | None = None
    state: State | None = None
    by: RateGroup | None = None
    since: int | None = None
    archive: Literal["soon"] | None = None
    page: int = 1

    @property
    def districts(self) -> Collection[str] | None:
        """The districts whose rows are shown, None for all: those chosen, and never another than the visitor's."""
        return self.access.districts if self.district is None else frozenset({self.district})

    @property
    def filters(self) -> dict[str, Any]:
        """The filters of `zhengku.clearance.lists.rows`."""
        return {
            "section": self.section,
            "districts": self.districts,
            "handling_department": self.department,
            "hall": self.hall,
            "state": self.state,
            "archived_within": None if self.archive is None else SOON_WORKING_DAYS,
        }


def _choice(request: Request, access: Visitor) -> Choice:
    return read_choice(request.query_params, access, request.app.state.catalog().districts)


Chosen = Annotated[Choice, Depends(_choice)]


def read_choice(query: Mapping[str, str], access: Access, districts: Collection[str]) -> Choice:
    """Read an address's parts; raises `HTTPException` 400 for what cannot be read, 403 for another's district."""
    district = read_text(query, "district")
    if district not in (None, "", *districts):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "没有这个区划。")
    if district is not None and not access.covers(district or None):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "您的角色不能查看该区划的清单。")
    return Choice(
        access=access,
        day=read_day(query, "day"),
        kind=read_one_of(query, "kind", KINDS),
        version=read_number(query, "version"),
        district=district,
        department=read_text(query, "department"),
        hall=read_text(query, "hall"),
        section=read_one_of(query, "section", SECTIONS),
        state=read_one_of(query, "state", STATES),
        by=read_one_of(query, "by", RATE_GROUPS),
        since=read_number(query, "since"),
        archive=read_one_of(query, "archive", ("soon",)),
        page=read_number(query, "page") or 1,
    )


def _wrong(name: str) -> HTTPException:
    return HTTPException(status.HTTP_400_BAD_REQUEST, f"网址中的“{name}”无法识别。")


def read_text(query: Mapping[str, str], name: str) -> str | None:
    """Return a part of an address as text ("" where it is `NOWHERE`), None without it; raises `HTTPException` 400."""
    value = query.get(name, "")
    if len(value) > LONGEST_TEXT or "\0" in value:
        raise _wrong(name)
    return "" if value == NOWHERE else value or None


def read_number(query: Mapping[str, str], name: str) -> int | None:
    """Return a part of an address as a number above 0, None without it; raises `HTTPException` 400."""
    value = query.get(name, "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 7 and int(value) > 0):
        raise _wrong(name)
    return int(value)


def read_day(query: Mapping[str, str], name: str) -> date | None:
    """Return a part of an address as a day, None without it; raises `HTTPException` 400."""
    value = query.get(name, "")
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _wrong(name) from None


def read_one_of(query: Mapping[str, str], name: str, known: Collection[Any]) -> Any:
    """Return a part of an address that must be one of `known`, None without it; raises `HTTPException` 400."""
    value = query.get(name, "")
    if value and value not in known:
        raise _wrong(name)
    return value or None
