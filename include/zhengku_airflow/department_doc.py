"""The Chinese documentation of a department's DAG, written from the department's file."""

from zhengku.catalog.clearance_config import SOURCE_DATASETS
from zhengku.catalog.department import Department, Feed


def department_work(department: Department) -> str:
    """Return in Chinese what a department's DAG does: collect certificates, or other data sets too."""
    has_certificates_only = all(feed.dataset == "certificate" for feed in department.feeds.values())
    return "证照归集" if has_certificates_only else "数据归集"


def department_doc(department: Department) -> str:
    """Return the DAG's documentation as Markdown.

    It says what is collected when, from where and by which transport, what each task does, and where to look when a
    task is red.
    """
    is_for_lists = any(feed.dataset in SOURCE_DATASETS for feed in department.feeds.values())
    lists = "办件与评价入库后，由 `daily_clearance` 发布到期的日清清单。\n\n" if is_for_lists else ""
    readings = "".join(dict.fromkeys(feed.transport.reading_zh for feed in department.feeds.values()))
    return f"""# {department.name} · {department_work(department)}

{_times(department.schedule)}归集：

{_sources(department)}

{lists}- **collect**（采集，每个来源系统一个）：{readings}
- **load**（校验入库，每个来源系统一个，采集后即做，不等其他系统）：逐批暂存、清洗，
  按 `expectations/` 的规则逐行校验，合并入库、保留旧版本、写入台账；
  取得 = 新增 + 更新 + 未变 + 删除 + 过期 + 重复 + 隔离 + 暂扣，不平则整批不提交。
- **conclude**（结论与报告）：写出本次运行的校验报告；有整批退回或暂扣时变红，提请人工处理。

变红时：日志最后几行说明应为何、实为何、在何处、如何处理；批次与原因见“运行报告”，处理办法见“处理手册”
（`docs/runbooks/department-dag-is-red.md`）。
数据来源、字段映射与运行时刻见 `include/catalog/departments/{department.department}.yaml`。
"""


def _times(schedule: str) -> str:
    """Return when a run starts: the times of day of a daily schedule, or the cron line of any other."""
    minutes, hours, *days = schedule.split()
    times = [part for field in (minutes, hours) for part in field.split(",")]
    if days != ["*", "*", "*"] or not all(part.isdecimal() for part in times):
        return f"按 `{schedule}` "
    starts = sorted((int(hour), int(minute)) for hour in hours.split(",") for minute in minutes.split(","))
    return f"每日{'、'.join(f'{hour}:{minute:02}' for hour, minute in starts)}"


def _sources(department: Department) -> str:
    """Return a line for each origin and extent, with the titles of its feeds."""
    titles: dict[str, list[str]] = {}
    for feed in department.feeds.values():
        titles.setdefault(f"{feed.transport.origin_zh}，每次取{_extent(feed)}", []).append(feed.title)
    return "\n".join(f"- {'、'.join(feeds)}：{source}。" for source, feeds in titles.items())


def _extent(feed: Feed) -> str:
    disappearance = "；库内有而其中没有的记录另作标记" if feed.deliveries == "snapshots" else ""
    return f"{feed.window.extent_zh}{disappearance}"
