"""The page 日清清单: what it shows, and to whom. The login is a made-up one here; tests/end_to_end has the real one."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import openpyxl
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from tests.support.clearance_facts import CASES, EVALUATIONS, Case, Evaluation, Store, at, day
from tests.support.clearance_pages import ROOT, clearance_pages, mounted
from tests.support.temporary_database import temporary_database

from zhengku import clock
from zhengku.catalog.clearance_config import KINDS
from zhengku.clearance import list_versions
from zhengku.clearance.delivery import write_workbooks
from zhengku.clearance.list_versions import ListVersion
from zhengku.pages.applications import CLEARANCE
from zhengku.settings import Settings

GETS = [*(tab.path for tab in CLEARANCE.tabs), "reveal"]
BLANK = "\u3164\u2800\uffa0"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def phone(number: int) -> str:
    return f"1390000{number:04d}"


@pytest.fixture(scope="module")
def store(server_url: str, template_database: str) -> Iterator[Store]:
    """Two days of lists; 130 rows of 鄂城区, of which one was rated since, 2 of 华容区, one of nowhere."""
    with temporary_database(server_url, template_database) as url:
        made = Store(url)
        cases = [
            Case(f"E{number:04d}", at("03-02 10:00"), phone=phone(number), hall="甲大厅" if number % 2 else "乙大厅")
            for number in range(130)
        ]
        made.load(
            *cases,
            Case("H1", at("03-02 09:00"), district="huarong", handling_department="<b>部门</b>", applicant="赵某某"),
            Case("H2", at("03-02 09:30"), district="huarong", phone=None),
            Case("X1", at("03-02 09:30"), district=None, hall=None),
            Evaluation("D1", "E0001", at("03-02 11:00"), is_default="yes", evaluation_channel="system"),
            Evaluation("B1", "H9", at("03-02 11:00"), level="dissatisfied", reason="电话13812345678"),
            Case("H9", at("03-02 10:30"), district="huarong"),
        )
        for read in ("03-02 16:40", "03-03 01:00"):
            made.batch(CASES, at(read))
        made.batch(EVALUATIONS, at("03-02 16:40"))
        for kind in KINDS:
            made.clearance.publish(day("03-02"), kind, made.config.latest(day("03-02"), kind))
        # What came late: one was rated before the cut-off after all.
        made.load(Evaluation("L1", "E0002", at("03-02 12:00")), Evaluation("L2", "E0003", at("03-03 09:00")))
        for kind in KINDS:
            made.clearance.publish(day("03-03"), kind, made.config.latest(day("03-03"), kind))
        made.clearance.refresh_rates()
        yield made
        made.close()


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


@pytest.fixture
def app(store: Store, reports: Path) -> FastAPI:
    return clearance_pages(store, reports)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(mounted(app), follow_redirects=False)


def get(client: TestClient, who: str | None, path: str, status: int = 200, **headers: str) -> Any:
    answer = client.get(f"{ROOT}/{path}", headers={**({"who": who} if who else {}), **headers})
    assert answer.status_code == status, answer.text[-600:]
    return answer


def readable(page: str) -> str:
    """A page without its nonces and form tokens, which may hold any letters and digits."""
    return re.sub(r'nonce="[^"]*"|name="token" value="[^"]*"', "", page)


def numbers(text: str) -> list[str]:
    """The case numbers in the table of a page, in its order."""
    return re.findall(r'<td class="code">([EHX]\d+) <span', text)


def token(client: TestClient, who: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', get(client, who, "?day=2026-03-03").text)
    assert found
    return found[1]


def download(client: TestClient, who: str, query: str = "", status: int = 200) -> Any:
    """A workbook as a browser asks for it: by the form of the list."""
    form, headers = {"token": token(client, who)}, {"who": who, **SAME_ORIGIN}
    answer = client.post(f"{ROOT}/download{query}", data=form, headers=headers)
    assert answer.status_code == status, answer.text[-600:]
    return answer


def reveal(client: TestClient, who: str, record_key: str, **changes: Any) -> Any:
    form = {
        "token": token(client, who),
        "record_key": record_key,
        "reason": "提醒群众评价",
        "day": "2026-03-03",
        "kind": "final",
        "version": "1",
        **changes.pop("form", {}),
    }
    headers = {"who": who, "Accept": "application/json", **SAME_ORIGIN, **changes.pop("headers", {})}
    return client.post(f"{ROOT}/reveal", data=form, headers=headers)


def reveals(store: Store) -> list[tuple[Any, ...]]:
    return store.query(
        "select revealed_by, record_key, reason from clearance.reveal where refusal is null order by reveal_id"
    )


# ---- to whom


def test_no_route_is_without_the_login(app):
    from zhengku.pages.host import visitor

    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    # No static files, no description of the interface: nothing but these.
    assert len(routes) == len(app.routes)
    assert {(route.path, *route.methods) for route in routes} == {
        ("/", "GET"),
        *((f"/{path}", "GET") for path in GETS if path),
        ("/reveal", "POST"),
        ("/download", "POST"),
    }
    for route in routes:
        assert visitor in [dependency.call for dependency in route.dependant.dependencies], route.path


@pytest.mark.parametrize("path", GETS)
def test_who_is_not_logged_in_sees_nothing_and_is_led_to_the_login(client, path):
    answer = get(client, None, path, 401)
    assert "尚未登录" in answer.text
    assert "鄂城区" not in answer.text
    answer = get(client, None, f"{path}?day=2026-03-02", 303, Accept="text/html")
    assert answer.headers["location"] == (f"https://zhengku.example/auth/login?next={ROOT}/{path}?day=2026-03-02")
    # In a frame of Airflow's page the login of the whole page is what counts.
    get(client, None, path, 401, **{"Accept": "text/html", "Sec-Fetch-Dest": "iframe"})


def test_who_is_not_logged_in_gets_no_telephone_number(client, store):
    answer = client.post(f"{ROOT}/reveal", data={"record_key": "E0000|1"}, headers=SAME_ORIGIN)
    assert answer.status_code == 401
    assert reveals(store) == []


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("who", ["viewer", "stranger"])
def test_login_without_a_role_of_ours_sees_nothing(client, who, path):
    answer = get(client, who, path, 403)
    assert "没有查看日清清单的角色" in answer.text
    assert "返回首页" not in answer.text


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("district", ["huarong", "ezhou", "none"])
def test_hall_that_asks_for_another_district_is_refused_on_every_page(client, path, district):
    answer = get(client, "li", f"{path}?district={district}", 403)
    assert "没有权限" in answer.text
    assert not numbers(answer.text)


@pytest.mark.parametrize("path", GETS)
def test_hall_sees_nothing_of_other_districts_on_any_page(client, path):
    if path == "suspicious":
        get(client, "li", path, 403)
        return
    for query in ("?day=2026-03-02&kind=final", "?day=2026-03-02&version=2&kind=final", "?day=2026-03-03"):
        text = readable(get(client, "li", path + query).text)
        if not path:
            text += " ".join(cells(download(client, "li", query).content))
        for word in ("H1", "H2", "H9", "X1", "华容区", "部门</b>"):
            assert word not in text


def test_hall_of_two_districts_sees_both_and_may_choose(client):
    both = get(client, "two", "?day=2026-03-03").text
    assert "H1" not in both  # a hundred rows of 鄂城区 come first
    assert numbers(get(client, "two", "?day=2026-03-03&page=2").text)[-2:] == ["H1", "H2"]
    assert numbers(get(client, "two", "?day=2026-03-03&district=huarong").text) == ["H1", "H2"]
    get(client, "two", "?district=gedian", 403)


@pytest.mark.parametrize("who", ["wang", "root"])
def test_section_and_administrator_see_the_whole_city(client, who):
    text = get(client, who, "?day=2026-03-03&page=2").text
    assert numbers(text)[-3:] == ["H1", "H2", "X1"]
    assert numbers(get(client, who, "?day=2026-03-03&district=none").text) == ["X1"]
    get(client, who, "suspicious")
    assert "可疑评价" in text
    assert "可疑评价" not in get(client, "li", "").text


# ---- telephone numbers


def test_number_is_shown_after_it_was_recorded_who_wants_it_and_why(client, store):
    answer = reveal(client, "li", "E0007|1")
    assert answer.json() == {"phone": phone(7)}
    assert answer.headers["cache-control"] == "no-store"
    assert reveals(store)[-1] == ("li", "E0007|1", "提醒群众评价")
    answer = reveal(client, "wang", "H1|1", headers={"Accept": "text/html"})
    assert "13800001234" in answer.text
    assert reveals(store)[-1] == ("wang", "H1|1", "提醒群众评价")


def test_no_page_and_no_workbook_holds_a_whole_number_or_name(client):
    for path in GETS:
        for query in ("?day=2026-03-02&kind=final", "?day=2026-03-03"):
            text = readable(get(client, "wang", path + query).text)
            if not path:
                text += " ".join(cells(download(client, "wang", query).content))
            assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", text), path
            assert "张某某" not in text
            assert "赵某某" not in text


@pytest.mark.parametrize(
    ("who", "record_key", "status"),
    [
        ("li", "H1|1", 403),  # of another district
        ("li", "X1|1", 403),  # of none
        ("li", "nothing", 403),
        ("wang", "nothing", 404),
        ("wang", "H2|1", 404),  # has none
        ("wang", "E\x000", 400),
    ],
)
def test_number_of_a_row_that_is_not_theirs_stays_hidden(client, store, who, record_key, status):
    before = reveals(store)
    answer = reveal(client, who, record_key)
    assert answer.status_code == status
    assert "1380000" not in answer.text
    assert reveals(store) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"form": {"token": "-"}},
        {"form": {"token": "9999999999.abc"}},
        {"form": {"token": "x.y"}},
        {"headers": {"Sec-Fetch-Site": "cross-site"}},
        {"headers": {"Sec-Fetch-Site": "same-site"}},
        {"headers": {"Sec-Fetch-Site": "none"}},
    ],
)
def test_form_of_another_page_is_refused(client, store, changes):
    before = reveals(store)
    answer = reveal(client, "li", "E0007|1", **changes)
    assert answer.status_code == 403
    assert phone(7) not in answer.text
    assert reveals(store) == before


def test_browser_that_tells_no_more_than_its_origin_is_believed_by_that(client):
    form = {
        "token": token(client, "li"),
        "record_key": "E0007|1",
        "reason": "回访",
        "day": "2026-03-03",
        "kind": "final",
        "version": "1",
    }
    headers = {"who": "li", "Accept": "application/json"}
    for origin, status in (("https://testserver", 200), ("https://elsewhere.example", 403), ("null", 403)):
        answer = client.post(f"{ROOT}/reveal", data=form, headers={**headers, "Origin": origin})
        assert answer.status_code == status
    assert client.post(f"{ROOT}/reveal", data=form, headers=headers).status_code == 403


def test_token_of_one_login_is_none_of_another(client):
    answer = reveal(client, "li", "E0007|1", form={"token": token(client, "wang")})
    assert answer.status_code == 403


def test_token_is_refused_when_the_page_lay_open_too_long(client, monkeypatch):
    old = token(client, "li")
    later = clock.now() + timedelta(days=1)
    monkeypatch.setattr("zhengku.clock.now", lambda: later)
    answer = reveal(client, "li", "E0007|1", form={"token": old})
    assert (answer.status_code, answer.json()["detail"]) == (403, "页面打开已久，请刷新后重新操作。")


@pytest.mark.parametrize(
    "reason", ["", " ", "　 ", "x", "因" * 201, "\u200b\u200c\u200d", "a\u0301\u0302", "\u3164\u2800\uffa0"]
)
def test_number_is_not_shown_without_a_reason(client, store, reason):
    before = reveals(store)
    assert reveal(client, "li", "E0007|1", form={"reason": reason}).status_code == 400
    assert reveals(store) == before


def test_numbers_of_a_person_in_an_hour_are_limited_and_refused_tries_are_recorded(client, store, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    store.rewrite("update clearance.reveal set revealed_at = revealed_at - interval '2 hours'")
    limited = store.config.model_copy(update={"reveals_per_hour": 3})
    monkeypatch.setattr("zhengku.pages.clearance.reveal.load_clearance", lambda _: limited)
    keys = [f"E{number:04d}|1" for number in range(10, 16)]
    with ThreadPoolExecutor(6) as tries:
        statuses = sorted(answer.status_code for answer in tries.map(lambda key: reveal(client, "two", key), keys))
    assert statuses == [200] * 3 + [429] * 3
    assert "上限（3 个）" in reveal(client, "two", "E0020|1").json()["detail"]
    # Another person has a limit of their own.
    assert reveal(client, "li", "E0007|1").status_code == 200
    assert reveal(client, "li", "H1|1").status_code == 403
    assert reveal(client, "li", "E0007|1", form={"reason": "\u200b"}).status_code == 400
    refused = (
        "select revealed_by, refusal, count(*) from clearance.reveal"
        " where refusal is not null and revealed_at > now() - interval '1 minute' group by 1, 2"
    )
    found = {(by, cause): number for by, cause, number in store.query(refused)}
    assert found["two", "over_limit"] == 4
    assert {("li", "not_listed"), ("li", "no_reason")} <= set(found)


def test_administrator_needs_nobodys_number(client, store):
    before = reveals(store)
    text = get(client, "root", "?day=2026-03-03").text
    assert "查看号码" not in text
    form = {"record_key": "E0007|1", "reason": "看看", "day": "2026-03-03", "kind": "final", "version": "1"}
    for stolen in ("0.0", token(client, "wang"), token(client, "root")):
        answer = client.post(f"{ROOT}/reveal", data={**form, "token": stolen}, headers={"who": "root", **SAME_ORIGIN})
        assert answer.status_code == 403
    get(client, "root", "reveal?record_key=E0007|1", 403)
    assert reveals(store) == before


# ---- what is shown


def test_newest_list_is_shown_when_none_is_chosen_and_stale_sources_stand_out(client):
    text = get(client, "wang", "").text
    assert "2026年3月3日（星期二） 终清单" in text
    assert "截至 2026-03-03 24:00" in text
    assert "以下来源在截止时刻之后没有读取成功" in text
    assert "service_evaluation/evaluations" in text


def test_rows_are_paged_by_the_hundred(client):
    first = get(client, "wang", "?day=2026-03-02&kind=final&version=1")
    rows = numbers(first.text)
    assert len(rows) == 100
    assert "共 133 行，第 1–100 行" in first.text
    second = numbers(get(client, "wang", "?day=2026-03-02&kind=final&version=1&page=2").text)
    assert len(second) == 33
    assert not set(rows) & set(second)
    # Behind the last page is the last page.
    assert numbers(get(client, "wang", "?day=2026-03-02&kind=final&version=1&page=99").text) == second


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("section=default_rated", ["E0001"]),
        ("district=huarong", ["H1", "H2"]),
        ("department=%3Cb%3E%E9%83%A8%E9%97%A8%3C%2Fb%3E", ["H1"]),
        ("hall=none", ["X1"]),
        ("state=reopened", []),
        ("district=huarong&section=default_rated", []),
    ],
)
def test_rows_are_filtered(client, query, expected):
    assert numbers(get(client, "wang", f"?day=2026-03-03&kind=final&{query}").text) == expected


def test_states_and_sums_follow_the_filters(client):
    text = get(client, "wang", "?day=2026-03-03&kind=final&hall=%E7%94%B2%E5%A4%A7%E5%8E%85").text
    figures = dict(re.findall(r"<b>([\d,]+)</b><span>(\w+)", text))
    # Of 65 rows with odd numbers one was rated, and one rated by default.
    assert figures == {"63": "未评办件", "1": "默认评价", "0": "重现", "64": "结转"} | {"0": "重现"}


def test_text_from_outside_is_text(client):
    text = get(client, "wang", "?day=2026-03-03&district=huarong").text
    assert "<b>部门</b>" not in text
    assert "&lt;b&gt;部门&lt;/b&gt;" in text
    text = get(client, "wang", "?day=2026-03-03&department=%22%3E%3Cscript%3E").text
    assert "<script>" not in text


def test_counts_are_by_district_department_and_hall(client):
    text = unescape(get(client, "wang", "counts?day=2026-03-03").text)
    rows = re.findall(r'<th scope="row">(?:<a [^>]*>)?([^<]+|<b>部门</b>)(?:</a>)?</th>(.*?)</tr>', text)
    counted = {name: re.findall(r'"number">([\d,]+)<', cells) for name, cells in rows}
    assert counted["全市合计"] == ["130", "1", "0", "131", "0", "131"]
    assert counted["鄂城区"] == ["127", "1", "0", "128", "0", "128"]
    assert counted["华容区"] == ["2", "0", "0", "2", "0", "2"]
    hall = get(client, "li", "counts?day=2026-03-03").text
    assert "鄂城区合计" in hall
    assert "全市" not in hall


def test_what_was_rated_since_is_shown(client):
    text = get(client, "wang", "cleared?day=2026-03-02&kind=final&version=1").text
    assert numbers(text) == ["E0002", "E0003"]
    assert "<b>2</b> 件，占清单 133 件的 <b>1.50%</b>" in text
    assert numbers(get(client, "wang", "cleared?day=2026-03-02&kind=final&district=huarong").text) == []


def test_corrected_list_shows_its_difference_and_the_old_version_leads_to_the_new(client):
    text = get(client, "wang", "difference?day=2026-03-02&kind=final").text
    assert "第 2 版与第 1 版相比" in text
    assert numbers(text) == ["E0002"]
    old = get(client, "wang", "?day=2026-03-02&kind=final&version=1").text
    assert "本清单已有第 2 版" in old
    assert "没有上一版可比" in get(client, "wang", "difference?day=2026-03-03").text


def test_who_opened_an_earlier_version_is_told_what_changed_since(client):
    old, new = "?day=2026-03-02&kind=final&version=1", "?day=2026-03-02&kind=final"
    assert "上次打开的是" not in get(client, "two", new).text
    get(client, "li", old)
    for _ in range(2):
        text = get(client, "li", new).text
        assert "上次打开的是第 1 版" in text
        assert "此后新列入 <b>0</b> 件，移出 <b>1</b> 件，改列另一表 <b>0</b> 件" in text
        address = re.search(r'href="([^"]*difference[^"]*since=1[^"]*)"', text)
        assert address
        assert "第 2 版与第 1 版相比" in client.get(unescape(address[1]), headers={"who": "li"}).text
    # Who takes the workbook has opened it.
    download(client, "root", old)
    assert "上次打开的是第 1 版" in get(client, "root", new).text


def test_rows_that_left_are_shown_with_the_reason(client, store):
    text = get(client, "wang", "left?day=2026-03-03&kind=final").text
    # Both were on Monday's list as it was when Tuesday's first list came out.
    assert numbers(text) == ["E0002", "E0003"]
    assert "已评销号 <b>2</b> 件，撤销 <b>0</b> 件，归档 <b>0</b> 件" in text
    assert numbers(get(client, "wang", "left?day=2026-03-03&kind=final&district=huarong").text) == []
    assert "没有办件离开" in get(client, "wang", "left?day=2026-03-02").text


@pytest.mark.parametrize(("within", "expected"), [(59, 0), (60, 131)])
def test_rows_that_are_archived_soon_are_a_choice(client, monkeypatch, within, expected):
    # Finished the day before, they leave when they are more than 60 working days old.
    monkeypatch.setattr("zhengku.pages.choice.SOON_WORKING_DAYS", within)
    text = get(client, "wang", "?day=2026-03-03&archive=soon").text
    assert len(numbers(text)) == min(expected, 100)
    assert (f"共 {expected} 行" if expected else "没有符合条件的办件") in text
    assert '<option value="soon" selected>5 个工作日内</option>' in text


def test_bad_reviews_are_shown_masked_and_overdue_first(client):
    text = get(client, "wang", "bad-reviews?day=2026-03-03").text
    assert numbers(text) == ["H9"]
    assert "13812345678" not in text
    assert "电话138" in text
    assert numbers(get(client, "li", "bad-reviews?day=2026-03-03").text) == []


@pytest.mark.parametrize(
    ("by", "shown"),
    [
        ("city", '<th scope="row">全市</th>'),
        ("district", '<th scope="row">鄂城区</th>'),
        ("department", "鄂州市公安局"),
        ("item", "居住证申领"),
        ("day", '<th scope="row">2026-03-03</th>'),
        ("month", '<th scope="row">2026-03</th>'),
    ],
)
def test_rates_are_grouped_as_one_chooses(client, by, shown):
    text = get(client, "wang", f"rates?day=2026-03-03&days=7&by={by}").text
    table = text[text.index("<tbody>") : text.index("</tbody>")]
    assert shown in table
    assert f'<option value="{by}" selected>' in text
    get(client, "wang", "rates?by=window", 400)


def test_rates_come_with_definition_counts_and_course(client):
    text = get(client, "wang", "rates?day=2026-03-03&days=7").text
    for name in ("满意率（含默认）", "主动评价率", "日清率", "实名差评回访整改率"):
        assert f"<h3>{name}</h3>" in text
    assert "无差评" in text
    assert "目标 高于99.9%" in text
    assert re.search(r'<div class="value bad"><b>75\.00%</b><span class="soft">3 / 4', text)
    assert text.count('<svg class="trend"') >= 4
    own = get(client, "li", "rates?day=2026-03-03&days=7").text
    assert '<b>100.00%</b><span class="soft">3 / 3' in own


def test_suspicious_ratings_are_explained_by_the_numbers_of_the_catalogue(client):
    assert "办结后 10 秒内" in get(client, "wang", "suspicious?day=2026-03-03").text


@pytest.mark.parametrize(
    "query",
    [
        "day=yesterday",
        "day=2026-02-30",
        "kind=weekly",
        "version=0",
        "version=-1",
        "version=9999999999999",
        "page=x",
        "section=all",
        "state=old",
        "hall=" + "x" * 300,
        "hall=%00",
    ],
)
def test_address_that_cannot_be_read_is_told(client, query):
    assert "网址" in get(client, "wang", f"?{query}", 400).text


def test_unknown_places_are_not_found(client):
    get(client, "wang", "?district=wuhan", 404)
    get(client, "wang", "nothing", 404)
    get(client, "wang", "openapi.json", 404)
    get(client, "wang", "docs", 404)
    download(client, "wang", "?day=2020-01-01", 404)
    assert "没有已发布的清单" in get(client, "wang", "?day=2020-01-01").text


# ---- the workbook


def cells(content: bytes) -> list[str]:
    """Every text and number of a workbook."""
    book = openpyxl.load_workbook(BytesIO(content), read_only=True)
    return [f"{value}" for sheet in book for row in sheet.iter_rows(values_only=True) for value in row if value]


@pytest.mark.parametrize(
    ("who", "query", "name", "there", "not_there"),
    [
        ("wang", "", "全市", {"E0000", "H1", "X1"}, set()),
        ("wang", "&district=huarong", "华容区", {"H1"}, {"E0000", "X1"}),
        ("wang", "&district=none", "本市以外或未填区划", {"X1"}, {"E0000", "H1"}),
        ("li", "", "鄂城区", {"E0000"}, {"H1", "X1"}),
        ("two", "", "鄂城区、华容区", {"E0000", "H1"}, {"X1"}),
    ],
)
def test_workbook_has_the_rows_that_its_reader_may_see(client, who, query, name, there, not_there):
    answer = download(client, who, f"?day=2026-03-03&kind=final{query}")
    expected = f"日清清单_2026-03-03_终清单_第1版_{name}.xlsx"
    assert answer.headers["content-disposition"].endswith(f"filename*=utf-8''{quote(expected)}")
    assert answer.headers["cache-control"] == "no-store"
    found = set(cells(answer.content))
    assert there <= found
    assert not not_there & found


def test_workbook_that_was_written_already_is_handed_over(client, store, reports):
    from zhengku.database import store_connection

    with store_connection(store.settings.database_url) as connection:
        published: ListVersion | None = list_versions.published_version(connection, day("03-03"), "final")
        assert published is not None
        written = write_workbooks(connection, store.catalog, published, reports)
    assert [path.stem for path in written] == ["city", *store.catalog.districts]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    assert {path.parent.stat().st_mode & 0o777 for path in written} == {0o700}
    for who, query, file in (("wang", "", "city"), ("wang", "&district=huarong", "huarong"), ("li", "", "echeng")):
        answer = download(client, who, f"?day=2026-03-03&kind=final{query}")
        assert answer.content == (written[0].parent / f"{file}.xlsx").read_bytes()


def test_workbook_is_handed_over_by_a_form_alone_and_unchanged(client, store, reports, caplog):
    from zhengku.database import store_connection

    opened = "select count(*) from clearance.opened where login = 'two'"
    before = store.query(opened)
    for method in ("GET", "HEAD"):
        answer = client.request(method, f"{ROOT}/download?day=2026-03-02", headers={"who": "wang", **SAME_ORIGIN})
        assert answer.status_code == 405
    address, headers = f"{ROOT}/download?day=2026-03-02&kind=working", {"who": "two", **SAME_ORIGIN}
    assert client.post(address, data={"token": "0.0"}, headers=headers).status_code == 403
    assert client.post(address, headers=headers).status_code == 400
    assert store.query(opened) == before
    with store_connection(store.settings.database_url) as connection:
        published = list_versions.published_version(connection, day("03-02"), "working")
        assert published is not None
        city, *_ = write_workbooks(connection, store.catalog, published, reports)
    query = "?day=2026-03-02&kind=working"
    assert download(client, "wang", query).content == city.read_bytes()
    city.write_bytes(city.read_bytes() + b" ")
    assert "摘要" in download(client, "wang", query, 409).text
    assert [record.name for record in caplog.records if "city.xlsx" in record.getMessage()] != []


# ---- as a page


def test_nothing_is_loaded_from_anywhere_and_only_our_script_runs(client):
    for path in (*GETS, "nothing"):
        answer = client.get(f"{ROOT}/{path}", headers={"who": "wang"})
        policy = answer.headers["content-security-policy"]
        [nonce] = set(re.findall(r"'nonce-([^']+)'", policy))
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert set(re.findall(r"<(?:style|script)[^>]*>", answer.text)) == {
            f'<style nonce="{nonce}">',
            f'<script nonce="{nonce}">',
        }
        assert not re.search(r"(?:src|href)=\"(?!/airflow/zhengku/clearance/)", answer.text)
        assert not re.search(r"\s(?:style|on\w+)=", answer.text)


def test_links_stay_below_the_path_of_airflow_and_keep_what_was_chosen(client):
    text = unescape(get(client, "wang", "?day=2026-03-02&kind=final&district=echeng&page=2").text)
    assert f'href="{ROOT}/counts?day=2026-03-02&kind=final&district=echeng"' in text
    assert f'href="{ROOT}/?day=2026-03-02&kind=final&district=echeng"' in text
    assert f'action="{ROOT}/"' in text


def test_store_that_is_away_is_told_without_its_address(app, client, store):
    environment = {"ZHENGKU_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/nothing"}
    app.state.settings = lambda: Settings(home=store.settings.home, environment=environment)
    answer = get(client, "wang", "", 503)
    assert "暂时无法读取" in answer.text
    assert "127.0.0.1" not in answer.text


def test_page_before_the_first_list(app, client, server_url, template_database, store):
    old = token(client, "wang")
    with temporary_database(server_url, template_database) as url:
        app.state.settings = lambda: Settings(home=store.settings.home, environment={"ZHENGKU_DATABASE_URL": url})
        for path in GETS:
            if path != "reveal":
                get(client, "wang", path)
        assert "还没有发布过清单" in get(client, "wang", "").text
        answer = client.post(f"{ROOT}/download", data={"token": old}, headers={"who": "wang", **SAME_ORIGIN})
        assert answer.status_code == 404
