"""What a visitor of the daily lists chose, read from the address of the page; districts of others are refused."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, get_args

from fastapi import Depends, HTTPException, Request, status

from zhengku.catalog.clearance_config import KINDS, ListKind
from zhengku.clearance.list_rows import Section, State
from zhengku.clearance.rates import RateGroup
from zhengku.pages.access import ClearanceAccess
from zhengku.pages.host import ClearanceVisitor
from zhengku.pages.query import read_day, read_number, read_one_of, read_text

SECTIONS = get_args(Section)
STATES = get_args(State)
RATE_GROUPS = get_args(RateGroup)

SOON_WORKING_DAYS = 5
"""A service that leaves the list by age within so many working days should be rated now."""


@dataclass(frozen=True)
class Choice:
    """What is chosen; a part that is None is not chosen. `district` and the like are "" for rows without one.

    `since` is the earlier version that the list is compared with; `archive` chooses rows that leave by age soon.
    """

    access: ClearanceAccess
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
        """The districts whose rows are shown, None for all; never a district that the visitor may not see."""
        return self.access.districts if self.district is None else frozenset({self.district})

    @property
    def filters(self) -> dict[str, Any]:
        """The filters of `zhengku.clearance.list_rows.listed_rows`."""
        return {
            "section": self.section,
            "districts": self.districts,
            "handling_department": self.department,
            "hall": self.hall,
            "state": self.state,
            "archived_within": None if self.archive is None else SOON_WORKING_DAYS,
        }


def _choice(request: Request, access: ClearanceVisitor) -> Choice:
    return read_choice(request.query_params, access, request.app.state.catalog().districts)


Chosen = Annotated[Choice, Depends(_choice)]


def read_choice(query: Mapping[str, str], access: ClearanceAccess, districts: Collection[str]) -> Choice:
    """Read the parts of an address; raises `HTTPException` 400 for a wrong part, 403 for a district of others."""
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
