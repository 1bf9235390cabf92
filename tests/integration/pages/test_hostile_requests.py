"""No request to any page, of any role, with any value, is answered 500 or shows a traceback."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.datastructures import QueryParams
from starlette.routing import Mount
from tests.support import clearance_pages, review_pages
from tests.support.clearance_facts import CASES, EVALUATIONS, Case, Store, at, day
from tests.support.review_pages import served

from zhengku.catalog import load_catalog
from zhengku.catalog.clearance_config import KINDS
from zhengku.clock import CITY_TIME_ZONE
from zhengku.review.daily import publish_nights
from zhengku.stock.collection_rate import publish_collection
from zhengku.stock.expiry import publish_expiry

pytestmark = pytest.mark.slow_except(
    "test_each_route_of_the_review_is_reached_and_withstands_some_values",
    "test_each_route_of_the_daily_lists_is_reached_and_withstands_some_values",
    "test_no_header_ends_in_a_fault",
    "test_security_headers_are_on_every_answer",
)

HOSTILE = (
    *(b"9999-12-31", b"0001-01-01", b"2199-12-31", b"1900-01-01", b"0", b"-1", b"99999999", b"12345678901"),
    *(str(2**63).encode(), str(2**63 - 1).encode(), b"9" * 300, b"a\0b", b"\xff\xfe", b"\xed\xa0\x80", b"x" * 300),
)
SOME = (b"9999-12-31", str(2**63 - 1).encode(), b"a\0b", b"x" * 300)
EXPECTED = {200, 303, 400, 401, 403, 404, 405, 409, 429}
"""What a person may be answered; 503 would be an error of the database or of a file."""

FORM = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Walk:
    """The pages of one application as a login asks for them, and values with which they do what they are for."""

    client: TestClient
    root: str
    app: FastAPI
    who: str
    token: str
    ordinary: dict[str, str]
    of_route: dict[str, list[dict[str, str]]]

    @property
    def routes(self) -> list[tuple[str, APIRoute]]:
        return [(method, route) for route in self.app.routes if isinstance(route, APIRoute) for method in route.methods]

    def forms(self, path: str) -> list[dict[str, str]]:
        """The ordinary values of a route: of each kind of form one."""
        return [{**self.ordinary, **values} for values in self.of_route.get(path, [{}])]

    def send(self, method: str, route: APIRoute, names: list[str], values: dict[str, bytes]) -> Any:
        """Ask for a page: what its form has in the body, what its address has in the path and in the query."""
        fields = [field.alias for field in route.dependant.body_params]
        body = {name: values[name] for name in fields if name in values}
        query = {name: values[name] for name in names if name in values}
        parts = {name: quote_from_bytes(values[name], safe="") for name in route.param_convertors}
        path = route.path.format(**parts)
        if "token" in fields:
            body["token"] = self.token.encode()
        answer = self.client.request(
            method,
            f"{self.root}{path}?{_encoded(query)}",
            content=_encoded(body) if method == "POST" else None,
            headers={"who": self.who, **FORM},
        )
        assert "Traceback" not in answer.text
        return answer


def _encoded(values: dict[str, bytes]) -> str:
    return "&".join(f"{name}={quote_from_bytes(value)}" for name, value in values.items())


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of query parameters that the pages have asked for."""
    asked: set[str] = set()
    get = QueryParams.get

    def recorded(self: QueryParams, key: str, default: Any = None) -> Any:
        asked.add(key)
        return get(self, key, default)

    monkeypatch.setattr(QueryParams, "get", recorded)
    return asked


def walk(pages: Walk, read: set[str], hostile: tuple[bytes, ...], *, is_reached: bool) -> None:
    """Send each route its ordinary values, then with each hostile value in the place of one, and of all."""
    for method, route in pages.routes:
        for form in pages.forms(route.path):
            ordinary = {name: value.encode() for name, value in form.items()}
            read.clear()
            answer = pages.send(method, route, list(ordinary), ordinary)
            # So what follows meets the page itself, and not only the refusal of an unfinished request.
            if is_reached:
                assert answer.status_code in (200, 303), (method, route.path, form, answer.text[-600:])
            names = sorted({*read, *route.param_convertors})
            fields = [field.alias for field in route.dependant.body_params if field.alias != "token"]
            for value in hostile:
                everything = dict.fromkeys((*names, *fields), value)
                for sent in (*({**ordinary, name: value} for name in everything), everything):
                    answer = pages.send(method, route, names, sent)
                    assert answer.status_code in EXPECTED, (method, route.path, sent, answer.text[-600:])


def as_login(pages: Walk, who: str, page: str) -> Walk:
    """The same pages for a login, with the token of a form on a page of its own, if it sees one."""
    text = pages.client.get(f"{pages.root}/{page}", headers={"who": who}).text
    found = re.search(r'name="token" value="([^"]+)"', text)
    return replace(pages, who=who, token=found[1] if found else "x")


@pytest.fixture
def review(reviewed, make_row) -> Walk:
    """The review of a night with problem records, a return, held batches, lists, and an entry of the ledger."""
    reviewed.deliver_rows("a.csv", make_row(1), *(make_row(number, 企业名称="") for number in range(2, 5)))
    reviewed.run_one()
    wrong = [make_row(number, 企业名称="") for number in range(500, 800)]
    reviewed.deliver_rows("held.csv", *wrong, make_row(900), minutes_ago=3)
    held = reviewed.run_one()
    assert held.status == "held"
    now = datetime.now(tz=CITY_TIME_ZONE)
    made = reviewed.returns().make("market_supervision", "zhang", now, [1])
    assert made.files
    reviewed.rewrite(
        "update ledger.batch set recorded_at = recorded_at - interval '20 days',"
        " finished_at = finished_at - interval '20 days'"
    )
    publish_nights(reviewed.settings, now)
    catalog = load_catalog(reviewed.settings.catalog_folder)
    reviewed.query("update store.certificate set valid_to = %s", now.date())
    publish_collection(reviewed.settings, catalog, now.date())
    publish_expiry(reviewed.settings, catalog, now.date())
    [[entry]] = reviewed.query("select entry_no from review.ledger_entry limit 1")
    ordinary = {
        "department": "market_supervision",
        "feed": "business_license",
        "return": str(made.return_id),
        "file": made.files[0]["name"],
        "batch": str(held.batch_id),
        "dag": "market_supervision",
        "run": held.run_id,
        "name": "evidence",
        "problem": "3",
        "entry": entry,
        "reason": "核实",
    }
    kinds = ("return", "redrive", "mend", "release", "reject")
    of_route = {
        "/waive": [{"problem": "2"}],
        # What was waived can be closed.
        "/close": [{"problem": "2"}],
        "/ask": [{"kind": kind} for kind in kinds],
    }
    airflow = served(reviewed.settings)
    [outer] = [route for route in airflow.routes if isinstance(route, Mount)]
    [inner] = [route for route in outer.routes if isinstance(route, Mount)]
    return Walk(client_of(airflow), review_pages.ROOT, inner.app, "zhang", "", ordinary, of_route)


@pytest.fixture
def clearance(database_url: str, tmp_path) -> Iterator[Walk]:
    """The daily lists of a day, with a service that nobody has rated."""
    store = Store(database_url)
    store.load(Case("E1", at("03-02 10:00"), phone="13900000001"))
    for source in (CASES, EVALUATIONS):
        for read_at in ("03-02 16:40", "03-03 01:00"):
            store.batch(source, at(read_at))
    for kind in KINDS:
        store.clearance.publish(day("03-02"), kind, store.config.latest(day("03-02"), kind))
    store.clearance.refresh_rates()
    app = clearance_pages.clearance_pages(store, tmp_path / "reports")
    ordinary = {"day": "2026-03-02", "kind": "final", "version": "1", "record_key": "E1|1", "reason": "提醒群众评价"}
    yield Walk(client_of(clearance_pages.mounted(app)), clearance_pages.ROOT, app, "wang", "", ordinary, {})
    store.close()


def client_of(airflow: FastAPI) -> TestClient:
    return TestClient(airflow, follow_redirects=False, raise_server_exceptions=False)


def test_each_route_of_the_review_is_reached_and_withstands_some_values(review, read, caplog):
    walk(as_login(review, "zhang", "ledger"), read, SOME, is_reached=True)
    assert not [record for record in caplog.records if record.exc_info]


def test_each_route_of_the_daily_lists_is_reached_and_withstands_some_values(clearance, read, caplog):
    walk(as_login(clearance, "wang", ""), read, SOME, is_reached=True)
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("who", review_pages.ROLES)
def test_no_request_to_the_review_ends_in_a_fault(review, read, caplog, who):
    walk(as_login(review, who, "report"), read, HOSTILE, is_reached=who == "zhang")
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("who", clearance_pages.ROLES)
def test_no_request_to_the_daily_lists_ends_in_a_fault(clearance, read, caplog, who):
    walk(as_login(clearance, who, ""), read, HOSTILE, is_reached=who == "wang")
    assert not [record for record in caplog.records if record.exc_info]


def test_no_header_ends_in_a_fault(review, caplog):
    pages = as_login(review, "zhang", "ledger")
    for name, value in (("Origin", "http://["), ("Host", "["), ("Accept", ";;"), ("Cookie", "who=\x01")):
        form = {"token": pages.token, "problem": 1, "reason": "x"}
        answer = pages.client.post(f"{pages.root}/close", data=form, headers={"who": "zhang", name: value})
        assert answer.status_code in EXPECTED, name
    assert not [record for record in caplog.records if record.exc_info]


def test_security_headers_are_on_every_answer(reviewed):
    client = client_of(served(reviewed.settings))
    # What the framework itself answers passes no page of ours: only the middleware sets them there.
    for method, path in (("GET", "/requests/"), ("GET", "/"), ("GET", "/nothing")):
        answer = client.request(method, f"{review_pages.ROOT}{path}", headers={"who": "zhang"})
        assert answer.headers["cache-control"] == "no-store", path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
