"""The notice that the report of a night is published."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from zhengku.settings import Settings
from zhengku_airflow.notices import Notice, NoticeFailed, page_address
from zhengku_airflow.review_pages import REVIEW_PATH

if TYPE_CHECKING:
    from zhengku.review.night_figures import NightFigures


def report_notice(published: Sequence[tuple[str, int]]) -> Notice:
    """Return the message that reports (night, version) are published: figures of the newest, names of the others."""
    from zhengku.database import store_connection
    from zhengku.review.night import report_of

    (night, version), *earlier = sorted(published, reverse=True)
    with store_connection(Settings.load().database_url) as connection:
        report = report_of(connection, date.fromisoformat(night), version)
    if report is None:
        raise NoticeFailed(f"Expected the report of {night}, version {version}, in the store; it is not.")
    lines = list(_figures(report.figures))
    lines += [f"另有更新：{other}（第{other_version}版）" for other, other_version in earlier]
    title = f"归集校验日报已发布：{night}（第{version}版）"
    return Notice(title, tuple(lines), review_address(f"report?night={night}"), "报告")


def _figures(figures: "NightFigures") -> Iterator[str]:
    from zhengku.review.night_figures import FEED_STATE_NAMES, FEED_STATES

    yield (
        f"取得 {figures.total('fetched'):,} 行：入库 {figures.total('loaded'):,}，未变 {figures.total('unchanged'):,}，"
        f"隔离 {figures.total('quarantined'):,}，暂扣 {figures.total('held'):,}"
    )
    # The most urgent states first.
    troubled = [feed for state in FEED_STATES if state != "good" for feed in figures.in_state(state)]
    yield f"归集异常 {len(troubled):,} 项，共 {len(figures.feeds):,} 项"
    for feed in troubled:
        yield f"- {feed.department_name} {feed.title}：{FEED_STATE_NAMES[feed.state]}"
    held = sum(batch.status == "held" for batch in figures.waiting)
    yield (
        f"新出现的问题 {len(figures.new_rules):,} 类；待审批次 {held:,} 个；"
        f"逾期未整改的问题数据 {sum(one.overdue for one in figures.problems):,} 条"
    )


def review_address(page: str) -> str:
    """Return the address of a page of the review."""
    return page_address(f"{REVIEW_PATH}/{page}")
