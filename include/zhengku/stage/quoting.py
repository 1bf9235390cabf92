"""Fields and quotes of one CSV record, in bytes, strictly by RFC 4180."""

from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a physical line is no record."""

    rule_id: RowRule
    detail_zh: str
    detail_en: str


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


def split_fields(line: bytes, delimiter: bytes) -> "list[bytes] | Fault | None":
    """Split one record strictly by RFC 4180, or return None when it ends inside quotes.

    A quote inside an unquoted field is itself.
    """
    fields: list[bytes] = []
    start = 0
    while True:
        if line.startswith(b'"', start):
            start += 1
            end = line.find(b'"', start)
            while end >= 0 and line.startswith(b'"', end + 1):
                end = line.find(b'"', end + 2)
            if end < 0:
                return None
            fields.append(line[start:end].replace(b'""', b'"'))
            end += 1
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
