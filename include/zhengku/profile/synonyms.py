"""Finding the standard field for a column's name, by the catalogue's Chinese, English and pinyin names."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from zhengku.catalog.reference import Row, Text, read_table
from zhengku.errors import CatalogError
from zhengku.profile.code_words import is_delete_flag

FIELD_SYNONYMS_FILE: Final = "field_synonyms.csv"

OPERATION: Final = "operation"
NOT_WANTED: Final = "not_wanted"
"""Values of `field` in the table that are no standard field: the operation column, and columns that are not needed."""


class Synonym(Row):
    """A column name under which departments deliver a standard field; `basis`: seen in a delivery, or assumed."""

    field: Text
    synonym: Text
    language: Literal["zh", "en", "pinyin"]
    basis: Literal["seen", "assumed"]


def read_synonyms(folder: Path, fields: Mapping[str, str]) -> dict[str, str]:
    """Return plain name → standard field, from the catalogue's table and the fields' own names.

    `fields` are the data set's standard fields with their Chinese names; synonyms of other fields are left out.
    Raises `CatalogError` (file, line, fix).
    """
    table = read_table(folder / FIELD_SYNONYMS_FILE, Synonym)
    known: dict[str, str] = {}
    for line, row in table.rows:
        name = plain(row.synonym)
        if known.setdefault(name, row.field) != row.field:
            table.report(line, f"synonym {row.synonym!r} is also listed for {known[name]!r}", "Keep one of them.")
    for problem in table.problems:
        raise CatalogError(str(problem))
    expected = {*fields, OPERATION, NOT_WANTED}
    own = {plain(name): field for field, chinese in fields.items() for name in (field, chinese)}
    return {**own, **{name: field for name, field in known.items() if field in expected}, **own}


def plain(name: str) -> str:
    """Return a name in the form for comparison: half-width, lower case, without blanks, brackets and punctuation."""
    return re.sub(r"[\W_]+", "", re.sub(r"\([^()]*\)", "", unicodedata.normalize("NFKC", name))).lower()


def field_of(name: str, synonyms: Mapping[str, str]) -> str | None:
    """Return the field that a column is named like; in a merged header (持证主体/代码) by the full name or its end."""
    if is_delete_flag(name):
        return OPERATION
    *above, last = name.split("/")
    candidates = [name, *(["".join(above[-1:]) + last] if above else []), last]
    return next((synonyms[key] for candidate in candidates if (key := plain(candidate)) in synonyms), None)
