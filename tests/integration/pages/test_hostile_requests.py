"""No request to any page, of any role, with any value, is answered 500 or shows a traceback."""

import re
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from tests.support.review_pages import ROLES, ROOT, served

HOSTILE = (
    *(b"9999-12-31", b"0001-01-01", b"2199-12-31", b"1900-01-01", b"0", b"-1", b"99999999", b"12345678901"),
    *(str(2**63).encode(), str(2**63 - 1).encode(), b"9" * 300, b"a\0b", b"\xff\xfe", b"\xed\xa0\x80", b"x" * 300),
)
NAMES = (
    *("night", "page", "version", "problem", "return", "batch", "department", "feed", "rule", "status", "file", "form"),
    *("state", "until", "reason", "kind", "entry"),
)
EXPECTED = {200, 303, 400, 401, 403, 404, 405, 409}


def routes(app: Any) -> list[tuple[str, str]]:
    found = []
    for route in app.routes:
        if isinstance(route, APIRoute):
            found += [(method, route.path) for method in route.methods]
        elif hasattr(getattr(route, "app", None), "routes"):
            found += routes(route.app)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("who", ["zhang", "root", "wang", "li"])
def test_no_request_ends_in_a_fault(reviewed, caplog, who):
    app = served(reviewed.settings)
    client = TestClient(app, follow_redirects=False, raise_server_exceptions=False)
    assert who in ROLES
    page = client.get(f"{ROOT}/", headers={"who": who}).text
    token = (
        re.findall(r'name="token" value="([^"]+)"', client.get(f"{ROOT}/ledger", headers={"who": who}).text) or [""]
    )[0]
    assert "Traceback" not in page
    for method, path in routes(app):
        if path == "/login":
            continue
        for value in HOSTILE:
            text = "&".join(f"{name}={quote_from_bytes(value)}" for name in NAMES)
            headers = {"who": who, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
            # All at once, and each alone.
            for query in (text, *(text.split("&") if method == "GET" else ()), f"{text}&{text}"):
                body = f"token={token}&{query}" if method == "POST" else None
                answer = client.request(method, f"{ROOT}{path}?{query}", content=body, headers=headers)
                assert answer.status_code in EXPECTED, (method, path, query[:80])
                assert "Traceback" not in answer.text
    for name, value in (("Origin", "http://["), ("Host", "["), ("Accept", ";;"), ("Cookie", "who=\x01")):
        answer = client.post(
            f"{ROOT}/close", data={"token": token, "problem": 1, "reason": "x"}, headers={"who": who, name: value}
        )
        assert answer.status_code in EXPECTED, name
    assert not [record for record in caplog.records if record.exc_info]


def test_security_headers_are_on_every_answer(reviewed):
    client = TestClient(served(reviewed.settings), follow_redirects=False)
    # What the framework itself answers passes no page of ours: only the middleware sets them there.
    for method, path in (("GET", "/requests/"), ("GET", "/"), ("GET", "/nothing")):
        answer = client.request(method, f"{ROOT}{path}", headers={"who": "zhang"})
        assert answer.headers["cache-control"] == "no-store", path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
