"""Telling people that a list is out: against a mail server and a robot of our own on this machine."""

import base64
import email
import email.header
import hashlib
import hmac
import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.clearance_facts import CASES, Case, Store, at, day
from tests.support.notice_servers import MailServer, Robot, serving

from zhengku.errors import ConfigurationError

PERSONAL = ("张某某", "13800001234", "李某", "N-0001")


@pytest.fixture(autouse=True)
def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no connection be set up."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://zhengku.example")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("SMTP", "WEBHOOK"):
        monkeypatch.delenv(f"AIRFLOW_CONN_ZHENGKU_{name}", raising=False)


@pytest.fixture
def store(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with the final list of 2 March, whose evaluations were not read since its cut-off."""
    monkeypatch.setenv("ZHENGKU_DATABASE_URL", database_url)
    store = Store(database_url)
    store.load(
        Case("N-0001", at("03-02 10:00")),
        Case("N-0002", at("03-02 11:00"), district="huarong"),
        Case("N-0003", at("03-02 12:00"), district=None),
    )
    store.batch(CASES, at("03-03 01:00"))
    store.clearance.publish(day("03-02"), "final", at("03-03 06:00"))
    yield store
    store.close()


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    with serving(server):
        yield server


@pytest.fixture
def robot() -> Iterator[Robot]:
    server = Robot()
    with serving(server):
        yield server


def set_up_mail(monkeypatch: pytest.MonkeyPatch, server: MailServer, **extra: object) -> None:
    connection = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": server.server_address[1],
        "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "zhengku@example.cn", **extra},
    }
    monkeypatch.setenv("AIRFLOW_CONN_ZHENGKU_SMTP", json.dumps(connection))


def set_up_robot(monkeypatch: pytest.MonkeyPatch, server: Robot, **extra: object) -> None:
    connection = {
        "conn_type": "http",
        "host": f"http://127.0.0.1:{server.server_port}/cgi-bin/webhook/send",
        "password": "the-robots-key",
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_ZHENGKU_WEBHOOK", json.dumps(connection))


NAMES = [("2026-03-02", "final", 1)]


def test_message_has_counts_by_district_stale_sources_and_link_and_nothing_of_a_person(store):
    from zhengku_airflow.clearance_notices import publication

    notice = publication(NAMES)
    assert notice.title == "日清清单已发布：2026-03-02 终清单（第1版）"
    assert notice.link == "https://zhengku.example/zhengku/clearance/?day=2026-03-02&kind=final"
    text = "\n".join(notice.lines)
    assert "未评 3 件，默认评价 0 件；新增 3" in text
    for line in ("- 鄂城区：未评 1", "- 华容区：未评 1", "- 本市以外或未填区划：未评 1"):
        assert line in text
    assert "⚠ 数据不全：“好差评”系统评价 在截止时刻之后未再读取（从未读取）" in text
    for word in PERSONAL:
        assert word not in text + notice.html()


def test_mail_reaches_everybody_of_the_connection(store, mail_server, monkeypatch):
    from zhengku_airflow.clearance_notices import publication
    from zhengku_airflow.notices import find_connection, send_mail

    set_up_mail(monkeypatch, mail_server, to="a@example.cn, b@example.cn")
    assert send_mail(publication(NAMES), find_connection("zhengku_smtp")) == 2
    [(receivers, message)] = mail_server.taken
    assert receivers == ["a@example.cn", "b@example.cn"]
    assert message["From"] == "zhengku@example.cn"
    [(subject, charset)] = email.header.decode_header(message["Subject"])
    assert subject.decode(charset) == "日清清单已发布：2026-03-02 终清单（第1版）"
    [part] = [part for part in message.walk() if part.get_content_type() == "text/html"]
    html = part.get_payload(decode=True).decode()
    assert '<a href="https://zhengku.example/zhengku/clearance/?day=2026-03-02&amp;kind=final">' in html


def test_mail_to_nobody_and_mail_that_is_refused_are_errors(store, mail_server, monkeypatch):
    from zhengku_airflow.clearance_notices import publication
    from zhengku_airflow.notices import find_connection, send_mail

    set_up_mail(monkeypatch, mail_server)
    with pytest.raises(ConfigurationError, match='"to" in its extra'):
        send_mail(publication(NAMES), find_connection("zhengku_smtp"))
    set_up_mail(monkeypatch, mail_server, to=["a@example.cn"])
    mail_server.refuses = True
    with pytest.raises(Exception, match="554"):
        send_mail(publication(NAMES), find_connection("zhengku_smtp"))


def test_robot_of_wecom_gets_markdown_and_the_key(store, robot, monkeypatch):
    from zhengku_airflow.clearance_notices import publication
    from zhengku_airflow.notices import find_connection, send_to_robot

    set_up_robot(monkeypatch, robot, form="wecom")
    send_to_robot(publication(NAMES), find_connection("zhengku_webhook"))
    [(path, body)] = robot.taken
    assert parse_qs(urlsplit(path).query) == {"key": ["the-robots-key"]}
    assert body["msgtype"] == "markdown"
    content = body["markdown"]["content"]
    assert content.startswith("### 日清清单已发布：2026-03-02 终清单（第1版）")
    assert content.endswith("[查看清单](https://zhengku.example/zhengku/clearance/?day=2026-03-02&kind=final)")


def test_robot_of_dingtalk_gets_a_signed_message(store, robot, monkeypatch):
    from zhengku_airflow.clearance_notices import publication
    from zhengku_airflow.notices import find_connection, send_to_robot

    set_up_robot(monkeypatch, robot, form="dingtalk", secret="SEC0123")
    send_to_robot(publication(NAMES), find_connection("zhengku_webhook"), now=1_770_000_000.5)
    [(path, body)] = robot.taken
    signed = hmac.new(b"SEC0123", b"1770000000500\nSEC0123", hashlib.sha256).digest()
    assert parse_qs(urlsplit(path).query) == {
        "access_token": ["the-robots-key"],
        "timestamp": ["1770000000500"],
        "sign": [base64.b64encode(signed).decode()],
    }
    assert body["markdown"]["title"].startswith("日清清单已发布")
    assert "未评 3 件" in body["markdown"]["text"]


@pytest.mark.parametrize(
    ("status", "answer", "told"),
    [
        (200, '{"errcode": 93000, "errmsg": "invalid webhook url"}', "errcode 93000"),
        (500, "", "HTTP 500"),
        (302, "", "HTTP 302"),
        (200, "<html>", "cannot be reached: JSONDecodeError"),
    ],
)
def test_robot_that_refuses_is_an_error_without_its_key(store, robot, monkeypatch, status, answer, told):
    from zhengku_airflow.clearance_notices import publication
    from zhengku_airflow.notices import NoticeFailed, find_connection, send_to_robot

    set_up_robot(monkeypatch, robot, form="wecom")
    robot.status, robot.answer = status, answer
    with pytest.raises(NoticeFailed, match=told) as caught:
        send_to_robot(publication(NAMES), find_connection("zhengku_webhook"))
    assert "the-robots-key" not in str(caught.value)
    assert len(robot.taken) == 1


def test_robot_that_is_away_is_an_error_without_its_key(store, robot, monkeypatch):
    from zhengku_airflow.clearance_notices import publication
    from zhengku_airflow.notices import NoticeFailed, find_connection, send_to_robot

    connection = {
        "conn_type": "http",
        "host": "http://127.0.0.1:1/send",
        "password": "k-e-y",
        "extra": {"form": "wecom"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_ZHENGKU_WEBHOOK", json.dumps(connection))
    with pytest.raises(NoticeFailed, match="cannot be reached") as caught:
        send_to_robot(publication(NAMES), find_connection("zhengku_webhook"))
    assert "k-e-y" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_robot_of_an_unknown_form_is_told(store, robot, monkeypatch):
    from zhengku_airflow.clearance_notices import publication
    from zhengku_airflow.notices import find_connection, send_to_robot

    set_up_robot(monkeypatch, robot, form="feishu")
    with pytest.raises(ConfigurationError, match="wecom or dingtalk"):
        send_to_robot(publication(NAMES), find_connection("zhengku_webhook"))


def test_long_message_is_cut_between_lines_and_keeps_its_link():
    from zhengku_airflow.notices import ROBOT_BYTES, Notice

    notice = Notice(
        "标题", tuple(f"- 第{number}区：未评 {number}" for number in range(500)), "https://zhengku.example/"
    )
    text = notice.markdown(ROBOT_BYTES["wecom"])
    assert len(text.encode()) <= ROBOT_BYTES["wecom"]
    assert text.endswith("……其余请见清单页面。\n\n[查看清单](https://zhengku.example/)")
    assert all(line in notice.lines for line in text.split("\n\n")[1:-2])
