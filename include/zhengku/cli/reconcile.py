"""`zhengku reconcile`: compare the departments' systems with the store."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from zhengku.cli.common import Behalf, out, person, print_json
from zhengku.collect.window import interval_of
from zhengku.errors import ConfigurationError, ZhengkuError
from zhengku.operations.reconcile.comparison import Reconciliation, Result, since_of
from zhengku.pipeline.pipeline import Pipeline
from zhengku.report.fitting import print_fitting
from zhengku.settings import Settings

USUAL_DAYS = 35
"""Days compared by default: a month, and the days until the next weekly comparison."""


def reconcile(
    department: Annotated[str | None, typer.Option(help="Only this department.")] = None,
    feed: Annotated[str | None, typer.Option(help="Only this feed of the department.")] = None,
    since: Annotated[str | None, typer.Option(help="From this day on (Asia/Shanghai); 35 days when left out.")] = None,
    until: Annotated[str | None, typer.Option(help="… until this day.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="From the very first day on.")] = False,
    recount: Annotated[
        bool, typer.Option("--recount", help="First recount all rows of the store, which also checks the roll-up.")
    ] = False,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="Collect rows that the store lacks, mark rows that the source no longer has, compare again.",
        ),
    ] = False,
    behalf: Behalf = None,
    reason: Annotated[str, typer.Option(help="With --fix: why, for the ledger.")] = "比对后由人工执行补正",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare sources with the store; unexplained differences become problem records and an exit status of 1.

    A source that cannot be read now is reported; the others are compared all the same.
    """
    if feed and not department:
        raise ConfigurationError("Expected --department with --feed: feeds of two departments may share a name.")
    if whole and (since or until):
        raise ConfigurationError("Expected either --whole or a period with --since and --until, got both.")
    decider = person(behalf)
    pipeline = Pipeline(Settings.load())
    reconciliation = Reconciliation(pipeline)
    interval = interval_of(since, until)
    start = interval.start if interval else None if whole else since_of(USUAL_DAYS)
    end = interval.end if interval else None
    recounted = reconciliation.recount() if recount else []
    results: list[Result] = []
    failures: list[ZhengkuError] = []
    for name in [department] if department else pipeline.catalog.department_ids:
        for feed_id in [feed] if feed else list(pipeline.catalog.department(name).feeds):
            try:
                result = reconciliation.compare(name, feed_id, start, end)
                if fix and result.missing_in_store + result.differs:
                    reconciliation.fix(name, feed_id)
                    result = reconciliation.compare(name, feed_id, start, end)
                if fix and result.missing_at_source:
                    reconciliation.withdraw(name, feed_id, decider, reason)
                    result = reconciliation.compare(name, feed_id, start, end)
                results.append(result)
            except ZhengkuError as error:
                failures.append(error)
    _show(results, as_json=as_json)
    for failure in failures:
        print(f"zhengku: {failure}", file=sys.stderr)  # noqa: T201
    if recount:
        print(f"zhengku: recounted: the roll-up was wrong on {len(recounted)} days", file=sys.stderr)  # noqa: T201
    if failures or recounted or any(result.differences for result in results):
        raise typer.Exit(1)


def _show(results: list[Result], *, as_json: bool) -> None:
    if as_json:
        shown = [{**asdict(result), "differences": result.differences} for result in results]
        print_json(shown)
        return
    table = Table(
        "feed", "method", "source", "store", "unequal days", "missing in store", "missing at source", "differs",
        "explained", "note",
    )  # fmt: skip
    for result in results:
        explained = ", ".join(f"{why} {number}" for why, number in sorted(result.explained.items()))
        unequal = f"{result.unequal_days}/{result.days}" if result.days is not None else "-"
        counts = (result.source_count, result.store_count)
        table.add_row(
            Text(f"{result.department}/{result.feed}", overflow="fold"),
            result.method,
            *("-" if count is None else f"{count:,}" for count in counts),
            unequal,
            str(result.missing_in_store),
            str(result.missing_at_source),
            str(result.differs),
            explained,
            Text(result.note or ""),
        )
    print_fitting(out, table, ("method", "unequal days", "store", "source"))
