"""The files of the nightly validation report: one self-contained page, and a workbook with every problem record.

Personal data is mrequested in both. They are stored in the folder of reports; only this account can read them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from zhengku.catalog import Catalog
from zhengku.database import store_connection
from zhengku.report.published_files import record_published
from zhengku.report.run_report import SEVERITY_NAMES
from zhengku.report.sheets import atomic_write
from zhengku.report.templates import templates
from zhengku.review.night import NightReport, warned_rows
from zhengku.review.night_figures import DRIFT_NAMES, FEED_STATE_NAMES
from zhengku.review.night_problems import NightProblem, night_problems
from zhengku.review.night_workbook import write_night_workbook
from zhengku.review.problems import STATUS_NAMES
from zhengku.settings import Settings

SAMPLES_SHOWN: Final = 5
"""Problem records that the page shows of each feed and rule; the workbook has all."""

GROUPS_SHOWN: Final = 400
"""Feeds and rules of which the page shows samples, those with most records first."""

WORDS: Final[Mapping[str, Mapping[Any, str]]] = {
    "severities": SEVERITY_NAMES,
    "states": FEED_STATE_NAMES,
    "drift": DRIFT_NAMES,
    "statuses": STATUS_NAMES,
}
"""The Chinese names that the template of the figures shows."""


@dataclass
class _Group:
    """The records of a feed that fail a rule; `number` counts all of them, `rows` are the samples shown."""

    anchor: str
    title: str
    rule_id: str
    reason: str
    number: int = 0
    rows: list[NightProblem] = field(default_factory=list)


def report_folder(settings: Settings, report: NightReport) -> Path:
    """Return the folder of a report's files."""
    return settings.report_folder / "nights" / f"{report.night}" / f"v{report.version}"


def file_name(night: date, version: int, ending: str) -> str:
    """Return the name of a file of a report."""
    return f"归集校验日报_{night}_第{version}版.{ending}"


def write_night(settings: Settings, catalog: Catalog, report: NightReport) -> tuple[Path, Path]:
    """Write the page and the workbook of a report, and record their digests; return their paths.

    Problem records are shown in their present state. Raises `FileNotWritten` when they cannot be written.
    """
    folder = report_folder(settings, report)
    workbook = folder / file_name(report.night, report.version, "xlsx")
    page = folder / file_name(report.night, report.version, "html")
    groups: dict[tuple[str, str, str], _Group] = {}
    with store_connection(settings.database_url) as connection, atomic_write(workbook) as aside:
        warned = warned_rows(connection, catalog, report.night)
        found = night_problems(connection, settings, catalog, report.night)
        write_night_workbook(aside, report, warned, _grouped(found, report, groups))
    shown = sorted(groups.values(), key=lambda group: -group.number)[:GROUPS_SHOWN]
    anchors = {key: group.anchor for key, group in groups.items() if group in shown}

    def link(path: str = "problems", department: str = "", feed: str = "", rule: str = "", **_: object) -> str | None:
        """Return the link to the rows of a rule, or to the first rows of a feed, a department or the report."""
        if path != "problems":
            return None
        requested = [part for part in (department, feed, rule) if part]
        found = [anchor for key, anchor in anchors.items() if list(key[: len(requested)]) == requested]
        return f"#{found[0]}" if found else None

    text = (
        templates()
        .get_template("night_report.html.j2")
        .render(report=report, words=WORDS, link=link, samples=shown, samples_shown=SAMPLES_SHOWN)
    )
    with atomic_write(page) as aside:
        aside.write_text(text, encoding="utf-8")
    with store_connection(settings.database_url) as connection:
        for path in (page, workbook):
            record_published(connection, settings.report_folder, path)
    return page, workbook


def _grouped(
    rows: Iterator[NightProblem], report: NightReport, groups: dict[tuple[str, str, str], _Group]
) -> Iterator[NightProblem]:
    """Yield all rows; collect the first ones of each feed and rule in `groups` for the page."""
    reasons = {(rule.department, rule.feed, rule.rule_id): rule.reason for rule in report.figures.rules}
    for row in rows:
        for rule_id in row.rules:
            key = (row.department, row.feed, rule_id)
            group = groups.get(key)
            if group is None:
                title = report.figures.title(row.department, row.feed)
                group = groups[key] = _Group(_anchor(*key), title, rule_id, reasons.get(key, row.reason))
            group.number += 1
            if group.number <= SAMPLES_SHOWN:
                group.rows.append(row)
        yield row


def _anchor(department: str, feed: str, rule: str) -> str:
    return "rows-" + re.sub(r"[^a-z0-9_]+", "-", f"{department} {feed} {rule}".strip())
