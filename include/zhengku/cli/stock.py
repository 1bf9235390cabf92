"""`zhengku stock`: how many of the due certificates are collected, and how long certificates are still valid."""

from typing import Annotated, Literal

import typer
from rich.table import Table

from zhengku import clock
from zhengku.catalog import load_catalog
from zhengku.catalog.review_config import load_review
from zhengku.cli.common import out
from zhengku.database import store_connection
from zhengku.report.fitting import print_fitting
from zhengku.settings import Settings
from zhengku.stock.collection_rate import count_collection, publish_collection, rate, summed
from zhengku.stock.expiry import count_expiry, publish_expiry

stock_app = typer.Typer(help="The stock (存量证照): collection rate, about to expire, expired.", no_args_is_help=True)

Publish = Annotated[
    bool,
    typer.Option("--publish", help="Store the counts for the pages, and write each department's list (XLSX)."),
]
By = Annotated[Literal["department", "license_type", "year"], typer.Option(help="What the rates are shown by.")]


@stock_app.command()
def collection(by: By = "department", publish: Publish = False) -> None:
    """Count what should be in the store (due) and what of it is there, as of today (Asia/Shanghai)."""
    settings = Settings.load()
    catalog = load_catalog(settings.catalog_folder)
    if publish:
        counted = publish_collection(settings, catalog, clock.today())
    else:
        with store_connection(settings.database_url) as connection:
            counted = count_collection(connection, catalog, clock.today())
    table = Table(
        by.replace("_", " "), "due", "collected", "rate", "lacking", "of cases", "of problems", "of comparison"
    )
    for name, each in summed(counted, by):
        numbers = (each.lacking, each.lacking_of_cases, each.lacking_of_problems, each.lacking_of_comparison)
        shown = "unknown" if name == 0 else f"{name}"
        table.add_row(shown, f"{each.due:,}", f"{each.collected:,}", rate(each), *(f"{number:,}" for number in numbers))
    print_fitting(out, table, ("of comparison", "of problems", "of cases"))


@stock_app.command()
def expiry(publish: Publish = False) -> None:
    """Count the certificates by validity today (Asia/Shanghai): about to expire, and expired."""
    settings = Settings.load()
    if publish:
        counted = publish_expiry(settings, load_catalog(settings.catalog_folder), clock.today())
    else:
        days = load_review(settings.catalog_folder).expiring_days
        with store_connection(settings.database_url) as connection:
            counted = count_expiry(connection, clock.today(), days)
    table = Table(
        *("department", "license type", "counted", "expiring", "expired", "called valid of these"),
        *("without end", "no end given", "not known which"),
    )
    for each in counted:
        without_end = (each.endless, each.untold or 0, each.unknown or 0)
        numbers = (each.total, each.expiring, each.expired, each.expired_as_valid, *without_end)
        table.add_row(each.department, each.license_type, *(f"{number:,}" for number in numbers))
    print_fitting(out, table, ("no end given", "called valid of these"))
