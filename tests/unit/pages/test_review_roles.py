"""Which role sees and does what of the review, and who may answer what Airflow asks about held batches."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from zhengku.pages.access import ReviewAccess, review_access_of
from zhengku.settings import project_home

ANSWER = "/api/v2/dags/held_batches/dagRuns/manual__1/taskInstances/ask/0/hitlDetails"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (set(), None),
        ({"Viewer", "Op", "User", "hall_echeng"}, None),
        ({"Data_Section", "data_section_2"}, None),
        ({"section"}, ReviewAccess("li", may_see_problems=False, may_act=False)),
        ({"Admin"}, ReviewAccess("li", may_see_problems=True, may_act=False)),
        ({"data_section"}, ReviewAccess("li", may_see_problems=True, may_act=True)),
        ({"data_section", "section", "Admin"}, ReviewAccess("li", may_see_problems=True, may_act=True)),
    ],
)
def test_roles_say_what_may_be_seen_and_done(names, expected):
    assert review_access_of("li", names) == expected


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Any:
    from zhengku_airflow import pages_host, review_pages

    monkeypatch.setattr(pages_host, "is_for_demos", lambda: False)
    return review_pages


def status(pages: Any, method: str, path: str) -> int:
    """Return the status with which a request is answered; Airflow itself would say 200."""
    sent: list[dict[str, Any]] = []

    async def airflow(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    asyncio.run(pages.HeldBatchAnswers(airflow)(scope, None, send))
    return int(sent[0]["status"])


def log_in(pages: Any, monkeypatch: pytest.MonkeyPatch, *roles: str) -> None:
    user = SimpleNamespace(roles=[SimpleNamespace(name=role) for role in roles], get_name=lambda: "li")

    async def current_user(request: Any) -> Any:
        return user

    monkeypatch.setattr(pages, "current_user", current_user)


@pytest.mark.parametrize(
    ("roles", "expected"),
    [(("data_section",), 200), (("Admin",), 403), (("Op",), 403), (("section", "User"), 403), ((), 403)],
)
def test_answers_about_held_batches_are_taken_of_the_big_data_section_alone(pages, monkeypatch, roles, expected):
    log_in(pages, monkeypatch, *roles)
    assert status(pages, "PATCH", ANSWER) == expected
    assert status(pages, "PATCH", f"{ANSWER}/") == expected
    assert status(pages, "PATCH", f"/below{ANSWER}") == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ANSWER), ("PATCH", ANSWER.replace("held_batches", "another")), ("PATCH", "/api/v2/dags/held_batches")],
)
def test_nothing_else_is_refused(pages, monkeypatch, method, path):
    log_in(pages, monkeypatch)
    assert status(pages, method, path) == 200


def test_who_is_not_logged_in_is_left_to_airflow(pages, monkeypatch):
    from fastapi import HTTPException

    async def nobody(request: Any) -> Any:
        raise HTTPException(401)

    monkeypatch.setattr(pages, "current_user", nobody)
    assert status(pages, "PATCH", ANSWER) == 200


def test_pages_have_entries_of_one_menu(monkeypatch):
    monkeypatch.syspath_prepend(str(project_home() / "plugins"))  # as Airflow does at start
    from zhengku_pages import ReviewPlugin

    entries = [view for view in ReviewPlugin.external_views if view["destination"] == "nav"]
    assert [(entry["name"], entry["href"], entry["category"]) for entry in entries] == [
        ("归集总览", "zhengku/review/", "归集校验"),
        ("验证报告", "zhengku/review/report", "归集校验"),
        ("问题数据", "zhengku/review/problems", "归集校验"),
    ]
    assert len({entry["url_route"] for entry in entries}) == 3
