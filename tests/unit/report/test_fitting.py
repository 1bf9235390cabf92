"""Tables of the command line at 80 columns: whole figures, whole reasons, and what is left out is named."""

import io
from collections.abc import Sequence

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from zhengku.report.fitting import print_fitting

REASON = "统一社会信用代码校验不通过（第18位应为校验码），请核对营业执照后更正，并按原渠道重新提供全部数据"
COLUMNS = ("no.", "feed", "batch", "line", "rules", "reason", "delivered (masked)", "seen", "status")


def printed(width: int, least: Sequence[str]) -> list[str]:
    table = Table(*COLUMNS)
    feed = "market_supervision/business_license"
    row = ("1234567", feed, "98765", "1048576", "certificate.holder_code.credit_code", REASON, "名称=鄂州市虚构", "12")
    table.add_row(*row[:5], Text(row[5]), Text(row[6]), row[7], "returned")
    console = Console(file=io.StringIO(), width=width)
    print_fitting(console, table, least)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def column(lines: Sequence[str], name: str) -> str:
    """Return the text of a column, its folded lines joined."""
    heads = [line.strip("┃").split("┃") for line in lines if line.startswith("┃")]
    place = [" ".join(part.strip() for part in parts).strip() for parts in zip(*heads, strict=True)].index(name)
    rows = [line.strip("│").split("│") for line in lines if line.startswith("│")]
    return "".join(row[place].strip() for row in rows)


LEAST = ("seen", "line", "batch", "status", "rules", "delivered (masked)")


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_table_is_as_wide_as_the_terminal_at_most_and_its_reasons_are_whole(width: int) -> None:
    from rich.cells import cell_len

    lines = printed(width, LEAST)
    table = [line for line in lines if not line.startswith("Left out")]
    assert max(cell_len(line) for line in table) <= width
    assert "…" not in "".join(table)
    assert column(table, "no.") == "1234567"
    assert column(table, "reason") == REASON
    assert column(table, "feed") == "market_supervision/business_license"


def test_what_is_left_out_is_named_the_least_first() -> None:
    assert printed(80, LEAST)[-1].startswith("Left out at this width: seen, line")
    assert not printed(200, LEAST)[-1].startswith("Left out")
