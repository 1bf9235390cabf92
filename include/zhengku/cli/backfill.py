"""`zhengku backfill`: read the months since 2019, and show the progress."""

import json
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from zhengku import clock
from zhengku.catalog import load_catalog
from zhengku.cli.common import AsJson, out, print_json
from zhengku.database import store_connection
from zhengku.errors import BackfillIncomplete, ConfigurationError, ZhengkuError
from zhengku.operations.backfill import (
    FIRST_MONTH,
    MONTHS_AT_ONCE,
    STATE_SIGNS,
    backfill_month,
    backfilled_feeds,
    month_of,
    months_between,
    progress,
    table_of_progress,
)
from zhengku.pipeline.pipeline import Pipeline
from zhengku.report.fitting import print_fitting
from zhengku.settings import Settings

backfill_app = typer.Typer(no_args_is_help=True, help="The backfill (回溯): what was issued since 2019, by month.")


_MONTH = "YYYY-MM"

From = Annotated[str, typer.Option("--from", metavar=_MONTH, help="The first month.")]
To = Annotated[str, typer.Option("--to", metavar=_MONTH, help="The last month.")]
Departments = Annotated[list[str] | None, typer.Option("--department", help="Only this; may be given several times.")]
Again = Annotated[bool, typer.Option("--again", help="Read finished months again.")]
Here = Annotated[bool, typer.Option("--here", help="Read the months in this process, without Airflow.")]


@backfill_app.command()
def run(first: From, last: To, department: Departments = None, again: Again = False, here: Here = False) -> None:
    """Backfill months: by Airflow, which makes a run for each, or with --here one after another."""
    start, end = month_of(first), month_of(last)
    if end < start:
        raise ConfigurationError(f"The months end before they begin: {first} to {last}. Exchange the two.")
    settings = Settings.load()
    catalog = load_catalog(settings.catalog_folder)
    for department_id in department or ():
        if not backfilled_feeds(catalog.department(department_id)):
            raise ConfigurationError(
                f"{department_id} has no feed that can be read by month. `zhengku backfill progress` shows who has."
            )
    if not here:
        _by_airflow(first, last, department or [], again=again)
        return
    run_id = f"backfill__{clock.now().isoformat(timespec='seconds')}__{uuid.uuid4().hex[:6]}"
    pipeline = Pipeline(settings, warm_up=True)
    chosen = department or [name for name, each in catalog.departments.items() if backfilled_feeds(each)]
    failures: list[str] = []
    for month in months_between(start, end):
        for department_id in chosen:
            try:
                done = backfill_month(pipeline, department_id, month, run_id, again=again)
            except ZhengkuError as error:
                failures.append(f"{department_id}: {error}")
                out.print(f"{month:%Y-%m}  {department_id}  [red]failed[/]")
            else:
                fetched, written = sum(each.fetched for each in done), sum(each.written for each in done)
                out.print(f"{month:%Y-%m}  {department_id}  {fetched:,} rows, {written:,} written")
    if failures:
        raise BackfillIncomplete(f"{len(failures)} to look at: {' || '.join(failures)}")


def _by_airflow(first: str, last: str, departments: list[str], *, again: bool) -> None:
    next_to_python = Path(sys.executable).with_name("airflow")
    airflow = str(next_to_python) if next_to_python.exists() else shutil.which("airflow")
    if airflow is None:
        raise ConfigurationError(
            "Expected the command `airflow` next to this one or in the path, and found none. Run this where Airflow is "
            "installed, or with --here, which reads the months in this process."
        )
    command = [
        *(airflow, "backfill", "create", "--dag-id", "backfill"),
        *("--from-date", f"{first}-01T00:00:00+08:00", "--to-date", f"{last}-01T23:59:59+08:00"),
        *("--max-active-runs", f"{MONTHS_AT_ONCE}"),
        *("--dag-run-conf", json.dumps({"departments": departments, "again": again})),
        # The tasks skip months that are done: they check it for each department.
        *("--reprocess-behavior", "completed"),
    ]
    if subprocess.run(command, check=False).returncode:
        raise BackfillIncomplete(
            "Airflow did not start the backfill; its message is above. Check that the DAG `backfill` is there and "
            "that no other backfill of it is running."
        )
    out.print("The backfill is started. Unpause the DAG `backfill`; `zhengku backfill progress` shows how far it is.")


@backfill_app.command("progress")
def show_progress(
    first: From = f"{FIRST_MONTH:%Y-%m}",
    last: Annotated[str | None, typer.Option("--to", metavar=_MONTH, help="The last month; the present one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how far the backfill is: departments by month, ✓ done, … begun, 暂 held, ✗ failed, · not begun."""
    settings = Settings.load()
    end = month_of(last) if last else clock.today().replace(day=1)
    months = months_between(month_of(first), end)
    with store_connection(settings.database_url) as connection:
        known = progress(connection)
    lines = table_of_progress(load_catalog(settings.catalog_folder), known, months)
    if as_json:
        listed = [
            {
                "department": line.department,
                "months": {f"{month:%Y-%m}": state for month, state in line.months.items()},
                "fetched": line.fetched,
                "written": line.written,
                "whole": line.whole,
            }
            for line in lines
        ]
        print_json(listed)
        return
    table = Table("department", "year", "months", "rows", "written", show_lines=False)
    for line in lines:
        if not line.feeds:
            table.add_row(line.department, "", f"not by month, always complete: {'、'.join(line.whole)}", "", "")
            continue
        years = sorted({month.year for month in months})
        for year in years:
            signs = "".join(STATE_SIGNS[state] for month, state in line.months.items() if month.year == year)
            of_all = (f"{line.fetched:,}", f"{line.written:,}") if year == years[0] else ("", "")
            table.add_row(line.department if year == years[0] else "", str(year), signs, *of_all)
    print_fitting(out, table)
    for each in known:
        if each.state in ("failed", "held"):
            out.print(f"{each.department}/{each.feed} {each.month:%Y-%m} {each.state}: {each.detail}", markup=False)
