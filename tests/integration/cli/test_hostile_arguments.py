"""No argument of any command ends in a traceback: each is used, or refused in words."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
import typer
from typer.testing import CliRunner

from zhengku.cli.main import app
from zhengku.errors import ZhengkuError

HOSTILE = (
    *("9999-12-31", "0001-01-01", "2199-12-31", "1900-01-01", "2026-02-30", "9999-12-31T23:59:59+14:00"),
    *("0", "-1", "99999999", f"{2**31}", f"{2**63 - 1}", f"{2**63}", "9" * 20, "9" * 5000, "1e400", "NaN"),
    *("", " ", "a\0b", "a\x1bb", "a\udcffb", "\ud83d", "/", "../../etc/passwd", "x" * 5000, "'; drop table x; --"),
)
UNTOUCHED = {"db upgrade", "rules page"}
"""Commands without an argument of a person that write outside of the installation under test."""


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        elif " ".join((*path, name)) not in UNTOUCHED:
            yield (*path, name), command


ROOT = typer.main.get_command(app)
COMMANDS = {" ".join(path): command for path, command in commands(ROOT)}


def ordinary(parameter: Any) -> str:
    """A value with which a command goes on to look at its other arguments."""
    kind = parameter.type_descriptor.annotation
    if get_origin(kind) is Literal:
        return str(get_args(kind)[0])
    if kind is int or int in get_args(kind):
        return "1"
    # Of a department that there is; what would be collected is nothing.
    return "market_supervision" if parameter.name in ("source", "department") else "2026-11-24"


def arguments(command: Any, hostile: Any, value: str) -> list[str]:
    named, placed = [], []
    for parameter in command.params:
        if parameter is not hostile and not parameter.required:
            continue
        given = value if parameter is hostile else ordinary(parameter)
        if parameter.param_type_name == "argument":
            placed.append(given)
        else:
            named.append(f"{max(parameter.opts, key=len)}={given}")
    return [*named, "--", *placed]


def takes_text(parameter: Any) -> bool:
    return not (getattr(parameter, "is_flag", False))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_no_value_of_an_argument_is_a_traceback(name, installation, monkeypatch):
    for variable, text in installation.settings.environment.items():
        monkeypatch.setenv(variable, text)
    # What adds files of a department writes into a folder of its own.
    monkeypatch.setenv("ZHENGKU_HOME", str(installation.drop.parent))
    monkeypatch.setenv("ZHENGKU_EXPECTATIONS_DIR", str(installation.settings.suite_folder))
    monkeypatch.chdir(installation.drop.parent)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("a command started a program"))
    for parameter in filter(takes_text, COMMANDS[name].params):
        for value in HOSTILE:
            done = CliRunner().invoke(app, [*name.split(), *arguments(COMMANDS[name], parameter, value)])
            where = f"{name} {parameter.name}={ascii(value)[:60]}"
            assert done.exception is None or isinstance(done.exception, (ZhengkuError, SystemExit, OSError)), (
                f"{where}: {done.exception!r}"
            )
            assert "Traceback" not in done.output, where
