"""The frame of all pages: an application made of topics, its tabs, and what every page shows.

A topic is a module in the package of its application, `zhengku.pages.clearance` or `zhengku.pages.review`, with a
template of the same name in `templates`. It has a `router`, and a `TAB` when the head of the pages links to it. The
application finds the module in the package, and every route of it requires a login:

>>> from fastapi import APIRouter, Request, Response
>>> from zhengku.pages.access import SEE_PROBLEMS
>>> from zhengku.pages.frame import Tab, View, store
>>> from zhengku.pages.host import Reviewer
>>> TAB = Tab("untaken", "未接收的文件", place=120, right=SEE_PROBLEMS)
>>> router = APIRouter()
>>> @router.get("/untaken")
... def show_untaken(request: Request, access: Reviewer) -> Response:
...     with store(request) as connection:
...         files = ledger.untaken(connection)
...     return View(request, access, TAB).page("untaken.html.j2", files=files)
>>> [(route.path, route.methods) for route in router.routes]
[('/untaken', {'GET'})]
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from fastapi import Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from markupsafe import Markup, escape
from starlette.middleware.base import RequestResponseEndpoint

from zhengku.catalog import Catalog, load_catalog
from zhengku.database import store_connection
from zhengku.metrics import page_call
from zhengku.pages.access import Access, Right
from zhengku.pages.errors import add_error_answers
from zhengku.pages.forms import form_token
from zhengku.pages.host import Host, visitor
from zhengku.pages.query import refuse_unreadable
from zhengku.pages.rendering import HEADERS, page
from zhengku.settings import Settings


@dataclass(frozen=True)
class Tab:
    """An entry in the head of every page: address, title, and its place among the others (ascending).

    A login without `right` does not see it.
    """

    path: str
    title: str
    place: int
    right: Right[Any] | None = None


@dataclass(frozen=True)
class PageSet:
    """The pages of an application.

    `refusal` is the Chinese answer to a login that may see none of them, `demo_roles` explains the roles of the logins
    for trying out; `role_name` returns what the head shows next to the login. Each module of `package` is a topic.
    """

    title: str
    refusal: str
    demo_roles: str
    role_name: Callable[[Any, Catalog], str]
    package: ModuleType

    @property
    def topics(self) -> list[ModuleType]:
        """The modules of the topics, by name."""
        return [import_module(f"{self.package.__name__}.{found.name}") for found in iter_modules(self.package.__path__)]

    @property
    def tabs(self) -> list[Tab]:
        """The tabs in their order; topics may share one."""
        tabs = {topic.TAB for topic in self.topics if hasattr(topic, "TAB")}
        return sorted(tabs, key=lambda tab: tab.place)


def new_app(page_set: PageSet, host: Host) -> FastAPI:
    """Return the application; without a login nobody sees a page of it, or which pages exist."""
    app = FastAPI(
        title=page_set.title,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(visitor), Depends(refuse_unreadable)],
    )
    app.state.host = host
    app.state.page_set = page_set
    app.state.tabs = page_set.tabs
    app.state.settings = cache(Settings.load)
    app.state.catalog = cache(lambda: load_catalog(app.state.settings().catalog_folder))
    for topic in page_set.topics:
        app.include_router(topic.router)
    add_error_answers(app)
    app.middleware("http")(_with_headers)
    app.middleware("http")(_measured)
    return app


async def _with_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _measured(request: Request, call_next: RequestResponseEndpoint) -> Response:
    started = time.monotonic()
    status = 500
    try:
        response = await call_next(request)
        status = response.status_code
        return response
    finally:
        # Addresses and methods that we do not know are anybody's: they count as one.
        route = request.scope.get("route")
        page_call(
            time.monotonic() - started,
            pages=request.app.state.page_set.package.__name__.rpartition(".")[2],
            route=route.path if isinstance(route, APIRoute) else "unknown",
            method=request.method if request.method in ("GET", "HEAD", "POST") else "other",
            status=status,
            role=access.role if (access := getattr(request.state, "access", None)) else "none",
        )


def settings(request: Request) -> Settings:
    """Return the settings of the installation."""
    found: Settings = request.app.state.settings()
    return found


def catalog(request: Request) -> Catalog:
    """Return the catalogue, read once by each application."""
    found: Catalog = request.app.state.catalog()
    return found


def store(request: Request) -> AbstractContextManager[psycopg.Connection[Any]]:
    """Open a connection to the store; raises as `store_connection` does."""
    return store_connection(settings(request).database_url)


def unmasked(address: Callable[..., str]) -> Callable[..., Markup]:
    """Return a function for templates whose addresses lead where they should, whatever their parameters look like."""
    return lambda *path, **parts: escape(address(*path, **parts))


class View:
    """A page for a visitor: the login, the tabs, addresses of other pages, and names from the catalogue."""

    def __init__(self, request: Request, access: Access, tab: Tab) -> None:
        self.request = request
        self.access = access
        self.tab = tab
        self.catalog = catalog(request)

    def address(self, path: str, **parts: object) -> str:
        """Return the address of a page with its query parameters; those that are None or blank are left out."""
        root = self.request.scope.get("root_path", "")
        query = urlencode({name: value for name, value in parts.items() if value not in (None, "")}, quote_via=quote)
        return f"{root}/{path}" + (f"?{query}" if query else "")

    @property
    def chosen(self) -> dict[str, str]:
        """The query parameters of this page's address."""
        return dict(self.request.query_params)

    def changed(self, **parts: object) -> str:
        """Return the address of this page with some parameters changed; None removes one."""
        return self.address(self.tab.path, **{**self.chosen, **parts})

    def tab_address(self, tab: Tab) -> str:
        """Return the address of a tab."""
        return self.address(tab.path)

    def feed_title(self, department: str, feed: str) -> str:
        """Return the title of a feed, or its id when the catalogue no longer has it."""
        known = self.catalog.departments.get(department)
        found = known.feeds.get(feed) if known else None
        return found.title if found else feed

    def page(self, template: str, **values: Any) -> Response:
        """Return the page."""
        state = self.request.app.state
        page_set: PageSet = state.page_set
        tabs: list[Tab] = state.tabs
        shared = {
            "access": self.access,
            "address": unmasked(self.address),
            "catalog": self.catalog,
            "changed": unmasked(self.changed),
            "demo_roles": page_set.demo_roles,
            "department_name": self.catalog.department_name,
            "feed_title": self.feed_title,
            "is_for_demos": state.host.is_for_demos(),
            "role_name": page_set.role_name(self.access, self.catalog),
            "tab": self.tab,
            "tab_address": unmasked(self.tab_address),
            "tabs": [tab for tab in tabs if tab.right is None or tab.right.is_held(self.access)],
            "title": page_set.title,
            "token": form_token(self.request, self.access),
            "type_name": self.catalog.license_type_name,
        }
        return page(self.request, template, **{**shared, **values})
