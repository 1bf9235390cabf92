"""`zhengku retention`: remove what is too old by `retention.yaml`, and show what was removed."""

from collections.abc import Mapping
from dataclasses import asdict

import typer
from rich.table import Table

from zhengku import clock
from zhengku.catalog.retention_config import load_retention
from zhengku.cli.common import AsJson, Limit, clock_text, out, print_json
from zhengku.database import store_connection
from zhengku.report.fitting import print_fitting
from zhengku.retention.removal import removals_by_day
from zhengku.retention.run import Retention
from zhengku.settings import Settings

retention_app = typer.Typer(
    help="Retention (数据留存): what is too old, and removing it; what the store needs stays.", no_args_is_help=True
)

_REASONS: Mapping[str, str] = {
    "unsettled": "not settled",
    "problem": "problem records",
    "newest": "newest of its kind",
    "awaited": "delivery awaited",
    "backup": "within backups",
    "current": "in use",
}


@retention_app.command()
def plan(as_json: AsJson = False) -> None:
    """Show what is too old, what would be removed of it, and what stays and why. Nothing is changed."""
    planned = _retention().plan()
    if as_json:
        print_json([asdict(one) for one in planned])
        return
    table = Table("kind", "rule", "to remove", "MB", "oldest", "stays because of")
    for one in planned:
        table.add_row(
            one.name or one.kind,
            one.rule,
            f"{one.number:,}",
            "" if one.bytes is None else f"{one.bytes / 1024**2:,.1f}",
            "" if one.oldest is None else clock_text(one.oldest),
            one.note or ", ".join(f"{_REASONS[reason]}: {number:,}" for reason, number in sorted(one.kept.items())),
        )
    print_fitting(out, table, ("oldest",))


@retention_app.command()
def apply(as_json: AsJson = False) -> None:
    """Remove what is too old, and record it. May be stopped at any time and repeated."""
    removed = _retention().apply()
    if as_json:
        print_json(removed)
        return
    for name, number in removed.items():
        out.print(f"{name}: {number:,} removed" if name != "unfinished" else f"left by an earlier run: {number:,}")


@retention_app.command()
def removals(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Show what was removed, by day, kind and rule, the newest first."""
    with store_connection(Settings.load().database_url) as connection:
        found = removals_by_day(connection, limit)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    table = Table("day", "kind", "rule", "files", "MB", "rows", "not complete")
    for one in found:
        table.add_row(
            f"{one.day}",
            one.kind,
            one.rule,
            f"{one.files:,}",
            f"{one.bytes / 1024**2:,.1f}",
            f"{one.removed_rows:,}",
            f"{one.unfinished:,}" if one.unfinished else "",
        )
    print_fitting(out, table, ("MB",))


def _retention() -> Retention:
    settings = Settings.load()
    return Retention(settings, load_retention(settings.catalog_folder), clock.now())
