"""Shared by all groups of commands: the console, JSON output, and options that several commands have."""

import json
import os
import pwd
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from zhengku.catalog import Problem
from zhengku.clock import CITY_TIME_ZONE
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
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
Behalf = Annotated[
    str | None,
    typer.Option("--for", metavar="NAME", help="On whose behalf; recorded after the login of this machine."),
]


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
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"Expected a day as YYYY-MM-DD, like 2026-11-24; got {text!r:.40}.") from None


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
