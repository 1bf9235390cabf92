"""The examples in the READMEs: blocks of `console`, in which a line after `$` is a command and the rest its output."""

import re
from collections.abc import Iterator
from pathlib import Path

READMES = ("README.md", "README.zh-CN.md")
WIDTH = 100
"""Columns of the terminal in the examples."""


def examples(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a README with the lines that it is shown to print."""
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip().split("\n")
            yield command, shown


def example(project: Path, readme: str, command: str) -> list[str]:
    """Return what a command is shown to print in a README."""
    [shown] = [lines for known, lines in examples((project / readme).read_text(encoding="utf-8")) if known == command]
    return shown


def commands(text: str) -> list[str]:
    """Return the commands of a README, in its examples and in the tables: `zhengku …` and `make …`."""
    in_tables = re.findall(r"`((?:zhengku|make) [^`]+)`", text)
    return list(dict.fromkeys([command for command, _ in examples(text)] + in_tables))
