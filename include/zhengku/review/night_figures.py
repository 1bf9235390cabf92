"""The figures of a night in the validation report: by feed and rule, changes of columns, waiting batches, problems.

They are stored as JSON with the report. No figure holds personal data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

FeedState = Literal["never", "silent", "rejected", "held", "unfinished", "small", "stale", "good"]
FEED_STATES = get_args(FeedState)
FEED_STATE_NAMES: Mapping[FeedState, str] = {
    "never": "从未归集",
    "silent": "无数据送达",
    "rejected": "整份退回",
    "held": "暂扣待审",
    "unfinished": "未处理完",
    "small": "数据偏少",
    "stale": "久未更新",
    "good": "正常",
}
"""In the order of urgency."""

DRIFT_NAMES = {"came": "新出现", "went": "不再送来", "changed": "形态改变"}


@dataclass(frozen=True)
class FeedFigures:
    """A feed on a night; counts are rows, `share` is the quarantined part of the fetched rows.

    `share_7` and `share_30` are those of the 7 and 30 nights before, None where no rows were fetched. `usual_rows` is
    the median of nights of the same kind (working days, or days off). `idle_working_days` counts from the last loaded
    batch that did not repeat an earlier one, None where there is none.
    """

    department: str
    department_name: str
    feed: str
    title: str
    dataset: str
    license_type: str | None
    state: FeedState
    batches: int
    fetched: int
    loaded: int
    unchanged: int
    quarantined: int
    warned: int
    held: int
    disappeared: int
    held_batches: int
    rejected_batches: int
    share: float | None
    share_7: float | None
    share_30: float | None
    usual_rows: float | None
    idle_working_days: int | None
    last_loaded_at: str | None


@dataclass(frozen=True)
class RuleFigures:
    """A rule that rows of a feed failed on a night, with its share in the 7 and 30 nights before.

    `is_new`: the rule was evaluated in the 30 nights before, and no row of the feed failed it then.
    """

    department: str
    feed: str
    rule_id: str
    severity: str
    reason: str
    failed: int
    share: float | None
    share_7: float | None
    share_30: float | None
    is_new: bool


@dataclass(frozen=True)
class Drift:
    """A column that is new (came), is missing (went) or changed its shape.

    `is_unknown`: the feed neither maps nor ignores it.
    """

    department: str
    feed: str
    column_name: str
    change: Literal["came", "went", "changed"]
    is_unknown: bool
    detail: str | None


@dataclass(frozen=True)
class WaitingBatch:
    """A batch that a person has to decide about or check: held, or rejected this night."""

    batch_id: int
    department: str
    feed: str
    status: str
    source_name: str
    fetched: int | None
    rule_id: str
    reason: str
    recorded_at: str


@dataclass(frozen=True)
class DepartmentProblems:
    """How many problem records of a department are not written off, and when the oldest was found.

    `unreturned` are the open ones not returned in time; of the returned ones `overdue` are past their due day and
    `due_soon` near it.
    """

    department: str
    department_name: str
    open: int
    unreturned: int
    returned: int
    overdue: int
    due_soon: int
    waived: int
    corrected: int
    oldest: str | None


@dataclass(frozen=True)
class QuietRule:
    """A rule that no row failed for a long time; `was_asked`: it was evaluated, so a feed has the field it checks."""

    rule_id: str
    reason: str
    was_asked: bool


@dataclass(frozen=True)
class NightFigures:
    """All figures of a night."""

    feeds: list[FeedFigures]
    rules: list[RuleFigures]
    drift: list[Drift]
    waiting: list[WaitingBatch]
    problems: list[DepartmentProblems]
    quiet_rules: list[QuietRule]
    never_fired_days: int

    def total(self, name: str) -> int:
        """Return the sum of a count over all feeds."""
        return sum(getattr(feed, name) for feed in self.feeds)

    def in_state(self, *states: FeedState) -> list[FeedFigures]:
        """Return the feeds in some states."""
        return [feed for feed in self.feeds if feed.state in states]

    @property
    def new_rules(self) -> list[RuleFigures]:
        """The rules that no row failed in the 30 nights before."""
        return [rule for rule in self.rules if rule.is_new]

    @property
    def departments(self) -> dict[str, list[FeedFigures]]:
        """The feeds by department."""
        found: dict[str, list[FeedFigures]] = {}
        for feed in self.feeds:
            found.setdefault(feed.department, []).append(feed)
        return found

    def title(self, department: str, feed: str) -> str:
        """Return the Chinese names of a feed and its department."""
        for one in self.feeds:
            if (one.department, one.feed) == (department, feed):
                return f"{one.department_name} {one.title}"
        return f"{department}/{feed}"


def by_feed(rules: Sequence[RuleFigures]) -> dict[tuple[str, str], list[RuleFigures]]:
    """Return the rules by department and feed."""
    found: dict[tuple[str, str], list[RuleFigures]] = {}
    for rule in rules:
        found.setdefault((rule.department, rule.feed), []).append(rule)
    return found
