"""How a spreadsheet shows a number, where its format adds something to it: codes typed as numbers.

A code `000123` is often stored as 123 with the number format `000000`, and `鄂测0007` as 7 with `"鄂测"0000`. Numbers
of more than 15 digits are a different problem: a spreadsheet stores 15, so that two of them may have become equal.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

KEPT_DIGITS: Final = 15
"""Digits that a spreadsheet stores of a number (IEEE 754 binary64, as Excel cuts it)."""

WholeNumberFormat = Callable[[int], str]
"""Writes a whole number as the cell shows it."""

_TOKEN = re.compile(
    r"""
      "(?P<quoted>[^"]*)" | \\(?P<escaped>.) | (?P<skipped>[_*].) | \[(?P<bracket>[^\]]*)\]
    | (?P<general>General|G/通用格式|Standard) | (?P<digit>[0\#]) | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_COLOUR = re.compile(
    r"black|blue|cyan|green|magenta|red|white|yellow|color ?[0-9]+|[黑蓝青绿洋红白黄]色|颜色[0-9]+", re.I
)
_LOCALE = re.compile(r"\$-[0-9A-Fa-f,]+")
# Characters that need no quotes in a format. Points, commas, percent signs and the letters of dates mean something.
_PLAIN = frozenset("+-():!^&'~{}<>= ")

_ZERO_SECTION: Final = 3
_DIGIT: Final = 0
_Part = tuple[int, str]
"""(0, "0" or "#") is the place of a digit, (1, text) a text that is always shown."""


def whole_number_format(code: str) -> WholeNumberFormat | None:
    """Return a function that writes whole numbers as the number format `code` does (ECMA-376, 18.8.31).

    None where it adds nothing to the number (`General`, `0`), and where it is no format of codes: amounts
    (`#,##0.00`), shares, fractions, dates, conditions, sums of money.
    """
    sections = _sections(code)
    parts = _parts(sections[0])
    if parts is None or not _adds_text(parts):
        return None
    # A third section is for zero, a second for negative numbers: formats of amounts have them, of codes only to hide
    # such cells.
    least = 0 if len(sections) < _ZERO_SECTION else 1

    def write(number: int) -> str:
        return _filled(parts, number) if number >= least else str(number)

    return write


def _sections(code: str) -> list[str]:
    sections = [""]
    for token in _TOKEN.finditer(code):
        if token["other"] == ";":
            sections.append("")
        else:
            sections[-1] += token[0]
    return sections


def _parts(section: str) -> list[_Part] | None:
    """Return what a section shows; None where it is no format of whole numbers."""
    parts: list[_Part] = []
    for token in _TOKEN.finditer(section):
        kind, text = token.lastgroup, token[0]
        if kind in ("quoted", "escaped"):
            parts.append((1, token[kind]))
        elif kind == "general":
            parts.append((_DIGIT, "0"))
        elif kind == "digit":
            parts.append((_DIGIT, text))
        elif kind == "bracket":
            if not (_COLOUR.fullmatch(token["bracket"]) or _LOCALE.fullmatch(token["bracket"])):
                return None
        elif kind == "other":
            if text.isascii() and text not in _PLAIN:
                return None
            parts.append((1, text))
    return parts if any(kind == _DIGIT for kind, _ in parts) else None


def _adds_text(parts: Sequence[_Part]) -> bool:
    zeros = sum(kind == _DIGIT and text == "0" for kind, text in parts)
    return zeros > 1 or any(kind != _DIGIT and text.strip() for kind, text in parts)


def _filled(parts: Sequence[_Part], number: int) -> str:
    """Put the digits into their places, from the right; the remaining ones go to the first place."""
    digits = str(number) if number else ""
    first = next(place for place, (kind, _) in enumerate(parts) if kind == _DIGIT)
    shown: list[str] = []
    for place in range(len(parts) - 1, -1, -1):
        kind, text = parts[place]
        if kind != _DIGIT:
            shown.append(text)
        elif place == first:
            shown.append(digits or ("0" if text == "0" else ""))
        else:
            shown.append(digits[-1:] or ("0" if text == "0" else ""))
            digits = digits[:-1]
    return "".join(reversed(shown)).strip()


def long_number(written: str) -> str:
    """Return the text of a whole number of more than 15 digits that is `written` so in the file.

    These are its digits, where the file has them all and no spreadsheet can have rounded it: a double of 64 bits,
    written in full, would be another number. Else it is like 4.20703199001010E+17, which the rules about codes treat as
    rounded: the original number cannot be known any more.
    """
    if re.fullmatch(r"-?[0-9]+", written):
        number = int(written)
        digits = str(abs(number))
        cut_by_excel = not digits[KEPT_DIGITS:].strip("0")
        # Up to 2^53 a double holds every whole number; above, a number that is not a double's shortest text was never
        # a double.
        rounded = abs(number) > 2**53 and int(Decimal(repr(float(number)))) == number
        if not cut_by_excel and not rounded:
            return str(number)
    return format(Decimal(written), f".{KEPT_DIGITS - 1}E")
