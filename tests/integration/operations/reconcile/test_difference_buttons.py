"""What a comparison found, fixed by the buttons of its problem record's page."""

import re
from datetime import timedelta
from html import unescape

import pytest
from fastapi.testclient import TestClient
from tests.support.reconciled_table import FIRST, Front, correct, filled, removal
from tests.support.review_pages import ROOT, served

from simulator.business_licenses import credit_code
from zhengku.review import requests

pytestmark = pytest.mark.slow_except("test_withdrawing_is_one_click")


def press(front: Front, who: str, button: str) -> int:
    """Open the only open problem record, press its button as a browser would, and return the answer's status."""
    [(problem,)] = front.installation.query("select problem_id from quarantine.problem_row where status = 'open'")
    client = TestClient(served(front.installation.settings), follow_redirects=False)
    page = client.get(f"{ROOT}/problem?problem={problem}", headers={"who": who})
    if page.status_code != 200:
        return page.status_code
    [form] = [form for form in re.findall(r"<form.*?</form>", page.text, re.DOTALL) if f">{button}</button>" in form]
    inputs = dict(re.findall(r'<input(?: type="hidden")? name="(\w+)"[^>]* value="([^"]*)"', form))
    [pressed] = re.findall(rf'name="kind" value="(\w+)">{button}<', form)
    [action] = re.findall(r'action="([^"]+)"', form)
    answer = client.post(
        action,
        data={**{name: unescape(value) for name, value in inputs.items()}, "kind": pressed},
        headers={"who": who, "Sec-Fetch-Site": "same-origin"},
    )
    return answer.status_code


def outcome(front: Front) -> str:
    [done] = requests.execute_requests(front.installation.pipeline)
    assert not done.failed
    return str(done.outcome)


def test_withdrawing_is_one_click(front: Front) -> None:
    codes = filled(front)
    correct(front, credit_code(60), 4)
    front.write("I", credit_code(902), FIRST + timedelta(days=25))
    front.run()
    front.compare()
    assert press(front, "viewer", "撤下") == 403
    assert press(front, "zhang", "撤下") == 303
    assert outcome(front) == "撤下来源已无的 1 条"
    assert removal(front, codes[3]) == [("disappeared",)]


def test_collecting_what_is_lacking_is_one_click(front: Front) -> None:
    codes = filled(front)
    front.lose(codes[5])
    front.compare()
    assert press(front, "zhang", "补采") == 303
    assert outcome(front).startswith("补采 1 批，入库 1 行")
    assert removal(front, codes[5]) == [(None,)]
