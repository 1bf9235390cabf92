"""Tables of the command line that fit the terminal: no value is cut, and columns that are left out are named."""

import re
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_NARROWEST: Final = 14
"""The least width of a column of text, in character cells, that can be read."""

_FIGURES: Final = re.compile(r"[-+\d.,:%/ ]*")


def print_fitting(console: Console, table: Table, least: Sequence[str] = ()) -> None:
    """Print a table; where it is wider than the console, fold text, and leave out columns of `least`, in that order.

    Figures stay on one line. The columns that were left out are named below the table; `--json` has them all.
    """
    left_out: list[str] = []
    for column in table.columns:
        is_figure = all(_FIGURES.fullmatch(line) for cell in column.cells for line in _lines(cell))
        column.overflow, column.no_wrap = "fold", is_figure
        column.min_width = _needed_width(column, unfolded=is_figure)
    for name in least:
        if _width(table) <= console.width:
            break
        table.columns = [column for column in table.columns if column.header != name]
        left_out.append(name)
    console.print(table)
    if left_out:
        console.print(Text(f"Left out at this width: {', '.join(left_out)}."), style="dim", soft_wrap=True)


def _width(table: Table) -> int:
    frame = 3 * len(table.columns) + 1 if table.box else 2 * len(table.columns)
    return frame + sum(column.min_width or 1 for column in table.columns)


def _needed_width(column: Column, *, unfolded: bool) -> int:
    header = max((cell_len(word) for word in str(column.header).split()), default=1)
    longest = max((cell_len(line) for cell in column.cells for line in _lines(cell)), default=1)
    return max(1, header, longest if unfolded else min(longest, _NARROWEST))


def _lines(cell: object) -> list[str]:
    text = cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain
    return text.splitlines()
