"""`zhengku feeds` and `zhengku departments`: list, profile and add feeds; add a department."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from zhengku.cli.common import AsJson, err, out, print_json
from zhengku.collect.window import interval_of
from zhengku.errors import ConfigurationError
from zhengku.profile.draft import listed_feeds
from zhengku.profile.profile import profile
from zhengku.report.fitting import print_fitting
from zhengku.scaffold.department import new_department, new_feed
from zhengku.settings import Settings
from zhengku.transports.registry import TransportKind

feeds_app = typer.Typer(no_args_is_help=True, help="What departments deliver.")


departments_app = typer.Typer(no_args_is_help=True, help="The departments.")


@feeds_app.command("list")
def feeds_list(as_json: AsJson = False) -> None:
    """List the feeds of all departments, drafts among them."""
    listed = listed_feeds(Settings.load().catalog_folder)
    if as_json:
        print_json([asdict(feed) for feed in listed])
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
    rows: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many rows to read, at most.")] = 1000,
    since: Annotated[
        str | None, typer.Option(help="Only feeds with a watermark: rows changed since this day or time.")
    ] = None,
) -> None:
    """Read a sample of a source and propose the mapping as YAML; nothing is written, no value is shown.

    The feed's file need only say title, dataset, license_type, transport and window.
    """
    department, separator, feed = source.partition("/")
    if not separator:
        raise ConfigurationError(f"Expected DEPARTMENT/FEED, got {source!r}. `zhengku feeds list` has all of them.")
    print(profile(Settings.load(), department, feed, rows, interval_of(since, None)), end="")  # noqa: T201


@feeds_app.command("add")
def feeds_add(
    source: Annotated[str, typer.Argument(metavar="DEPARTMENT/FEED", help="For instance housing/permit.")],
    transport: Annotated[
        TransportKind, typer.Option(help="How its rows are delivered, whatever the other feeds have.")
    ],
    license_type: Annotated[
        str | None, typer.Option(help="Key in license_types.csv; that of the feed's name when left out.")
    ] = None,
) -> None:
    """Add a feed to a department's file, as a draft to be profiled. Existing content is not changed."""
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
    transport: Annotated[TransportKind, typer.Option(help="How its rows are delivered.")],
    license_type: Annotated[
        list[str] | None, typer.Option(help="Key in license_types.csv, once for each feed.")
    ] = None,
) -> None:
    """Write the files of a new department: catalogue, DAG, a test with made-up rows. Nothing is overwritten."""
    written = new_department(Settings.load(), department, name, transport, license_type or ())
    for path in written.files:
        print(path)  # noqa: T201
    err.print(Text(f"Next: set the address, then zhengku feeds profile {department}/FEED."), soft_wrap=True)
