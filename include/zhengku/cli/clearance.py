"""`zhengku clearance`: publish, read and check the lists of daily clearance (日清清单) without Airflow."""

import sys
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from zhengku import clock
from zhengku.catalog import Catalog, load_catalog
from zhengku.catalog.clearance_config import DUE_DAYS, ListKind
from zhengku.clearance.districts import district_name
from zhengku.clearance.list_rows import left_services, listed_rows
from zhengku.clearance.list_versions import ListVersion, newest_version, published_version
from zhengku.clearance.publish import DailyClearance
from zhengku.clearance.rates import GroupRates, RateGroup, group_rates
from zhengku.clearance.verification import discrepancies
from zhengku.cli.common import AsJson, clock_text, day_of, out, print_json
from zhengku.database import LARGEST_INTEGER, store_connection
from zhengku.errors import ConfigurationError
from zhengku.ledger import Connection
from zhengku.report.fitting import print_fitting
from zhengku.settings import Settings

clearance_app = typer.Typer(no_args_is_help=True, help="The lists of cases that nobody rated, and the rates (好差评).")


Day = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="The list's day (Asia/Shanghai).")]
Kind = Annotated[ListKind | None, typer.Option(help="Working list (16:30) or final list (24:00) of the day.")]
Districts = Annotated[list[str] | None, typer.Option(help="Only rows of this district; more than once for more.")]
Version = Annotated[int | None, typer.Option(min=1, max=LARGEST_INTEGER, help="The newest when left out.")]


@clearance_app.command()
def publish(
    day: Day = None,
    kind: Kind = None,
    only_if_fresh: Annotated[
        bool, typer.Option("--only-if-fresh", help="Only lists whose sources were all read since the cut-off.")
    ] = False,
    is_sure: Annotated[
        bool, typer.Option("--yes", help="Publish a list older than a week without a question.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish every list that is due; or, with --day and --kind, that one.

    A list that is published already stays unchanged, or gets another version where its facts have changed. A list older
    than a week is never due: it is published only after a question or with --yes, and cannot be withdrawn.
    """
    clearance = DailyClearance(Settings.load())
    now = clock.now()
    if (day is None) != (kind is None):
        raise ConfigurationError(
            "--day and --kind name one list together: give both, or none for every list that is due."
        )
    if day is None or kind is None:
        published = clearance.publish_due(now, only_if_fresh)
    else:
        list_day = day_of(day)
        clearance.check_day(list_day, kind, now)
        if not is_sure:
            _confirm_old_list(list_day, kind)
        published = [clearance.publish(list_day, kind, now)]
    _show_lists(published, as_json=as_json)


def _confirm_old_list(day: date, kind: ListKind) -> None:
    """Ask whether a list that is too old to be due is really to be published; without a terminal, refuse."""
    days = (clock.today() - day).days
    if days <= DUE_DAYS:
        return
    about = f"The {kind} list of {day} is {days:,} days old; once published it stays, with what is loaded today"
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{about}. Add --yes if it is meant.")
    typer.confirm(f"{about}. Publish it?", abort=True, err=True)


@clearance_app.command("list")
def list_(
    day: Day = None,
    kind: Kind = None,
    version: Version = None,
    section: Annotated[
        Literal["unrated", "default_rated"] | None, typer.Option(help="Only rows of this section.")
    ] = None,
    district: Districts = None,
    department: Annotated[str | None, typer.Option(help="Only rows of this handling department.")] = None,
    hall: Annotated[str | None, typer.Option(help="Only rows of this hall.")] = None,
    limit: Annotated[int, typer.Option(min=0, max=LARGEST_INTEGER, help="How many rows at most.")] = 20,
    offset: Annotated[int, typer.Option(min=0, max=LARGEST_INTEGER, help="How many rows to leave out first.")] = 0,
    archived_within: Annotated[
        int | None,
        typer.Option(min=0, max=60, help="Only rows that become too old for a list within this many working days."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a list, the newest when no day is given, and its first rows; personal data is masked."""
    settings = Settings.load()
    catalog = load_catalog(settings.catalog_folder)
    with store_connection(settings.database_url) as connection:
        published = _find_version(connection, day, kind, version)
        rows = list(
            listed_rows(
                connection,
                catalog,
                published,
                section=section,
                districts=_districts(catalog, district),
                handling_department=department,
                hall=hall,
                offset=offset,
                limit=limit,
                archived_within=archived_within,
            )
        )
    if as_json:
        print_json({**asdict(published), "rows": [asdict(row) for row in rows]})
        return
    _show_lists([published], as_json=False)
    table = Table(
        "state", "district", "department", "hall, window, handler", "case", "item", "applicant", "finished", "age"
    )
    for row in rows:
        # As Text: brackets in delivered values are no markup.
        table.add_row(
            Text(f"{row.section}\n{row.state}"),
            Text(row.district_name),
            Text(row.handling_department or ""),
            Text("\n".join(part for part in (row.hall, row.window, row.handler) if part)),
            Text(row.record_key),
            Text(row.service_item_name or ""),
            Text(row.applicant or ""),
            clock_text(row.finished_at),
            Text(f"{row.age_working_days}{' overdue' if row.overdue else ''}"),
        )
    print_fitting(out, table, ("department", "district", "applicant", "item"))


@clearance_app.command("left")
def left_(
    day: Day = None,
    kind: Kind = None,
    version: Version = None,
    district: Districts = None,
    as_json: AsJson = False,
) -> None:
    """Show the services of yesterday's final list that are not on a list (the newest without --day), and why."""
    settings = Settings.load()
    catalog = load_catalog(settings.catalog_folder)
    with store_connection(settings.database_url) as connection:
        published = _find_version(connection, day, kind, version)
        rows = left_services(connection, published, _districts(catalog, district))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    table = Table("reason", "section", "district", "department", "hall, window, handler", "case", "item", "finished")
    for row in rows:
        table.add_row(
            row.reason,
            row.section,
            Text(district_name(catalog, row.district)),
            Text(row.handling_department or ""),
            Text("\n".join(part for part in (row.hall, row.window, row.handler) if part)),
            Text(row.record_key),
            Text(row.service_item_name or ""),
            clock_text(row.finished_at),
        )
    print_fitting(out, table, ("department", "district", "section", "item"))
    counts = published.counts
    counted = counts.cleared + counts.withdrawn + counts.archived
    if counted and not rows and not district:
        out.print(Text(f"{_name(published)}: {counted:,} left; older lists have no reasons for each row."))


@clearance_app.command()
def rates(
    first_day: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day; the last one when left out.")
    ] = None,
    last_day: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day; yesterday when left out.")
    ] = None,
    by: Annotated[RateGroup, typer.Option(help="Grouped by.")] = "city",
    refresh: Annotated[bool, typer.Option("--refresh", help="First count newly loaded data.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the rates of a span of days, as they were counted last."""
    settings = Settings.load()
    if refresh:
        DailyClearance(settings).refresh_rates()
    catalog = load_catalog(settings.catalog_folder)
    last = day_of(last_day) if last_day else clock.today() - timedelta(days=1)
    first = day_of(first_day) if first_day else last
    if last < first:
        raise ConfigurationError(f"The span ends before it begins: {first} to {last}. Exchange the two.")
    with store_connection(settings.database_url) as connection:
        groups = group_rates(connection, catalog, first, last, by)
    if as_json:
        print_json([asdict(group) for group in groups])
        return
    table = Table(by, "rate", "value", "of", "definition")
    for group in groups:
        for rate in group.rates:
            table.add_row(
                Text(_group_name(group, by)),
                Text(rate.name_zh),
                Text(rate.shown),
                f"{rate.numerator:,} / {rate.denominator:,}",
                Text(rate.definition_zh),
            )
    print_fitting(out, table)


def _group_name(group: GroupRates, by: RateGroup) -> str:
    if by == "department":
        return f"{group.district_name} {group.handling_department or ''}"
    if by == "item":
        return f"{group.service_item_code or ''} {group.service_item_name or ''}"
    return group.district_name if group.day is None else f"{group.day:%Y-%m}" if by == "month" else f"{group.day}"


@clearance_app.command()
def verify(day: Day = None, kind: Kind = None, version: Version = None, as_json: AsJson = False) -> None:
    """Compare a list, the newest when no day is given, with a plain search of the store; exit with 1 where they differ.

    Data loaded since the list was published is a difference, too.
    """
    settings = Settings.load()
    with store_connection(settings.database_url) as connection:
        published = _find_version(connection, day, kind, version)
        found = discrepancies(connection, published)
    if as_json:
        print_json([asdict(discrepancy) for discrepancy in found])
    else:
        table = Table("service", "on the list", "by the store")
        for discrepancy in found:
            table.add_row(Text(discrepancy.record_key), discrepancy.listed or "", discrepancy.by_store or "")
        if found:
            print_fitting(out, table)
        out.print(Text(f"{_name(published)}: {len(found)} differences."))
    if found:
        raise typer.Exit(1)


def _find_version(connection: Connection, day: str | None, kind: ListKind | None, version: int | None) -> ListVersion:
    if day is None and (kind is not None or version is not None):
        raise ConfigurationError("--kind and --version belong to a --day: give that too, or none for the newest list.")
    if day is None:
        found = newest_version(connection)
        expected = "any list"
    else:
        kinds: tuple[ListKind, ...] = ("final", "working") if kind is None else (kind,)
        versions = (published_version(connection, day_of(day), each, version) for each in kinds)
        found = next((published for published in versions if published is not None), None)
        expected = f"a {kind or 'working or final'} list of {day}" + (f", version {version}" if version else "")
    if found is None:
        raise ConfigurationError(
            f"Expected {expected}; it was not published. `zhengku clearance publish` publishes what is due."
        )
    return found


def _districts(catalog: Catalog, districts: list[str] | None) -> list[str] | None:
    for district in districts or ():
        if district not in catalog.districts:
            raise ConfigurationError(f"No district {district!r}. There is: {', '.join(catalog.districts)}.")
    return districts or None


def _show_lists(published: list[ListVersion], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(each) for each in published])
        return
    table = Table(
        "list", "cut-off", "unrated", "default", "new", "carried", "reopened", "cleared", "archived", "not read"
    )
    for each in published:
        counts = each.counts
        numbers = (counts.unrated, counts.default_rated, counts.new, counts.carried_over, counts.reopened)
        table.add_row(
            _name(each),
            clock_text(each.cutoff_at),
            *(f"{number:,}" for number in (*numbers, counts.cleared, counts.archived)),
            Text("\n".join(f"{source.name} since {_since(source.read_at)}" for source in each.stale)),
        )
    print_fitting(out, table, ("archived", "reopened", "cleared", "default", "carried", "new"))


def _name(published: ListVersion) -> str:
    return f"{published.day} {published.kind} v{published.version}"


def _since(read_at: datetime | None) -> str:
    return "ever" if read_at is None else clock_text(read_at)
