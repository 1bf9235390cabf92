"""Cells of CSV files that people open in a spreadsheet."""

import re
from typing import Any, Final

_LINE_START: Final = re.compile(r"\A|(?<=[\r\n])(?!(?<=\r)\n)")
_BLANK: Final = r"(?:(?![\r\n])[\s\u00ad\u200b-\u200f\u2060\ufeff])*"
_QUOTE: Final = "[\"'“”‘’＂＇]*"
# The full-width and small forms are those of Chinese input. Programs leave out blanks, quotes and a byte order mark
# before a formula, and take a tab or a line break for the start of a cell of its own.
_RISKY: Final = re.compile(rf"{_BLANK}{_QUOTE}{_BLANK}[=+\-@＝＋－＠﹦﹢﹣﹫]|{_BLANK}\t|'|\A[\r\n]")


def harmless(cell: Any) -> Any:
    """Return a cell that no spreadsheet evaluates: each line that may be taken for a formula gets an apostrophe first.

    A formula in delivered text may be an attack: `=HYPERLINK(…)` can send the neighbouring cells to somebody.
    Spreadsheets themselves mark text with an apostrophe. A line that begins with one gets another, and negative numbers
    in text are no exception: so the text before is what is left without the first apostrophe of each line.
    """
    if not isinstance(cell, str):
        return cell
    return _LINE_START.sub(lambda start: "'" if _RISKY.match(cell, start.end()) else "", cell)
