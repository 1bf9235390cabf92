"""What a channel is told: a night's failures at once, each only once, urgent things at once, and that all is well."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from tests.support.review_pages import ROOT, served

from zhengku import clock
from zhengku.catalog.notices_config import NoticesConfig, load_notices
from zhengku.database import store_connection
from zhengku.watch import state
from zhengku.watch.finding import Finding, Link
from zhengku.watch.telling import telling


@pytest.fixture
def config(watched) -> NoticesConfig:
    return load_notices(watched.settings.catalog_folder).model_copy(update={"settle_minutes": 0})


@pytest.fixture
def see(watched):
    """What an observer sees now."""

    def look(*findings: Finding, observer: str = "airflow") -> None:
        with store_connection(watched.settings.database_url) as connection:
            state.record_look(connection, observer, findings)

    return look


@pytest.fixture
def tell(watched, config):
    """Tell what is due, and return the titles; `failing` channels do not take their message."""

    def now_tell(
        *channels: str, is_quiet: bool = True, failing: Sequence[str] = (), later: timedelta = timedelta(0)
    ) -> list[str]:
        with telling(watched.settings.database_url, config, lambda path: f"https://x/{path}") as found:
            assert found is not None
            messages = found.due(channels or ("robot",), clock.now() + later, is_quiet=is_quiet)
            for message in messages:
                found.record(message, "refused" if message.channel in failing else None)
        return [message.title for message in messages]

    return now_tell


def failed(department: str, state: str = "collect") -> Finding:
    return Finding("task_failed", department, f"{department}：失败", state)


LINKS = (Link("运行", "dags/x/runs/1"), Link("报告", "zhengku/review/run?dag=x"))
LATE = Finding("list_late", "2026-03-03/final", "终清单未发布")


def test_failures_of_a_night_make_one_message_when_it_is_quiet_and_none_again(see, tell):
    see(failed("a"))
    assert tell(is_quiet=False) == []
    see(failed("a"), failed("b"), failed("c"))
    assert tell(is_quiet=False) == []
    assert tell() == ["证库：需处理 3 项"]
    assert tell() == []
    # Another wording is nothing new; another set of failed tasks is.
    see(Finding("task_failed", "a", "a：又失败", "collect"), failed("b"), failed("c"))
    assert tell() == []
    see(failed("a", "collect load"), failed("b"), failed("c"))
    assert tell() == ["证库：需处理 3 项"]


def test_what_waits_too_long_is_told_though_the_night_is_not_quiet(see, tell, config):
    see(failed("a"))
    assert tell(is_quiet=False) == []
    assert tell(is_quiet=False, later=timedelta(minutes=config.longest_wait_minutes)) == ["证库：需处理 1 项"]


def test_urgent_things_are_told_at_once_with_all_that_is_known(see, tell):
    see(failed("a"))
    see(LATE, observer="late")
    assert tell(is_quiet=False) == ["证库：紧急 1 项，需处理 1 项"]
    assert tell() == []


def test_what_is_over_is_told_when_it_is_quiet_and_all_well_once(see, tell):
    see(failed("a"), failed("b"))
    assert tell() == ["证库：需处理 2 项"]
    see(failed("b"))
    assert tell(is_quiet=False) == []
    assert tell() == ["证库：需处理 1 项"]
    see()
    assert tell() == ["证库：已全部恢复正常"]
    assert tell() == []


def test_nobody_is_told_that_all_is_well_who_was_not_told_of_a_problem(see, tell):
    see(failed("a"))
    see()
    assert tell() == []


def test_what_comes_back_soon_was_never_over(see, tell, config, watched):
    see(failed("a"))
    assert tell() == ["证库：需处理 1 项"]
    see()
    patient = config.model_copy(update={"settle_minutes": 15})
    with telling(watched.settings.database_url, patient, str) as found:
        assert found.due(["robot"], clock.now(), is_quiet=True) == []
        # Whoever is told of something else meanwhile is told that this one may be over.
        see(LATE, observer="late")
        [message] = found.due(["robot"], clock.now(), is_quiet=True)
        assert "- a：失败（已恢复，观察中）" in message.lines
    see(observer="late")
    see(failed("a"))
    assert tell() == []


def test_each_channel_is_told_by_itself_and_one_that_refuses_is_told_again(see, tell):
    see(failed("a"))
    assert tell("mail", "robot", failing=["mail"]) == ["证库：需处理 1 项"] * 2
    # Only the mail was missing.
    assert tell("mail", "robot") == ["证库：需处理 1 项"]
    assert tell("mail", "robot") == []


def test_messages_are_kept_with_why_they_were_not_sent(see, tell, watched):
    see(failed("a"))
    tell("mail", "robot", failing=["mail"])
    kept = watched.query("select channel, title, failure from watch.message order by channel")
    assert kept == [("mail", "证库：需处理 1 项", "refused"), ("robot", "证库：需处理 1 项", None)]


def test_two_do_not_tell_the_same_at_once(see, watched, config):
    see(failed("a"))
    with telling(watched.settings.database_url, config, str) as first:
        assert first is not None
        with telling(watched.settings.database_url, config, str) as second:
            assert second is None
    with telling(watched.settings.database_url, config, str) as third:
        assert third is not None


def test_one_observer_does_not_end_what_another_sees(see, tell, watched):
    see(failed("a"))
    see(LATE, observer="late")
    assert tell() == ["证库：紧急 1 项，需处理 1 项"]
    see(observer="late")
    assert tell() == ["证库：需处理 1 项"]


def test_what_a_machine_saw_that_is_gone_is_over(see, tell, watched):
    see(Finding("disk", "worker-1:/data", "磁盘"), observer="machine:worker-1")
    see(failed("a"))
    assert tell() == ["证库：需处理 2 项"]
    with store_connection(watched.settings.database_url) as connection:
        state.forget_silent_observers(connection, "machine:", clock.now() - timedelta(days=1))
    assert tell() == []
    with store_connection(watched.settings.database_url) as connection:
        state.forget_silent_observers(connection, "machine:", clock.now() + timedelta(seconds=5))
    assert tell() == ["证库：需处理 1 项"]


def test_problem_that_becomes_urgent_is_told_at_once(see, tell):
    see(Finding("disk", "w:/data", "仅余 9%"))
    assert tell() == ["证库：需处理 1 项"]
    see(Finding("disk", "w:/data", "仅余 3%", urgency="urgent"))
    assert tell(is_quiet=False) == ["证库：紧急 1 项"]


def test_page_shows_what_is_out_of_order_and_what_was_sent(see, tell, watched):
    see(
        failed("虚构局"),
        Finding("calendar", "d", "工作日安排仅确知至年底"),
        Finding(
            "section_task", "x", "失败", links=(Link("运行", "dags/x/runs/1"), Link("报告", "zhengku/review/run?dag=x"))
        ),
    )
    tell("zhengku_smtp", "zhengku_webhook", failing=["zhengku_smtp"])
    client = TestClient(served(watched.settings))
    page = client.get(f"{ROOT}/notices", headers={"who": "zhang"})
    assert page.status_code == 200
    text = page.text
    assert text.index("紧急（1）") < text.index("需处理（1）") < text.index("提醒（1）")
    assert '<a href="../../dags/x/runs/1" target="_top">运行</a>' in text
    assert '<a href="../../zhengku/review/run?dag=x">报告</a>' in text
    assert '<a href="../../zhengku/review/runbook/notices#working-days-run-out">处理办法</a>' in text
    assert "未送达：refused" in text
    assert text.count("证库：紧急 1 项，需处理 1 项，提醒 1 项") == 2
    assert client.get(f"{ROOT}/notices", headers={"who": "wang"}).status_code == 403
