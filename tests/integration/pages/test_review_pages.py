"""The pages of the review: what they show, to whom, and what they let be done."""

import re
from datetime import date, datetime
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from tests.support.review_pages import ROOT, SECRETS, served

from zhengku.catalog import load_catalog
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.operations.reconcile import Reconciliation
from zhengku.pages.applications import REVIEW
from zhengku.pipeline.pipeline import Pipeline
from zhengku.review import requests
from zhengku.review.daily import publish_nights
from zhengku.stock.collection_rate import publish_collection
from zhengku.stock.expiry import expiry_file, publish_expiry

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
OPEN_TO_ALL = ["", "report", "run", "runbook", "dictionary"]
PROBLEMS_ONLY = [
    *(tab.path for tab in REVIEW.tabs if tab.path not in OPEN_TO_ALL),
    "warned",
    "problem?problem=1",
    "return?return=1",
]
FILES = [
    "report/file?form=html",
    "report/file?form=xlsx",
    "ledger/file",
    "return/file?return=1&file=x",
    "expiry/file?department=x",
    "collection/file?department=x",
]
POSTS = {
    "waive": {"problem": 1, "reason": "核实"},
    "close": {"problem": 1, "reason": "核实"},
    "ask": {"kind": "return", "department": "market_supervision", "reason": "核实"},
    "notify": {"entry": "2026-0001"},
}
NO_BUSINESS = "12420700MA4X000069"


@pytest.fixture
def pages(reviewed, make_row):
    """A night with a right row and three wrong ones, its report, and the pages over it."""
    reviewed.deliver_rows(
        "a.csv",
        # A warning: no business.
        make_row(1, 统一社会信用代码=NO_BUSINESS),
        make_row(2, 企业名称="", 法人代表="张三丰"),
        make_row(3, 注册日期="2020-02-30"),
        "李四喜,420700199001010014",
    )
    reviewed.run_one()
    publish_nights(reviewed.settings, datetime.now(tz=CITY_TIME_ZONE))
    return TestClient(served(reviewed.settings), follow_redirects=False)


def get(client: TestClient, who: str | None, path: str, status: int = 200):
    answer = client.get(f"{ROOT}/{path}", headers={"who": who} if who else {})
    assert answer.status_code == status, answer.text[-600:]
    return answer


def post(client: TestClient, who: str, path: str, status: int = 303, token: str | None = None, **form: object):
    if token is None:
        found = re.search(r'name="token" value="([^"]+)"', get(client, "zhang", "problems").text)
        assert found
        token = found[1]
    headers = {"who": who, **SAME_ORIGIN}
    answer = client.post(f"{ROOT}/{path}", data={"token": token, **form}, headers=headers)
    assert answer.status_code == status, answer.text[-600:]
    return answer


def download(client: TestClient, who: str, path: str, status: int = 200):
    """A file as a browser asks for it: by a form of a page that this login sees."""
    found = re.search(r'name="token" value="([^"]+)"', get(client, who, "ledger").text)
    assert found
    answer = client.post(f"{ROOT}/{path}", data={"token": found[1]}, headers={"who": who, **SAME_ORIGIN})
    assert answer.status_code == status, answer.text[-600:]
    return answer


# ---- to whom


def test_no_route_is_without_the_login(reviewed):
    from zhengku.pages.host import visitor

    [mount] = [route for route in served(reviewed.settings).routes if route.path == "/airflow"]
    [inner] = [route for route in mount.app.routes if route.path == "/zhengku/review"]
    routes = [route for route in inner.app.routes if isinstance(route, APIRoute)]
    assert len(routes) == len(inner.app.routes) == 30
    for route in routes:
        assert visitor in [dependency.call for dependency in route.dependant.dependencies], route.path


def test_who_may_see_and_do_what(pages):
    for path in (*OPEN_TO_ALL, *PROBLEMS_ONLY):
        get(pages, None, path, 401)
        for who in ("li", "viewer"):
            assert "没有查看归集校验的角色" in get(pages, who, path, 403).text
    for path in OPEN_TO_ALL:
        for who in ("zhang", "root", "wang", "zhao"):
            get(pages, who, path)
    for path in PROBLEMS_ONLY:
        # There is no return yet.
        status = 404 if path.startswith("return?") else 200
        for who in ("zhang", "root"):
            get(pages, who, path, status)
        for who in ("wang", "zhao"):
            get(pages, who, path, 403)
    for path in FILES:
        assert pages.post(f"{ROOT}/{path}", headers=SAME_ORIGIN).status_code == 401
        for who in ("li", "viewer", "wang"):
            post(pages, who, path, 403)
        # Another login's form.
        post(pages, "root", path, 403)
    download(pages, "root", "return/file?return=1&file=x", 403)
    for path, form in POSTS.items():
        for who in ("root", "wang", "li"):
            post(pages, who, path, 403, **form)
        # A form of another login, or of none.
        for token in ("x", "9999999999.abc"):
            post(pages, "zhang", path, 403, token, **form)


def test_nothing_of_a_person_is_on_any_page(pages, reviewed):
    shown = [
        get(pages, "zhang", path)
        for path in (*OPEN_TO_ALL, "problems", "problem?problem=1", "problem?problem=3", "batches")
    ]
    for answer in (*shown, download(pages, "zhang", "report/file?form=html")):
        path, text = answer.url.path, answer.text
        for secret in SECRETS:
            assert secret not in text, (path, secret)


def test_pages_load_nothing_from_elsewhere(pages):
    for path in (*OPEN_TO_ALL, *PROBLEMS_ONLY[:-1]):
        answer = get(pages, "zhang", path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "http://" not in answer.text
        assert "https://" not in answer.text


# ---- what is seen


def test_overview_shows_the_one_type_that_is_good_and_those_without_a_feed(pages):
    text = get(pages, "zhang", "").text
    assert text.count('<article class="type ') == 52
    assert text.count('<article class="type missing"') == 51
    # A quarter of its rows is wrong.
    assert re.search(r'<article class="type poor"><h3><span class="soft">\d+</span> 营业执照</h3>', text)
    assert get(pages, "zhang", "?state=poor").text.count("<article") == 1
    get(pages, "zhang", "?state=nonsense", 400)


def test_who_asked_for_too_many_telephone_numbers_is_shown_to_those_who_review(pages, reviewed):
    assert "超过每小时上限" not in get(pages, "zhang", "").text
    reviewed.query(
        "insert into clearance.reveal (list_id, record_key, revealed_by, reason, refusal)"
        " select min(list_id), 'A|1', '<li>', '催评', 'over_limit' from clearance.list having min(list_id) is not null"
    )
    reviewed.query("alter table clearance.reveal drop constraint reveal_list_id_fkey")
    reviewed.query(
        "insert into clearance.reveal (list_id, record_key, revealed_by, reason, refusal)"
        " values (1, 'A|1', '<li>', '催评', 'over_limit')"
    )
    assert "&lt;li&gt;：1 次" in get(pages, "zhang", "").text
    assert "超过每小时上限" not in get(pages, "wang", "").text


def test_problems_of_a_feed_without_its_department_are_listed(pages):
    text = get(pages, "zhang", "problems?feed=business_license").text
    assert "全部数据办理" not in text
    assert "全部数据办理" in get(pages, "zhang", "problems?department=market_supervision&feed=business_license").text


def test_figures_of_the_report_lead_to_their_rows(pages):
    text = get(pages, "zhang", "report").text
    found = re.search(r'href="([^"]*problems\?[^"]*rule=certificate\.holder\.present[^"]*)"', text)
    assert found
    rows = get(pages, "zhang", found[1].replace("&amp;", "&").removeprefix(f"{ROOT}/")).text
    assert rows.count('name="problem"') == 1
    found = re.search(r'href="([^"]*warned\?[^"]*rule=[^"]*)"', text)
    assert found
    rows = get(pages, "zhang", found[1].replace("&amp;", "&").removeprefix(f"{ROOT}/")).text
    assert rows.count('<td class="code">') == 1
    # Who may not see them is led nowhere.
    assert "problems?" not in get(pages, "wang", "report").text
    assert get(pages, "zhang", "report?night=2001-01-01").text.count("没有这一夜的报告") == 1


PROBLEMS_BY_FILTER = {
    "": 3,
    "?department=market_supervision&feed=business_license": 3,
    "?department=housing": 0,
    "?rule=certificate.issue_date.parseable": 1,
    "?status=closed": 0,
    "?status=all": 3,
    "?status=overdue": 0,
    "?license_type=business_license": 3,
    "?night=2001-01-01": 0,
    "?return=7": 0,
    "?page=99": 3,
}


def test_problem_records_are_filtered(pages):
    found = {
        query: get(pages, "zhang", f"problems{query}").text.count('type="checkbox" name="problem"')
        for query in PROBLEMS_BY_FILTER
    }
    assert found == PROBLEMS_BY_FILTER


def test_address_that_cannot_be_read_is_told(pages):
    for path in ("problems?night=x", "problems?page=0", "problems?status=x", "report?version=-1", "problem?problem=x"):
        assert "无法识别" in get(pages, "zhang", path, 400).text, path


def test_problem_tells_what_is_expected_in_the_departments_words(pages):
    text = get(pages, "zhang", "problem?problem=2").text
    for word in ("注册日期", "2020-02-30", "颁发日期", "2020-05-01", "发现"):
        assert word in text
    get(pages, "zhang", "problem?problem=99", 404)


# ---- what is done


def test_from_the_return_to_the_write_off(pages, reviewed, make_row):
    answer = post(pages, "zhang", "ask", kind="return", reason="请更正", problem=[1, 2])
    assert answer.headers["location"] == f"{ROOT}/requests"
    assert "等待执行" in get(pages, "zhang", "requests").text
    assert len(requests.execute_requests(reviewed.pipeline)) == 1
    assert "第 1 号退回单：2 条" in get(pages, "zhang", "requests").text
    page = get(pages, "zhang", "return?return=1").text
    assert "放入部门目录" in page
    [file] = re.findall(r'action="[^"]*return/file\?([^"]*xlsx[^"]*)"', page)
    workbook = download(pages, "zhang", f"return/file?{file.replace('&amp;', '&')}")
    assert workbook.content[:2] == b"PK"
    assert workbook.headers["cache-control"] == "no-store"
    assert "经页面下载" in get(pages, "zhang", "return?return=1").text
    post(pages, "zhang", "waive", problem=3, reason="原件已毁", until="")
    reviewed.deliver_rows("b.csv", make_row(2), make_row(3, 注册日期="昨天"), minutes_ago=1)
    reviewed.run_one()
    assert "更正后入库" in get(pages, "zhang", "problem?problem=1").text
    assert "problem?problem=4" in get(pages, "zhang", "problem?problem=2").text
    post(pages, "zhang", "close", problem=[1, 3], reason="核实")
    assert reviewed.lives()[:3] == [("closed", "corrected", 1), ("closed", "replaced", 1), ("closed", "waived", 1)]
    assert reviewed.query("select distinct done_by from quarantine.problem_event where event = 'closed'") == [
        ("zhang",)
    ]


def test_chosen_of_several_feeds_are_redriven_feed_by_feed(pages, reviewed):
    post(pages, "zhang", "ask", kind="redrive", reason="规则已改", problem=[1, 2])
    with store_connection(reviewed.settings.database_url) as connection:
        [asked] = requests.list_requests(connection)
    assert (asked.kind, asked.feed, asked.problem_ids) == ("redrive", "business_license", [1, 2])


def test_held_batch_is_released_or_given_back(pages, reviewed, make_row):
    rows = [make_row(number, 企业名称="") for number in range(500, 800)]
    for name, minutes in (("held.csv", 3), ("held2.csv", 2)):
        reviewed.deliver_rows(name, *rows, make_row(minutes), minutes_ago=minutes)
    assert [batch.status for batch in reviewed.run()] == ["held", "held"]
    assert get(pages, "zhang", "batches").text.count("放行入库</button>") == 2
    assert "<button" not in get(pages, "root", "batches").text
    post(pages, "zhang", "ask", kind="reject", batch=2, reason="只导出了一部分")
    post(pages, "zhang", "ask", kind="release", batch=3, reason="已核对")
    text = get(pages, "zhang", "batches").text
    assert text.count("几分钟内办理") == 2
    assert "zhang 已于" in text
    outcomes = [done.outcome for done in requests.execute_requests(reviewed.pipeline)]
    assert sorted(outcomes) == ["批次 2 已整批退回", "批次 3 已放行：入库 1 行，隔离 300 行"]
    text = get(pages, "zhang", "batches").text
    assert "没有暂扣的批次" in text
    assert "只导出了一部分" in text
    # Both are decided.
    assert "未能办理" in post(pages, "zhang", "ask", 409, kind="reject", batch=2, reason="再一次").text
    post(pages, "zhang", "ask", 404, kind="release", batch=99, reason="没有")


REFUSED = [
    ("waive", 400, {"problem": 1, "reason": " "}),
    ("waive", 400, {"problem": 1, "reason": "x", "until": "2001-01-01"}),
    ("close", 400, {"problem": 1, "reason": ""}),
    ("ask", 400, {"kind": "return", "department": "nowhere", "reason": "x"}),
    ("ask", 400, {"kind": "redrive", "department": "market_supervision", "feed": "nowhere", "reason": "x"}),
    ("ask", 400, {"kind": "mend", "department": "market_supervision", "reason": "x"}),
    ("ask", 400, {"kind": "nonsense", "reason": "x"}),
    # What does not exist.
    ("notify", 404, {"entry": "2026-9999"}),
    ("waive", 404, {"problem": [1, 99], "reason": "核实"}),
    ("close", 404, {"problem": 99, "reason": "核实"}),
    ("close", 404, {"problem": 2**63 - 1, "reason": "核实"}),
    ("ask", 404, {"kind": "return", "problem": [1, 99], "reason": "核实"}),
    ("ask", 404, {"kind": "return", "department": "market_supervision", "problem": 99, "reason": "核实"}),
    ("ask", 404, {"kind": "mend", "problem": 99, "reason": "核实"}),
    ("ask", 404, {"kind": "release", "batch": 99, "reason": "核实"}),
    ("ask", 404, {"kind": "release", "reason": "核实"}),
    ("ask", 404, {"kind": "reject", "batch": 99, "reason": "核实"}),
    # What is there, in a state in which it cannot be done.
    ("close", 409, {"problem": [1, 2], "reason": "核实"}),
    ("ask", 409, {"kind": "release", "batch": 1, "reason": "核实"}),
    ("ask", 409, {"kind": "reject", "batch": 1, "reason": "核实"}),
]


def test_what_cannot_be_done_is_refused_and_changes_nothing(pages, reviewed):
    for path, status, form in REFUSED:
        text = post(pages, "zhang", path, status, **form).text
        assert re.search(r"<h1>(网址或表单有误|没有找到|未能办理)</h1>", text), (path, form)
        assert {life[0] for life in reviewed.lives()} == {"open"}, (path, form)
        assert reviewed.query("select count(*) from review.request") == [(0,)], (path, form)
        assert reviewed.query("select count(*) from quarantine.problem_event") == [(0,)], (path, form)


def hand_overs(reviewed) -> list[tuple[str, str]]:
    return reviewed.query(
        "select handed_over_by, item from quarantine.hand_over where channel = 'download' order by hand_over_id"
    )


@pytest.fixture
def returned(pages, reviewed):
    """A return of two records, and the address and path of its workbook."""
    made = reviewed.returns().make("market_supervision", "zhang", datetime.now(tz=CITY_TIME_ZONE), [1, 2])
    path = next(reviewed.settings.return_folder.rglob("*.xlsx"))
    return f"return/file?return={made.return_id}&file={quote(path.name)}", path


def test_file_is_handed_over_by_a_form_alone(pages, reviewed, returned):
    address, path = returned
    for each in (address, *FILES):
        for method in ("GET", "HEAD", "PUT", "OPTIONS"):
            answer = pages.request(method, f"{ROOT}/{each}", headers={"who": "zhang", **SAME_ORIGIN})
            assert answer.status_code == 405, (method, each)
        assert pages.post(f"{ROOT}/{each}", headers={"who": "zhang", **SAME_ORIGIN}).status_code == 400
        for token in ("x", "9999999999.abc"):
            post(pages, "zhang", each, 403, token)
    assert hand_overs(reviewed) == []
    assert download(pages, "zhang", address).content == path.read_bytes()
    assert hand_overs(reviewed) == [("zhang", path.name)]


@pytest.mark.parametrize("change", ["another byte", "longer", "another file", "no digest"])
def test_file_that_is_not_what_was_written_is_not_handed_over(pages, reviewed, returned, change, caplog):
    address, path = returned
    if change == "another byte":
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.write_bytes(content)
    elif change == "longer":
        path.write_bytes(path.read_bytes() + b"x")
    elif change == "another file":
        path.unlink()
        path.symlink_to("/etc/passwd")
    else:
        reviewed.query(
            "update quarantine.problem_return set files ="
            " (select jsonb_agg(each || jsonb_build_object('sha256', null)) from jsonb_array_elements(files) as each)"
        )
    assert "摘要" in download(pages, "zhang", address, 409).text
    assert hand_overs(reviewed) == []
    [record] = [one for one in caplog.records if one.levelname == "ERROR"]
    assert path.name in record.getMessage()


def test_report_that_is_not_what_was_published_is_not_handed_over(pages, reviewed):
    for form in ("html", "xlsx"):
        address = f"report/file?form={form}"
        [path] = [one for one in sorted(reviewed.settings.report_folder.rglob(f"nights/**/*.{form}"))][-1:]
        assert download(pages, "zhang", address).content == path.read_bytes()
        path.write_bytes(path.read_bytes() + b" ")
        assert "摘要" in download(pages, "zhang", address, 409).text
    # Written again, it is what was written.
    publish_nights(reviewed.settings, datetime.now(tz=CITY_TIME_ZONE))
    download(pages, "zhang", "report/file?form=html")
    reviewed.rewrite("delete from ledger.published_file")
    download(pages, "zhang", "report/file?form=html", 409)


def test_stock_list_that_is_not_what_was_written_is_not_handed_over(pages, reviewed):
    day = date(2026, 11, 24)
    publish_collection(reviewed.settings, load_catalog(reviewed.settings.catalog_folder), day)
    [path] = reviewed.settings.report_folder.rglob("collection/**/*.xlsx")
    path.write_bytes(b"PK")
    download(pages, "zhang", "collection/file?department=market_supervision", 409)


def test_ledger_is_shown_and_handed_over(pages, reviewed):
    assert "没有持续存在的问题" in get(pages, "zhang", "ledger").text
    reviewed.rewrite(
        "update ledger.batch set recorded_at = recorded_at - interval '20 days',"
        " finished_at = finished_at - interval '20 days'"
    )
    publish_nights(reviewed.settings, datetime.now(tz=CITY_TIME_ZONE))
    text = get(pages, "zhang", "ledger").text
    assert "数据未按时归集" in text
    [number] = re.findall(r'name="entry" value="([^"]+)"', text)
    post(pages, "zhang", "notify", entry=number)
    assert "通报" in get(pages, "zhang", "ledger").text
    assert download(pages, "root", "ledger/file").content[:2] == b"PK"


def test_the_newest_comparison_of_each_feed_is_shown(pages, reviewed):
    assert "还没有比对过" in get(pages, "zhang", "reconciliation").text
    Reconciliation(Pipeline(reviewed.settings)).compare("market_supervision", "business_license")
    shown = get(pages, "zhang", "reconciliation").text
    assert "无法比对" in shown
    assert "增量" in shown


def test_progress_of_the_backfill_is_shown_by_department_and_month(pages, reviewed):
    shown = get(pages, "zhang", "backfill").text
    assert "全量文件，不按月：营业执照登记簿" in shown
    assert "须处理的月份" not in shown
    reviewed.query(
        "insert into ledger.backfill_month (department, feed, month, state, run_id, detail, finished_at)"
        " values ('market_supervision', 'gone', '2019-03-01', 'failed', 'r', 'the source is <down>', now())"
    )
    shown = get(pages, "zhang", "backfill").text
    assert "the source is &lt;down&gt;" in shown
    assert "2019-03" in shown


def test_validity_of_the_stock_is_shown_with_the_departments_list(pages, reviewed, make_row):
    assert "还没有统计过" in get(pages, "zhang", "expiry").text
    download(pages, "zhang", "expiry/file?department=market_supervision", 404)
    reviewed.deliver_rows("stock.csv", *(make_row(number) for number in range(50, 53)))
    reviewed.run_one()
    reviewed.query("update store.certificate set valid_to = '2026-11-25' where holder like '%0051%'")
    catalog = load_catalog(reviewed.settings.catalog_folder)
    publish_expiry(reviewed.settings, catalog, date(2026, 11, 24))
    shown = get(pages, "zhang", "expiry").text
    assert "2026-11-24 在库证照的有效期" in shown
    assert '<th class="number">长期有效</th><th class="number">未填截止日期</th>' in shown
    # Of days that were counted before both were kept apart, neither number is made up.
    reviewed.query("update stock.expiry set untold = null, unknown = null")
    assert '<td class="number"></td><td class="number"></td>' in get(pages, "zhang", "expiry").text
    assert "营业执照" in shown
    answer = download(pages, "zhang", "expiry/file?department=market_supervision")
    assert answer.content[:2] == b"PK"
    assert quote("到期证照_市市场监督管理局_2026-11-24.xlsx") in answer.headers["content-disposition"]
    download(pages, "zhang", "expiry/file?department=..%2F..%2Fx", 404)
    # A list that is gone is not offered.
    expiry_file(reviewed.settings, catalog, "market_supervision", date(2026, 11, 24)).unlink()
    assert "expiry/file" not in get(pages, "zhang", "expiry").text


def test_what_was_removed_is_shown_by_day(pages, reviewed):
    assert "还没有清理过" in get(pages, "zhang", "removals").text
    reviewed.query(
        "insert into ledger.removal (kind, name, files, bytes, removed_rows, rule, removed_at) values"
        " ('landed', 'a', 1, 2097152, null, 'landed_days: 365', now()),"
        " ('landed', 'b', 1, 0, null, 'landed_days: 365', null),"
        " ('rows', 'ledger.rule_result', null, null, 1234, 'rule_result_days: 1095', now())"
    )
    shown = get(pages, "zhang", "removals").text
    assert '落地文件</td><td class="code">landed_days: 365</td><td class="number">2</td><td class="number">2.0' in shown
    assert '<td class="number">1,234</td><td class="number"></td>' in shown


def test_collection_rate_is_shown_with_the_departments_list(pages, reviewed):
    assert "还没有统计过" in get(pages, "zhang", "collection").text
    catalog = load_catalog(reviewed.settings.catalog_folder)
    publish_collection(reviewed.settings, catalog, date(2026, 11, 24))
    shown = get(pages, "zhang", "collection").text
    assert "2026-11-24 的归集率" in shown
    assert "问题数据" in shown
    assert "查看全市" in get(pages, "zhang", "collection?department=market_supervision").text
    answer = download(pages, "zhang", "collection/file?department=market_supervision")
    assert answer.content[:2] == b"PK"
    assert quote("待归集清单_市市场监督管理局_2026-11-24.xlsx") in answer.headers["content-disposition"]
    download(pages, "zhang", "collection/file?department=..%2F..%2Fx", 404)
