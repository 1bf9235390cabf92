"""Telling people that a list is out, or that it is not: by mail and by a robot of 企业微信 or 钉钉.

Each way is set up by a connection of Airflow; without it nothing is sent. No message holds anything of a person. What
is needed of Airflow is imported where it is used: every process of Airflow imports this file.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import urljoin, urlsplit

from zhengku import clock
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import ConfigurationError, ZhengkuError
from zhengku.settings import Settings

MAIL_CONNECTION = "zhengku_smtp"
ROBOT_CONNECTION = "zhengku_webhook"

# What the robots take; 企业微信 counts bytes.
ROBOT_BYTES = {"wecom": 4096, "dingtalk": 18_000}
ROBOT_SECONDS = 15


class NoticeFailed(ZhengkuError):
    """A message was not taken; what it tells of is out all the same."""


@dataclass(frozen=True)
class Notice:
    """A message: its title, its lines as Markdown, and where to read on in `what`."""

    title: str
    lines: tuple[str, ...]
    link: str
    what: str = "清单"

    def markdown(self, most_bytes: int) -> str:
        """Return the message in no more than so many bytes of UTF-8; what does not fit is left to the page."""
        head, foot, rest = f"### {self.title}", f"[查看{self.what}]({self.link})", f"……其余请见{self.what}页面。"
        kept: list[str] = []
        for line in self.lines:
            if _length(head, *kept, line, rest, foot) > most_bytes:
                kept.append(rest)
                break
            kept.append(line)
        return "\n\n".join([head, *kept, foot])

    def html(self) -> str:
        """Return the message as a mail."""
        lines = "".join(_as_html(line) for line in self.lines)
        return f'<h3>{escape(self.title)}</h3>{lines}<p><a href="{escape(self.link)}">查看{self.what}</a></p>'


def _as_html(line: str) -> str:
    text = escape(line)
    if text.startswith("**"):
        return f"<h4>{text.strip('*')}</h4>"
    return f"<li>{text[2:]}</li>" if text.startswith("- ") else f"<p>{text}</p>"


def _length(*parts: str) -> int:
    return len("\n\n".join(parts).encode())


# ---- what is said


def publication(list_ids: Sequence[tuple[str, str, int]]) -> Notice:
    """Return the message that lists (day, kind, version) are out, the newest first."""
    from zhengku.catalog import load_catalog
    from zhengku.clearance import lists
    from zhengku.clearance.workbook import KIND_NAMES
    from zhengku.database import store_connection

    settings = Settings.load()
    catalog = load_catalog(settings.catalog_folder)
    lines: list[str] = []
    titles: list[str] = []
    link = page_address()
    with store_connection(settings.database_url) as connection:
        for day, kind, version in sorted(list_ids, reverse=True):
            published = lists.published(connection, date.fromisoformat(day), kind, version)  # type: ignore[arg-type]
            if published is None:
                raise NoticeFailed(f"Expected the {kind} list of {day}, version {version}, in the store; it is not.")
            title = f"{published.day} {KIND_NAMES[published.kind]}（第{published.version}版）"
            if not titles:
                link = page_address(published.day, published.kind)
            titles.append(title)
            counts = published.counts
            lines.append(f"**{title}**")
            lines.append(
                f"未评 {counts.unrated:,} 件，默认评价 {counts.default_rated:,} 件；"
                f"新增 {counts.new:,}，结转 {counts.carried_over:,}，重现 {counts.reopened:,}；"
                f"比上一日销号 {counts.cleared:,}"
            )
            lines += [
                f"- {name}：未评 {rows['unrated']:,}，默认评价 {rows['default_rated']:,}"
                for name, rows in lists.district_counts(connection, catalog, published).items()
            ]
            for source in published.stale:
                read = f"最近读取 {_moment(source.read_at)}" if source.read_at else "从未读取"
                lines.append(f"⚠ 数据不全：{source.title} 在截止时刻之后未再读取（{read}），清单可能多列或漏列")
            if published.calendar_note:
                lines.append(f"⚠ {published.calendar_note}")
    more = f" 等 {len(titles)} 张" if len(titles) > 1 else ""
    return Notice(f"日清清单已发布：{titles[0]}{more}", tuple(lines), link)


def delay(day: date, kind: str, why: str) -> Notice:
    """Return the message that a list is not out in time."""
    from zhengku.clearance.workbook import KIND_NAMES

    return Notice(
        f"日清清单未按时发布：{day} {KIND_NAMES[kind]}",
        (why, "请数据运维人员查看 Airflow 中 daily_clearance_cutoff 的运行日志；处理办法见运维手册“日清清单”。"),
        page_address(),
    )


def page_address(day: date | None = None, kind: str = "") -> str:
    """Return the address of the page, of one list where a day is given."""
    from airflow.sdk.configuration import conf

    query = f"?day={day}&kind={kind}" if day else ""
    return urljoin(str(conf.get("api", "base_url")), f"/zhengku/clearance/{query}")


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M}"


# ---- how it is sent


def find_connection(name: str) -> Any | None:
    """Return a connection of Airflow; None when it is not set up."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None


def connection_or_skip(name: str) -> Any:
    """Return a connection of Airflow; when it is not set up, the task that asks is skipped."""
    from airflow.sdk.exceptions import AirflowSkipException

    connection = find_connection(name)
    if connection is None:
        raise AirflowSkipException(f"{name} is not set up: docs/runbooks/daily-clearance.md says how")
    return connection


async def _find_connection(name: str) -> Any | None:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return await BaseHook.aget_connection(name)
    except AirflowNotFoundException:
        return None


def send_mail(notice: Notice, connection: Any) -> int:
    """Send a message to the addresses that the extra of `zhengku_smtp` names as `to`; return how many they are.

    Raises `ConfigurationError` when it names none, and what the server says.
    """
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    mail = _mail(notice, connection)
    with SmtpHook(smtp_conn_id=MAIL_CONNECTION) as hook:
        hook.send_email_smtp(**mail)
    return len(mail["to"])


def _mail(notice: Notice, connection: Any) -> dict[str, Any]:
    to = connection.extra_dejson.get("to") or ()
    receivers = [part.strip() for part in (to.split(",") if isinstance(to, str) else to) if part.strip()]
    if not receivers:
        raise ConfigurationError(
            f'The connection {MAIL_CONNECTION} names nobody to write to: expected "to" in its extra, as one text with '
            "commas or as a list."
        )
    return {"to": receivers, "subject": notice.title, "html_content": notice.html()}


def send_to_robot(notice: Notice, connection: Any, now: float | None = None) -> None:
    """Send a message to the robot that `zhengku_webhook` names.

    Host is the robot's address without its key, password the key (`key` of 企业微信, `access_token` of 钉钉); extra
    says `form`, `wecom` or `dingtalk`, and for 钉钉 the `secret` that it signs with, if it was given one. Raises
    `NoticeFailed` when the robot does not take it, `ConfigurationError` when the connection is incomplete; no text of
    these holds the key.
    """
    import requests

    address = connection.host or ""
    form = connection.extra_dejson.get("form")
    if not connection.password or form not in ROBOT_BYTES or not address.startswith("http"):
        raise ConfigurationError(
            f"The connection {ROBOT_CONNECTION} is incomplete: expected the robot's address (https://…) as host, its "
            'key as password, and "form" in its extra, wecom or dingtalk.'
        )
    text = notice.markdown(ROBOT_BYTES[form])
    body: dict[str, object]
    if form == "wecom":
        query = {"key": connection.password}
        body = {"msgtype": "markdown", "markdown": {"content": text}}
    else:
        query = {"access_token": connection.password}
        secret = connection.extra_dejson.get("secret")
        if secret:
            query |= _signature(secret, now or clock.now().timestamp())
        body = {"msgtype": "markdown", "markdown": {"title": notice.title, "text": text}}
    name = urlsplit(address).hostname
    try:
        # A redirection would carry the key to another address.
        answer = requests.post(address, params=query, json=body, timeout=ROBOT_SECONDS, allow_redirects=False)
        said = answer.json() if answer.status_code == requests.codes.ok else None
    except requests.RequestException as error:
        # Its text holds the whole address.
        raise NoticeFailed(f"The robot at {name} cannot be reached: {type(error).__name__}.") from None
    if not isinstance(said, dict) or said.get("errcode") != 0:
        code = f"errcode {said.get('errcode')}" if isinstance(said, dict) else f"HTTP {answer.status_code}"
        raise NoticeFailed(f"The robot at {name} did not take the message: {code}. See the robot's own documentation.")


def _signature(secret: str, now: float) -> dict[str, str]:
    """Return what 钉钉 wants of a robot with 加签: the time in milliseconds, signed."""
    stamp = str(round(now * 1000))
    signed = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    return {"timestamp": stamp, "sign": base64.b64encode(signed).decode()}


# ---- when a list is late


async def list_is_late(context: dict[str, Any]) -> None:
    """Send that the list of a run is not out, by all ways that are set up; called when its deadline has passed.

    In the triggerer: what Airflow 3.3 calls by its executor may read no connection that is kept in its database
    (https://github.com/apache/airflow/pull/66141). A run that failed although the list came out is not told of: its
    tasks are red.
    """
    log = logging.getLogger(__name__)
    run = context["dag_run"]
    moment = datetime.fromisoformat(run["logical_date"] or run["run_after"])
    due = await asyncio.to_thread(expected_list, moment)
    if due is None:
        log.info("no list is due at %s", moment)
        return
    day, kind = due
    why = await asyncio.to_thread(_why_late, day, kind)
    if why is None:
        log.info("the %s list of %s is out", kind, day)
        return
    log.error("The %s list of %s is late: %s", kind, day, why)
    notice = delay(day, kind, why)
    failed = []
    for name, send in ((MAIL_CONNECTION, _mail_late), (ROBOT_CONNECTION, _robot_late)):
        try:
            connection = await _find_connection(name)
            if connection is None:
                log.warning("%s is not set up: nobody is told by it", name)
            else:
                await send(notice, connection)
        except Exception as error:  # noqa: BLE001  # The other way may work.
            failed.append(f"{name}: {error}")
    if failed:
        raise NoticeFailed("; ".join(failed))


async def _mail_late(notice: Notice, connection: Any) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    async with SmtpHook(smtp_conn_id=MAIL_CONNECTION) as hook:
        await hook.asend_email_smtp(**_mail(notice, connection))


async def _robot_late(notice: Notice, connection: Any) -> None:
    await asyncio.to_thread(send_to_robot, notice, connection)


def _why_late(day: date, kind: str) -> str | None:
    """Return why people are to be told that a list is late; None when it is out."""
    from zhengku.clearance import lists
    from zhengku.database import store_connection

    try:
        with store_connection(Settings.load().database_url) as connection:
            if lists.published(connection, day, kind) is not None:  # type: ignore[arg-type]
                return None
    except ZhengkuError as error:
        logging.getLogger(__name__).warning("%s", error)
        return "清单库无法读取，清单是否已发布不明。"
    return "到规定时刻仍未发布。"


def expected_list(moment: datetime) -> tuple[date, str] | None:
    """Return the list that is out by a moment at the latest, the last such one before it."""
    from zhengku.clearance.config import KINDS, load_clearance

    config = load_clearance(Settings.load().catalog_folder)
    today = moment.astimezone(CITY_TIME_ZONE).date()
    found = [
        (config.latest(day, kind), day, kind)
        for day in (today - timedelta(days=1), today)
        for kind in KINDS
        if config.latest(day, kind) <= moment
    ]
    return max(found)[1:] if found else None
