"""The command line: `zhengku`. Every failure a person can meet is one clear line and an exit status that is not 0."""

import json
import logging
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from zhengku import __version__, clock, ledger
from zhengku.catalog import Problem, department_schema, load_catalog
from zhengku.check.configuration import check_catalog
from zhengku.cli.backfill import backfill_app
from zhengku.cli.clearance import clearance_app
from zhengku.cli.history import as_of, replay
from zhengku.cli.reconcile import reconcile
from zhengku.cli.review import problems_app, report_app
from zhengku.cli.rules import rules_app
from zhengku.cli.stock import stock_app
from zhengku.cli.summary import batch_table, print_summary
from zhengku.clock import CITY_TIME_ZONE
from zhengku.collect.window import interval_of
from zhengku.database import store_connection, upgrade
from zhengku.errors import CatalogError, ConfigurationError, ZhengkuError
from zhengku.ledger import Batch
from zhengku.pipeline.pipeline import Pipeline
from zhengku.profile.draft import listed_feeds
from zhengku.profile.profile import profile
from zhengku.report.fitting import print_fitting
from zhengku.report.run_report import report_path
from zhengku.review import decisions
from zhengku.scaffold.department import new_department, new_feed
from zhengku.settings import Settings
from zhengku.transports.registry import TransportKind
from zhengku.transports.window import Watermark

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="zhengku (证库): the license store.")
db_app = typer.Typer(no_args_is_help=True, help="The database of the license store.")
catalog_app = typer.Typer(no_args_is_help=True, help="The catalogue of types, districts and departments.")
app.add_typer(db_app, name="db")
app.add_typer(catalog_app, name="catalog")
feeds_app = typer.Typer(no_args_is_help=True, help="What departments deliver.")
departments_app = typer.Typer(no_args_is_help=True, help="The departments.")
app.add_typer(feeds_app, name="feeds")
app.add_typer(departments_app, name="departments")
app.add_typer(clearance_app, name="clearance")
app.add_typer(rules_app, name="rules")
app.add_typer(problems_app, name="problems")
app.add_typer(report_app, name="report")
app.add_typer(backfill_app, name="backfill")
app.add_typer(stock_app, name="stock")
app.command()(replay)
app.command("as-of")(as_of)
app.command()(reconcile)

out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]


def main() -> None:
    """Run the command line."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=err, show_path=False, show_time=False)],
    )
    try:
        app()
    except ZhengkuError as error:
        _fail(str(error))


def _fail(message: str) -> None:
    # Not through Rich, which would wrap the line.
    print(f"zhengku: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(1)


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))  # noqa: T201


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(CITY_TIME_ZONE).isoformat()
    if isinstance(value, Problem):
        return str(value)
    raise TypeError(type(value).__name__)


@app.command()
def version() -> None:
    """Print the release."""
    out.print(__version__)


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Create the schema of the license store, or bring it to this release."""
    rekeyed = upgrade(Settings.load().database_url)
    out.print("The schema is up to date.")
    for outcome, number in rekeyed.items():
        out.print(f"Keys {outcome}: {number:,}. They are listed in ledger.rekeyed_record.")


@catalog_app.command("check")
def catalog_check(
    department: Annotated[
        str | None, typer.Argument(metavar="DEPARTMENT", help="Only its file, and mistakes that stop every department.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the catalogue: every mistake with file, line and mend.

    What collect, stage, validate and load would refuse is found by their own code. Addresses of sources are looked at
    where the environment has them; nothing is connected to.
    """
    settings = Settings.load()
    today = clock.today()
    problems = check_catalog(settings.catalog_folder, settings.suite_folder, today, settings.environment, department)
    errors = [problem for problem in problems if problem.severity == "error"]
    if as_json:
        _print_json([{**asdict(problem), "file": str(problem.file)} for problem in problems])
    else:
        for problem in problems:
            print(problem)  # noqa: T201
        out.print(f"{len(errors)} mistakes, {len(problems) - len(errors)} notes.")
    if errors:
        raise typer.Exit(1)


@catalog_app.command("schema")
def catalog_schema() -> None:
    """Print the JSON Schema of a department's file (committed as department.schema.json, for editors)."""
    _print_json(department_schema())


@feeds_app.command("list")
def feeds_list(as_json: AsJson = False) -> None:
    """List the feeds of all departments, drafts among them."""
    listed = listed_feeds(Settings.load().catalog_folder)
    if as_json:
        _print_json([asdict(feed) for feed in listed])
        return
    table = Table("feed", "title", "transport", "window", "license type", "mapping")
    for feed in listed:
        name = Text(f"{feed.department}/{feed.feed}", overflow="fold")
        mapping = "there" if feed.is_mapped else "none yet"
        table.add_row(name, Text(feed.title), feed.transport, feed.window, feed.license_type, mapping)
    print_fitting(out, table, ("license type", "window", "transport"))


@feeds_app.command("profile")
def feeds_profile(
    source: Annotated[str, typer.Argument(metavar="DEPARTMENT/FEED")],
    rows: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many rows to look at, at most.")] = 1000,
    since: Annotated[
        str | None, typer.Option(help="Only feeds with a watermark: rows changed since this day or time.")
    ] = None,
) -> None:
    """Look at a sample of a source and propose the mapping as YAML; nothing is written, no value is shown.

    The feed's file need only say title, dataset, license_type, transport and window.
    """
    department, separator, feed = source.partition("/")
    if not separator:
        raise ConfigurationError(f"Expected DEPARTMENT/FEED, got {source!r}. `zhengku feeds list` has all of them.")
    print(profile(Settings.load(), department, feed, rows, interval_of(since, None)), end="")  # noqa: T201


@feeds_app.command("add")
def feeds_add(
    source: Annotated[str, typer.Argument(metavar="DEPARTMENT/FEED", help="For instance housing/permit.")],
    transport: Annotated[TransportKind, typer.Option(help="How its rows come; not that of the other feeds alone.")],
    license_type: Annotated[
        str | None, typer.Option(help="Key in license_types.csv; that of the feed's name when left out.")
    ] = None,
) -> None:
    """Add a feed to a department's file, as a draft to be profiled. What stands there is not changed."""
    department, separator, feed = source.partition("/")
    if not separator:
        raise ConfigurationError(f"Expected DEPARTMENT/FEED, got {source!r}. `zhengku feeds list` has all departments.")
    for path in new_feed(Settings.load(), department, feed, transport, license_type):
        print(path)  # noqa: T201
    err.print(Text(f"Next: set the address, then zhengku feeds profile {department}/{feed}."), soft_wrap=True)


@departments_app.command("new")
def departments_new(
    department: Annotated[str, typer.Argument(metavar="ID", help="For instance market_supervision.")],
    name: Annotated[str, typer.Option(help="Full Chinese name, for instance 市市场监督管理局.")],
    transport: Annotated[TransportKind, typer.Option(help="How its rows come.")],
    license_type: Annotated[
        list[str] | None, typer.Option(help="Key in license_types.csv, once for each feed.")
    ] = None,
) -> None:
    """Write the files of a new department: catalogue, DAG, a test with made-up rows. Nothing is overwritten."""
    written = new_department(Settings.load(), department, name, transport, license_type or ())
    for path in written.files:
        print(path)  # noqa: T201
    err.print(Text(f"Next: set the address, then zhengku feeds profile {department}/FEED."), soft_wrap=True)


@app.command()
def collect(
    source: Annotated[str, typer.Argument(metavar="DEPARTMENT[/FEED]", help="For instance market_supervision.")],
    again: Annotated[
        bool, typer.Option("--again", help="Go the whole road even for a file that was loaded before.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(help="Only feeds with a watermark: rows changed since this day or time (Asia/Shanghai)."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="… and until this day (its end) or time.")] = None,
    as_json: AsJson = False,
) -> None:
    """Collect, stage, validate and load what a department delivered: the steps of its DAG, without Airflow.

    With --since or --until the watermark stays where it is.
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
    road = Pipeline(settings, warm_up=True)
    failed: ZhengkuError | None = None
    with _progress(road, hidden=as_json):
        try:
            road.collect_feeds(department, feeds, run_id, again=again, interval=interval)
        except ZhengkuError as error:
            if len(feeds) == 1 or isinstance(error, CatalogError):
                raise
            # What could be collected is loaded all the same.
            unavailable = error
        try:
            road.load_run(department, run_id, feeds)
            road.conclude(department, run_id, feeds)
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
def _progress(road: Pipeline, *, hidden: bool) -> Iterator[None]:
    """Show what is being done on a terminal, and nothing elsewhere."""
    bars: dict[tuple[str, str], TaskID] = {}
    with Progress(
        SpinnerColumn(),
        # File names are delivered too: a bracket in one is no markup.
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
                bars[step, source_name] = progress.add_task(f"{step} {source_name}", total=None, unit=unit)
            progress.advance(bars[step, source_name], amount)

        road.observe = observe
        yield


@app.command()
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


@app.command()
def summary() -> None:
    """Show the newest run: what came, what loaded, what was quarantined and why, where the report is."""
    print_summary(Settings.load(), out)


@app.command()
def release(
    batch_id: Annotated[int, typer.Argument(metavar="BATCH")],
    by: Annotated[str, typer.Option(help="Who decides, for the ledger.")],
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")],
    as_json: AsJson = False,
) -> None:
    """Load a held batch after all: a person has looked at it and says why. The department is told."""
    batch = decisions.release(Pipeline(Settings.load()), batch_id, by, reason)
    _show_batches([batch], as_json=as_json)


@app.command()
def reject(
    batch_id: Annotated[int, typer.Argument(metavar="BATCH")],
    by: Annotated[str, typer.Option(help="Who decides, for the ledger.")],
    reason: Annotated[str, typer.Option(help="Why, for the ledger and the department.")],
    as_json: AsJson = False,
) -> None:
    """Give a batch back that is held or did not come to its end: nothing is loaded, and the department is told."""
    settings = Settings.load()
    batch = decisions.reject(settings, load_catalog(settings.catalog_folder), batch_id, by, reason)
    _show_batches([batch], as_json=as_json)


def _show_batches(found: list[Batch], *, as_json: bool) -> None:
    if as_json:
        _print_json([asdict(batch) for batch in found])
        return
    out.print(batch_table(found))
