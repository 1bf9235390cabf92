"""The daily clearance in a real Airflow: logins with roles, Celery, the DAG by the clock, and the page in a browser."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
import psycopg
import pytest
from tests.support.browser import CHROMIUM, Browser, browsing
from tests.support.clearance_facts import Store
from tests.support.clearance_sample import fill
from tests.support.notice_servers import Robot, serving

from local_stack.airflow import AirflowApi
from local_stack.cluster import Cluster
from local_stack.stack import STORE_DATABASE
from zhengku.catalog.clearance_config import load_clearance
from zhengku.clock import CITY_TIME_ZONE
from zhengku.settings import project_home

pytestmark = [pytest.mark.slow, pytest.mark.whole_airflow]

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer", "worker-1")
DAG = "daily_clearance_cutoff"
RUN_SECONDS = 900.0
PAGE = "/zhengku/clearance/"
PICTURES = Path("/tmp/zhengku-pages")
"""Where a person may look at what the browser saw."""

needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on the PATH: apt-get install chromium fonts-noto-cjk"
)


@pytest.fixture(scope="module")
def robot() -> Iterator[Robot]:
    """A robot that takes every message."""
    robot = Robot()
    with serving(robot):
        yield robot


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, robot: Robot) -> Iterator[Cluster]:
    """The services of docker-compose.yml with one worker, and three weeks of cases with their lists."""
    begin = time.monotonic()
    cluster = Cluster(
        project_home(),
        tmp_path_factory.mktemp("cluster"),
        lambda line: print(f"{time.monotonic() - begin:5.0f} s  {line}"),
        own_redis=True,
    )
    connection = {
        "conn_type": "http",
        "host": f"http://127.0.0.1:{robot.server_port}/send",
        "password": "the-robots-key",
        "extra": {"form": "wecom"},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ZHENGKU_WEBHOOK", json.dumps(connection))
        try:
            cluster.up(COMPONENTS)
            config = load_clearance(project_home() / "include" / "catalog")
            store = Store(cluster.postgres.url(STORE_DATABASE), config)
            # The lists of yesterday and the day before are left to Airflow.
            fill(store, today() - timedelta(days=23), 21, 90)
            store.close()
            yield cluster
        finally:
            cluster.down()


def today():
    return datetime.now(tz=CITY_TIME_ZONE).date()


def query(cluster: Cluster, statement: str) -> list[tuple]:
    with psycopg.connect(cluster.postgres.url(STORE_DATABASE).replace("+psycopg", "")) as connection:
        return connection.execute(statement.encode()).fetchall()


def messages(robot: Robot, word: str) -> list[str]:
    """Return the messages to the robot whose title has a word."""
    texts = [body["markdown"]["content"] for _, body in robot.taken]
    return [text for text in texts if word in text.partition("\n")[0]]


def wait_for(what: Callable[[], object], seconds: float = RUN_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(1)


def run(api: AirflowApi, run_id: str, logical_date: datetime | None = None) -> str:
    api.trigger(DAG, run_id, logical_date)
    wait_for(lambda: api.run_state(DAG, run_id) in ("success", "failed"))
    return api.run_state(DAG, run_id)


def test_run_by_the_clock_publishes_what_is_due_writes_it_down_and_tells(cluster, robot):
    with cluster.api() as api:
        assert api.import_errors() == {}
        # Switched on, it runs for the hour that passed last.
        api.unpause(DAG)
        wait_for(api.active_runs)
        [(_, first)] = api.active_runs()
        wait_for(lambda: api.run_state(DAG, first) in ("success", "failed"))
        state = api.run_state(DAG, first)
        states = {task.task_id: task.state for task in api.task_states(DAG, first)}
    # No mail is set up.
    assert states == {
        "publish": "success",
        "rates": "success",
        "workbooks": "success",
        "notify_by_mail": "skipped",
        "notify_by_robot": "success",
    }
    assert state == "success"
    yesterday = today() - timedelta(days=1)
    assert (yesterday, "final", 1) in query(cluster, "select day, kind, version from clearance.list")
    folder = cluster.state / "reports" / "clearance" / f"{yesterday}" / "final-v1"
    files = sorted(folder.iterdir())
    assert [file.stem for file in files] == sorted(
        ["city", "ezhou", "liangzihu", "huarong", "echeng", "gedian", "linkong"]
    )
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    [message] = messages(robot, "已发布")
    assert "鄂城区：未评" in message
    assert f"{cluster.address}{PAGE}?day=" in message
    logs = [place for place in cluster.airflow.task_log_folder.rglob("*") if DAG in str(place) and place.is_file()]
    assert {place.stat().st_mode & 0o777 for place in logs} == {0o640}
    # Airflow makes some folders with the rights of any: the one above all is closed.
    assert cluster.airflow.task_log_folder.parent.stat().st_mode & 0o777 == 0o700


def test_second_run_finds_nothing_due_and_tells_nobody(cluster, robot):
    before = query(cluster, "select count(*) from clearance.list")
    with cluster.api() as api:
        assert run(api, "second") == "success"
        states = {task.task_id: task.state for task in api.task_states(DAG, "second")}
    assert states == {
        "publish": "success",
        "rates": "success",
        "workbooks": "skipped",
        "notify_by_mail": "skipped",
        "notify_by_robot": "skipped",
    }
    assert query(cluster, "select count(*) from clearance.list") == before
    assert len(messages(robot, "已发布")) == 1


def test_list_that_is_not_out_in_time_is_told_of(cluster, robot):
    # A moment whose list nobody published: the deadline of such a run has passed before it begins.
    moment = datetime.combine(today() - timedelta(days=60), datetime.min.time(), CITY_TIME_ZONE) + timedelta(hours=17)
    with cluster.api() as api:
        run(api, "late", moment)
    late = f"{moment:%Y-%m-%d} 工作清单到规定时刻仍未发布"
    wait_for(lambda: [text for text in messages(robot, "证库：紧急") if late in text])


# ---- in a browser


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with browsing(tmp_path / "browser") as browser:
        browser.size(1440, 900)
        yield browser


def log_in(browser: Browser, cluster: Cluster, login: str, path: str = PAGE) -> None:
    """Log in as a person does, sent from a page to Airflow's login and back."""
    browser.open(cluster.address + path)
    browser.wait("document.querySelector('[name=password]')")
    browser.value(f"document.querySelector('[name=username]').value = {json.dumps(login)}")
    browser.value(f"document.querySelector('[name=password]').value = {json.dumps(cluster.logins()[login])}")
    browser.click("[type=submit]")
    browser.wait(f"location.pathname === {json.dumps(path.partition('?')[0])} && document.readyState === 'complete'")
    # Airflow's own login page has a fault in a script of its own.
    browser.complaints.clear()


def nothing_came_from_outside(browser: Browser, cluster: Cluster) -> None:
    assert {url for url in browser.requests if not url.startswith((cluster.address, "data:", "blob:"))} == set()
    # A refused style or script would be told as an error, too.
    assert [line for line in browser.complaints if line.startswith(("error", "exception"))] == []


def choose(browser: Browser, name: str, value: str) -> None:
    """Choose in a field as a person does; the page asks anew by itself."""
    browser.go(
        f"(() => {{ const field = document.querySelector('[name={name}]'); field.value = {json.dumps(value)};"
        " field.dispatchEvent(new Event('change', { bubbles: true })); })()"
    )


@needs_browser
def test_section_opens_filters_pages_and_downloads(browser, cluster):
    log_in(browser, cluster, "section")
    yesterday = today() - timedelta(days=1)
    # Which list is the newest depends on the hour: after 16:30 it is the working list of today.
    browser.open(f"{cluster.address}{PAGE}?day={yesterday}&kind=final")
    browser.picture(PICTURES / "list.png")
    title = browser.text(".title")
    assert f"{yesterday.year}年{yesterday.month}月{yesterday.day}日" in title
    assert "终清单" in title
    rows = browser.texts("tbody tr")
    assert len(rows) == 100
    assert "数据不全" in browser.text("main")
    total = int(browser.text(".pages .soft").split()[1].replace(",", ""))

    browser.click("a[rel=next]")
    assert "第 101" in browser.text(".pages .soft")
    assert not set(browser.texts("td.code:nth-child(5)")) & {row.split("\t")[4] for row in rows}

    choose(browser, "district", "huarong")
    assert set(browser.texts("td.district")) == {"华容区"}
    assert "district=huarong" in browser.value("location.search")
    assert "page" not in browser.value("location.search")
    in_huarong = len(browser.texts("tbody tr"))
    choose(browser, "section", "default_rated")
    assert 0 < len(browser.texts("tbody tr")) < in_huarong

    browser.value("document.querySelector('button[form=download]').click()")
    file = browser.downloaded()
    assert file.name == f"日清清单_{yesterday}_终清单_第1版_华容区.xlsx"
    sheet = openpyxl.load_workbook(file, read_only=True)["未评办件"]
    assert {row[1] for row in sheet.iter_rows(min_row=2, values_only=True)} == {"华容区"}
    assert in_huarong < total
    nothing_came_from_outside(browser, cluster)


@needs_browser
def test_every_page_opens(browser, cluster):
    log_in(browser, cluster, "section")
    for path in ("counts", "cleared", "left", "difference", "bad-reviews", "rates", "suspicious?days=90"):
        browser.open(f"{cluster.address}{PAGE}{path}")
        assert browser.text("[aria-current=page]")
        browser.picture(PICTURES / f"{path.partition('?')[0]}.png")
    browser.open(f"{cluster.address}{PAGE}rates?day={today() - timedelta(days=1)}")
    assert browser.value("document.querySelectorAll('svg.trend').length") >= 5
    nothing_came_from_outside(browser, cluster)


@needs_browser
def test_hall_sees_its_district_and_one_number_after_it_said_why(browser, cluster):
    log_in(browser, cluster, "hall_echeng")
    assert set(browser.texts("td.district")) == {"鄂城区"}
    assert "可疑评价" not in browser.text(".tabs")
    # Nobody of the hall is asked to choose what he may not see.
    assert browser.texts("[name=district] option") == ["鄂城区"]

    browser.click("a[data-key]", leads_on=False)
    key = browser.value("document.querySelector('dialog [name=record_key]').value")
    browser.value("document.querySelector('dialog textarea').value = '电话提醒群众评价'")
    browser.picture(PICTURES / "reveal.png")
    browser.click("dialog [type=submit]", leads_on=False)
    phone = browser.wait("document.querySelector('dialog output.shown')?.textContent")
    browser.picture(PICTURES / "revealed.png")
    assert phone.startswith("139")
    assert phone.isdigit()
    [revealed] = query(cluster, "select revealed_by, record_key, reason from clearance.reveal")
    assert revealed == ("hall_echeng", key, "电话提醒群众评价")
    browser.value("document.querySelector('dialog .after [data-close]').click()")
    assert phone not in browser.text()
    nothing_came_from_outside(browser, cluster)

    browser.open(f"{cluster.address}{PAGE}?district=huarong")
    assert "没有权限" in browser.text()
    browser.picture(PICTURES / "forbidden.png")


@needs_browser
def test_page_shows_inside_airflow_behind_its_menu(browser, cluster):
    log_in(browser, cluster, "section", "/plugin/clearance")
    frame = "document.querySelector('iframe')?.contentDocument"
    browser.wait(f"{frame}?.querySelectorAll('tbody tr').length === 100", 60)
    assert "日清清单" in browser.text()
    time.sleep(1)
    browser.picture(PICTURES / "inside.png")
    browser.value(f"{frame}.querySelector('a[rel=next]').click()")
    browser.wait(f"{frame}?.querySelector('.pages .soft')?.textContent.includes('第 101')")
    # The address of the whole page follows, so that it can be passed on.
    browser.wait("location.href.includes('page=2')")


@needs_browser
def test_login_without_a_role_of_ours_is_told_so(browser, cluster):
    log_in(browser, cluster, "viewer")
    assert "没有查看日清清单的角色" in browser.text()
