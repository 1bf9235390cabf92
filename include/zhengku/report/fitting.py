"""Tables of the command line that fit the terminal: nothing is cut, and what is left out is named."""

import re
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_NARROWEST: Final = 14
"""Cells of width that a column of words needs at least to be read."""

_FIGURES: Final = re.compile(r"[-+\d.,:%/ ]*")


def print_fitting(console: Console, table: Table, least: Sequence[str] = ()) -> None:
    """Print a table; where it is wider than the console, words are folded, and columns of `least` left out, in order.

    Figures stay on one line. Which columns were left out is said below: `--json` has them all.
    """
    left_out: list[str] = []
    for column in table.columns:
        is_figure = all(_FIGURES.fullmatch(line) for cell in column.cells for line in _lines(cell))
        column.overflow, column.no_wrap = "fold", is_figure
        column.min_width = _needed(column, whole=is_figure)
    for name in least:
        if _width(table) <= console.width:
            break
        table.columns = [column for column in table.columns if column.header != name]
        left_out.append(name)
    console.print(table)
    if left_out:
        console.print(Text(f"Left out at this width: {', '.join(left_out)}."), style="dim", soft_wrap=True)


def _width(table: Table) -> int:
    around = 3 * len(table.columns) + 1 if table.box else 2 * len(table.columns)
    return around + sum(column.min_width or 1 for column in table.columns)


def _needed(column: Column, *, whole: bool) -> int:
    header = max((cell_len(word) for word in str(column.header).split()), default=1)
    longest = max((cell_len(line) for cell in column.cells for line in _lines(cell)), default=1)
    return max(1, header, longest if whole else min(longest, _NARROWEST))


def _lines(cell: object) -> list[str]:
    text = cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain
    return text.splitlines()
