"""The command line: `zhengku`. An expected error is one clear line and an exit status other than 0."""

import logging
import sys

import typer
from rich.logging import RichHandler

from zhengku import __version__
from zhengku.cli import batches
from zhengku.cli.audit import audit_app
from zhengku.cli.backfill import backfill_app
from zhengku.cli.catalog import catalog_app, db_app
from zhengku.cli.clearance import clearance_app
from zhengku.cli.common import PlainArguments, err, out
from zhengku.cli.feeds import departments_app, feeds_app
from zhengku.cli.history import as_of, replay
from zhengku.cli.metrics import metrics_app
from zhengku.cli.reconcile import reconcile
from zhengku.cli.restore import drill, restore_app
from zhengku.cli.retention import retention_app
from zhengku.cli.review import problems_app, report_app
from zhengku.cli.rules import rules_app
from zhengku.cli.stock import stock_app
from zhengku.cli.watch import watch
from zhengku.errors import ZhengkuError

app = typer.Typer(
    cls=PlainArguments, no_args_is_help=True, pretty_exceptions_enable=False, help="zhengku (证库): the license store."
)
app.add_typer(db_app, name="db")
app.add_typer(audit_app, name="audit")
app.add_typer(catalog_app, name="catalog")
app.add_typer(feeds_app, name="feeds")
app.add_typer(departments_app, name="departments")
app.add_typer(clearance_app, name="clearance")
app.add_typer(rules_app, name="rules")
app.add_typer(problems_app, name="problems")
app.add_typer(report_app, name="report")
app.add_typer(backfill_app, name="backfill")
app.add_typer(stock_app, name="stock")
app.add_typer(retention_app, name="retention")
app.add_typer(restore_app, name="restore")
app.command("restore-drill")(drill)
app.add_typer(metrics_app, name="metrics")
app.command()(replay)
app.command("as-of")(as_of)
app.command()(reconcile)
app.command()(watch)


@app.command()
def version() -> None:
    """Print the release."""
    out.print(__version__)


for command in (batches.collect, batches.batches, batches.summary, batches.release, batches.reject):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=err, show_path=False, show_time=False)],
    )
    try:
        app()
    except ZhengkuError as error:
        # Not through Rich, which would wrap the line.
        print(f"zhengku: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except OSError as error:
        # A file that a command reads or writes in place; what is published is written by `atomic_write`.
        place = error.filename or "a file"
        print(  # noqa: T201
            f"zhengku: Expected to read or write {place}, got {error.strerror or type(error).__name__}. Check that it "
            "is there, that this account may use it, and that the disk has space.",
            file=sys.stderr,
        )
        sys.exit(1)
