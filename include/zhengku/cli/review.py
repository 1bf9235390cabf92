"""`zhengku problems` and `zhengku report`: problem records, returns, the problem ledger and the nightly report."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from zhengku import clock
from zhengku.catalog import load_catalog
from zhengku.cli.common import AsJson, Behalf, Limit, Reason, clock_text, day_of, out, person, print_json
from zhengku.cli.summary import batch_table
from zhengku.database import LARGEST_BIGINT, store_connection
from zhengku.errors import ConfigurationError, RecordNotFound
from zhengku.operations.backfill import FIRST_MONTH
from zhengku.operations.redrive import redrive as redrive_problems
from zhengku.pipeline.pipeline import Pipeline
from zhengku.report.fitting import print_fitting
from zhengku.review import daily, problem_ledger, problems
from zhengku.review import requests as review_requests
from zhengku.review.night import NightReports
from zhengku.review.night_files import report_folder, write_night
from zhengku.review.problems import ProblemFilter, ProblemRecord, Status
from zhengku.review.return_records import ProblemReturn, list_returns
from zhengku.review.returns import Returns
from zhengku.settings import Settings

problems_app = typer.Typer(
    no_args_is_help=True, help="Problem records (问题数据): rows that were not loaded, sent back and followed."
)
report_app = typer.Typer(no_args_is_help=True, help="The nightly validation report (归集校验日报).")


Department = Annotated[str | None, typer.Option(help="Only this department.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, max=LARGEST_BIGINT)]
Ids = Annotated[
    list[int], typer.Argument(metavar="NUMBER…", min=1, max=LARGEST_BIGINT, help="Numbers of problem records.")
]


@problems_app.command("list")
def list_(
    batch_id: Annotated[
        int | None,
        typer.Option("--batch", min=1, max=LARGEST_BIGINT, help="Only rows first or last seen in this batch."),
    ] = None,
    department: Department = None,
    feed: Annotated[str | None, typer.Option(help="Only this feed.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only what fails this rule.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only this status; all unsolved ones when left out.")] = None,
    night: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Only records of rows that were collected on that night.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also solved ones.")] = False,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List problem records with their reasons, the newest first, masked; without options only unsolved ones."""
    settings = Settings.load()
    chosen = ProblemFilter(
        batch_id=batch_id,
        department=department,
        feed=feed,
        rule_id=rule,
        statuses=[status] if status else None if everything else problems.UNSOLVED,
        night=day_of(night) if night else None,
    )
    with store_connection(settings.database_url) as connection:
        total = problems.count_problems(connection, chosen)
        rows = list(problems.problem_records(connection, load_catalog(settings.catalog_folder), chosen, limit=limit))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_fitting(out, _problem_table(rows), _LEAST_COLUMNS)
    out.print(f"{len(rows):,} of {total:,}.")


@problems_app.command()
def show(problem_id: Number, as_json: AsJson = False) -> None:
    """Show one problem record, masked, with its history."""
    settings = Settings.load()
    with store_connection(settings.database_url) as connection:
        chosen = ProblemFilter(problem_id=problem_id)
        found = list(problems.problem_records(connection, load_catalog(settings.catalog_folder), chosen))
        if not found:
            raise RecordNotFound(f"There is no problem record {problem_id}. `zhengku problems list` lists them.")
        history = problems.problem_events(connection, problem_id)
    if as_json:
        print_json({**asdict(found[0]), "events": [asdict(event) for event in history]})
        return
    print_fitting(out, _problem_table(found), _LEAST_COLUMNS)
    table = Table("when", "what", "by", "why", "batch", "return", "until")
    for event in history:
        table.add_row(
            clock_text(event.happened_at),
            event.event,
            Text(event.done_by or "zhengku"),
            Text(event.reason or ""),
            str(event.batch_id or ""),
            str(event.return_id or ""),
            str(event.until_on or ""),
        )
    print_fitting(out, table, ("until", "return", "batch"))


@problems_app.command()
def waive(
    ids: Ids,
    reason: Reason,
    until: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="The last day; for good when left out.")
    ] = None,
    behalf: Behalf = None,
) -> None:
    """Waive open or returned records (豁免): they need not be fixed, for a time or for good."""
    with store_connection(Settings.load().database_url) as connection:
        last_day = day_of(until) if until else None
        number = problems.waive(connection, ids, person(behalf), reason, last_day, clock.today())
    out.print(f"{number:,} of {len(ids):,} are waived; the others were neither open nor returned.")


@problems_app.command("close")
def close(ids: Ids, reason: Reason, behalf: Behalf = None) -> None:
    """Write records off (销号): what was corrected, and what is waived for good."""
    with store_connection(Settings.load().database_url) as connection:
        number = problems.close(connection, ids, person(behalf), reason)
    out.print(f"{number:,} of {len(ids):,} are written off; the others are not solved.")


@problems_app.command("return")
def return_(
    department: Annotated[str | None, typer.Argument(metavar="DEPARTMENT")] = None,
    ids: Annotated[
        list[int] | None, typer.Option("--problem", min=1, max=LARGEST_BIGINT, help="Only these records.")
    ] = None,
    again: Annotated[
        int | None, typer.Option(min=1, max=LARGEST_BIGINT, help="Write the files of this return again.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    behalf: Behalf = None,
    as_json: AsJson = False,
) -> None:
    """Send the open problem records of a department back (退回): in files, and in its database where the feed says so.

    The files are not masked; they are stored only in the department's folder.
    """
    settings = Settings.load()
    returned = Returns(settings, load_catalog(settings.catalog_folder))
    if (department is None) == (again is None):
        raise ConfigurationError("Expected a department, or --again with the number of a return; give one of them.")
    if again is not None:
        made = returned.write(again)
    else:
        assert department is not None
        made = returned.make(department, person(behalf), clock.now(), ids, reason=reason)
    _show_returns([made], as_json=as_json)
    if not as_json:
        out.print(Text(f"Files: {returned.folder(made.department) / f'{made.return_id:06d}'}"), soft_wrap=True)


@problems_app.command("returns")
def returns(department: Department = None, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List returns, the newest first, with the states of their records."""
    with store_connection(Settings.load().database_url) as connection:
        _show_returns(list_returns(connection, department=department, limit=limit), as_json=as_json)


@problems_app.command()
def redrive(
    source: Annotated[str, typer.Argument(metavar="DEPARTMENT/FEED")],
    reason: Reason,
    ids: Annotated[
        list[int] | None, typer.Option("--problem", min=1, max=LARGEST_BIGINT, help="Only these records.")
    ] = None,
    behalf: Behalf = None,
    as_json: AsJson = False,
) -> None:
    """Process the stored rows of a feed's unsolved records again, after a rule or a mapping was fixed."""
    department, separator, feed = source.partition("/")
    if not separator:
        raise ConfigurationError(f"Expected DEPARTMENT/FEED, got {source!r}. `zhengku feeds list` has all of them.")
    batches = redrive_problems(Pipeline(Settings.load(), warm_up=True), department, feed, person(behalf), reason, ids)
    if as_json:
        print_json([asdict(batch) for batch in batches])
        return
    out.print(batch_table(batches))


@problems_app.command()
def work(as_json: AsJson = False) -> None:
    """Execute the requests of the pages that are waiting: returns, redrives, releases, fixes."""
    done = review_requests.execute_requests(Pipeline(Settings.load(), warm_up=True))
    if as_json:
        print_json([asdict(request) for request in done])
        return
    table = Table("request", "what", "department", "by", "outcome")
    for request in done:
        table.add_row(
            str(request.request_id),
            request.kind,
            request.department,
            Text(request.asked_by),
            Text(request.outcome or "", style="red" if request.failed else ""),
        )
    print_fitting(out, table, ("by", "department"))


@problems_app.command()
def ledger(
    file: Annotated[Path | None, typer.Option(help="Write the table of annex 3 there (XLSX).")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also entries that are written off.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the open entries of the problem ledger (问题台账), or, with --file, write all as the annex's table."""
    settings = Settings.load()
    catalog = load_catalog(settings.catalog_folder)
    with store_connection(settings.database_url) as connection:
        listed = problem_ledger.entries(connection, standing=not everything and file is None)
    if file is not None:
        problem_ledger.write_ledger(file, catalog, listed, clock.now())
        out.print(Text(str(file)), soft_wrap=True)
        return
    if as_json:
        print_json([asdict(entry) for entry in listed])
        return
    table = Table("no.", "kind", "department", "description", "progress", "written off")
    for entry in listed:
        table.add_row(
            entry.entry_no,
            entry.kind,
            Text(problem_ledger.responsible_department(catalog, entry)),
            Text(entry.description),
            Text(entry.progress),
            str(entry.written_off_on or ""),
        )
    print_fitting(out, table, ("written off", "kind"))


@problems_app.command()
def notify(entry_no: Annotated[str, typer.Argument(metavar="NUMBER")], behalf: Behalf = None) -> None:
    """Record that a department was notified of an entry of the problem ledger (通报)."""
    with store_connection(Settings.load().database_url) as connection:
        problem_ledger.record_notification(connection, entry_no, person(behalf), clock.today())
    out.print(f"{entry_no}: the department was notified.")


@report_app.command()
def publish(
    night: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Only the report of this night (Asia/Shanghai).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish the reports of yesterday and today, apply due days of problem records, update the problem ledger.

    A report that is published stays unchanged, or gets another version where its figures have changed.
    """
    settings = Settings.load()
    now = clock.now()
    if night is not None:
        catalog = load_catalog(settings.catalog_folder)
        chosen = day_of(night)
        if not FIRST_MONTH <= chosen <= now.date():
            raise ConfigurationError(f"Expected a night from {FIRST_MONTH} to today ({now:%Y-%m-%d}), got {chosen}.")
        published = [NightReports(settings, catalog).publish(chosen)]
        write_night(settings, catalog, published[0])
    else:
        daily.apply_due_days(settings, now)
        published = daily.publish_nights(settings, now)
        daily.finish_returns(settings)
    if as_json:
        print_json([{**asdict(report), "folder": str(report_folder(settings, report))} for report in published])
        return
    table = Table("night", "version", "fetched", "loaded", "quarantined", "feeds out of order", "new problems", "files")
    for report in published:
        figures = report.figures
        table.add_row(
            f"{report.night}",
            str(report.version),
            *(f"{figures.total(name):,}" for name in ("fetched", "loaded", "quarantined")),
            f"{len(figures.feeds) - len(figures.in_state('good'))} of {len(figures.feeds)}",
            str(len(figures.new_rules)),
            Text(str(report_folder(settings, report)), overflow="fold"),
        )
    print_fitting(out, table, ("version", "fetched", "new problems", "loaded"))


_LEAST_COLUMNS = ("seen", "line", "batch", "status", "rules", "delivered (masked)")
"""Columns of problem records that are left out in a narrow terminal, in this order."""


def _problem_table(rows: Sequence[ProblemRecord]) -> Table:
    table = Table("no.", "feed", "batch", "line", "rules", "reason", "delivered (masked)", "seen", "status")
    for row in rows:
        delivered = "  ".join(f"{name}={value}" for name, value in (row.payload or {}).items() if value)
        table.add_row(
            str(row.problem_id),
            f"{row.department}/{row.feed}",
            str(row.last_batch_id),
            str(row.last_row_no),
            "\n".join(row.rules),
            Text("\n".join(row.reasons)),
            # As Text: brackets in delivered values are no markup.
            Text(delivered[:200] or row.text or ""),
            str(row.times_seen),
            f"{row.status}: {row.solution}" if row.solution else row.status,
        )
    return table


def _show_returns(listed: Sequence[ProblemReturn], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(made) for made in listed])
        return
    table = Table("return", "department", "made", "by", "due", "records", "wait", "waived", "solved", "files")
    for made in listed:
        table.add_row(
            str(made.return_id),
            made.department,
            clock_text(made.made_at),
            Text(made.made_by),
            f"{made.due_on}",
            *(f"{number:,}" for number in (made.problems, made.waiting, made.waived, made.solved)),
            Text("\n".join(file["name"] for file in made.files or ()) or "not written yet"),
        )
    print_fitting(out, table, ("waived", "by", "made", "solved", "files"))
