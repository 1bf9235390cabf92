"""`zhengku replay` and `zhengku as-of`: process landed deliveries again, and show the store as it was."""

import csv
import sys
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Annotated, Any, TypedDict

import typer
from rich.table import Table
from rich.text import Text

from zhengku import clock
from zhengku.catalog import load_catalog
from zhengku.cli.common import Behalf, Reason, day_of, out, person
from zhengku.cli.summary import batch_table
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import LARGEST_BIGINT, store_connection
from zhengku.errors import BatchesFailed, ConfigurationError
from zhengku.operations.replay import replay as replay_batches
from zhengku.operations.replay import replayable
from zhengku.operations.time_travel import count_as_of, versions_as_of
from zhengku.pipeline.pipeline import Pipeline
from zhengku.report.csv_cells import harmless
from zhengku.report.fitting import print_fitting
from zhengku.settings import Settings

_DAY = "YYYY-MM-DD"
_MOMENT = "YYYY-MM-DD[THH:MM]"

Batches = Annotated[
    list[int] | None, typer.Option(min=1, max=LARGEST_BIGINT, help="The number of a batch; may be given several times.")
]
Department = Annotated[str | None, typer.Option(help="All deliveries of this department.")]
FeedOf = Annotated[str | None, typer.Option(help="Of these, only those of this feed.")]
Since = Annotated[str | None, typer.Option(metavar=_DAY, help="Only those that landed on this day or later.")]
Until = Annotated[str | None, typer.Option(metavar=_DAY, help="Only those that landed on this day or earlier.")]
Moment = Annotated[str, typer.Argument(metavar=_MOMENT, help="The moment to show the store at; of a day, its end.")]
LicenseType = Annotated[str | None, typer.Option("--type", help="Only this license type.")]
Dataset = Annotated[str, typer.Option(help="The data set.")]
Key = Annotated[str | None, typer.Option(help="Only the record with this key.")]
Valid = Annotated[
    str | None, typer.Option(metavar=_MOMENT, help="Only what existed at this moment by the departments' own times.")
]
Rows = Annotated[bool, typer.Option("--csv", help="Print the records as CSV, masked, and not only how many.")]


def replay(
    reason: Reason,
    batch: Batches = None,
    department: Department = None,
    feed: FeedOf = None,
    since: Since = None,
    until: Until = None,
    behalf: Behalf = None,
) -> None:
    """Process landed deliveries again completely, with today's mapping and rules; no source is read."""
    if bool(batch) == bool(department):
        raise ConfigurationError(
            "Expected either --batch with numbers or --department (with --feed, --since, --until if needed), got "
            f"{'both' if batch else 'neither'}. `zhengku batches` lists batches."
        )
    if batch and (feed or since or until):
        raise ConfigurationError("Expected --feed, --since and --until with --department only: --batch names all.")
    pipeline = Pipeline(Settings.load(), warm_up=True)
    if department and feed:
        pipeline.catalog.feed(department, feed)
    elif department:
        pipeline.catalog.department(department)
    with store_connection(pipeline.settings.database_url) as connection:
        chosen = replayable(
            connection,
            batch_ids=batch or None,
            department=department,
            feed=feed,
            first_day=day_of(since) if since else None,
            last_day=day_of(until) if until else None,
        )
    if not chosen:
        out.print("Nothing was delivered there in that time: there is nothing to replay.")
        return
    done = replay_batches(pipeline, chosen, person(behalf), reason)
    out.print(batch_table(done))
    wrong = [each for each in done if each.status != "loaded"]
    if wrong:
        raise BatchesFailed(
            " | ".join(f"batch {each.batch_id} is {each.status} ({each.rule_id}): {each.detail}" for each in wrong)
        )


def as_of(
    moment: Moment,
    license_type: LicenseType = None,
    dataset: Dataset = "certificate",
    key: Key = None,
    valid: Valid = None,
    rows: Rows = False,
) -> None:
    """Show the store as it was at a moment (Asia/Shanghai): how many records, or which, always masked."""
    settings = Settings.load()
    catalog = load_catalog(settings.catalog_folder)
    known_at, valid_at = _moment(moment), _moment(valid) if valid else None
    datasets = tuple(catalog.reference.standard_fields)
    if dataset not in datasets:
        raise ConfigurationError(f"Expected one of the data sets {', '.join(datasets)}; got {dataset!r}.")
    if license_type is not None:
        if dataset != "certificate":
            raise ConfigurationError("Expected --type with certificates only: other data sets have no license type.")
        catalog.license_type(license_type)
    chosen: _Chosen = {"valid_at": valid_at, "license_type": license_type, "record_key": key}
    with store_connection(settings.database_url) as connection:
        if not rows and key is None:
            present, removed = count_as_of(connection, dataset, known_at, **chosen)
            out.print(f"{present:,} present, {removed:,} marked as removed.")
            return
        found = versions_as_of(connection, catalog, dataset, known_at, **chosen)
        if rows:
            _print_csv(found)
            return
        table = Table("field", "value", show_header=False)
        number = 0
        for row in found:
            number += 1
            for name, value in row.items():
                if value is not None:
                    table.add_row(name, Text(_shown(value)))
            table.add_section()
        if number:
            print_fitting(out, table)
        else:
            out.print("There was no such record then.")


class _Chosen(TypedDict):
    valid_at: datetime | None
    license_type: str | None
    record_key: str | None


def _print_csv(found: Iterator[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout)
    for number, row in enumerate(found):
        if not number:
            writer.writerow(row)
        writer.writerow("" if value is None else harmless(_shown(value)) for value in row.values())


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(CITY_TIME_ZONE).isoformat(timespec="seconds")
    return str(value)


def _moment(text: str) -> datetime:
    try:
        if len(text) == len("YYYY-MM-DD"):
            return datetime.combine(clock.read_day(text) + timedelta(days=1), time(), CITY_TIME_ZONE)
        moment = datetime.fromisoformat(text)
        clock.usable(moment.date())
    except ValueError:
        raise ConfigurationError(
            f"Expected a day as YYYY-MM-DD or a moment as YYYY-MM-DDTHH:MM (2026-11-01T18:00), from "
            f"{clock.FIRST_DAY} to {clock.LAST_DAY}; got {text!r:.40}."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=CITY_TIME_ZONE)
