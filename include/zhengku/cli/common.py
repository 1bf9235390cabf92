"""Shared by all groups of commands: the console, JSON output, and options that several commands have."""

import json
import os
import pwd
import unicodedata
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from zhengku import clock
from zhengku.catalog import Problem
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import LARGEST_INTEGER
from zhengku.errors import ConfigurationError
from zhengku.masking import mask_text, mask_texts


class MaskedConsole(Console):
    """A console that masks the numbers of people in everything that it prints, tables included."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as a `Console` does."""
        super().print(*map(_masked, objects), **options)


def _masked(shown: Any) -> Any:
    if isinstance(shown, str):
        return mask_text(shown)
    if isinstance(shown, Text):
        masked = mask_text(shown.plain)
        return shown if masked == shown.plain else Text(masked, style=shown.style, overflow=shown.overflow)
    if isinstance(shown, Table):
        for column in shown.columns:
            column._cells = list(map(_masked, column._cells))
    return shown


out = MaskedConsole()
err = MaskedConsole(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Limit = Annotated[int, typer.Option(min=1, max=LARGEST_INTEGER, help="How many at most.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
Behalf = Annotated[
    str | None,
    typer.Option("--for", metavar="NAME", help="On whose behalf; recorded after the login of this machine."),
]


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
    """Print a value as JSON, texts masked; days and times in ISO 8601, times in Asia/Shanghai."""
    print(json.dumps(mask_texts(value), ensure_ascii=False, indent=2, default=_plain))  # noqa: T201


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


def person(behalf: str | None) -> str:
    """Return who acts, for the record: the login of this machine, and on whose behalf.

    The login is the operating system's account of this process, whatever the environment says. Raises
    `ConfigurationError` for a blank `behalf`.
    """
    try:
        login = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A container may run under an account that it has no name for.
        login = f"uid {os.getuid()}"
    if behalf is None:
        return f"命令行 {login}"
    if not behalf.strip():
        raise ConfigurationError("Expected on whose behalf, after --for, got a blank. Give a name, or leave --for out.")
    return f"命令行 {login}，代 {behalf.strip()}"
