"""The whole loop in a browser: see a problem, return it, see it corrected the next night, see it closed."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.support.browser import CHROMIUM, Browser, browsing
from tests.support.review_pages import ROOT, SECRETS, on_a_port, served

from zhengku.catalog import load_catalog
from zhengku.clock import CITY_TIME_ZONE
from zhengku.review import requests
from zhengku.review.daily import apply_due_days, publish_nights
from zhengku.stock.collection_rate import publish_collection
from zhengku.stock.expiry import publish_expiry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH: apt-get install chromium fonts-noto-cjk"),
]

PICTURES = Path("/tmp/zhengku-pages")
"""Where a person may look at what the browser saw."""


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with browsing(tmp_path / "browser") as browser:
        browser.size(1440, 900)
        yield browser


def seen(browser: Browser, name: str) -> str:
    """Keep a picture of a page, and return its text, of which nothing may name a person."""
    browser.picture(PICTURES / f"review-{name}.png", whole=True)
    text = browser.text()
    for secret in SECRETS:
        assert secret not in text, name
    return text


def fill(browser: Browser, field: str, text: str) -> None:
    browser.value(f"document.querySelector({json.dumps(field)}).value = {json.dumps(text)}")


def test_from_the_problem_to_the_write_off(reviewed, make_row, browser):
    now = datetime.now(tz=CITY_TIME_ZONE)
    wrong = make_row(2, 企业名称="", 法人代表="张三丰")
    reviewed.deliver_rows("a.csv", *map(make_row, range(10, 60)), wrong, make_row(3, 注册日期="2020-02-30"))
    reviewed.run_one()
    publish_nights(reviewed.settings, now)
    with on_a_port(served(reviewed.settings)) as address:
        browser.open(f"{address}/login?who=zhang")
        assert "营业执照" in seen(browser, "overview")
        browser.click(".tabs a[href$=report]")
        assert "缺少持证主体" in seen(browser, "report")

        # From the figure to its row, and from there to the department.
        browser.click("a[href*='certificate.holder.present']")
        assert len(browser.texts("td.number a")) == 1
        seen(browser, "problems")
        browser.click("td.number a")
        told = seen(browser, "problem")
        assert "必填" in told
        assert "待退回" in told
        fill(browser, "[name=reason]", "请补齐企业名称")
        browser.click("button[value=return]")
        assert "等待执行" in seen(browser, "requests")
        requests.execute_requests(reviewed.pipeline)
        browser.open(f"{address}{ROOT}/problem?problem=1")
        told = seen(browser, "returned")
        assert "已退回" in told
        assert "第 1 号退回单" in told
        browser.click("a[href*='return?return=1']")
        assert "放入部门目录" in seen(browser, "return")

        # The next night the department has fixed it.
        reviewed.deliver_rows("b.csv", make_row(2, 法人代表="张三丰"), minutes_ago=1)
        reviewed.run_one()
        browser.open(f"{address}{ROOT}/problem?problem=1")
        told = seen(browser, "corrected")
        assert "已更正" in told
        assert "更正后入库" in told
        # Days later it is written off by itself.
        apply_due_days(reviewed.settings, now + timedelta(days=7))
        browser.open(f"{address}{ROOT}/problem?problem=1")
        assert "已销号" in seen(browser, "closed")
        reviewed.query("update store.certificate set valid_to = now() + (row_no || ' days')::interval where row_no < 9")
        catalog = load_catalog(reviewed.settings.catalog_folder)
        publish_expiry(reviewed.settings, catalog, now.date())
        publish_collection(reviewed.settings, catalog, now.date())
        for path in ("batches", "returns", "ledger", "reconciliation", "backfill", "collection", "expiry"):
            browser.open(f"{address}{ROOT}/{path}")
            seen(browser, path)

        # All on a page at once.
        browser.open(f"{address}{ROOT}/problems")
        browser.click("[data-all=problem]", leads_on=False)
        assert browser.value("document.querySelectorAll('[name=problem]:checked').length") == 1
        fill(browser, "#chosen [name=reason]", "原件已毁")
        browser.click("#chosen button[formaction$=waive]")
        assert "已豁免" in seen(browser, "waived")

        # Nothing came from elsewhere, and nothing was refused.
        assert {url for url in browser.requests if not url.startswith((address, "data:", "blob:"))} == set()
        assert [line for line in browser.complaints if line.startswith(("error", "exception"))] == []

        # Who has no right to it is refused.
        browser.open(f"{address}/login?who=wang")
        assert "问题数据" not in browser.texts(".tabs a")
        browser.open(f"{address}{ROOT}/problems")
        assert "问题数据仅供大数据科查看" in browser.text()
        browser.open(f"{address}/login?who=li")
        assert "没有查看归集校验的角色" in browser.text()
