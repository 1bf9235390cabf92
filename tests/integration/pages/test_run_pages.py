"""The pages of a run, of one batch, and of the runbooks: what Airflow's tabs and notices lead to."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from tests.support.review_pages import ROOT, SECRETS, served

from zhengku.pages.dag_pages import DEPARTMENT_RUNBOOK, ELSEWHERE
from zhengku.pages.runbooks import read_runbook, runbook_names
from zhengku.settings import Settings

DEPARTMENT = "market_supervision"
FOLDER = Settings(home=Settings.load().home, environment={}).runbook_folder


def get(client: TestClient, path: str, who: str = "zhang", status: int = 200) -> str:
    answer = client.get(f"{ROOT}/{path}", headers={"who": who})
    assert answer.status_code == status, answer.text[-600:]
    return answer.text


@pytest.fixture
def run(reviewed, make_row):
    """A run with a wrong row, and the pages over it."""
    reviewed.deliver_rows("a.csv", make_row(1), make_row(2, 企业名称="", 法人代表="张三丰"))
    batch = reviewed.run_one()
    return batch, TestClient(served(reviewed.settings), follow_redirects=False)


def test_page_of_a_run_is_its_report_within_role_and_masks(run, reviewed):
    batch, pages = run
    address = "run?" + urlencode({"dag": DEPARTMENT, "run": batch.run_id})
    whole, without_rows = get(pages, address), get(pages, address, "zhao")
    written = reviewed.pipeline.conclude(DEPARTMENT, batch.run_id, [batch.feed]).read_text("utf-8")
    row = re.compile(r'<table><thead><tr><th class="number">行号.*?</table>', re.DOTALL)
    assert row.findall(whole) == row.findall(written) != []
    assert not row.findall(without_rows)
    assert "隔离的行仅供大数据科查看" in without_rows
    for text in (whole, without_rows, written):
        assert f'id="batch-{batch.batch_id}"' in text
        assert not any(secret in text for secret in SECRETS)
    assert f'href="{ROOT}/runbook/{DEPARTMENT_RUNBOOK}"' in whole


def test_tab_of_a_department_lists_its_runs_and_an_unknown_run_says_so(run):
    batch, pages = run
    for address in ("run", f"run?dag={DEPARTMENT}"):
        shown = get(pages, address)
        [link] = set(re.findall(rf'href="({ROOT}/run\?dag=[^"#]+run=[^"#]+)"', shown))
        assert f'id="batch-{batch.batch_id}"' in get(pages, unescape(link).removeprefix(f"{ROOT}/"))
    assert "这次运行没有批次" in get(pages, f"run?dag={DEPARTMENT}&run=another")
    get(pages, f"run?dag={'x' * 300}", status=400)


def test_run_of_a_dag_that_is_no_department_leads_to_what_fits(run):
    batch, pages = run
    for dag_id, elsewhere in ELSEWHERE.items():
        shown, limited = (get(pages, f"run?dag={dag_id}&run=scheduled__x", who) for who in ("zhang", "wang"))
        assert elsewhere.text in shown
        for link in re.findall(rf'class="button[^"]*" href="{ROOT}/([^"]+)"', limited):
            if not link.startswith("../"):
                get(pages, link, "wang")
        assert all(f'class="button" href="{ROOT}/{tab}"' in shown for tab in elsewhere.tabs)
    # The batches of a replay, of whatever department.
    assert f'id="batch-{batch.batch_id}"' not in get(pages, f"run?dag=replay&run={batch.run_id}")
    assert f"#batch-{batch.batch_id}" in get(pages, f"run?dag=replay&run={batch.run_id}")
    assert "不是目录中的部门" in get(pages, "run?dag=nothing")
    assert "&lt;b&gt;" in get(pages, "run?dag=%3Cb%3E")


def test_page_of_one_batch(run, reviewed, make_row):
    loaded, pages = run
    shown = get(pages, f"batches?batch={loaded.batch_id}")
    assert "不需审批" in shown
    assert "暂扣待审" not in shown
    reviewed.deliver_rows("b.csv", *(make_row(number, 企业名称="") for number in range(10, 20)))
    held = reviewed.run_one()
    assert held.status == "held"
    shown = get(pages, f"batches?batch={held.batch_id}")
    assert "放行入库" in shown
    assert "近期整份退回" not in shown
    get(pages, "batches?batch=999", status=404)
    get(pages, "batches?batch=x", status=400)
    get(pages, f"batches?batch={held.batch_id}", "zhao", 403)


def test_every_runbook_is_a_page_whose_links_lead_somewhere(run):
    _, pages = run
    names = runbook_names(FOLDER)
    assert DEPARTMENT_RUNBOOK in names
    anchors = {name: read_runbook(FOLDER, name).anchors for name in names}
    index = get(pages, "runbook", "zhao")
    for name in names:
        assert f'href="{ROOT}/runbook/{name}"' in index
        shown = get(pages, f"runbook/{name}", "zhao")
        article = shown[shown.index("<article") :]
        for address in re.findall(r'href="([^"]+)"', article):
            other, _, anchor = address.partition("#")
            assert (other or name) in names, address
            assert not anchor or anchor in anchors[other or name], address
        for anchor in anchors[name]:
            assert f'id="{anchor}"' in article
    for dag_id, about in [(DEPARTMENT, DEPARTMENT_RUNBOOK), *((key, page.runbook) for key, page in ELSEWHERE.items())]:
        answer = pages.get(f"{ROOT}/runbook?dag={dag_id}", headers={"who": "zhao"})
        if about:
            name, _, anchor = about.partition("#")
            assert not anchor or anchor in anchors[name]
            assert answer.headers["location"] == f"{ROOT}/runbook/{about}"
        else:
            assert "全部处理手册" not in answer.text
            assert answer.status_code == 200
    for wrong in ("nothing", "..%2f..%2fREADME", "..%2Fsecurity"):
        get(pages, f"runbook/{wrong}", status=404)


def test_runbook_shows_html_and_foreign_links_as_text(tmp_path):
    (tmp_path / "a.md").write_text(
        "# A & *b*\n\n## One: (two)\n\n## One two\n\n<script>x</script> [l](javascript:x) [d](../deployment.md#pools) "
        "[k](b.md#one) [w](https://elsewhere.example/) [h](#a--b)\n",
        encoding="utf-8",
    )
    runbook = read_runbook(tmp_path, "a")
    assert runbook.title == "A & b"
    assert runbook.anchors == ("a--b", "one-two", "one-two-1")
    assert "<script" not in runbook.text
    assert re.findall(r'href="([^"]+)"', runbook.text) == ["b#one", "#a--b"]
    assert "d (deployment.md#pools)" in runbook.text
    assert runbook_names(tmp_path / "none") == []
