"""`zhengku collect` and the commands for batches: list, release, reject, summary."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from zhengku import clock, ledger
from zhengku.catalog import load_catalog
from zhengku.cli.common import AsJson, Behalf, Limit, Reason, err, out, person, print_json
from zhengku.cli.summary import batch_table, print_summary
from zhengku.collect.window import interval_of
from zhengku.database import LARGEST_BIGINT, store_connection
from zhengku.errors import CatalogError, ZhengkuError
from zhengku.ledger import Batch
from zhengku.masking import mask_text
from zhengku.pipeline.pipeline import Pipeline
from zhengku.report.run_report import report_path
from zhengku.review import decisions
from zhengku.settings import Settings
from zhengku.transports.window import Watermark


def collect(
    source: Annotated[str, typer.Argument(metavar="DEPARTMENT[/FEED]", help="For instance market_supervision.")],
    again: Annotated[
        bool, typer.Option("--again", help="Process a file completely even if it was loaded before.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(help="Only feeds with a watermark: rows changed since this day or time (Asia/Shanghai)."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="… and until this day (its end) or time.")] = None,
    as_json: AsJson = False,
) -> None:
    """Collect, stage, validate and load what a department delivered: the steps of its DAG, without Airflow.

    With --since or --until the watermark is not advanced.
    """
    interval = interval_of(since, until)
    settings = Settings.load()
    department, _, only = source.partition("/")
    catalog = load_catalog(settings.catalog_folder)
    known = catalog.department(department).feeds
    feeds = [catalog.feed(department, only).id] if only else list(known)
    if interval and not only:
        feeds = [feed for feed in feeds if isinstance(known[feed].window, Watermark)]
    run_id = f"cli__{clock.now().isoformat(timespec='seconds')}__{uuid.uuid4().hex[:6]}"
    unavailable: ZhengkuError | None = None
    pipeline = Pipeline(settings, warm_up=True)
    failed: ZhengkuError | None = None
    with _progress(pipeline, hidden=as_json):
        try:
            pipeline.collect_feeds(department, feeds, run_id, again=again, interval=interval)
        except ZhengkuError as error:
            if len(feeds) == 1 or isinstance(error, CatalogError):
                raise
            # Feeds that could be collected are loaded all the same.
            unavailable = error
        try:
            pipeline.load_run(department, run_id, feeds)
            pipeline.conclude(department, run_id, feeds)
        except ZhengkuError as error:
            failed = error
    with store_connection(settings.database_url) as connection:
        finished = ledger.batches(connection, department=department, run_id=run_id, limit=1_000_000)
    _show_batches(sorted(finished, key=lambda batch: batch.batch_id), as_json=as_json)
    if unavailable:
        print(f"zhengku: {unavailable}", file=sys.stderr)  # noqa: T201
    if failed:
        raise failed
    if not as_json:
        err.print(Text(f"Report: {report_path(settings.report_folder, department, run_id)}"), soft_wrap=True)


@contextmanager
def _progress(pipeline: Pipeline, *, hidden: bool) -> Iterator[None]:
    """Show the progress of the steps where the output is a terminal."""
    bars: dict[tuple[str, str], TaskID] = {}
    with Progress(
        SpinnerColumn(),
        # File names come from departments: a bracket in one is no markup.
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f} {task.fields[unit]}"),
        TimeElapsedColumn(),
        console=err,
        disable=hidden or not err.is_terminal,
        transient=True,
    ) as progress:

        def observe(step: str, source_name: str, amount: int) -> None:
            if (step, source_name) not in bars:
                unit = "bytes" if step == "collect" else "rows"
                bars[step, source_name] = progress.add_task(f"{step} {mask_text(source_name)}", total=None, unit=unit)
            progress.advance(bars[step, source_name], amount)

        pipeline.observe = observe
        yield


def batches(
    department: Annotated[str | None, typer.Option(help="Only this department.")] = None,
    feed: Annotated[str | None, typer.Option(help="Only this feed.")] = None,
    status: Annotated[
        Literal["landed", "staged", "validated", "loaded", "held", "rejected"] | None, typer.Option(help="Only these.")
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List batches, the newest first."""
    with store_connection(Settings.load().database_url) as connection:
        found = ledger.batches(connection, department=department, feed=feed, status=status, limit=limit)
    _show_batches(found, as_json=as_json)


def summary() -> None:
    """Show the newest run: the rows fetched, loaded and quarantined, the reasons, and where the report is."""
    print_summary(Settings.load(), out)


def release(
    batch_id: Annotated[int, typer.Argument(metavar="BATCH", min=1, max=LARGEST_BIGINT)],
    reason: Reason,
    behalf: Behalf = None,
    as_json: AsJson = False,
) -> None:
    """Load a held batch that a person has checked, with the reason. The department gets a notice."""
    batch = decisions.release(Pipeline(Settings.load()), batch_id, person(behalf), reason)
    _show_batches([batch], as_json=as_json)


def reject(
    batch_id: Annotated[int, typer.Argument(metavar="BATCH", min=1, max=LARGEST_BIGINT)],
    reason: Annotated[str, typer.Option(help="Why, for the record and the department.")],
    behalf: Behalf = None,
    as_json: AsJson = False,
) -> None:
    """Reject a batch that is held or unfinished: nothing is loaded, and the department gets a notice."""
    settings = Settings.load()
    batch = decisions.reject(settings, load_catalog(settings.catalog_folder), batch_id, person(behalf), reason)
    _show_batches([batch], as_json=as_json)


def _show_batches(found: list[Batch], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(batch) for batch in found])
        return
    out.print(batch_table(found))
