"""Fields and quotes of one CSV record, in bytes, by RFC 4180; blanks around a quoted field are passed over."""

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
"""Ids of the rules that a physical row can fail here."""


# What cannot be seen, in UTF-8: blanks of every width, zero-width characters, byte order marks; a tab also as COPY
# escapes it.
_UNSEEN: Final = (
    rb"[ \x0b\x0c]|\\t|\xc2[\x85\xa0\xad]|\xe1\x9a\x80|\xe1\xa0\x8e|\xe2\x80[\x80-\x8f\xa8-\xaf]|"
    rb"\xe2\x81[\x9f-\xaf]|\xe3\x80\x80|\xe3\x85\xa4|\xef\xbb\xbf|\xef\xb8\x8f"
)
# A spreadsheet's formula for a text, ="0042", is quoted as well.
_OPENING: Final = re.compile(rb'(?:\t|%b)*(?:=(?="[^"]))?"' % _UNSEEN)
_BEHIND: Final = re.compile(rb"(?:\t|%b)*" % _UNSEEN)
# A tab that delimits is no blank.
_OPENING_BETWEEN_TABS: Final = re.compile(rb'(?:%b)*(?:=(?="[^"]))?"' % _UNSEEN)
_BEHIND_BETWEEN_TABS: Final = re.compile(rb"(?:%b)*" % _UNSEEN)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a physical line is no record.

    `fields` are those of a line that has another number of them than the header has.
    """

    rule_id: RowRule
    detail_zh: str
    detail_en: str
    fields: tuple[bytes, ...] = field(default=(), repr=False)


def is_unseen(value: bytes) -> bool:
    """Tell whether a field holds nothing that could be seen."""
    return not value or _BEHIND.fullmatch(value) is not None


def join_quoted(parts: list[bytes], delimiter: bytes) -> bool:
    """Put tabs for the delimiters of whole lines that were split at their quotes, in place; joined, `parts` are rows.

    Return False, and leave `parts` half done, when a quote does not stand at the edge of a field.
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

    A quote inside an unquoted field is itself. What cannot be seen between a delimiter and a quote is not part of the
    field, and does not keep the quote from being one; nor does the mark of a formula, which is not part of it either.
    `quoted` is filled with whether each field is quoted.
    """
    if quoted is not None:
        quoted.clear()
    opening, behind = (_OPENING_BETWEEN_TABS, _BEHIND_BETWEEN_TABS) if delimiter == b"\t" else (_OPENING, _BEHIND)
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
                blanks = behind.match(line, end)
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
