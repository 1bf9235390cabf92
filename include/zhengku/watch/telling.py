"""What people are told, by channel: what is new, what changed, what is over; each only once.

Ordinary problems of a night are gathered and told together when the night is quiet; what is urgent is told at once. A
process that is killed between sending and recording sends the same message again: never none.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from zhengku.catalog.notices_config import NoticesConfig
from zhengku.database import statement, store_connection
from zhengku.ledger import Connection
from zhengku.masking import mask_text
from zhengku.watch.finding import KINDS, URGENCIES, Urgency
from zhengku.watch.paths import runbook_path
from zhengku.watch.state import Standing, standing

URGENCY_NAMES: dict[Urgency, str] = {"urgent": "紧急", "problem": "需处理", "reminder": "提醒"}

SIGNATURE = "证库"
"""Begins every title: a robot that demands a key word is given this one."""

LONGEST_LINE = 300
"""Characters of a finding in a message; the page has all of it."""


@dataclass(frozen=True)
class Told:
    """A finding as a channel was told of it."""

    finding_key: str
    urgency: Urgency
    text: str
    state: str


@dataclass(frozen=True)
class Message:
    """A message that is due: its title and lines of Markdown, and all findings that it tells of."""

    channel: str
    title: str
    lines: tuple[str, ...]
    findings: tuple[Standing, ...]


class Telling:
    """The messages that are due to channels; nobody else tells at the same time."""

    def __init__(self, connection: Connection, config: NoticesConfig, address: Callable[[str], str]) -> None:
        """Tell what stands in the store; `address` returns the address of a path of Airflow's API server."""
        self._connection = connection
        self._config = config
        self._address = address

    def due(self, channels: Sequence[str], now: datetime, *, is_quiet: bool) -> list[Message]:
        """Return a message for each channel to which there is something to tell.

        `is_quiet`: no run of a department is active, and none is due soon.
        """
        values = {"settle_minutes": self._config.settle_minutes}
        self._connection.execute(statement("watch/findings.forget_over"), values)
        present = standing(self._connection)
        messages = []
        for channel in channels:
            told = self._told(channel)
            if self._is_due(present, told, now, is_quiet=is_quiet):
                title, lines = message_text(present, told, self._address)
                messages.append(Message(channel, title, lines, tuple(present)))
        self._connection.commit()
        return messages

    def record(self, message: Message, failure: str | None = None) -> None:
        """Record that a message was sent, or why it was not: then its channel is told again at the next time."""
        values = {"channel": message.channel, "title": message.title, "lines": list(message.lines), "failure": failure}
        self._connection.execute(statement("watch/notices.record_message"), values)
        if failure is None:
            keys = [one.finding_key for one in message.findings]
            self._connection.execute(
                statement("watch/notices.record_told"),
                {
                    "channel": message.channel,
                    "keys": keys,
                    "urgencies": [one.urgency for one in message.findings],
                    "texts": [one.text for one in message.findings],
                    "states": [one.state for one in message.findings],
                },
            )
            self._connection.execute(statement("watch/notices.forget_told"), {"channel": message.channel, "keys": keys})
        self._connection.execute(statement("watch/notices.forget_messages"))
        self._connection.commit()

    def _told(self, channel: str) -> dict[str, Told]:
        with self._connection.cursor(row_factory=class_row(Told)) as cursor:
            rows = cursor.execute(statement("watch/notices.told"), {"channel": channel}).fetchall()
        return {row.finding_key: row for row in rows}

    def _is_due(self, present: Sequence[Standing], told: dict[str, Told], now: datetime, *, is_quiet: bool) -> bool:
        news = [one for one in present if is_news(one, told)]
        if any(one.urgency == "urgent" for one in news):
            return True
        gone = told.keys() - {one.finding_key for one in present}
        if not news and not gone:
            return False
        longest = timedelta(minutes=self._config.longest_wait_minutes)
        return is_quiet or any(one.changed_at <= now - longest for one in news)


@contextmanager
def telling(url: str, config: NoticesConfig, address: Callable[[str], str]) -> Iterator[Telling | None]:
    """Open the store for telling; None while another process is telling, which tells the same."""
    with store_connection(url) as connection:
        row = connection.execute("select pg_try_advisory_lock(hashtextextended('zhengku.watch', 0))").fetchone()
        connection.commit()
        yield Telling(connection, config, address) if row and row[0] else None


def is_news(one: Standing, told: dict[str, Told]) -> bool:
    """Return whether a channel does not know a finding in its present state."""
    known = told.get(one.finding_key)
    return known is None or (known.state, known.urgency) != (one.state, one.urgency)


def message_text(
    present: Sequence[Standing], told: dict[str, Told], address: Callable[[str], str]
) -> tuple[str, tuple[str, ...]]:
    """Return title and lines of the message to a channel: the most urgent first, and in each kind what is new first."""
    over = [one for key, one in told.items() if key not in {one.finding_key for one in present}]
    lines: list[str] = []
    for urgency in URGENCIES:
        for kind in KINDS:
            findings = [one for one in present if (one.urgency, one.kind) == (urgency, kind)]
            lines += _paragraph(urgency, findings, told, address)
    if over:
        lines.append(f"**已恢复（{len(over)}）**")
        lines += [f"- {_short(one.text)}" for one in over]
    return _title(present, over), tuple(lines)


def _title(present: Sequence[Standing], over: Sequence[Told]) -> str:
    counts = {urgency: sum(one.urgency == urgency for one in present) for urgency in URGENCIES}
    named = "，".join(f"{URGENCY_NAMES[urgency]} {count} 项" for urgency, count in counts.items() if count)
    if counts["urgent"] or counts["problem"]:
        return f"{SIGNATURE}：{named}"
    if any(one.urgency != "reminder" for one in over):
        return f"{SIGNATURE}：已全部恢复正常" + (f"（另有{named}）" if named else "")
    return f"{SIGNATURE}：{named or '提醒事项已处理'}"


def _paragraph(
    urgency: Urgency, findings: list[Standing], told: dict[str, Told], address: Callable[[str], str]
) -> list[str]:
    if not findings:
        return []
    kind = KINDS[findings[0].kind]
    help_link = f"[处理办法]({address(runbook_path(kind.runbook))})"
    ordered = sorted(findings, key=lambda one: not is_news(one, told))
    return [f"**【{URGENCY_NAMES[urgency]}】{kind.name_zh}（{len(findings)}）** {help_link}"] + [
        f"- {'（新）' if is_news(one, told) and told else ''}{_short(one.shown)}"
        + "".join(f" [{link['label']}]({address(link['path'])})" for link in one.links)
        for one in ordered
    ]


def _short(text: str) -> str:
    """Return a text in one line, masked, and cut with a mark."""
    line = " ".join(mask_text(text).split())
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}……"
