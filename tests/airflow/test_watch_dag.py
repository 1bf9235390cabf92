"""The DAG `watch` and the one notifier: what they look at, and what mail and robot get of it."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.calm_catalog import calm
from tests.support.installation import Installation, license_row
from tests.support.notice_servers import MailServer, Robot, serving

from zhengku import clock
from zhengku.catalog.notices_config import load_notices
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import DeliveryUnavailable, FeedsUnavailable, StoreUnavailable
from zhengku.settings import project_home
from zhengku.watch.state import FailedTask
from zhengku_airflow import airflow_state, look_and_tell, task_failures
from zhengku_airflow.airflow_state import DagState, find_in_airflow, is_quiet
from zhengku_airflow.notices import NoticeFailed
from zhengku_airflow.notifier import CityNotifier
from zhengku_airflow.section_dags import SECTION_DAGS

CONFIG = load_notices(project_home() / "include" / "catalog")
DEPARTMENTS = {"tobacco": "烟草专卖局", "health": "卫生健康委员会"}
TITLES = {**DEPARTMENTS, **SECTION_DAGS}


# ---- as Airflow sees it


def test_it_runs_every_five_minutes_and_every_task_of_ours_tells_of_its_failure(dags):
    dag = dags["watch"]
    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("*/5 * * * *", "Asia/Shanghai")
    assert "**look_and_tell**" in dag.doc_md
    assert dag.max_active_runs == 1
    # Somebody who starts a replay by hand looks at it himself.
    silent = {
        dag_id
        for dag_id, dag in dags.items()
        for task in dag.tasks
        if [one.occasion for one in callbacks(task.on_failure_callback)] != ["failure"]
    }
    assert silent == {"replay"}


def callbacks(given: Any) -> list[Any]:
    """Return callbacks as a list: a mapped task has them as they were given."""
    return given if isinstance(given, list) else [given] if given else []


def test_titles_of_the_section_are_those_of_its_dags_with_a_schedule(dags):
    departments = {path.stem for path in (project_home() / "include" / "catalog" / "departments").glob("*.yaml")}
    scheduled = {
        dag_id: dag.dag_display_name
        for dag_id, dag in dags.items()
        if dag_id not in departments and type(dag.timetable).__name__ != "NullTimetable"
    }
    assert scheduled == SECTION_DAGS


def test_report_that_is_late_has_its_deadline_and_a_held_batch_its_notifier(dags):
    [alert] = dags["validation_report"].deadline
    assert alert.interval == timedelta(minutes=CONFIG.late_after_minutes)
    assert alert.callback.path == "zhengku_airflow.notifier.CityNotifier"
    assert alert.callback.kwargs == {"occasion": "deadline"}
    [notifier] = dags["held_batches"].get_task("ask").partial_kwargs["notifiers"]
    assert notifier.occasion == "question"


# ---- what Airflow tells


def texts(*states: DagState, failed: tuple[FailedTask, ...] = (), now: datetime | None = None) -> dict[str, str]:
    found = find_in_airflow(states, TITLES, DEPARTMENTS, CONFIG, failed, now or clock.now())
    return {one.finding_key: one.text for one in found}


def failure(dag_id: str, task_id: str = "collect", map_index: int = 0, reason: str = "来源不可用") -> FailedTask:
    return FailedTask(dag_id, "run-1", task_id, map_index, f"{task_id} {map_index}", reason, clock.now())


def test_paused_and_missing_dags_are_one_finding_each():
    paused = [DagState(dag_id, is_paused=True) for dag_id in ("tobacco", "stock")]
    states = [*paused, DagState("health", is_missing=True)]
    assert texts(*states) == {
        "paused:dags": "2 个任务流已暂停，不会按时运行：烟草专卖局、存量·归集率与到期",
        "dag_missing:dags": "1 个任务流未加载（文件有误或已删除），不会运行：卫生健康委员会",
    }
    meant = CONFIG.model_copy(update={"may_be_paused": ("tobacco", "stock")})
    assert find_in_airflow(paused, TITLES, DEPARTMENTS, meant, (), clock.now()) == []


def test_dag_whose_hour_passed_without_a_run_is_told():
    now = clock.now()
    missed = now - timedelta(minutes=CONFIG.overdue_minutes + 1)
    assert list(texts(DagState("tobacco", next_run=missed), now=now)) == ["not_run:tobacco"]
    assert texts(DagState("tobacco", next_run=missed, is_active=True), now=now) == {}
    assert texts(DagState("tobacco", next_run=now - timedelta(minutes=5)), now=now) == {}


def test_failed_run_has_the_reasons_that_its_tasks_told_and_the_names_of_those_that_were_killed():
    state = DagState("tobacco", last_failed="run-1", failed_tasks=("collect_0", "load"))
    assert texts(state, failed=(failure("tobacco"),)) == {
        "task_failed:tobacco": "烟草专卖局：collect 0：来源不可用；load：进程中断，原因见日志"
    }
    # Of a DAG that runs without a logical date only its tasks tell.
    assert texts(DagState("daily_clearance"), failed=(failure("daily_clearance", "publish", -1),)) == {
        "section_task:daily_clearance": "日清清单·入库后发布：publish -1：来源不可用"
    }


def test_failed_look_is_not_told_by_the_next_one():
    assert texts(DagState("watch", last_failed="run-1", failed_tasks=("look_and_tell",))) == {}


def test_conclusion_is_left_out_where_another_task_says_why_it_is_red():
    state = DagState("tobacco", last_failed="run-1", failed_tasks=("collect_0", "conclude"))
    both = (failure("tobacco"), failure("tobacco", "conclude", -1, "有批次须人工处理"))
    assert list(texts(state, failed=both).values()) == ["烟草专卖局：collect 0：来源不可用"]
    alone = DagState("tobacco", last_failed="run-1", failed_tasks=("conclude",))
    assert list(texts(alone, failed=both[1:]).values()) == ["烟草专卖局：conclude -1：有批次须人工处理"]


def test_the_same_failure_of_the_next_night_is_no_news_and_another_is():
    def state_of(**changed: Any) -> str:
        dag = DagState(**{"dag_id": "tobacco", "last_failed": "run-1", "failed_tasks": ("load",), **changed})
        return find_in_airflow([dag], TITLES, DEPARTMENTS, CONFIG, (), clock.now())[0].state

    assert state_of() == state_of(last_failed="run-2")
    assert state_of() != state_of(failed_tasks=("conclude", "load"))


def test_night_is_quiet_when_no_department_runs_or_is_about_to():
    now = clock.now()

    def quiet(**changed: Any) -> bool:
        return is_quiet([DagState(**{"dag_id": "tobacco", **changed})], DEPARTMENTS, CONFIG, now)

    assert quiet()
    assert not quiet(is_active=True)
    assert not quiet(next_run=now + timedelta(minutes=CONFIG.quiet_minutes - 1))
    assert quiet(next_run=now + timedelta(minutes=CONFIG.quiet_minutes + 1))
    assert quiet(next_run=now + timedelta(minutes=1), is_paused=True)
    # The section's own DAGs run all day.
    assert quiet(dag_id="watch", is_active=True)


# ---- what mail and robot get


@pytest.fixture
def mail() -> Iterator[MailServer]:
    server = MailServer()
    with serving(server):
        yield server


@pytest.fixture
def robot() -> Iterator[Robot]:
    robot = Robot()
    with serving(robot):
        yield robot


@pytest.fixture
def watched(
    tmp_path: Path, installation: Installation, mail: MailServer, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    """An installation that tells by mail and robot; Airflow's own answers are `airflow_answers`."""
    folder = tmp_path / "catalog"
    shutil.copytree(project_home() / "include" / "catalog", folder)
    calm(folder)
    installation.settings.environment["ZHENGKU_CATALOG_DIR"] = str(folder)
    for name, value in installation.settings.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://zhengku.example")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW_CONN_ZHENGKU_SMTP", json.dumps(mail.connection))
    monkeypatch.setenv("AIRFLOW_CONN_ZHENGKU_WEBHOOK", json.dumps(robot.connection))
    variables: dict[str, str] = {}
    monkeypatch.setattr(
        look_and_tell,
        "Variable",
        SimpleNamespace(get=variables.get, set=variables.__setitem__, delete=lambda name: variables.pop(name)),
    )
    monkeypatch.setattr(look_and_tell.Variable, "get", lambda name, default=None: variables.get(name, default))
    airflow_answers(monkeypatch)
    return installation


def airflow_answers(monkeypatch: pytest.MonkeyPatch, **states: DagState) -> None:
    monkeypatch.setattr(airflow_state, "read_dag", lambda dag_id, now: states.get(dag_id, DagState(dag_id)))
    monkeypatch.setattr(airflow_state, "settle_runs", lambda connection, failed: list(failed))


def mails(mail: MailServer) -> list[str]:
    return [message.get_payload(0).get_payload(decode=True).decode() for _, message in mail.taken]


def sent(robot: Robot) -> list[str]:
    return [body["markdown"]["content"] for _, body in robot.taken]


def task(dag_id: str, task_id: str = "collect", map_index: int = 0, **more: Any) -> dict[str, Any]:
    instance = SimpleNamespace(
        dag_id=dag_id, run_id="run-1", task_id=task_id, map_index=map_index, rendered_map_index="企业库"
    )
    return {"ti": instance, "task": SimpleNamespace(task_display_name="采集"), **more}


def test_a_night_of_failures_is_one_message_by_each_channel_and_all_well_follows(watched, mail, robot, monkeypatch):
    error = FeedsUnavailable("expected an answer from 127.0.0.1:1, got a refusal; phone 13912345678")
    CityNotifier("failure").notify(task("tobacco", exception=error))
    CityNotifier("failure").notify(task("health", exception=ValueError("a row: 张某某")))
    assert (mails(mail), sent(robot)) == ([], [])
    CityNotifier("watch").notify({})
    [text] = sent(robot)
    assert text.startswith("### 证库：需处理 2 项")
    assert "采集 企业库：来源不可用（expected an answer from 127.0.0.1:1" in text
    assert "程序异常（ValueError）" in text
    assert "张某某" not in text
    assert "13912345678" not in text
    assert "[运行](http://zhengku.example/dags/tobacco/runs/run-1)" in text
    assert "[报告](http://zhengku.example/zhengku/review/run?dag=tobacco&run=run-1)" in text
    assert "runbook/department-dag-is-red#which-task-is-red" in text
    [html] = mails(mail)
    assert '<a href="http://zhengku.example/dags/tobacco/runs/run-1">运行</a>' in html
    CityNotifier("watch").notify({})
    assert len(sent(robot)) == 1

    for department in ("tobacco", "health"):
        task_failures.settle(task(department))
    CityNotifier("watch").notify({})
    assert [one.splitlines()[0] for one in sent(robot)] == ["### 证库：需处理 2 项", "### 证库：已全部恢复正常"]
    assert len(mails(mail)) == 2


def test_held_batch_is_told_once_though_the_question_asks_the_notifier_too(watched, robot):
    rows = (license_row(number, 企业名称="" if number % 3 else "某公司") for number in range(300))
    watched.deliver_rows("a.csv", *rows)
    batch = watched.run_one()
    assert batch.status == "held"
    CityNotifier("watch").notify({})
    CityNotifier("question")({"ti": None})
    [text] = sent(robot)
    assert f"批次 {batch.batch_id}（a.csv）" in text
    assert f"/zhengku/review/batches?batch={batch.batch_id}" in text


def test_channel_that_refuses_makes_the_watch_red_and_the_other_is_not_told_twice(watched, mail, robot):
    robot.answer = json.dumps({"errcode": 93000, "errmsg": "invalid webhook"})
    CityNotifier("failure").notify(task("tobacco", exception=DeliveryUnavailable("x")))
    with pytest.raises(NoticeFailed, match="93000"):
        CityNotifier("watch").notify({})
    assert len(mails(mail)) == 1
    robot.answer = json.dumps({"errcode": 0})
    CityNotifier("watch").notify({})
    assert (len(mails(mail)), len(sent(robot))) == (1, 2)


@pytest.fixture
def lists_are_due(watched) -> None:
    folder = Path(watched.settings.environment["ZHENGKU_CATALOG_DIR"])
    notices = (folder / "notices.yaml").read_text("utf-8").replace("daily_clearance_cutoff, ", "")
    (folder / "notices.yaml").write_text(notices, encoding="utf-8")


def deadline_passes() -> None:
    """What Airflow does when the deadline of the run for the working list of 5 January has passed."""
    moment = datetime(2026, 1, 5, 16, 50, tzinfo=CITY_TIME_ZONE)
    run = {"logical_date": moment.isoformat(), "run_after": moment.isoformat()}

    async def call() -> None:
        await CityNotifier(occasion="deadline", context={"dag_run": run})

    asyncio.run(call())


def test_deadline_tells_of_the_list_of_its_run_from_the_triggerer(watched, lists_are_due, mail, robot):
    mail.refuses = True
    with pytest.raises(NoticeFailed, match=r"zhengku_smtp: .*554"):
        deadline_passes()
    [text] = sent(robot)
    assert "2026-01-05 工作清单到规定时刻仍未发布" in text
    assert text.splitlines()[0].startswith("### 证库：紧急")
    mail.refuses = False
    deadline_passes()
    assert len(sent(robot)) == 1
    assert "2026-01-05 工作清单到规定时刻仍未发布" in mails(mail)[0]


def test_deadline_tells_that_nobody_knows_when_the_store_is_away(watched, lists_are_due, robot, monkeypatch):
    monkeypatch.setenv("ZHENGKU_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    deadline_passes()
    [text] = sent(robot)
    assert "证照库无法连接" in text
    assert "2026-01-05 16:50 应发布的清单或日报是否已发布不明" in text


def test_mistake_in_one_file_of_the_catalogue_is_told_and_stops_no_other_look(watched, lists_are_due, robot):
    folder = Path(watched.settings.environment["ZHENGKU_CATALOG_DIR"])
    text = (folder / "clearance.yaml").read_text("utf-8")
    (folder / "clearance.yaml").write_text(text.replace('"16:50"', '"25:50"'), encoding="utf-8")
    CityNotifier("failure").notify(task("tobacco", exception=DeliveryUnavailable("x")))
    CityNotifier("watch").notify({})
    [message] = sent(robot)
    assert "检查未能进行（1）" in message
    assert "清单与日报是否按时：配置有误" in message
    assert "clearance.yaml:" in message
    assert "部门任务失败（1）" in message


def test_store_that_is_away_is_told_once_and_when_it_is_back(watched, robot, monkeypatch):
    url = watched.settings.environment["ZHENGKU_DATABASE_URL"]
    monkeypatch.setenv("ZHENGKU_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    for _ in range(2):
        with pytest.raises(Exception, match=r"127\.0\.0\.1:1"):
            CityNotifier("watch").notify({})
    assert [one.splitlines()[0] for one in sent(robot)] == ["### 证库：紧急 1 项"]
    assert "证照库无法连接" in sent(robot)[0]
    monkeypatch.setenv("ZHENGKU_DATABASE_URL", url)
    CityNotifier("watch").notify({})
    assert "证照库已恢复连接" in sent(robot)[1]
    CityNotifier("watch").notify({})
    assert len(sent(robot)) == 2


def test_failure_that_cannot_be_recorded_is_logged_and_spoils_nothing(watched, monkeypatch, caplog):
    monkeypatch.setenv("ZHENGKU_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    # Airflow logs what a callback after a failure raises; one after a success raises nothing.
    with pytest.raises(StoreUnavailable):
        CityNotifier("failure")(task("tobacco", exception=DeliveryUnavailable("x")))
    task_failures.settle(task("tobacco"))
    assert "cannot be looked up" in caplog.text
