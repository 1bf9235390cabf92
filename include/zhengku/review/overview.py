"""The overview of collection (归集总览): for each license type whether it is collected, how fresh and how correct."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from zhengku.catalog import Catalog
from zhengku.database import statement
from zhengku.ledger import Connection
from zhengku.review.night import NightReport
from zhengku.review.night_figures import FEED_STATES, FeedFigures, FeedState

TypeState = Literal["missing", "never", "silent", "rejected", "held", "unfinished", "small", "stale", "poor", "good"]
TYPE_STATE_NAMES: Mapping[TypeState, str] = {
    "missing": "未接入",
    "never": "从未归集",
    "silent": "无数据送达",
    "rejected": "整份退回",
    "held": "暂扣待审",
    "unfinished": "未处理完",
    "small": "数据偏少",
    "stale": "久未更新",
    "poor": "问题较多",
    "good": "正常",
}
"""In the order of urgency."""

POOR_SHARE = 0.05
"""Share of quarantined rows above which a type is shown as poor; the limit of batch.quarantined_share.notable."""


@dataclass(frozen=True)
class TypeOverview:
    """A license type of the 51, or the certificates of other types together (`seq` None).

    `standing` counts certificates in the store at `Overview.counted_at`, None before the first count. Rows are counted
    for the night of the newest report.
    """

    license_type: str
    seq: int | None
    name: str
    departments: tuple[str, ...]
    state: TypeState
    standing: int | None
    fetched: int
    quarantined: int
    idle_working_days: int | None
    last_loaded_at: str | None

    @property
    def share(self) -> float | None:
        """The quarantined part of the fetched rows; None where nothing was fetched."""
        return self.quarantined / self.fetched if self.fetched else None


@dataclass(frozen=True)
class Overview:
    """All types, in the order of the plan, and the feeds of other data sets."""

    types: list[TypeOverview]
    others: list[FeedFigures]
    counted_at: datetime | None

    def in_state(self, *states: TypeState) -> list[TypeOverview]:
        """Return the types in some states."""
        return [one for one in self.types if one.state in states]


def overview(connection: Connection, catalog: Catalog, report: NightReport | None) -> Overview:
    """Return the overview by the figures of a report; without a report every type with a feed is `never`."""
    counts = {row[0]: row[1:] for row in connection.execute(statement("review/store_counts.store_counts")).fetchall()}
    feeds = report.figures.feeds if report else []
    types = []
    for license_type in sorted(catalog.license_types.values(), key=lambda one: (one.seq is None, one.seq or 0)):
        key = license_type.license_type
        delivered = [
            (department.name, feed)
            for department in catalog.departments.values()
            for feed in department.feeds.values()
            if feed.license_type == key
        ]
        counted = counts.get(key)
        figures = [feed for feed in feeds if feed.license_type == key]
        idle = [feed.idle_working_days for feed in figures if feed.idle_working_days is not None]
        types.append(
            TypeOverview(
                license_type=key,
                seq=license_type.seq,
                name=license_type.name_zh,
                departments=tuple(dict.fromkeys(name for name, _ in delivered)),
                state=_state([feed.state for feed in figures], figures, is_delivered=bool(delivered)),
                standing=(0 if counts else None) if counted is None else counted[0],
                fetched=sum(feed.fetched - feed.held for feed in figures),
                quarantined=sum(feed.quarantined for feed in figures),
                idle_working_days=max(idle, default=None),
                last_loaded_at=max((feed.last_loaded_at for feed in figures if feed.last_loaded_at), default=None),
            )
        )
    return Overview(
        types=types,
        others=[feed for feed in feeds if feed.license_type is None],
        counted_at=max((row[2] for row in counts.values()), default=None),
    )


def _state(states: list[FeedState], figures: list[FeedFigures], *, is_delivered: bool) -> TypeState:
    """Return the most urgent state of a type's feeds."""
    if not is_delivered:
        return "missing"
    if not states:
        return "never"
    worst = min(states, key=FEED_STATES.index)
    fetched = sum(feed.fetched - feed.held for feed in figures)
    if worst == "good" and fetched and sum(feed.quarantined for feed in figures) > POOR_SHARE * fetched:
        return "poor"
    return worst
