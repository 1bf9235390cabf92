"""Which role sees what of the daily lists, and where the roles come from."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from local_stack.airflow import USERS
from local_stack.cluster import ROLES
from zhengku.catalog import load_catalog
from zhengku.pages.access import ClearanceAccess, clearance_access_of, hall_role
from zhengku.settings import project_home
from zhengku_airflow import roles

DISTRICTS = load_catalog(project_home() / "include" / "catalog").districts


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (set(), None),
        ({"Viewer", "Op", "User", "Public"}, None),
        ({"Section", "admin", "hall", "hall_", "hall_nowhere"}, None),
        ({"section"}, ClearanceAccess("li", None, may_see_suspicious=True, may_reveal=True)),
        ({"Admin"}, ClearanceAccess("li", None, may_see_suspicious=True, may_reveal=False)),
        ({"Admin", "section"}, ClearanceAccess("li", None, may_see_suspicious=True, may_reveal=True)),
        ({"hall_echeng"}, ClearanceAccess("li", frozenset({"echeng"}), may_see_suspicious=False, may_reveal=True)),
        ({"hall_ezhou"}, ClearanceAccess("li", frozenset({"ezhou"}), may_see_suspicious=False, may_reveal=True)),
        (
            {"hall_echeng", "hall_gedian", "Viewer"},
            ClearanceAccess("li", frozenset({"echeng", "gedian"}), may_see_suspicious=False, may_reveal=True),
        ),
    ],
)
def test_roles_say_what_may_be_seen(names, expected):
    assert clearance_access_of("li", names, DISTRICTS) == expected


def test_hall_covers_its_district_and_no_row_without_one():
    access = clearance_access_of("li", {"hall_echeng"}, DISTRICTS)
    assert access is not None
    assert [access.covers(district) for district in ("echeng", "huarong", "", None)] == [True, False, False, False]
    whole = clearance_access_of("li", {"section"}, DISTRICTS)
    assert whole is not None
    assert whole.covers(None)


def test_roles_that_are_imported_are_those_of_the_districts_and_may_do_nothing_but_reach_the_page(capsys):
    allowed = imported(capsys)
    assert allowed.keys() == {"section", "data_section", "operator", *(hall_role(district) for district in DISTRICTS)}
    for role in allowed.keys() - {"data_section", "operator"}:
        assert allowed[role] == {
            ("Website", "can_read"),
            ("Plugins", "can_read"),
            ("My Profile", "can_read"),
            ("My Profile", "can_edit"),
            ("My Password", "can_read"),
            ("My Password", "can_edit"),
        }


def test_big_data_section_may_also_answer_what_airflow_asks(capsys):
    allowed = imported(capsys)
    assert allowed["data_section"] - allowed["section"] == {
        ("HITL Detail", "can_read"),
        ("HITL Detail", "can_edit"),
        ("HITL Detail", "menu_access"),
        ("DAG Runs", "can_read"),
        ("Task Instances", "can_read"),
    }


def test_operator_may_run_dags_and_neither_answer_nor_delete_nor_write_what_tasks_pass_on(capsys):
    allowed = imported(capsys)["operator"]
    changes = {entry for entry in allowed if entry[1] not in ("can_read", "menu_access")}
    assert changes == {
        *((resource, "can_edit") for resource in ("DAGs", "DAG Runs", "Task Instances", "Backfills")),
        *((resource, "can_create") for resource in ("DAG Runs", "Task Instances", "Backfills")),
        *((resource, "can_edit") for resource in ("My Profile", "My Password")),
    }
    seen = ("DAGs", "DAG Runs", "Task Instances", "Task Logs", "XComs", "HITL Detail", "ImportError", "Pools", "Jobs")
    assert {(resource, "can_read") for resource in seen} <= allowed


def imported(capsys: pytest.CaptureFixture[str]) -> dict[str, set[tuple[str, str]]]:
    """Return what each role that is imported may do."""
    roles.main()
    allowed: dict[str, set[tuple[str, str]]] = {}
    for entry in json.loads(capsys.readouterr().out):
        actions = entry["action"].split(",")
        allowed.setdefault(entry["name"], set()).update((entry["resource"], action) for action in actions)
    return allowed


def test_logins_for_trying_out_have_roles_that_there_are(capsys):
    assert ROLES.keys() == USERS.keys()
    roles.main()
    there = {entry["name"] for entry in json.loads(capsys.readouterr().out)} | {"Admin", "Viewer"}
    assert set(ROLES.values()) <= there


@pytest.fixture
def access() -> Any:
    from zhengku_airflow import pages_host

    return pages_host


def simple_user(login: str, role: str | None) -> Any:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return SimpleAuthManagerUser(username=login, role=role)


@pytest.mark.parametrize(
    ("login", "role", "expected"),
    [
        ("anybody", "ADMIN", {"Admin"}),
        ("anybody", "admin", {"Admin"}),
        ("anybody", "OP", {"section"}),
        ("anybody", "VIEWER", set()),
        ("anybody", "USER", set()),
        ("anybody", None, set()),
        ("hall_echeng", "VIEWER", {"hall_echeng"}),
        ("data_section", "USER", {"data_section"}),
        ("data_section_2", "USER", set()),
        ("Admin", "VIEWER", set()),
        ("section", "VIEWER", set()),
    ],
)
def test_simple_logins_stand_for_roles(access, monkeypatch, login, role, expected):
    monkeypatch.setattr(access, "is_for_demos", lambda: True)
    assert access.role_names(simple_user(login, role)) == expected


def test_logins_of_fab_have_the_roles_that_they_were_given(access, monkeypatch):
    monkeypatch.setattr(access, "is_for_demos", lambda: False)
    user = SimpleNamespace(roles=[SimpleNamespace(name="hall_echeng"), SimpleNamespace(name="Viewer")])
    assert access.role_names(user) == {"hall_echeng", "Viewer"}
    # A name is no role, and neither is one of an unknown auth manager.
    assert access.role_names(simple_user("hall_echeng", "ADMIN")) == frozenset()
