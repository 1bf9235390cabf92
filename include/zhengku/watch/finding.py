"""A finding: one thing that is out of order now, with its urgency, and where to read what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Urgency = Literal["urgent", "problem", "reminder"]
URGENCIES = get_args(Urgency)
"""In the order in which people are told; what is urgent is told at once, the rest when the night is quiet."""

KindName = Literal[
    "list_late",
    "report_late",
    "disk",
    "store_away",
    "backup",
    "section_task",
    "watch_silent",
    "look_failed",
    "task_failed",
    "dag_missing",
    "not_run",
    "paused",
    "batch_held",
    "batch_rejected",
    "feed_stale",
    "calendar",
    "expiry",
    "secret_old",
]


@dataclass(frozen=True)
class Kind:
    """A kind of finding: its Chinese name, its usual urgency, and the paragraph `<runbook>#<heading>` on it."""

    name_zh: str
    urgency: Urgency
    runbook: str


KINDS: Mapping[KindName, Kind] = {
    "list_late": Kind("清单未按时发布", "urgent", "daily-clearance#a-list-is-late"),
    "report_late": Kind("日报未按时发布", "urgent", "validation-review#when-something-is-late-or-wrong"),
    "disk": Kind("磁盘空间不足", "problem", "notices#a-disk-is-nearly-full"),
    "store_away": Kind("证照库无法连接", "urgent", "notices#the-store-cannot-be-reached"),
    "backup": Kind("备份与归档", "urgent", "restore#before-anything-happens"),
    "section_task": Kind("公共任务失败", "urgent", "notices#a-task-of-the-section-failed"),
    "watch_silent": Kind("巡检未运行", "urgent", "notices#the-watch-does-not-run"),
    "look_failed": Kind("检查未能进行", "problem", "notices#the-watch-does-not-run"),
    "task_failed": Kind("部门任务失败", "problem", "department-dag-is-red#which-task-is-red"),
    "dag_missing": Kind("任务流未加载", "problem", "notices#a-dag-is-missing-paused-or-did-not-run"),
    "not_run": Kind("到点未运行", "problem", "notices#a-dag-is-missing-paused-or-did-not-run"),
    "paused": Kind("任务流被暂停", "problem", "notices#a-dag-is-missing-paused-or-did-not-run"),
    "batch_held": Kind("批次暂扣待审", "problem", "validation-review#when-something-is-late-or-wrong"),
    "batch_rejected": Kind("整批退回", "problem", "department-dag-is-red#what-to-do"),
    "feed_stale": Kind("数据久未更新", "problem", "notices#a-feed-is-stale"),
    "calendar": Kind("工作日安排将尽", "reminder", "notices#working-days-run-out"),
    "expiry": Kind("证书、密钥将到期", "reminder", "notices#a-certificate-or-key-expires"),
    "secret_old": Kind("口令久未更换", "reminder", "notices#a-certificate-or-key-expires"),
}
"""All kinds, in the order in which people read them within one urgency."""


@dataclass(frozen=True)
class Link:
    """A link: its Chinese label, and the path below the address of Airflow's API server."""

    label: str
    path: str


@dataclass(frozen=True)
class Finding:
    """One thing that is out of order. `key` tells it from others of its kind; `text` is Chinese, without personal data.

    People are told again when `state` or the urgency changes, and not for another wording. `urgency` is that of the
    kind unless it is given.
    """

    kind: KindName
    key: str
    text: str
    state: str = ""
    links: tuple[Link, ...] = ()
    urgency: Urgency | None = None

    @property
    def finding_key(self) -> str:
        """What tells it from all others."""
        return f"{self.kind}:{self.key}"

    @property
    def how_urgent(self) -> Urgency:
        """Its own urgency, else that of its kind."""
        return self.urgency or KINDS[self.kind].urgency
