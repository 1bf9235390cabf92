"""No spreadsheet runs a cell of a CSV file, and a program gets back what was delivered."""

import re

import pytest

from zhengku.report.csv_cells import harmless


def delivered(cell: str) -> str:
    """Return the text before, as docs/validation-review.md says that a program gets it."""
    return re.sub(r"(\A|[\r\n])'", r"\1", cell)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+8613800138000", "'+8613800138000"),
        ("-5", "'-5"),
        ("-", "'-"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r'=1"),
        ("\n=1", "'\n'=1"),
        ("＝1", "'＝1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠1", "'＠1"),
        ("﹣1", "'﹣1"),
        ("  =1", "'  =1"),
        ("\u3000=1", "'\u3000=1"),
        ('"=1', "'\"=1"),
        ("“ =1", "'“ =1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("'=1", "''=1"),
        ("'0042", "''0042"),
        ("某某\n=1\r\n-1\r+1", "某某\n'=1\r\n'-1\r'+1"),
        ("某某\n\n '=1", "某某\n\n' '=1"),
    ],
)
def test_lines_that_a_spreadsheet_may_run_get_an_apostrophe_and_lose_it_again(cell: str, written: str) -> None:
    assert harmless(cell) == written
    assert delivered(written) == cell


@pytest.mark.parametrize(
    "cell", ["", "某某", "0042", "5-5", "2024-01-01", "某某\n某某", "1.=1", " 某某", "某'某", 5, -5, None]
)
def test_other_cells_stay(cell: object) -> None:
    assert harmless(cell) == cell
