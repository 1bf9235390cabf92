"""The report of one run of one department: a self-contained page in Chinese, personal data masked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from zhengku import clock, ledger
from zhengku.catalog import Catalog, Department, Feed
from zhengku.catalog.record_masks import mask_payload
from zhengku.ledger import Batch, RuleResult, Untaken
from zhengku.readers.blocks import SHEET_ROWS
from zhengku.report.sheets import atomic_write
from zhengku.report.templates import templates

ROWS_SHOWN = 200
"""Quarantined rows that a report shows of a batch; `zhengku problems list` lists them all."""

OUTCOME_NAMES = {
    "fetched": "取得",
    "inserted": "新增",
    "updated": "更新",
    "unchanged": "未变",
    "deleted": "删除",
    "superseded": "旧于库内",
    "duplicate": "批内重复",
    "quarantined": "隔离",
    "held": "暂扣",
}

STATUS_NAMES = {
    "landed": "已落地",
    "staged": "已暂存",
    "validated": "已校验",
    "loaded": "已入库",
    "held": "暂扣待审",
    "rejected": "整份退回",
}

COMPARISON_NAMES = {
    "compared": "已与库内逐键比对",
    "keys_unreadable": "有的行没有可识别的关键字段，本次未比对",
    "overtaken": "已有更新的全量数据入库，本次未比对",
}

SEVERITY_NAMES = {"critical": "严重（隔离）", "warning": "警告（照常入库）", "info": "提示"}

RUN_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "outcomes": OUTCOME_NAMES,
    "statuses": STATUS_NAMES,
    "comparisons": COMPARISON_NAMES,
    "severities": SEVERITY_NAMES,
}
"""The Chinese names that the template of a run shows."""


@dataclass(frozen=True)
class BatchSection:
    """One batch of the report: its rules and its quarantined rows, masked."""

    batch: Batch
    feed: Feed
    rules: list[RuleResult]
    problems: list[dict[str, Any]]
    type_without_code: str | None

    @property
    def failed_rules(self) -> list[RuleResult]:
        """Rules that some row fails."""
        return [rule for rule in self.rules if rule.failed_rows]

    @property
    def nothing_loaded(self) -> bool:
        """Whether the batch was closed as loaded with all rows quarantined, some of them as new problem records.

        Such a batch is too small to be held (`batch.quarantined_share.small_batch`). Released batches do not count.
        """
        batch = self.batch
        return (
            batch.status == "loaded"
            and batch.released_by is None
            and batch.quarantined == batch.fetched
            and any(problem["first_batch_id"] == batch.batch_id for problem in self.problems)
        )

    @property
    def skipped_rules(self) -> list[RuleResult]:
        """Rules that were skipped, since the feed does not have their field."""
        return [rule for rule in self.rules if rule.skipped]

    def row_number(self, problem: Mapping[str, Any]) -> str:
        """Return where a problem record's row is, with the sheet's name for every sheet of a workbook but the first."""
        batch = self.batch
        is_of_this = problem["first_batch_id"] in (batch.batch_id, batch.repeats_batch_id)
        row_no = problem["first_row_no" if is_of_this else "last_row_no"]
        place, row = divmod(row_no, SHEET_ROWS)
        sheets = batch.sheets
        return f"{sheets[place]['name']} {row}" if place and sheets and place < len(sheets) else str(row_no)


@dataclass(frozen=True)
class RunReport:
    """A run of a department, ready to be shown; `reasons` gives the Chinese text of each rule.

    `untaken` are the files that no feed takes and that this run was the first to see.
    """

    department: Department
    run_id: str
    written_at: datetime
    sections: list[BatchSection]
    untaken: list[Untaken]
    reasons: dict[str, str]
    field_names: dict[str, str]


def build_report(
    connection: ledger.Connection, catalog: Catalog, reasons: dict[str, str], department_id: str, run_id: str
) -> RunReport:
    """Collect the data of the report of a run from the ledger and the quarantine."""
    sections = []
    for batch in reversed(ledger.batches(connection, department=department_id, run_id=run_id, limit=1_000)):
        feed = catalog.feed(batch.department, batch.feed)
        # A repeat has the problem records of the batch that loaded the file.
        source = batch.repeats_batch_id or batch.batch_id
        license_type = catalog.license_type(batch.license_type) if batch.license_type else None
        rows = ledger.problem_rows(connection, source, ROWS_SHOWN)
        sections.append(
            BatchSection(
                batch=batch,
                feed=feed,
                rules=ledger.rule_results(connection, batch.batch_id),
                problems=[
                    {**row, "payload": mask_payload(row["payload"], feed, catalog) if row["payload"] else None}
                    for row in rows
                ],
                type_without_code=license_type.name_zh
                if license_type and license_type.license_type_code is None and not license_type.any_type
                else None,
            )
        )
    return RunReport(
        department=catalog.department(department_id),
        run_id=run_id,
        written_at=clock.now(),
        sections=sections,
        untaken=ledger.untaken(connection, department=department_id, run_id=run_id),
        reasons=reasons,
        field_names={
            name: field.name_zh
            for section in sections
            for name, field in catalog.standard_fields(section.feed.dataset).items()
        },
    )


def report_path(folder: Path, department: str, run_id: str) -> Path:
    """Return the path of the report of a run; the run's id is made safe for a file name."""
    return folder / department / f"{re.sub(r'[^0-9A-Za-z_.-]+', '_', run_id)}.html"


def write_report(report: RunReport, folder: Path) -> Path:
    """Write the page, readable only by this account; it replaces an earlier one when complete. Return its path.

    Raises `FileNotWritten`.
    """
    page = templates().get_template("run_report.html.j2").render(report=report, words=RUN_WORDS)
    target = report_path(folder, report.department.department, report.run_id)
    with atomic_write(target) as aside:
        aside.write_text(page, encoding="utf-8")
    return target
