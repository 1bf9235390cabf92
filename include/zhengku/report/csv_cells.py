"""Cells of CSV files that people open in a spreadsheet."""

from typing import Any, Final

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Characters that a spreadsheet takes for the start of a formula, the full-width ones in Chinese input."""


def harmless(cell: Any) -> Any:
    """Return a cell that no spreadsheet evaluates: text that starts like a formula gets an apostrophe in front.

    A formula in delivered text may be an attack: `=HYPERLINK(…)` can send the neighbouring cells to somebody.
    Spreadsheets themselves mark text with an apostrophe, and the cleaning of deliveries removes it.
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
