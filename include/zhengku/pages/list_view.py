"""What the pages of the daily lists show in addition to the frame: the chosen list, and its warnings."""

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Any

from fastapi import Request, Response

from zhengku.catalog import CODES, Catalog
from zhengku.catalog.clearance_config import KINDS
from zhengku.clearance.districts import NO_DISTRICT_ZH, district_name
from zhengku.clearance.list_rows import GroupCount
from zhengku.clearance.list_versions import ListVersion, newest_version, published_version, versions_of_day
from zhengku.clearance.workbook import CHANGE_NAMES, KIND_NAMES, REVIEW_STATE_NAMES, SECTION_NAMES, STATE_NAMES
from zhengku.ledger import Connection
from zhengku.pages.access import ClearanceAccess
from zhengku.pages.choice import SOON_WORKING_DAYS, Choice
from zhengku.pages.frame import Tab, View, unmasked
from zhengku.pages.query import NOWHERE

SPANS = (7, 30, 90, 366)
"""Numbers of days that rates and suspicious ratings can be shown for."""


@dataclass
class Group:
    """A district, department or hall with the rows in it; `key` is "" where rows have none."""

    key: str
    name: str
    unrated: int = 0
    default_rated: int = 0
    new: int = 0
    carried_over: int = 0
    reopened: int = 0
    parts: list["Group"] = field(default_factory=list)

    def add(self, counted: GroupCount) -> None:
        """Add the rows of a hall."""
        for name in ("unrated", "default_rated", "new", "carried_over", "reopened"):
            setattr(self, name, getattr(self, name) + getattr(counted, name))


class ListView(View):
    """A page of the daily lists; addresses of other pages contain what is chosen on this one."""

    def __init__(self, request: Request, connection: Connection, choice: Choice, tab: Tab) -> None:
        super().__init__(request, choice.access, tab)
        self.choice = choice
        self.published = chosen_list(connection, choice)
        shown = self.published
        listed = versions_of_day(connection, shown.day) if shown else []
        self.available_kinds = [kind for kind in KIND_NAMES if any(known.kind == kind for known in listed)]
        self.available_versions = sorted((k.version for k in listed if shown and k.kind == shown.kind), reverse=True)
        self.districts = visible_districts(choice.access, self.catalog)
        if choice.access.is_whole_city:
            self.districts[""] = NO_DISTRICT_ZH

    def district_name(self, key: str | None) -> str:
        """Return the name of a district."""
        return district_name(self.catalog, key)

    @property
    def chosen(self) -> dict[str, str]:
        """The query parameters of this page's address, with day and kind of the list that is shown."""
        parts: dict[str, str] = {}
        if self.published is not None:
            parts.update(day=f"{self.published.day}", kind=self.published.kind)
        for part in fields(Choice):
            value = getattr(self.choice, part.name)
            if part.name in ("access", "page") or value is None or part.name in parts:
                continue
            parts[part.name] = NOWHERE if value == "" else f"{value}"
        days = self.request.query_params.get("days", "")
        if days in map(str, SPANS):
            parts["days"] = days
        if self.choice.page > 1:
            parts["page"] = f"{self.choice.page}"
        return parts

    def keeping(self, path: str, **changes: object) -> str:
        """Return the address of another page for what is chosen now, with `changes` (None removes a parameter)."""
        return self.address(path, **{**self.chosen, "page": None, **changes})

    def tab_address(self, tab: Tab) -> str:
        """Return the address of a tab for what is chosen now; the tab of this page also keeps the page number."""
        return self.changed() if tab == self.tab else self.keeping(tab.path)

    def page(self, template: str, **values: Any) -> Response:
        """Return the page."""
        shared = {
            "changes": CHANGE_NAMES,
            "channels": CODES["evaluation"]["evaluation_channel"],
            "choice": self.choice,
            "chosen": self.chosen,
            "district_name": self.district_name,
            "districts": self.districts,
            "keeping": unmasked(self.keeping),
            "kinds": KIND_NAMES,
            "available_kinds": self.available_kinds or list(KIND_NAMES),
            "levels": CODES["evaluation"]["level"],
            "newest_version": max(self.available_versions, default=None),
            "published": self.published,
            "review_states": REVIEW_STATE_NAMES,
            "sections": SECTION_NAMES,
            "soon_working_days": SOON_WORKING_DAYS,
            "states": STATE_NAMES,
            "available_versions": self.available_versions,
        }
        return super().page(template, **{**shared, **values})


def visible_districts(access: ClearanceAccess, catalog: Catalog) -> dict[str, str]:
    """Return the names of the districts whose rows a login may see, by key."""
    return {key: district.name for key, district in catalog.districts.items() if access.covers(key)}


def scope_name(access: ClearanceAccess, catalog: Catalog) -> str:
    """Return whose rows a login may see, in Chinese."""
    return "全市" if access.is_whole_city else "、".join(visible_districts(access, catalog).values())


def chosen_list(connection: Connection, choice: Choice) -> ListVersion | None:
    """Return the chosen list: of a chosen day the last kind, without a day the newest list."""
    if choice.day is None:
        if choice.kind is None and choice.version is None:
            return newest_version(connection)
        newest = newest_version(connection)
        if newest is None:
            return None
        choice = Choice(choice.access, newest.day, choice.kind or newest.kind, choice.version)
    day = choice.day
    assert day is not None
    if choice.kind is not None:
        return published_version(connection, day, choice.kind, choice.version)
    for kind in reversed(KINDS):
        found = published_version(connection, day, kind, choice.version)
        if found is not None:
            return found
    return None


def chosen_span(request: Request) -> int:
    """Return the number of days in an address: one of `SPANS`, else 30."""
    days = request.query_params.get("days", "")
    return int(days) if days in map(str, SPANS) else 30


def by_name(names: Collection[str]) -> list[str]:
    """Return names in their order, the blank one last."""
    return sorted(names, key=lambda name: (name == "", name))
