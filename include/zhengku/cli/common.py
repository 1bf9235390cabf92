"""Shared by all groups of commands: the console, JSON output, and options that several commands have."""

import json
import os
import pwd
from datetime import date, datetime
from typing import Annotated

import typer
from rich.console import Console

from zhengku.catalog import Problem
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import ConfigurationError

out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
Behalf = Annotated[
    str | None,
    typer.Option("--for", metavar="NAME", help="On whose behalf; recorded after the login of this machine."),
]


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
