"""The notice that lists are published."""

from collections.abc import Sequence
from datetime import date, datetime

from zhengku.catalog.clearance_config import ListKind
from zhengku.clock import CITY_TIME_ZONE
from zhengku.settings import Settings
from zhengku_airflow.clearance_pages import CLEARANCE_PATH
from zhengku_airflow.notices import Notice, NoticeFailed, page_address


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


def _list_address(day: date | None = None, kind: str = "") -> str:
    """Return the address of the page of the lists, or of one list where a day is given."""
    query = f"?day={day}&kind={kind}" if day else ""
    return page_address(f"{CLEARANCE_PATH}/{query}")


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M}"
