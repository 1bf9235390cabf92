"""A run, or all runs of a night, in a terminal: rows fetched, loaded and quarantined, reasons, and paths of reports."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zhengku import ledger
from zhengku.catalog import Catalog, load_catalog
from zhengku.clearance.list_rows import district_counts
from zhengku.clearance.list_versions import ListVersion
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.ledger import Batch
from zhengku.pipeline.pipeline import Pipeline
from zhengku.report.fitting import print_fitting
from zhengku.report.run_report import BatchSection, report_path
from zhengku.review.night import NightReport
from zhengku.settings import Settings


def print_summary(settings: Settings, console: Console | None = None) -> None:
    """Print the newest run of the installation, without personal data.

    Delivered texts and texts written by people are printed as `Text`, since a bracket in them is no markup.
    """
    console = console or Console()
    catalog = load_catalog(settings.catalog_folder)
    with store_connection(settings.database_url) as connection:
        newest = ledger.batches(connection, limit=1)
        if not newest:
            console.print("Nothing has been collected yet: `zhengku collect DEPARTMENT`, or the department's DAG.")
            return
        department, run_id = newest[0].department, newest[0].run_id
        report = Pipeline(settings).report(connection, department, run_id)
        [(stored,)] = connection.execute("select count(*) from store.certificate").fetchall()
    console.print(Text.assemble("\n", (catalog.department(department).name, "bold"), f"  run {run_id}"))
    console.print(batch_table([section.batch for section in report.sections]))
    reasons = _reasons(report.sections, report.reasons)
    if reasons.row_count:
        console.print(reasons)
    for section in report.sections:
        if section.batch.reason:
            batch = section.batch
            console.print(Text.assemble((batch.source_name, "red"), f": {batch.status}: {batch.reason}"))
    console.print(f"The license store holds {stored:,} certificates.")
    console.print(Text(f"Report: {report_path(settings.report_folder, department, run_id)}"), soft_wrap=True)


def print_night(settings: Settings, run_ids: Collection[str], console: Console | None = None) -> None:
    """Print the runs of all departments together: rows by department and license type, and why rows were not loaded."""
    console = console or Console()
    pipeline = Pipeline(settings)
    with store_connection(settings.database_url) as connection:
        batches = [batch for run_id in run_ids for batch in ledger.batches(connection, run_id=run_id, limit=1_000_000)]
        failed: Counter[tuple[str, str]] = Counter()
        for batch in batches:
            for rule in ledger.rule_results(connection, batch.batch_id):
                if rule.failed_rows:
                    failed[rule.severity, rule.rule_id] += rule.failed_rows
        [(stored, types)] = connection.execute(
            "select count(*), count(distinct license_type) from store.certificate"
        ).fetchall()
    departments = list(dict.fromkeys(batch.department for batch in batches))
    reasons = {rule: reason for department in departments for rule, reason in pipeline.reasons(department).items()}
    wrong = Counter({key: count for key, count in failed.items() if key[0] == "critical"})
    print_fitting(console, _reason_table(wrong, reasons), ("rule",))
    warnings = failed.total() - wrong.total()
    console.print(f"{warnings:,} warnings by {len(failed) - len(wrong)} rules in addition, on rows that are loaded.\n")
    console.print(_night_table(pipeline.catalog, batches))
    for batch in batches:
        if batch.reason:
            console.print(Text.assemble((batch.source_name, "red"), f": {batch.status}: {batch.reason}"))
    console.print(f"The license store holds {stored:,} certificates of {types} types.")
    console.print(Text(f"Reports: {settings.report_folder}"), soft_wrap=True)


def print_list(
    settings: Settings, published: ListVersion, workbooks: Sequence[Path], console: Console | None = None
) -> None:
    """Print how many rows a list of unrated cases has, by district, and the folder of its workbooks."""
    console = console or Console()
    catalog = load_catalog(settings.catalog_folder)
    with store_connection(settings.database_url) as connection:
        by_district = district_counts(connection, catalog, published)
    console.print(f"\nCases that nobody has rated, {published.kind} list of {published.day}:")
    table = Table("district", box=None)
    for heading in _LIST_HEADINGS.values():
        table.add_column(heading, justify="right")
    for name, counts in by_district.items():
        table.add_row(Text(name), *(f"{counts[heading]:,}" for heading in _LIST_HEADINGS))
    total = published.counts
    table.add_row("all", *(f"{getattr(total, heading):,}" for heading in _LIST_HEADINGS))
    print_fitting(console, table)
    console.print(f"{total.archived_total:,} cases that nobody rated for too long are archived and on no list.")
    for source in published.stale:
        console.print(Text(f"{source.title} was not read since the cut-off."))
    if workbooks:
        console.print(Text(f"Workbooks: {workbooks[0].parent}"), soft_wrap=True)


def print_report(report: NightReport, folder: Path, console: Console | None = None) -> None:
    """Print the main figures of the validation report of a night, and the folder of its files."""
    console = console or Console()
    figures = report.figures
    out_of_order = len(figures.feeds) - len(figures.in_state("good"))
    waiting = sum(department.open for department in figures.problems)
    console.print(
        f"\nValidation report of {report.night}, version {report.version}: {out_of_order} of {len(figures.feeds)} "
        f"feeds out of order, {waiting:,} problem records to be sent back."
    )
    console.print(Text(f"Report: {folder}"), soft_wrap=True)


_LIST_HEADINGS = {
    "unrated": "unrated",
    "default_rated": "by default",
    "new": "new",
    "carried_over": "carried",
    "reopened": "reopened",
}
"""Short names of the counts of a list."""

_HEADINGS = {
    "fetched": "rows",
    "inserted": "new",
    "updated": "newer",
    "unchanged": "same",
    "deleted": "gone",
    "superseded": "older",
    "duplicate": "twice",
    "quarantined": "wrong",
    "held": "held",
}
"""Short names of the counts of a batch, so that names of license types fit into a terminal of 80 columns."""


def _night_table(catalog: Catalog, batches: Sequence[Batch]) -> Table:
    """Return a table of counts by department and license type, with sums for each department and for all."""
    counts: dict[str, dict[str, Counter[str]]] = {}
    for batch in batches:
        types = counts.setdefault(batch.department, {})
        types.setdefault(_subject(catalog, batch), Counter()).update(batch.counts())
    sums = {department: _sum(types.values()) for department, types in counts.items()}
    everything = _sum(sums.values())
    shown = [outcome for outcome in _HEADINGS if everything[outcome]]
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("department, license type", overflow="fold", min_width=24)
    for outcome in shown:
        table.add_column(_HEADINGS[outcome], justify="right", no_wrap=True)

    def add(name: Text, counted: Counter[str], *, ends: bool = False) -> None:
        cells = [f"{counted[outcome]:,}" if counted[outcome] else "" for outcome in shown]
        table.add_row(name, *cells, end_section=ends)

    for department, types in counts.items():
        add(Text(catalog.department(department).name, style="bold"), sums[department])
        for place, (subject, counted) in enumerate(types.items(), start=1):
            add(Text(f"  {subject}"), counted, ends=place == len(types))
    add(Text("all", style="bold"), everything)
    return table


def _subject(catalog: Catalog, batch: Batch) -> str:
    """Return the name of a batch's license type; for other data sets, the title of its feed."""
    if batch.license_type:
        return catalog.license_type(batch.license_type).name_zh
    return catalog.feed(batch.department, batch.feed).title


def _sum(counts: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counted in counts:
        total.update(counted)
    return total


def batch_table(batches: list[Batch]) -> Table:
    """Return a table of batches with their counts; texts are folded, not cut, in a narrow terminal."""
    table = Table(show_lines=True)
    table.add_column("batch", justify="right")
    table.add_column("delivery", overflow="fold")
    table.add_column("state", overflow="fold")
    table.add_column("rows", overflow="fold")
    for batch in batches:
        style = {"loaded": "green", "held": "yellow", "rejected": "red"}.get(batch.status, "default")
        state = f"[{style}]{batch.status}[/]"
        if batch.repeats_batch_id:
            state += f"\nthe file of batch {batch.repeats_batch_id}"
        if batch.finished_at:
            state += f"\n{batch.finished_at.astimezone(CITY_TIME_ZONE):%m-%d %H:%M:%S}"
        parts = [f"{getattr(batch, outcome):,} {outcome}" for outcome in ledger.OUTCOMES if getattr(batch, outcome)]
        table.add_row(
            str(batch.batch_id),
            Text(f"{batch.department}/{batch.feed}\n{batch.source_name}"),
            state,
            f"{batch.fetched:,} fetched\n= {' + '.join(parts) or 0}" if batch.fetched is not None else "",
        )
    return table


def _reasons(sections: list[BatchSection], reasons: dict[str, str]) -> Table:
    rows: Counter[tuple[str, str]] = Counter()
    for section in sections:
        for rule in section.failed_rules:
            rows[rule.severity, rule.rule_id] += rule.failed_rows
    return _reason_table(rows, reasons)


def _reason_table(rows: Counter[tuple[str, str]], reasons: dict[str, str]) -> Table:
    table = Table()
    table.add_column("why")
    table.add_column("rows", justify="right")
    table.add_column("reason", overflow="fold")
    table.add_column("rule", overflow="fold")
    names = {"critical": "[red]quarantined[/]", "warning": "[yellow]warned[/]", "info": "noted"}
    for (severity, rule_id), count in sorted(rows.items(), key=lambda item: (list(names).index(item[0][0]), -item[1])):
        table.add_row(names[severity], f"{count:,}", Text(reasons.get(rule_id, "")), rule_id)
    return table
