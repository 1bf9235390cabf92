"""What is out of order now, as stored: each observer replaces what it saw, and nothing of the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from zhengku.database import statement
from zhengku.ledger import Connection
from zhengku.watch.finding import KINDS, URGENCIES, Finding, KindName, Link, Urgency

CHANNEL_NAMES = {"log": "日志", "zhengku_smtp": "邮件", "zhengku_webhook": "机器人"}
"""The channels, by what stands for each in the store: the log, and the names of Airflow's connections."""


@dataclass(frozen=True)
class Standing:
    """A finding as it is stored; `since` it is there, since `changed_at` in this state. Times have a zone.

    `is_settling`: it was not seen at the last look, and is over unless it soon comes back.
    """

    finding_key: str
    kind: KindName
    urgency: Urgency
    text: str
    state: str
    links: list[dict[str, str]]
    since: datetime
    changed_at: datetime
    is_settling: bool = False

    @property
    def shown(self) -> str:
        """The text as people read it."""
        return f"{self.text}（已恢复，观察中）" if self.is_settling else self.text


def record_look(connection: Connection, observer: str, findings: Sequence[Finding]) -> None:
    """Record all that an observer sees now: what it saw before and no longer sees is over."""
    for finding in findings:
        connection.execute(
            statement("watch/findings.replace_finding"),
            {
                "finding_key": finding.finding_key,
                "observer": observer,
                "kind": finding.kind,
                "urgency": finding.how_urgent,
                "text": finding.text,
                "state": finding.state,
                "links": Jsonb([{"label": link.label, "path": link.path} for link in finding.links]),
            },
        )
    keys = [finding.finding_key for finding in findings]
    connection.execute(statement("watch/findings.end_others"), {"observer": observer, "keys": keys})
    connection.execute(statement("watch/findings.record_look"), {"observer": observer})


def forget_silent_observers(connection: Connection, prefix: str, before: datetime) -> None:
    """End what observers saw that have not looked since `before`: machines that are no longer there."""
    connection.execute(statement("watch/findings.forget_silent"), {"prefix": prefix, "before": before})


def looked_at(connection: Connection, observer: str) -> datetime | None:
    """Return when an observer looked last; None before the first time."""
    row = connection.execute(statement("watch/findings.looked_at"), {"observer": observer}).fetchone()
    return row[0] if row else None


def standing(connection: Connection) -> list[Standing]:
    """Return all findings, the most urgent first, those of one kind together."""
    with connection.cursor(row_factory=class_row(Standing)) as cursor:
        found = cursor.execute(statement("watch/findings.findings")).fetchall()
    kinds = list(KINDS)
    return sorted(found, key=lambda one: (URGENCIES.index(one.urgency), kinds.index(one.kind), one.finding_key))


def seen_by(connection: Connection, observer: str) -> list[Finding]:
    """Return what an observer saw at its last look."""
    rows = connection.execute(statement("watch/findings.seen_by"), {"observer": observer}).fetchall()
    return [
        Finding(kind, finding_key.removeprefix(f"{kind}:"), text, state, tuple(Link(**link) for link in links), urgency)
        for finding_key, kind, urgency, text, state, links in rows
    ]


@dataclass(frozen=True)
class SentMessage:
    """A message by one channel; `failure` says why it was not sent. `sent_at` has a zone."""

    channel: str
    title: str
    sent_at: datetime
    failure: str | None

    @property
    def channel_zh(self) -> str:
        """The Chinese name of the channel."""
        return CHANNEL_NAMES.get(self.channel, self.channel)


def messages(connection: Connection, limit: int) -> list[SentMessage]:
    """Return the newest messages."""
    with connection.cursor(row_factory=class_row(SentMessage)) as cursor:
        return cursor.execute(statement("watch/notices.messages"), {"limit": limit}).fetchall()


# ---- failed tasks


@dataclass(frozen=True)
class FailedTask:
    """A task that failed after its last try; `label` names it in Chinese, `reason` is masked."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    label: str
    reason: str
    failed_at: datetime


def record_failed_task(connection: Connection, task: FailedTask) -> None:
    """Record a failed task with the present time."""
    connection.execute(
        statement("watch/findings.record_failed_task"),
        {
            "dag_id": task.dag_id,
            "run_id": task.run_id,
            "task_id": task.task_id,
            "map_index": task.map_index,
            "label": task.label,
            "reason": task.reason,
        },
    )


def settle_task(connection: Connection, dag_id: str, task_id: str, map_index: int) -> None:
    """Forget the failures of a task: it succeeded."""
    connection.execute(
        statement("watch/findings.settle_task"), {"dag_id": dag_id, "task_id": task_id, "map_index": map_index}
    )


def settle_run(connection: Connection, dag_id: str, run_id: str) -> None:
    """Forget the failures of a run: it succeeded after all, or was removed."""
    connection.execute(statement("watch/findings.settle_run"), {"dag_id": dag_id, "run_id": run_id})


def failed_tasks(connection: Connection) -> list[FailedTask]:
    """Return the failed tasks that are not settled, the oldest first."""
    with connection.cursor(row_factory=class_row(FailedTask)) as cursor:
        return cursor.execute(statement("watch/findings.failed_tasks")).fetchall()
