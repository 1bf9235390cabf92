"""Fields and quotes of one CSV record, in bytes, by RFC 4180; blanks around a quoted field are skipped."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal

RowRule = Literal[
    "row.ragged",
    "row.nul",
    "row.encoding",
    "row.too_long",
    "row.quote",
    "row.control_character",
    "row.shape",
    "row.formula",
]
"""Ids of the rules that readers apply to physical rows."""


# Invisible characters in UTF-8: blanks of every width, zero-width characters, byte order marks; a tab also as COPY
# escapes it.
_INVISIBLE: Final = (
    rb"[ \x0b\x0c]|\\t|\xc2[\x85\xa0\xad]|\xe1\x9a\x80|\xe1\xa0\x8e|\xe2\x80[\x80-\x8f\xa8-\xaf]|"
    rb"\xe2\x81[\x9f-\xaf]|\xe3\x80\x80|\xe3\x85\xa4|\xef\xbb\xbf|\xef\xb8\x8f"
)
# A spreadsheet's formula for a text, ="0042", counts as quoted too.
_OPENING: Final = re.compile(rb'(?:\t|%b)*(?:=(?="[^"]))?"' % _INVISIBLE)
_AFTER_QUOTE: Final = re.compile(rb"(?:\t|%b)*" % _INVISIBLE)
# Where tabs are delimiters, they are no blanks.
_OPENING_BETWEEN_TABS: Final = re.compile(rb'(?:%b)*(?:=(?="[^"]))?"' % _INVISIBLE)
_AFTER_QUOTE_BETWEEN_TABS: Final = re.compile(rb"(?:%b)*" % _INVISIBLE)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a physical line cannot be read as a record.

    `fields` are those of a line that has another number of them than the header.
    """

    rule_id: RowRule
    detail_zh: str
    detail_en: str
    fields: tuple[bytes, ...] = field(default=(), repr=False)


def is_invisible(value: bytes) -> bool:
    """Return whether a field has no visible character."""
    return not value or _AFTER_QUOTE.fullmatch(value) is not None


def join_quoted(parts: list[bytes], delimiter: bytes) -> bool:
    """Replace delimiters by tabs, in place, in complete lines split at their quotes; joined, `parts` are rows.

    Return False, with some of `parts` replaced, when a quote is not at the edge of a field.
    """
    last = len(parts) - 1
    if last % 2:
        return False
    edges = delimiter + b"\n"
    for index in range(0, last + 1, 2):
        part = parts[index]
        if part:
            if (index and part[0] not in edges) or (index < last and part[-1] not in edges):
                return False
            parts[index] = part.replace(delimiter, b"\t")
        elif 0 < index < last:
            # Nothing between two quotes inside a quoted field: a doubled quote.
            parts[index] = b'"'
    return True


def split_fields(line: bytes, delimiter: bytes, quoted: list[bool] | None = None) -> "list[bytes] | Fault | None":
    """Split one record, or return None when it ends inside quotes.

    A quote inside an unquoted field is a character of it. Invisible characters between a delimiter and a quote, and the
    equals sign of a formula there, are not part of the field; the quote counts nevertheless. `quoted` is filled with
    whether each field is quoted.
    """
    if quoted is not None:
        quoted.clear()
    opening, after_quote = (
        (_OPENING_BETWEEN_TABS, _AFTER_QUOTE_BETWEEN_TABS) if delimiter == b"\t" else (_OPENING, _AFTER_QUOTE)
    )
    fields: list[bytes] = []
    start = 0
    while True:
        opened = opening.match(line, start)
        if quoted is not None:
            quoted.append(opened is not None)
        if opened:
            start = opened.end()
            end = line.find(b'"', start)
            while end >= 0 and line.startswith(b'"', end + 1):
                end = line.find(b'"', end + 2)
            if end < 0:
                return None
            fields.append(line[start:end].replace(b'""', b'"'))
            end += 1
            if end < len(line) and not line.startswith(delimiter, end):
                blanks = after_quote.match(line, end)
                assert blanks is not None
                end = blanks.end()
            if end < len(line) and not line.startswith(delimiter, end):
                return Fault(
                    "row.quote",
                    f"第{len(fields)}列的引号之后还有文字",
                    f"text after the closing quote of field {len(fields)}",
                )
        else:
            end = line.find(delimiter, start)
            if end < 0:
                end = len(line)
            fields.append(line[start:end])
            if b"\r" in fields[-1]:
                return Fault(
                    "row.control_character",
                    f"第{len(fields)}列含单独的回车符",
                    f"a lone carriage return in field {len(fields)}, which is not quoted",
                )
        if end == len(line):
            return fields
        start = end + 1
