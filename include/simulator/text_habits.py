"""Habits of programs and clerks in text files, outside the standard; none changes the meaning of a row."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from simulator.model import FileHabit, Raw

_TITLE: Final = "鄂州市虚构数据登记表"
_SIGNED: Final = "制表人：虚构甲"
_TWO_BOMS: Final = "\ufeff\ufeff"
_EMPTY_COLUMNS: Final = ",,"
_EACH: Final = 4
"""Every so many rows are written in the other encoding, or with the marks of a text."""


def written(
    names: Sequence[str],
    rows: Iterable[Sequence[str]],
    encoding: str,
    habits: frozenset[FileHabit],
    marked_column: int | None,
) -> tuple[bytes, int]:
    """Return a CSV file with some habits, and its number of records; `marked_column` may have the marks of a text."""
    ends = _EMPTY_COLUMNS if "empty_columns" in habits else ""
    line = _spaced if "blanks_beside_quotes" in habits else _plain
    parts: list[bytes] = []

    def add(text: str, own_encoding: str = encoding) -> None:
        parts.append(f"{text}\r\n".encode(own_encoding))

    if "two_marks" in habits:
        parts.append(_TWO_BOMS.encode())
    if "delimiter_line" in habits:
        add("sep=,")
    if "title" in habits:
        add(_TITLE + ends)
    add(line(names) + ends)
    count = 0
    for count, values in enumerate(rows, 1):
        cells = list(values)
        if "text_marks" in habits and marked_column is not None and count % _EACH == 0:
            cells[marked_column] = _marked(cells[marked_column], count)
        other = "utf8_lines" in habits and count % _EACH == 1
        add(line(cells) + ends, "utf-8" if other else encoding)
    if "footers" in habits:
        for footer in (*footers(names), [""] * len(names)):
            add(line(footer) + ends)
    if "end_of_text" in habits:
        parts.append(b"\x1a")
    return b"".join(parts), count


def footers(names: Sequence[str]) -> list[list[str]]:
    """Return the rows below a table that are no records; a text file has an empty one too."""
    below = ("合　计", _SIGNED, "（以下无正文）")
    return [*([text, *[""] * (len(names) - 1)] for text in below), list(names)]


def _marked(value: str, number: int) -> str:
    if not value.isascii() or not value.isalnum():
        return value
    return f"'{value}" if number % 2 else f'="{value}"'


def _plain(values: Sequence[str]) -> str:
    if any(isinstance(value, Raw) for value in values):
        return ",".join(value if isinstance(value, Raw) or not value else _plain([value]) for value in values)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def _spaced(values: Sequence[str]) -> str:
    return ",".join(f' "{value}"\u3000' if value else "" for value in (each.replace('"', '""') for each in values))
