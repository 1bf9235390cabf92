"""Every route of the pages is behind the login, whoever added it, and the frame finds each topic."""

import doctest
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount

from zhengku.pages import frame, paging
from zhengku.pages.access import ACT, REVEAL, SEE_PROBLEMS, SEE_SUSPICIOUS, clearance_access_of, review_access_of
from zhengku.pages.applications import CLEARANCE, REVIEW, create_clearance_app, create_review_app
from zhengku.pages.frame import PageSet
from zhengku.pages.host import Host

TEMPLATES = Path(frame.__file__).parent / "templates"
ROLES = {"viewer": {"Viewer", "Op", "Section", "hall_", "hall_nowhere"}, "nobody": set()}


def host(access: Any) -> Host:
    async def current_user(request: Request) -> str:
        who = request.headers.get("who")
        if who is None:
            raise HTTPException(401, "Not authenticated")
        return who

    return Host(
        current_user=current_user,
        access=access,
        login_address=lambda back: f"https://zhengku.example/auth/login?next={back}",
        signing_key=lambda: "a key",
        is_for_demos=lambda: False,
    )


@pytest.fixture
def apps() -> dict[str, FastAPI]:
    districts = {"echeng": SimpleNamespace(name="鄂城区")}
    return {
        "/zhengku/clearance": create_clearance_app(
            host(lambda user: clearance_access_of(user, ROLES[user], districts))  # type: ignore[arg-type]
        ),
        "/zhengku/review": create_review_app(host(lambda user: review_access_of(user, ROLES[user]))),
    }


@pytest.fixture
def airflow(apps: dict[str, FastAPI]) -> FastAPI:
    """Both applications as they are mounted in Airflow."""
    airflow = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for path, app in apps.items():
        airflow.mount(path, app)
    return airflow


def routes(app: Any, below: str = "") -> Iterator[tuple[str, str]]:
    """Return (method, address) of every route, also of what is mounted; what cannot be listed as any other path."""
    for route in app.routes:
        yield from _route(route, below)


def _route(route: BaseRoute, below: str) -> Iterator[tuple[str, str]]:
    address = below + re.sub(r"{[^}]*}", "1", str(getattr(route, "path", "")))
    if isinstance(route, Mount):
        if route.routes:
            yield from routes(route, below + route.path)
        else:
            yield "GET", f"{address}/x"
    else:
        for method in sorted(getattr(route, "methods", None) or {"GET"}):
            yield method, address


def unguarded(app: FastAPI) -> list[tuple[str, str, str]]:
    """Return each route that answers who is not logged in, or has no role here, other than with the refusal."""
    client = TestClient(app, follow_redirects=False, raise_server_exceptions=False)
    open_routes = []
    for method, address in routes(app):
        without = client.request(method, address)
        as_page = client.request(method, address, headers={"Accept": "text/html"})
        led_on = as_page.headers.get("location") == f"https://zhengku.example/auth/login?next={address}"
        is_led = as_page.status_code == 303 and led_on if method == "GET" else as_page.status_code == 401
        if without.status_code != 401 or not is_led:
            open_routes.append((method, address, "without a login"))
        for who in ROLES:
            answer = client.request(method, address, headers={"who": who})
            refused = answer.status_code == 403 and "您的账号没有查看" in answer.text and "返回首页" not in answer.text
            if not refused:
                open_routes.append((method, address, f"as {who}"))
    return open_routes


def test_no_route_answers_without_a_login_and_a_role(airflow):
    found = list(routes(airflow))
    assert len(found) == len(set(found)) == 11 + 30
    assert {method for method, _ in found} == {"GET", "POST"}
    assert unguarded(airflow) == []


def show_something(request: Request) -> Response:
    return PlainTextResponse("something")


def test_route_without_the_frames_login_is_found(airflow, apps):
    review = apps["/zhengku/review"]
    # As somebody may write it: past the application's routers, where no dependency is looked for.
    review.add_route("/open", show_something, methods=["GET", "POST"])
    review.mount("/files", PlainTextResponse("a file"))
    inner = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    inner.add_api_route("/{number}/deep", show_something, response_model=None)
    apps["/zhengku/clearance"].mount("/inner", inner)
    everybody = ("without a login", "as viewer", "as nobody")
    assert set(unguarded(airflow)) == {
        *(("GET", "/zhengku/review/open", who) for who in everybody),
        *(("HEAD", "/zhengku/review/open", who) for who in everybody),
        *(("POST", "/zhengku/review/open", who) for who in everybody),
        *(("GET", "/zhengku/review/files/x", who) for who in everybody),
        *(("GET", "/zhengku/clearance/inner/1/deep", who) for who in everybody),
    }


def test_route_of_a_topic_is_behind_the_login_without_doing_anything(apps, airflow):
    router = APIRouter()
    router.add_api_route("/new", show_something, methods=["GET", "POST"], response_model=None)
    apps["/zhengku/review"].include_router(router)
    assert ("POST", "/zhengku/review/new") in set(routes(airflow))
    assert unguarded(airflow) == []


CLEARANCE_TABS = ("", "counts", "cleared", "left", "difference", "bad-reviews", "rates", "suspicious")
REVIEW_TABS = (
    *("", "notices", "run", "report", "problems", "batches", "returns", "requests", "ledger"),
    *("reconciliation", "backfill", "collection", "expiry", "dictionary", "removals", "runbook"),
)


@pytest.mark.parametrize(("page_set", "paths"), [(CLEARANCE, CLEARANCE_TABS), (REVIEW, REVIEW_TABS)])
def test_tabs_stand_in_their_order_and_lead_to_a_page(page_set: PageSet, paths):
    assert tuple(tab.path for tab in page_set.tabs) == paths
    assert len({tab.place for tab in page_set.tabs}) == len(paths)
    pages = {route.path for topic in page_set.topics for route in topic.router.routes if "GET" in route.methods}
    assert {f"/{path}" for path in paths} <= pages


def test_topic_and_template_have_the_same_name():
    topics = [*CLEARANCE.topics, *REVIEW.topics]
    names = [topic.__name__.rpartition(".")[2] for topic in topics]
    assert len(names) == len(set(names)) == 10 + 17
    # A workbook is handed over as it is.
    assert [name for name in names if not (TEMPLATES / f"{name}.html.j2").is_file()] == ["download"]


def test_logins_hold_the_rights_of_their_roles():
    section = clearance_access_of("a", {"section"}, {})
    administrator = clearance_access_of("a", {"Admin"}, {})
    assert section is not None
    assert administrator is not None
    assert [right.is_held(section) for right in (SEE_SUSPICIOUS, REVEAL)] == [True, True]
    assert [right.is_held(administrator) for right in (SEE_SUSPICIOUS, REVEAL)] == [True, False]
    for role, held in (("data_section", [True, True]), ("Admin", [True, False]), ("section", [False, False])):
        access = review_access_of("a", {role})
        assert access is not None
        assert [right.is_held(access) for right in (SEE_PROBLEMS, ACT)] == held


@pytest.mark.parametrize("module", [frame, paging])
def test_examples_run(module):
    done = doctest.testmod(module)
    assert done.attempted > 0
    assert done.failed == 0
