"""The notices that a list is published, and that it is not published in time."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from zhengku.catalog.clearance_config import KINDS, ListKind, load_clearance
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import ZhengkuError
from zhengku.settings import Settings
from zhengku_airflow.clearance_pages import CLEARANCE_PATH
from zhengku_airflow.notices import Notice, NoticeFailed, page_address, send_to_all

log = logging.getLogger(__name__)


def publication(list_ids: Sequence[tuple[str, ListKind, int]]) -> Notice:
    """Return the message that lists (day, kind, version) are published, the newest first."""
    from zhengku.catalog import load_catalog
    from zhengku.clearance.list_rows import district_counts
    from zhengku.clearance.list_versions import published_version
    from zhengku.clearance.workbook import KIND_NAMES
    from zhengku.database import store_connection

    settings = Settings.load()
    catalog = load_catalog(settings.catalog_folder)
    lines: list[str] = []
    titles: list[str] = []
    link = _list_address()
    with store_connection(settings.database_url) as connection:
        for day, kind, version in sorted(list_ids, reverse=True):
            published = published_version(connection, date.fromisoformat(day), kind, version)
            if published is None:
                raise NoticeFailed(f"Expected the {kind} list of {day}, version {version}, in the store; it is not.")
            title = f"{published.day} {KIND_NAMES[published.kind]}（第{published.version}版）"
            if not titles:
                link = _list_address(published.day, published.kind)
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
                for name, rows in district_counts(connection, catalog, published).items()
            ]
            for source in published.stale:
                read = f"最近读取 {_moment(source.read_at)}" if source.read_at else "从未读取"
                lines.append(f"⚠ 数据不全：{source.title} 在截止时刻之后未再读取（{read}），清单可能多列或漏列")
            if published.calendar_note:
                lines.append(f"⚠ {published.calendar_note}")
    more = f" 等 {len(titles)} 张" if len(titles) > 1 else ""
    return Notice(f"日清清单已发布：{titles[0]}{more}", tuple(lines), link)


def delay(day: date, kind: ListKind, why: str) -> Notice:
    """Return the message that a list is not published in time."""
    from zhengku.clearance.workbook import KIND_NAMES

    return Notice(
        f"日清清单未按时发布：{day} {KIND_NAMES[kind]}",
        (why, "请数据运维人员查看 Airflow 中 daily_clearance_cutoff 的运行日志；处理办法见运维手册“日清清单”。"),
        _list_address(),
    )


def _list_address(day: date | None = None, kind: str = "") -> str:
    """Return the address of the page of the lists, or of one list where a day is given."""
    query = f"?day={day}&kind={kind}" if day else ""
    return page_address(f"{CLEARANCE_PATH}/{query}")


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M}"


# ---- when a list is late


async def list_is_late(context: dict[str, Any]) -> None:
    """Notify people that the list of a run is not published; called when the run's deadline has passed.

    Runs in the triggerer: a callback that Airflow 3.3 runs by its executor cannot read connections from the database
    (https://github.com/apache/airflow/pull/66141). A run that failed after its list was published causes no notice:
    its tasks are red.
    """
    run = context["dag_run"]
    moment = datetime.fromisoformat(run["logical_date"] or run["run_after"])
    due = await asyncio.to_thread(expected_list, moment)
    if due is None:
        log.info("no list is due at %s", moment)
        return
    day, kind = due
    why = await asyncio.to_thread(_why_late, day, kind)
    if why is None:
        log.info("the %s list of %s is published", kind, day)
        return
    log.error("The %s list of %s is late: %s", kind, day, why)
    await send_to_all(delay(day, kind, why))


def _why_late(day: date, kind: ListKind) -> str | None:
    """Return in Chinese why a list is late; None when it is published."""
    from zhengku.clearance.list_versions import published_version
    from zhengku.database import store_connection

    try:
        with store_connection(Settings.load().database_url) as connection:
            if published_version(connection, day, kind) is not None:
                return None
    except ZhengkuError as error:
        log.warning("%s", error)
        return "清单库无法读取，清单是否已发布不明。"
    return "到规定时刻仍未发布。"


def expected_list(moment: datetime) -> tuple[date, ListKind] | None:
    """Return day and kind of the last list that is due at a moment; None before the first."""
    config = load_clearance(Settings.load().catalog_folder)
    today = moment.astimezone(CITY_TIME_ZONE).date()
    found = [
        (config.latest(day, kind), day, kind)
        for day in (today - timedelta(days=1), today)
        for kind in KINDS
        if config.latest(day, kind) <= moment
    ]
    return max(found)[1:] if found else None
