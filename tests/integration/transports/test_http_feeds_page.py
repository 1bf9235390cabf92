"""The examples of docs/http-feeds.md, sent to a real server and compared line by line."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.support.http_interface import ROWS, Reply, Request, collect, envelope, serving

from zhengku import clock
from zhengku.clock import CITY_TIME_ZONE
from zhengku.settings import project_home

PAGE = project_home() / "docs" / "http-feeds.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```\n```http\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
DEFAULTS: dict[str, Any] = {
    "paging": {"kind": "number", "size": 2},
    "response": {"total": "data.total", "code": "code"},
}


def answer(request: Request) -> Reply:
    """Serve three rows, whatever the paging."""
    query = request.query
    if request.path.endswith("token"):
        return Reply(json.dumps({"code": 0, "data": {"token": "t0", "expiresIn": 7200}}).encode())
    if "since" in query and "page" not in query and "cursor" not in query and request.method == "GET":
        found = [each for each in ROWS[:3] if each["time"] >= query["since"]]
        return Reply(envelope(found[:2], total=len(found)))
    number = int(query.get("page", 1)) - 1 if "page" in query else int(query.get("pageNo", 0))
    first = int(query.get("cursor", number * 2))
    following = {"next": first + 2} if first + 2 < 3 else {}
    return Reply(envelope(ROWS[:3][first : first + 2], total=3, **following))


def as_written(request: Request, example: str) -> list[str]:
    """Return a request as the page writes it: what the example does not name is left out."""
    shown = [line.partition(":")[0] for line in example.splitlines() if ": " in line and " /base" not in line]
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    first = f"{request.method} {request.path}"
    if f"{first}?" in example:
        first = f"{first}?{query}"
    return [first, *(f"{name}: {request.headers[name.lower()]}" for name in shown if name.lower() in request.headers)]


@pytest.mark.parametrize(("transport", "example"), EXAMPLES)
def test_an_example_is_what_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str, example: str
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 1, 1, 8, tzinfo=CITY_TIME_ZONE))
    values = YAML(typ="safe").load(transport)
    with serving() as interface:
        interface.answer = answer
        collect(interface, tmp_path, **{**DEFAULTS, **values})
    sent = [line for request in interface.requests for line in as_written(request, example)]
    assert sent[: len(example.splitlines())] == example.splitlines()


def test_every_signature_and_paging_has_an_example() -> None:
    kinds = re.findall(r"kind: (\w+)", "".join(transport for transport, _ in EXAMPLES))
    assert set(kinds) == {"hmac_sha256", "md5", "token", "number", "cursor", "time"}
