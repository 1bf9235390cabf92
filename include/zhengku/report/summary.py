"""The newest run in a terminal: what came, what loaded, what was quarantined and why, where the report is."""

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zhengku import ledger
from zhengku.catalog import load_catalog
from zhengku.database import store_connection
from zhengku.ledger import Batch
from zhengku.report.run_report import BatchSection, report_path
from zhengku.road import Road
from zhengku.settings import CITY_TIME_ZONE, Settings


def print_summary(settings: Settings, console: Console | None = None) -> None:
    """Print the newest run of the installation; personal data does not occur in it.

    What was delivered or written by people is printed as `Text`, since a bracket in it is no markup.
    """
    console = console or Console()
    catalog = load_catalog(settings.catalog_folder)
    with store_connection(settings.database_url) as connection:
        newest = ledger.batches(connection, limit=1)
        if not newest:
            console.print("Nothing has been collected yet: `zhengku collect DEPARTMENT`, or the department's DAG.")
            return
        department, run_id = newest[0].department, newest[0].run_id
        report = Road(settings).report(connection, department, run_id)
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


def batch_table(batches: list[Batch]) -> Table:
    """Show batches, one a row, with their balance; nothing is cut, however narrow the terminal."""
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
    table = Table()
    table.add_column("why")
    table.add_column("rows", justify="right")
    table.add_column("reason", overflow="fold")
    table.add_column("rule", overflow="fold")
    names = {"critical": "[red]quarantined[/]", "warning": "[yellow]warned[/]", "info": "noted"}
    for (severity, rule_id), count in sorted(rows.items(), key=lambda item: (list(names).index(item[0][0]), -item[1])):
        table.add_row(names[severity], f"{count:,}", Text(reasons.get(rule_id, "")), rule_id)
    return table
