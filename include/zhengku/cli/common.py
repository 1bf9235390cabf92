"""Shared by all groups of commands: the console, JSON output, and options that several commands have."""

import getpass
import json
import unicodedata
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from zhengku import clock
from zhengku.catalog import Problem
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import LARGEST_INTEGER
from zhengku.errors import ConfigurationError

out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Limit = Annotated[int, typer.Option(min=1, max=LARGEST_INTEGER, help="How many at most.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]


class PlainArguments(TyperGroup):
    """The commands of `zhengku`; refuses arguments with characters that the store cannot hold, before any command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Raise `BadParameter` for control characters (but tab and line break) and bytes that are no UTF-8."""
        for argument in args:
            if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\t\n" for sign in argument):
                raise typer.BadParameter(
                    f"Expected readable text, got {ascii(argument)[:60]} with a control character or broken UTF-8. "
                    "Type the argument again."
                )
        return super().parse_args(ctx, args)


def print_json(value: object) -> None:
    """Print a value as JSON; days and times in ISO 8601, times in Asia/Shanghai."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))  # noqa: T201


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(CITY_TIME_ZONE).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Problem):
        return str(value)
    raise TypeError(type(value).__name__)


def clock_text(moment: datetime) -> str:
    """Return a moment as shown in tables: to the minute, in Asia/Shanghai."""
    return f"{moment.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M}"


def day_of(text: str) -> date:
    """Read a day that a person typed; raises `ConfigurationError`."""
    try:
        return clock.read_day(text)
    except ValueError:
        raise ConfigurationError(
            f"Expected a day as YYYY-MM-DD, like 2026-11-24, from {clock.FIRST_DAY} to {clock.LAST_DAY}; "
            f"got {text!r:.40}."
        ) from None


def person(by: str | None) -> str:
    """Return who acts, for the record: the given name, or else the login of this machine."""
    return getpass.getuser() if by is None else by
