"""The examples in both READMEs are what the commands print; the commands and options in the tables exist."""

import re

import pytest
import typer
from tests.support import command_line
from tests.support.readme_examples import READMES, WIDTH, commands, example, examples
from typer.core import TyperGroup

from zhengku.cli.main import app
from zhengku.settings import project_home

PROJECT = project_home()
WITHOUT_DATABASE = ("zhengku catalog check tobacco",)
WITH_DATABASE = ("zhengku collect market_supervision/business_license",)
"""Compared by `tests/integration/project/test_readme_examples.py`."""


def text_of(readme: str) -> str:
    return (PROJECT / readme).read_text(encoding="utf-8")


def check_command(command: str) -> None:
    """Raise an assertion for a command, or an option of it, that `zhengku` does not have."""
    words = command.split()[1:]
    found = typer.main.get_command(app)
    while isinstance(found, TyperGroup) and words and not words[0].startswith("-"):
        assert words[0] in found.commands, f"{command}: no command {words[0]}"
        found = found.commands[words.pop(0)]
    options = {option for parameter in found.params for option in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= options, command


@pytest.mark.parametrize("readme", READMES)
def test_every_example_is_compared(readme: str) -> None:
    assert {command for command, _ in examples(text_of(readme))} == {*WITHOUT_DATABASE, *WITH_DATABASE}


@pytest.mark.parametrize("command", WITHOUT_DATABASE)
@pytest.mark.parametrize("readme", READMES)
def test_example_is_what_the_command_prints(readme: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "WIDTH", WIDTH)
    monkeypatch.chdir(PROJECT)
    ran = command_line.zhengku({}, *command.split()[1:])
    printed = (ran.stdout + ran.stderr).replace(f"{PROJECT}/", "").rstrip().split("\n")
    assert sorted(printed) == sorted(example(PROJECT, readme, command))


@pytest.mark.parametrize("readme", READMES)
def test_commands_of_zhengku_exist_with_their_options(readme: str) -> None:
    named = [command for command in commands(text_of(readme)) if command.startswith("zhengku")]
    assert len(named) > 20
    for command in named:
        check_command(command)


def test_command_that_does_not_exist_is_found() -> None:
    for wrong in ("zhengku colect tobacco", "zhengku feeds show", "zhengku batches --stat held"):
        with pytest.raises(AssertionError):
            check_command(wrong)


@pytest.mark.parametrize("readme", READMES)
def test_every_group_of_commands_is_in_the_table(readme: str) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    named = {command.split()[1] for command in commands(text_of(readme)) if command.startswith("zhengku")}
    assert set(group.commands) - named - {"version", "summary", "clearance"} == set()


@pytest.mark.parametrize("readme", READMES)
def test_targets_of_make_exist(readme: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text_of(readme), re.MULTILINE))
    assert len(named) > 8
    assert named <= targets


def test_options_after_a_command_in_the_tables_exist() -> None:
    """What a row of a table adds (`--since`, …) is an option of the first command of that row."""
    for row in re.findall(r"^\| `(zhengku .*)\|$", text_of("README.md"), re.MULTILINE):
        left, right = row.split("|")[:2]
        first = left.split("`")[0]
        for option in re.findall(r"`(--[a-z]+)`", right):
            check_command(f"{first} {option}")
