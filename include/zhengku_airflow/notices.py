"""Sending a notice by mail and by a robot of 企业微信 or 钉钉; the modules that announce or warn write the text.

Each is configured by a connection of Airflow; without it nothing is sent. No notice contains personal data.
"""

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from zhengku import clock
from zhengku.errors import ConfigurationError, ZhengkuError
from zhengku.masking import mask_text

if TYPE_CHECKING:
    from airflow.sdk import Connection

MAIL_CONNECTION = "zhengku_smtp"
ROBOT_CONNECTION = "zhengku_webhook"

ROBOT_BYTES = {"wecom": 4096, "dingtalk": 18_000}
"""Most bytes of UTF-8 that a robot accepts in one message, by its form."""

ROBOT_SECONDS = 15


class NoticeFailed(ZhengkuError):
    """A notice was not sent; the list or report that it announces is published nevertheless."""


@dataclass(frozen=True)
class Notice:
    """A message: its title, its lines as Markdown, and the address `link` of the page with the rest.

    `what` is the Chinese name of what the page shows. Numbers of people in title and lines are masked.
    """

    title: str
    lines: tuple[str, ...]
    link: str
    what: str = "清单"

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", mask_text(self.title))
        object.__setattr__(self, "lines", tuple(map(mask_text, self.lines)))

    def markdown(self, most_bytes: int) -> str:
        """Return the message in at most `most_bytes` bytes of UTF-8; lines that do not fit are left out."""
        head, foot, rest = f"### {self.title}", f"[查看{self.what}]({self.link})", f"……其余请见{self.what}页面。"
        fitting: list[str] = []
        for line in self.lines:
            if _length(head, *fitting, line, rest, foot) > most_bytes:
                fitting.append(rest)
                break
            fitting.append(line)
        return "\n\n".join([head, *fitting, foot])

    def html(self) -> str:
        """Return the message as a mail."""
        lines = "".join(_as_html(line) for line in self.lines)
        return f'<h3>{escape(self.title)}</h3>{lines}<p><a href="{escape(self.link)}">查看{self.what}</a></p>'


_LINK = re.compile(r"\[([^\]\[]+)\]\((https?://[^\s()]+)\)")


def _as_html(line: str) -> str:
    text = _LINK.sub(r'<a href="\2">\1</a>', escape(line))
    if text.startswith("**"):
        return f"<h4>{text.replace('**', '')}</h4>"
    return f"<li>{text[2:]}</li>" if text.startswith("- ") else f"<p>{text}</p>"


def _length(*parts: str) -> int:
    return len("\n\n".join(parts).encode())


def page_address(path: str) -> str:
    """Return the address of a page, by its path below the address of the API server."""
    from airflow.sdk.configuration import conf

    return urljoin(str(conf.get("api", "base_url")), path)


# ---- connections


def find_connection(name: str) -> "Connection | None":
    """Return a connection of Airflow; None when it does not exist."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None


def connection_of(name: str) -> "Connection":
    """Return a connection of Airflow; raises `ConfigurationError` when it does not exist."""
    connection = find_connection(name)
    if connection is None:
        raise ConfigurationError(f"Expected the connection {name}, which is not set up: docs/notices.md says how.")
    return connection


def connection_or_skip(name: str) -> "Connection":
    """Return a connection of Airflow; when it does not exist, the calling task is skipped."""
    from airflow.sdk.exceptions import AirflowSkipException

    connection = find_connection(name)
    if connection is None:
        raise AirflowSkipException(f"{name} is not set up: docs/notices.md says how")
    return connection


# ---- mail and robot


def send_mail(notice: Notice, connection: "Connection") -> int:
    """Send a message to the addresses in `to` of the extra of `zhengku_smtp`; return their number.

    Raises `ConfigurationError` when there is none, and the errors of the mail server.
    """
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    mail = _mail(notice, connection)
    with SmtpHook(smtp_conn_id=MAIL_CONNECTION) as hook:
        hook.send_email_smtp(**mail)
    return len(mail["to"])


def _mail(notice: Notice, connection: "Connection") -> dict[str, Any]:
    to = connection.extra_dejson.get("to") or ()
    receivers = [part.strip() for part in (to.split(",") if isinstance(to, str) else to) if part.strip()]
    if not receivers:
        raise ConfigurationError(
            f'The connection {MAIL_CONNECTION} names nobody to write to: expected "to" in its extra, as one text with '
            "commas or as a list."
        )
    return {"to": receivers, "subject": notice.title, "html_content": notice.html()}


def send_to_robot(notice: Notice, connection: "Connection", now: float | None = None) -> None:
    """Send a message to the robot of the connection `zhengku_webhook`.

    Its host is the robot's address without the key, its password the key (`key` of 企业微信, `access_token` of 钉钉).
    Its extra has `form`, `wecom` or `dingtalk`, and for 钉钉 the `secret` to sign with, if the robot has one. Raises
    `NoticeFailed` when the robot does not accept the message, `ConfigurationError` when the connection is incomplete;
    neither message contains the key.
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
        # A redirect would send the key to another address.
        answer = requests.post(address, params=query, json=body, timeout=ROBOT_SECONDS, allow_redirects=False)
        said = answer.json() if answer.status_code == requests.codes.ok else None
    except requests.RequestException as error:
        # The text of the error contains the address with the key.
        raise NoticeFailed(f"The robot at {name} cannot be reached: {type(error).__name__}.") from None
    if not isinstance(said, dict) or said.get("errcode") != 0:
        code = f"errcode {said.get('errcode')}" if isinstance(said, dict) else f"HTTP {answer.status_code}"
        raise NoticeFailed(f"The robot at {name} did not take the message: {code}. See the robot's own documentation.")


def _signature(secret: str, now: float) -> dict[str, str]:
    """Return the query that 钉钉 expects for a robot with 加签: the time in milliseconds, and its signature."""
    stamp = str(round(now * 1000))
    signed = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    return {"timestamp": stamp, "sign": base64.b64encode(signed).decode()}


# ---- in the triggerer, which must not be blocked


async def find_connection_async(name: str) -> "Connection | None":
    """Return a connection of Airflow; None when it does not exist."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return await BaseHook.aget_connection(name)
    except AirflowNotFoundException:
        return None


async def send_mail_async(notice: Notice, connection: "Connection") -> None:
    """Send a message as `send_mail` does."""
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    async with SmtpHook(smtp_conn_id=MAIL_CONNECTION) as hook:
        await hook.asend_email_smtp(**_mail(notice, connection))


async def send_to_robot_async(notice: Notice, connection: "Connection") -> None:
    """Send a message as `send_to_robot` does."""
    await asyncio.to_thread(send_to_robot, notice, connection)


SENDERS: "Mapping[str, Callable[[Notice, Connection], object]]" = {
    MAIL_CONNECTION: send_mail,
    ROBOT_CONNECTION: send_to_robot,
}
"""What sends a message, by the connection that sets it up."""

ASYNC_SENDERS: "Mapping[str, Callable[[Notice, Connection], Awaitable[None]]]" = {
    MAIL_CONNECTION: send_mail_async,
    ROBOT_CONNECTION: send_to_robot_async,
}
"""The same, for the triggerer."""
