"""`zhengku rules`: the page that documents the rules, and the trial of a changed suite."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from zhengku.catalog import load_catalog
from zhengku.cli.common import err, out, print_json
from zhengku.errors import CatalogError, ConfigurationError
from zhengku.operations.trial import FeedComparison, RuleComparison, Trial, try_suite
from zhengku.report.fitting import print_fitting
from zhengku.settings import CARRIED_FOLDER, Settings
from zhengku.validate.rules_page import PAGE, rules_page

rules_app = typer.Typer(no_args_is_help=True, help="The rules (expectations/*.json).")


@rules_app.command()
def page(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 where the page differs from the rules.")
    ] = False,
) -> None:
    """Write the page that documents every rule (docs/rules.zh-CN.md), from the rules themselves."""
    settings = Settings.load()
    path = settings.home / PAGE
    content = rules_page(load_catalog(settings.catalog_folder), settings.suite_folder)
    if not check:
        # A wheel carries the runbooks: its folder of documents is not one to write to.
        if settings.home == CARRIED_FOLDER or not path.parent.is_dir():
            raise ConfigurationError(f"No page at {path}: run this in the checkout, or set ZHENGKU_HOME to it.")
        path.write_text(content, encoding="utf-8")
        print(path)  # noqa: T201
        return
    there = path.read_text(encoding="utf-8") if path.is_file() else ""
    if there != content:
        raise CatalogError(f"{PAGE}{_first_difference(there, content)}. Run `zhengku rules page` and commit the page.")


def _first_difference(there: str, content: str) -> str:
    if not there:
        return ": expected the page of the rules, and it is not there"
    pairs = zip([*there.splitlines(), ""], [*content.splitlines(), ""], strict=False)
    line = next(number for number, (old, new) in enumerate(pairs, start=1) if old != new)
    return f":{line}: differs from what the rules in expectations/ say"


@rules_app.command("try")
def try_(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="For instance certificate, or batch.")],
    file: Annotated[Path, typer.Option("--file", help="The changed suite: a JSON file like that of expectations/.")],
    nights: Annotated[int, typer.Option(min=1, max=3660, help="Batches of so many days, today's the last.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show what a changed suite would have done to the last nights; nothing but a scratch schema is written."""
    settings = Settings.load()
    with err.status("") as status:
        trial = try_suite(settings, suite, file, nights, lambda looked_at: status.update(f"trying {looked_at}"))
    if as_json:
        print_json({**asdict(trial), "feeds": [asdict(feed) for feed in trial.feeds]})
        return
    _show(trial)


def _show(trial: Trial) -> None:
    table = Table("feed", "batches", "rows", "newly quarantined", "newly passing", "newly warned", "held", "held then")
    rules = Table("feed", "rule", "severity", "failing now", "failing then")
    for feed in trial.feeds:
        numbers = (feed.batches, feed.rows, feed.newly_quarantined, feed.newly_passing, feed.newly_warned)
        table.add_row(
            Text(feed.feed, overflow="fold"),
            *(f"{number:,}" for number in (*numbers, feed.held_now, feed.held_changed)),
        )
        for rule in _failing_rules(feed):
            rules.add_row(
                Text(feed.feed, overflow="fold"),
                Text(rule.rule_id, overflow="fold"),
                _severity(rule),
                f"{rule.failing_now:,}",
                f"{rule.failing_changed:,}",
            )
    print_fitting(out, table, ("rows", "batches", "newly warned"))
    if rules.row_count:
        print_fitting(out, rules, ("severity",))
    else:
        out.print("No row fails a rule of this suite, now or then.")
    for batch in trial.not_tried:
        err.print(Text(f"Batch {batch.batch_id} of {batch.feed} was not tried: {batch.why}"), soft_wrap=True)


def _failing_rules(feed: FeedComparison) -> list[RuleComparison]:
    return [rule for rule in feed.rules if rule.failing_now or rule.failing_changed]


def _severity(rule: RuleComparison) -> str:
    now, changed = rule.severity_now or "no rule", rule.severity_changed or "no rule"
    return now if now == changed else f"{now} → {changed}"
