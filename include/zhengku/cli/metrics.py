"""`zhengku metrics`: the figures of the installation as it stands, printed or sent to the collector."""

import logging
import signal
import threading
from typing import Annotated

import typer
from rich.table import Table

from zhengku import clock
from zhengku.catalog import load_catalog
from zhengku.catalog.clearance_config import load_clearance
from zhengku.cli.common import out
from zhengku.database import store_connection
from zhengku.errors import ConfigurationError, ZhengkuError
from zhengku.metrics import SWITCH, recorder
from zhengku.operations.standing import Figure, observe, standing
from zhengku.settings import Settings

log = logging.getLogger(__name__)

metrics_app = typer.Typer(help="Metrics (OpenTelemetry): docs/metrics.md.", no_args_is_help=True)


def _figures() -> list[Figure]:
    # Read anew each time: a department may have been added.
    settings = Settings.load()
    catalog, clearance = load_catalog(settings.catalog_folder), load_clearance(settings.catalog_folder)
    with store_connection(settings.database_url) as connection:
        return standing(connection, catalog, clearance, clock.now())


@metrics_app.command("show")
def show() -> None:
    """Print the figures as they stand; nothing is sent."""
    table = Table("metric", "labels", "value", "unit")
    for figure in _figures():
        labels = ", ".join(f"{name}={value}" for name, value in figure.labels.items())
        table.add_row(figure.metric.name, labels, f"{figure.value:,.0f}", figure.metric.unit.strip("{}"))
    out.print(table)


@metrics_app.command("observe")
def observe_standing(
    every: Annotated[
        int | None, typer.Option(min=10, max=3600, metavar="SECONDS", help="Again and again; once when left out.")
    ] = None,
) -> None:
    """Send the figures to the collector. Needs ZHENGKU_METRICS=otlp."""
    metrics = recorder(pause_seconds=0)
    if metrics is None:
        raise ConfigurationError(f"{SWITCH}: expected otlp for sending metrics, got none. Set it; see docs/metrics.md.")
    if every is None:
        if not observe(metrics, _figures()):
            raise typer.Exit(1)
        return
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    while not ended.is_set():
        try:
            observe(metrics, _figures())
        except ZhengkuError as error:
            # The store is away, or a file of the catalogue is just being written: the next round is soon.
            log.warning("No figures were read: %s", error)
        ended.wait(every)
