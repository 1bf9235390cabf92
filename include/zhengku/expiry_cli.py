"""`zhengku expiry`: how long the stock is still valid."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from zhengku.catalog import load_catalog
from zhengku.database import store_connection
from zhengku.review.config import load_review
from zhengku.settings import CITY_TIME_ZONE, Settings
from zhengku.stock.expiry import count_expiry, publish_expiry

out = Console()


def expiry(
    publish: Annotated[
        bool,
        typer.Option("--publish", help="Keep the counts for the pages, and write each department's list (XLSX)."),
    ] = False,
) -> None:
    """Count the certificates that stand by validity today (Asia/Shanghai): about to expire, and expired."""
    settings = Settings.load()
    today = datetime.now(tz=CITY_TIME_ZONE).date()
    if publish:
        counted = publish_expiry(settings, load_catalog(settings.catalog_folder), today)
    else:
        days = load_review(settings.catalog_folder).expiring_days
        with store_connection(settings.database_url) as connection:
            counted = count_expiry(connection, today, days)
    table = Table(
        "department",
        "license type",
        "standing",
        "expiring",
        "expired",
        "called valid of these",
        "no end",
        title=f"{today}",
    )
    for each in counted:
        numbers = (each.total, each.expiring, each.expired, each.expired_as_valid, each.endless)
        table.add_row(each.department, each.license_type, *(f"{number:,}" for number in numbers))
    out.print(table)
