"""The DAGs of the validation review as Airflow sees them, what their steps do, and what is asked of a person."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.airflow_tasks import call, skipped
from tests.support.notice_servers import Robot, serving
from tests.support.review_installation import ReviewedInstallation
from tests.support.seals import SEAL_LAG_SECONDS

from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.errors import ConfigurationError
from zhengku.review import decisions, requests
from zhengku.review.night import NightReports

HOME = Path(__file__).resolve().parents[2]
DAGS = ("validation_report", "review_requests", "held_batches")
PERSONAL = ("张某某", "虚构路")


@pytest.fixture
def reviewed(installation, monkeypatch: pytest.MonkeyPatch) -> ReviewedInstallation:
    """An installation that the tasks find in their environment; no connection is set up."""
    for name, value in installation.settings.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://zhengku.example")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("SMTP", "WEBHOOK"):
        monkeypatch.delenv(f"AIRFLOW_CONN_ZHENGKU_{name}", raising=False)
    return ReviewedInstallation(installation.settings, installation.drop)


# ---- as Airflow sees them


@pytest.mark.parametrize("dag_id", DAGS)
def test_dag_tells_what_it_does_and_who_is_called(dags, dag_id):
    dag = dags[dag_id]
    assert dag.dag_display_name.startswith("归集校验·")
    assert dag.tags == {"归集校验"}
    assert dag.max_active_runs == 1
    assert not dag.catchup
    for task in dag.tasks:
        assert f"**{task.task_id}**" in dag.doc_md
        assert task.owner == "big-data-section"
        assert task.retries == 2
        assert task.execution_timeout <= timedelta(hours=2)
    for file in re.findall(r"`((?:docs|include)/[^`]+)`", dag.doc_md):
        assert (HOME / file).is_file(), file


def test_hours_are_those_of_the_catalogue(dags):
    crons = {dag_id: (dags[dag_id].timetable.expression, str(dags[dag_id].timetable.timezone)) for dag_id in DAGS}
    assert crons == {
        "validation_report": ("10 7 * * *", "Asia/Shanghai"),
        "review_requests": ("*/5 * * * *", "Asia/Shanghai"),
        "held_batches": ("30 7 * * *", "Asia/Shanghai"),
    }


def test_steps_follow_each_other(dags):
    steps = {task.task_id: task.downstream_task_ids for dag_id in DAGS for task in dags[dag_id].tasks}
    assert steps == {
        "let_time_pass": {"publish", "finish_returns"},
        "finish_returns": set(),
        "publish": {"notify_by_mail", "notify_by_robot", "verify_evidence"},
        "verify_evidence": set(),
        "notify_by_mail": set(),
        "notify_by_robot": set(),
        "work": set(),
        "find": {"ask"},
        "ask": set(),
    }


def test_each_held_batch_is_asked_about_and_decided_by_itself(dags):
    dag = dags["held_batches"]
    # A task for each batch: a decision would otherwise wait for the answers about all other batches.
    assert dag.get_task("ask").is_mapped
    assert dag.access_control == {"data_section": {"DAGs": {"can_read", "can_edit"}}}
    asked = question(dags, 7)
    assert (asked.options, asked.defaults) == (["批次 7 放行入库", "批次 7 整批退回", "暂不处理"], ["暂不处理"])
    assert asked.response_timeout < timedelta(days=1)
    assert asked.execution_timeout == timedelta(hours=2)
    assert list(asked.serialized_params) == ["reason"]
    assert set(decisions.DECISION_NAMES.values()) == {"放行入库", "整批退回"}


# ---- the report of the night


class Try:
    """A try of a task, and the run that it belongs to."""

    def __init__(self, number: int, begin: datetime | None = None) -> None:
        self.context = {
            "ti": type("Instance", (), {"try_number": number}),
            "dag_run": type("Run", (), {"start_date": begin}),
        }


def today() -> str:
    return f"{datetime.now(tz=CITY_TIME_ZONE):%Y-%m-%d}"


def yesterday() -> str:
    return f"{datetime.now(tz=CITY_TIME_ZONE) - timedelta(days=1):%Y-%m-%d}"


def test_reports_that_a_run_published_are_told_of_and_those_that_were_out_are_not(dags, reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(1), make_row(2, 企业名称=""))
    reviewed.run_one()
    reviewed.rewrite("update ledger.batch set recorded_at = recorded_at - interval '1 day'")
    begin = datetime.now(tz=UTC) - timedelta(minutes=1)
    first = call(dags, "validation_report", "publish", **Try(1).context)
    assert first == [(yesterday(), 1), (today(), 1)]
    assert call(dags, "validation_report", "publish", **Try(1, begin).context) == []
    # The first try published them and died.
    assert call(dags, "validation_report", "publish", **Try(2, begin).context) == first
    assert list((reviewed.settings.report_folder / "nights").rglob("*.xlsx"))


def test_before_the_very_first_batch_there_is_nothing_to_report(dags, reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(1))
    reviewed.run_one()
    assert call(dags, "validation_report", "publish", **Try(1).context) == [(today(), 1)]


def test_evidence_that_was_changed_makes_the_run_red(dags, reviewed, make_row):
    from zhengku.audit import EvidenceChanged

    reviewed.deliver_rows("a.csv", make_row(1))
    batch = reviewed.run_one()
    time.sleep(SEAL_LAG_SECONDS)
    call(dags, "validation_report", "publish", **Try(1).context)
    call(dags, "validation_report", "verify_evidence")
    reviewed.rewrite("update ledger.batch set source_name = 'b.csv' where status = 'loaded'")
    with pytest.raises(EvidenceChanged, match=rf"seal 1: batch \({batch.batch_id}\) was changed"):
        call(dags, "validation_report", "verify_evidence")


def test_time_passes_before_the_report(dags, reviewed, monkeypatch):
    from zhengku.review import daily

    passed: list[Any] = []
    monkeypatch.setattr(daily, "apply_due_days", lambda settings, now: passed.append((settings.database_url, now)))
    call(dags, "validation_report", "let_time_pass")
    [(address, now)] = passed
    assert address == reviewed.settings.database_url
    assert now.tzinfo == CITY_TIME_ZONE


def test_message_has_the_figures_of_the_night_and_nothing_of_a_person(dags, reviewed, make_row):
    from zhengku_airflow.review_notices import report_notice

    reviewed.deliver_rows("a.csv", make_row(1), make_row(2, 企业名称=""))
    reviewed.run_one()
    reviewed.deliver_rows("b.csv", *(make_row(number, 企业名称="") for number in range(10, 310)))
    assert reviewed.run_one().status == "held"
    night = datetime.now(tz=CITY_TIME_ZONE).date()
    report = NightReports(reviewed.settings).publish(night)
    notice = report_notice([("2026-03-01", 2), (f"{night}", report.version)])
    assert notice.title == f"归集校验日报已发布：{night}（第1版）"
    assert notice.link == f"https://zhengku.example/zhengku/review/report?night={night}"
    assert notice.lines == (
        "取得 302 行：入库 1，未变 0，隔离 1，暂扣 300",
        "归集异常 1 项，共 1 项",
        "- 市市场监督管理局 营业执照登记簿：暂扣待审",
        "新出现的问题 0 类；待审批次 1 个；逾期未整改的问题数据 0 条",
        "另有更新：2026-03-01（第2版）",
    )
    assert "[查看报告](https://" in notice.markdown(4096)
    for word in PERSONAL:
        assert word not in notice.html()


def test_notices_are_sent_by_what_is_set_up_and_skipped_with_a_reason_else(dags, reviewed, monkeypatch):
    [name] = [(today(), NightReports(reviewed.settings).publish(datetime.now(tz=CITY_TIME_ZONE).date()).version)]
    with pytest.raises(skipped(), match="zhengku_smtp is not set up"):
        call(dags, "validation_report", "notify_by_mail", [name])
    robot = Robot()
    with serving(robot):
        connection = {
            "conn_type": "http",
            "host": f"http://127.0.0.1:{robot.server_port}/send",
            "password": "k",
            "extra": {"form": "wecom"},
        }
        monkeypatch.setenv("AIRFLOW_CONN_ZHENGKU_WEBHOOK", json.dumps(connection))
        call(dags, "validation_report", "notify_by_robot", [name])
        with pytest.raises(skipped(), match="published no report"):
            call(dags, "validation_report", "notify_by_robot", [])
    [(_, body)] = robot.taken
    assert body["markdown"]["content"].startswith(f"### 归集校验日报已发布：{today()}（第1版）")


# ---- what was asked for on the pages


def test_requests_are_done_and_where_none_waits_nothing_heavy_is_begun(dags, reviewed, make_row, monkeypatch):
    reviewed.deliver_rows("a.csv", make_row(1, 企业名称=""))
    reviewed.run_one()
    with store_connection(reviewed.settings.database_url) as connection:
        requests.enter_request(connection, "return", "market_supervision", "zhang", "核实")
    assert call(dags, "review_requests", "work") == 1
    assert reviewed.lives() == [("returned", None, 1)]
    monkeypatch.setattr(requests, "execute_requests", lambda pipeline: pytest.fail("nothing was asked for"))
    assert call(dags, "review_requests", "work") == 0


# ---- held batches


@pytest.fixture
def held(reviewed, make_row) -> ReviewedInstallation:
    """An installation whose only batch is held."""
    reviewed.deliver_rows(
        "a`b.csv", *(make_row(number, 企业名称="" if number % 3 else "某公司") for number in range(300))
    )
    assert reviewed.run_one().status == "held"
    return reviewed


def question(dags: Any, batch_id: int) -> Any:
    """Return the task that asks about a batch, as Airflow makes it from the number that `find` passes on."""
    return dags["held_batches"].get_task("ask").unmap({"batch_id": batch_id})


def answer(option: str, reason: str = "", login: str | None = "zhang") -> dict[str, Any]:
    """Return what Airflow makes of a person's answer, or of none (login None): `HITLDetail.as_resume_event_payload`."""
    from airflow.models.hitl import HITLDetail

    made = HITLDetail(
        chosen_options=[option],
        params_input={"reason": reason},
        responded_at=datetime.now(tz=UTC),
        responded_by={"id": "7", "name": login} if login else None,
    )
    return made.as_resume_event_payload(timedout=login is None)


def decided(dags: Any, given: dict[str, Any]) -> str:
    """Answer the question about batch 1, which does what was decided."""
    return question(dags, 1).execute_complete({}, given)


def asked(dags: Any, monkeypatch: pytest.MonkeyPatch, batch_id: int) -> dict[str, Any]:
    """Return what Airflow is given to show to a person about a batch."""
    from airflow.providers.standard.operators import hitl
    from airflow.sdk.exceptions import TaskAwaitingInput

    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **values: shown.append(values))
    with pytest.raises(TaskAwaitingInput):
        question(dags, batch_id).execute({"task_instance": SimpleNamespace(id="1")})
    [values] = shown
    return values


def test_question_tells_what_came_and_why_it_is_held_and_nothing_of_a_person(dags, held, monkeypatch):
    assert call(dags, "held_batches", "find") == [1]
    shown = asked(dags, monkeypatch, 1)
    assert shown["subject"] == "批次 1：市市场监督管理局 营业执照登记簿 暂扣待审"
    assert shown["options"] == ["批次 1 放行入库", "批次 1 整批退回", "暂不处理"]
    for line in (
        "- 文件或来源：`a'b.csv`",
        "- 行数：300",
        "- 暂扣原因：问题数据超过本批次的20%",
        "- 规则：`batch.quarantined_share.at_most_a_fifth`",
        "[待审批次](https://zhengku.example/zhengku/review/batches)",
    ):
        assert line in shown["body"]
    for word in PERSONAL:
        assert word not in shown["body"]


def test_batch_that_somebody_asked_to_release_is_not_asked_about(dags, held):
    with store_connection(held.settings.database_url) as connection:
        requests.enter_request(connection, "release", "market_supervision", "li", "核实", batch_id=1)
    assert call(dags, "held_batches", "find") == []


def test_answer_releases_the_batch_in_the_name_of_who_gave_it(dags, held):
    assert decided(dags, answer("批次 1 放行入库", " 已核实 ")) == "loaded"
    told = held.query("select decision, decided_by, reason from ledger.decision")
    assert told == [("released", "zhang", "已核实")]
    assert len(held.store()) == 100


def test_answer_rejects_the_batch_in_the_name_of_who_gave_it(dags, held):
    assert decided(dags, answer("批次 1 整批退回", "只导出了一部分")) == "rejected"
    assert held.query("select decision, decided_by from ledger.decision") == [("rejected", "zhang")]
    assert list(held.settings.return_folder.rglob("批次处理通知_1.txt"))


@pytest.mark.parametrize("login", ["zhang", None])
def test_batch_that_is_left_for_later_stays_held(dags, held, login):
    with pytest.raises(skipped(), match="left for later"):
        decided(dags, answer("暂不处理", login=login))
    assert held.query("select status from ledger.batch") == [("held",)]


def test_answer_about_another_batch_decides_nothing(dags, held):
    with pytest.raises(ConfigurationError, match="Expected an answer about batch 1, got '批次 2 放行入库'"):
        decided(dags, answer("批次 2 放行入库", "已核实"))
    assert held.query("select status from ledger.batch") == [("held",)]


@pytest.mark.parametrize("option", ["批次 1 放行入库", "批次 1 整批退回"])
def test_decision_without_a_reason_is_none_and_is_asked_for_again(dags, held, option):
    from zhengku_airflow.defaults import FINAL_ERRORS
    from zhengku_airflow.review_dag import ReasonMissing

    with pytest.raises(ReasonMissing) as caught:
        decided(dags, answer(option, "  "))
    assert FINAL_ERRORS.evaluate(caught.value, 1, 2).action.value == "default"
    assert held.query("select status from ledger.batch") == [("held",)]


def test_batch_that_was_decided_about_meanwhile_is_left_alone(dags, held):
    decisions.reject(held.settings, held.pipeline.catalog, 1, "li", "重复")
    with pytest.raises(skipped(), match="batch 1 was decided about elsewhere meanwhile: Batch 1 is rejected"):
        decided(dags, answer("批次 1 放行入库", "已核实"))
    with pytest.raises(skipped(), match="batch 1 is rejected: it was decided about already"):
        question(dags, 1).execute({})
    assert held.query("select decided_by from ledger.decision") == [("li",)]


def test_release_whose_task_died_is_finished_by_the_next_try_in_the_same_name(dags, held, monkeypatch):
    from zhengku.pipeline.pipeline import Pipeline

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "load", die)
        with pytest.raises(KeyboardInterrupt):
            decided(dags, answer("批次 1 放行入库", "已核实"))
    # The next try begins with the question, as each try does.
    with pytest.raises(skipped(), match="batch 1 is loaded: it was decided about already"):
        question(dags, 1).execute({})
    assert held.query("select decision, decided_by from ledger.decision") == [("released", "zhang")]
    assert held.query("select released_by, status from ledger.batch") == [("zhang", "loaded")]
    assert len(held.store()) == 100
    assert list(held.settings.return_folder.rglob("批次处理通知_1.txt"))
