"""The page 日清清单: lists, rates and bad reviews for halls and section.

It knows nothing of Airflow: who is logged in, and what he may see, it is told (`Host`). Every route depends on that.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Form, HTTPException, Request, Response, status
from fastapi.responses import FileResponse, JSONResponse
from markupsafe import Markup
from starlette.background import BackgroundTask

from zhengku import clock
from zhengku.catalog import CODES, Catalog
from zhengku.catalog.clearance_config import KINDS, load_clearance
from zhengku.clearance import lists
from zhengku.clearance.delivery import remove_folder, workbook_file, workbook_name, write_part
from zhengku.clearance.lists import Connection, GroupCount, GroupRates, PublishedList, RateGroup
from zhengku.clearance.roles import Access
from zhengku.clearance.workbook import (
    CHANGE_NAMES,
    KIND_NAMES,
    LEFT_NAMES,
    REVIEW_STATE_NAMES,
    SECTION_NAMES,
    STATE_NAMES,
)
from zhengku.database import store_connection
from zhengku.pages.application import new_app, wants_json
from zhengku.pages.chart import Point, trend
from zhengku.pages.choice import NOWHERE, SOON_WORKING_DAYS, Choice, Chosen, Visitor, read_choice
from zhengku.pages.host import Host, check_form, form_token
from zhengku.pages.rendering import HEADERS, page
from zhengku.settings import Settings

log = logging.getLogger(__name__)

REFUSAL = "您的账号没有查看日清清单的角色。请联系系统管理员授予“section”（电子政务科）或“hall_区划”（大厅）角色。"

PAGE_ROWS = 100
SPANS = (7, 30, 90, 366)
"""Days that rates and suspicious ratings may be asked for."""

SHORTEST_REASON, LONGEST_REASON = 2, 200

_SUSPICION_NAMES = {
    "seconds_after_finishing": "办结后数秒内评价",
    "device_burst": "同一设备集中评价",
    "window_burst": "同一窗口集中评价",
}

_GROUP_NAMES: Mapping[RateGroup, str] = {
    "city": "全市",
    "district": "区划",
    "department": "承办部门",
    "item": "事项",
    "day": "日",
    "month": "月",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Tab:
    """One of the pages."""

    path: str
    title: str
    is_of_list: bool = True
    for_all: bool = True


LIST = Tab("", "清单")
COUNTS = Tab("counts", "汇总")
CLEARED = Tab("cleared", "已评销号")
LEFT = Tab("left", "销号与移出")
DIFFERENCE = Tab("difference", "版次变动")
REVIEWS = Tab("bad-reviews", "差评整改", is_of_list=False)
RATES = Tab("rates", "评价指标", is_of_list=False)
SUSPICIOUS = Tab("suspicious", "可疑评价", is_of_list=False, for_all=False)
TABS = (LIST, COUNTS, CLEARED, LEFT, DIFFERENCE, REVIEWS, RATES, SUSPICIOUS)


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


def create_app(host: Host) -> FastAPI:
    """Return the application; nobody sees a page of it, or that it has one, without being logged in."""
    app = new_app("日清清单", host, REFUSAL)
    for path, route in (
        ("/", show_list),
        ("/counts", show_counts),
        ("/cleared", show_cleared),
        ("/left", show_left),
        ("/difference", show_difference),
        ("/bad-reviews", show_bad_reviews),
        ("/rates", show_rates),
        ("/suspicious", show_suspicious),
        ("/download", download),
        ("/reveal", ask_for_phone),
    ):
        app.add_api_route(path, route, methods=["GET"], response_model=None)
    app.add_api_route("/reveal", reveal_phone, methods=["POST"], response_model=None)
    return app


# ---- the pages


def show_list(request: Request, choice: Chosen) -> Response:
    """Show the rows of a list, a hundred at a time."""
    with _store(request) as connection:
        view = _View(request, connection, choice, LIST)
        if view.published is None:
            return view.page("list.html.j2", is_filtered=False, departments=[], halls=[])
        groups = lists.group_counts(connection, view.published, choice.districts)
        sums = Group("", "")
        departments: set[str] = set()
        halls: set[str] = set()
        for group in groups:
            departments.add(group.handling_department or "")
            if choice.department in (None, group.handling_department or ""):
                halls.add(group.hall or "")
                if choice.hall in (None, group.hall or ""):
                    sums.add(group)
        total = lists.count_rows(connection, view.published, **choice.filters)
        paging = _paging(choice, total)
        rows = lists.rows(
            connection,
            _catalog(request),
            view.published,
            **choice.filters,
            offset=paging["first_row"] - 1 if total else 0,
            limit=PAGE_ROWS,
        )
        parts = (choice.district, choice.department, choice.hall, choice.section, choice.state, choice.archive)
        before = lists.opened(connection, view.published, choice.access.login)
        changed = lists.difference(connection, view.published, choice.districts, before.version) if before else []
        return view.page(
            "list.html.j2",
            **paging,
            rows=list(rows),
            sums=sums,
            departments=_by_name(departments),
            halls=_by_name(halls),
            is_filtered=any(part is not None for part in parts),
            opened_before=before,
            tally=Counter(row.change for row in changed),
            token=form_token(request, choice.access) if choice.access.may_reveal else "",
        )


def show_counts(request: Request, choice: Chosen) -> Response:
    """Show how many rows a list has, by district, department and hall."""
    with _store(request) as connection:
        view = _View(request, connection, choice, COUNTS)
        sums = Group("", "")
        tree: list[Group] = []
        if view.published is not None:
            for counted in lists.group_counts(connection, view.published, choice.districts):
                sums.add(counted)
                place = tree
                for key, name in (
                    (counted.district, view.district_name(counted.district)),
                    (counted.handling_department, counted.handling_department or "（未填部门）"),
                    (counted.hall, counted.hall or "（未填大厅）"),
                ):
                    if not place or place[-1].key != (key or ""):
                        place.append(Group(key or "", name))
                    place[-1].add(counted)
                    place = place[-1].parts
        return view.page("counts.html.j2", tree=tree, sums=sums)


def show_cleared(request: Request, choice: Chosen) -> Response:
    """Show what of a list was rated since."""
    with _store(request) as connection:
        view = _View(request, connection, choice, CLEARED)
        shown: list[lists.ClearedService] = []
        total = listed = 0
        if view.published is not None:
            listed = lists.count_rows(connection, view.published, districts=choice.districts)
            found = lists.cleared_since(connection, view.published, choice.districts)
            shown, total = _slice(found, choice)
        return view.page("cleared.html.j2", **_paging(choice, total), rows=shown, listed=listed)


def show_left(request: Request, choice: Chosen) -> Response:
    """Show who was on yesterday's list and is not on this one, and why."""
    with _store(request) as connection:
        view = _View(request, connection, choice, LEFT)
        found = lists.left(connection, view.published, choice.districts) if view.published else []
        shown, total = _slice(found, choice)
        tally = Counter(row.reason for row in found)
        return view.page("left.html.j2", **_paging(choice, total), rows=shown, tally=tally, reasons=LEFT_NAMES)


def show_difference(request: Request, choice: Chosen) -> Response:
    """Show how a version differs from an earlier one, the one before it unless another is chosen."""
    with _store(request) as connection:
        view = _View(request, connection, choice, DIFFERENCE)
        changed: list[lists.ChangedService] = []
        since = 0
        if view.published is not None:
            since = view.published.version - 1
            if choice.since is not None and choice.since < since:
                since = choice.since
            changed = lists.difference(connection, view.published, choice.districts, since or None)
        shown, total = _slice(changed, choice)
        tally = Counter(row.change for row in changed)
        return view.page("difference.html.j2", **_paging(choice, total), rows=shown, tally=tally, since=since)


def show_bad_reviews(request: Request, choice: Chosen) -> Response:
    """Show the bad reviews and what is due for them."""
    with _store(request) as connection:
        view = _View(request, connection, choice, REVIEWS)
        day = choice.day or clock.today()
        reviews = lists.bad_reviews(connection, _catalog(request), day, choice.districts)
        shown, total = _slice(reviews, choice)
        tally = Counter(review.state for review in reviews)
        return view.page("reviews.html.j2", **_paging(choice, total), rows=shown, tally=tally, day=day)


def show_rates(request: Request, choice: Chosen) -> Response:
    """Show the rates of some days, with their course and by district or department."""
    with _store(request) as connection:
        view = _View(request, connection, choice, RATES)
        last_day, days = choice.day or clock.today(), _span(request)
        first_day = last_day - timedelta(days=days - 1)
        catalog = _catalog(request)
        [city] = lists.rates(connection, catalog, first_day, last_day, "city", choice.districts)
        span = city.rates
        course = lists.rates(connection, catalog, first_day, last_day, "day", choice.districts)
        trends = [(rate, _trend(place, course)) for place, rate in enumerate(span)]
        is_one_district = choice.districts is not None and len(choice.districts) == 1
        by = choice.by or ("department" if is_one_district else "district")
        groups = lists.rates(connection, catalog, first_day, last_day, by, choice.districts)
        return view.page(
            "rates.html.j2",
            trends=trends,
            groups=groups,
            rate_names=[rate.name_zh for rate in span],
            by=by,
            group_names=_GROUP_NAMES,
            first_day=first_day,
            last_day=last_day,
            days=days,
            spans=SPANS,
            place_name=view.scope_name if choice.district is None else view.district_name(choice.district or None),
        )


def show_suspicious(request: Request, choice: Chosen) -> Response:
    """Show the ratings that look made up, to the section alone."""
    if not choice.access.may_see_suspicious:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "可疑评价仅供电子政务科查看。")
    with _store(request) as connection:
        view = _View(request, connection, choice, SUSPICIOUS)
        last_day, days = choice.day or clock.today(), _span(request)
        found = lists.suspicious(connection, last_day - timedelta(days=days - 1), last_day)
        shown, total = _slice(found, choice)
        return view.page(
            "suspicious.html.j2",
            **_paging(choice, total),
            rows=shown,
            last_day=last_day,
            days=days,
            spans=SPANS,
            numbers=load_clearance(request.app.state.settings().catalog_folder),
            suspicion_names=_SUSPICION_NAMES,
        )


def download(request: Request, choice: Chosen) -> Response:
    """Hand over a list as a workbook: the district's that was chosen, else all that the visitor may see."""
    settings: Settings = request.app.state.settings()
    catalog = _catalog(request)
    with _store(request) as connection:
        published = _wanted(connection, choice)
        if published is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这张清单。")
        lists.opened(connection, published, choice.access.login)
        name = workbook_name(catalog, published, choice.districts)
        kept = workbook_file(settings.report_folder, published, choice.districts)
        if kept is not None and kept.is_file():
            return FileResponse(kept, filename=name, headers=HEADERS)
        folder = Path(mkdtemp(prefix="zhengku-"))
        try:
            write_part(connection, catalog, published, choice.districts, folder / "list.xlsx")
        except BaseException:
            remove_folder(folder)
            raise
    return FileResponse(
        folder / "list.xlsx", filename=name, headers=HEADERS, background=BackgroundTask(remove_folder, folder)
    )


# ---- a telephone number


def ask_for_phone(request: Request, choice: Chosen) -> Response:
    """Ask why a telephone number is wanted: the way without a script."""
    _may_reveal(choice.access)
    with _store(request) as connection:
        view = _View(request, connection, choice, LIST)
        if view.published is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这张清单。")
        return view.page(
            "reveal.html.j2",
            phone=None,
            record_key=request.query_params.get("record_key", ""),
            token=form_token(request, choice.access),
        )


def reveal_phone(
    request: Request,
    access: Visitor,
    record_key: Annotated[str, Form(max_length=400)],
    reason: Annotated[str, Form(max_length=LONGEST_REASON)],
    token: Annotated[str, Form(max_length=200)],
    day: Annotated[str, Form(max_length=20)],
    kind: Annotated[str, Form(max_length=20)],
    version: Annotated[str, Form(max_length=20)],
) -> Response:
    """Show one telephone number, after who wants it and why was recorded."""
    _may_reveal(access)
    check_form(request, access, token)
    if len(reason.strip()) < SHORTEST_REASON:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "请填写查看事由。")
    asked = {"day": day, "kind": kind, "version": version}
    choice = read_choice(asked, access, _catalog(request).districts)
    with _store(request) as connection:
        view = _View(request, connection, choice, LIST)
        if view.published is None or "\0" in record_key + reason:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这张清单。")
        try:
            phone = lists.reveal_phone(connection, view.published, record_key, access.districts, access.login, reason)
        except lists.RevealRefused:
            log.warning("%s was refused a telephone number of the list %s", access.login, view.published.list_id)
            raise HTTPException(
                status.HTTP_404_NOT_FOUND if access.is_whole_city else status.HTTP_403_FORBIDDEN,
                "清单中没有这一办件，或不属于您的区划，或没有登记联系电话。",
            ) from None
        if wants_json(request):
            return JSONResponse({"phone": phone}, headers=HEADERS)
        return view.page("reveal.html.j2", phone=phone, record_key=record_key, token="")


def _may_reveal(access: Access) -> None:
    if not access.may_reveal:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "您的角色不能查看完整联系电话。")


# ---- what all pages share


class _View:
    """What every page shows: the list that is meant, where else to go, and what to be warned of."""

    def __init__(self, request: Request, connection: Connection, choice: Choice, tab: Tab) -> None:
        self.request = request
        self.choice = choice
        self.tab = tab
        self.catalog = _catalog(request)
        self.published = _wanted(connection, choice)
        shown = self.published
        there = lists.versions(connection, shown.day) if shown else []
        self.kinds_there = [kind for kind in KIND_NAMES if any(known.kind == kind for known in there)]
        self.versions_there = sorted((k.version for k in there if shown and k.kind == shown.kind), reverse=True)
        names = {key: district.name for key, district in self.catalog.districts.items()}
        self.districts = {key: name for key, name in names.items() if choice.access.covers(key)}
        if choice.access.is_whole_city:
            self.districts[""] = lists.NO_DISTRICT_ZH

    @property
    def scope_name(self) -> str:
        """Whose rows the visitor may see."""
        return "全市" if self.choice.access.is_whole_city else "、".join(self.districts.values())

    def district_name(self, key: str | None) -> str:
        """Return the name of a district."""
        return lists.district_name(self.catalog, key)

    @property
    def chosen(self) -> dict[str, str]:
        """The parts of this page's address."""
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

    def address(self, path: str, *, bare: bool = False, **changes: object) -> str:
        """Return the address of a page for what is chosen now, but for `changes` (None takes a part out)."""
        root = self.request.scope.get("root_path", "")
        parts: dict[str, object] = {} if bare else {**self.chosen, **changes}
        if path != self.tab.path and "page" not in changes:
            parts.pop("page", None)
        query = urlencode({name: value for name, value in parts.items() if value is not None}, quote_via=quote)
        return f"{root}/{path}" + (f"?{query}" if query else "")

    def page(self, template: str, **values: Any) -> Response:
        """Return the page."""
        access = self.choice.access
        host: Host = self.request.app.state.host
        shared = {
            "access": access,
            "address": self.address,
            "changes": CHANGE_NAMES,
            "channels": CODES["evaluation"]["evaluation_channel"],
            "choice": self.choice,
            "chosen": self.chosen,
            "district_name": self.district_name,
            "districts": self.districts,
            "is_for_demos": host.is_for_demos(),
            "kinds": KIND_NAMES,
            "kinds_there": self.kinds_there or list(KIND_NAMES),
            "levels": CODES["evaluation"]["level"],
            "newest_version": max(self.versions_there, default=None),
            "published": self.published,
            "review_states": REVIEW_STATE_NAMES,
            "scope_name": self.scope_name,
            "sections": SECTION_NAMES,
            "soon_working_days": SOON_WORKING_DAYS,
            "states": STATE_NAMES,
            "tab": self.tab,
            "tabs": [tab for tab in TABS if tab.for_all or access.may_see_suspicious],
            "versions_there": self.versions_there,
        }
        return page(self.request, template, **{**_paging(self.choice, 0), **shared, **values})


def _store(request: Request) -> Any:
    return store_connection(request.app.state.settings().database_url)


def _catalog(request: Request) -> Catalog:
    catalog: Catalog = request.app.state.catalog()
    return catalog


def _wanted(connection: Connection, choice: Choice) -> PublishedList | None:
    """Return the list that is chosen; of a day the last one, of all days the newest."""
    if choice.day is None:
        if choice.kind is None and choice.version is None:
            return lists.newest(connection)
        newest = lists.newest(connection)
        if newest is None:
            return None
        choice = Choice(choice.access, newest.day, choice.kind or newest.kind, choice.version)
    day = choice.day
    assert day is not None
    if choice.kind is not None:
        return lists.published(connection, day, choice.kind, choice.version)
    for kind in reversed(KINDS):
        found = lists.published(connection, day, kind, choice.version)
        if found is not None:
            return found
    return None


def _paging(choice: Choice, total: int) -> dict[str, int]:
    pages = max(-(-total // PAGE_ROWS), 1)
    number = min(choice.page, pages)
    first = (number - 1) * PAGE_ROWS
    last = min(first + PAGE_ROWS, total)
    return {"total": total, "pages": pages, "number": number, "first_row": first + 1, "last_row": last}


def _slice(found: Iterable[T], choice: Choice) -> tuple[list[T], int]:
    """Return the rows of the page that is asked for, and how many there are in all."""
    everything = list(found)
    first = _paging(choice, len(everything))["first_row"] - 1
    return everything[first : first + PAGE_ROWS], len(everything)


def _span(request: Request) -> int:
    days = request.query_params.get("days", "")
    return int(days) if days in map(str, SPANS) else 30


def _by_name(names: Collection[str]) -> list[str]:
    return sorted(names, key=lambda name: (name == "", name))


def _trend(place: int, course: Sequence[GroupRates]) -> Markup:
    """Draw one of the rates, by its place among them, over the days."""
    points = []
    for group in course:
        assert group.day is not None
        rate = group.rates[place]
        points.append(Point(group.day, rate.numerator, rate.denominator, rate.shown))
    return trend(course[0].rates[place].name_zh, points)
