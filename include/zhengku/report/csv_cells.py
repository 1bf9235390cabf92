"""Cells of CSV files that people open in a spreadsheet."""

from typing import Any, Final

_RUN: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the begin of a formula; the wide signs too, where Chinese is typed."""


def harmless(cell: Any) -> Any:
    """Return a cell that no spreadsheet runs: text that begins like a formula gets an apostrophe in front.

    Whoever typed it in may mean no harm, or some: `=HYPERLINK(…)` sends what stands beside it to somebody. The mark is
    what spreadsheets themselves use for text, and the cleaning of deliveries takes it away again.
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_RUN) else cell
