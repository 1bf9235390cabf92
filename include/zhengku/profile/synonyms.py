"""Which standard field a column's name speaks of: names in Chinese, English and pinyin initials, kept as data."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from zhengku.catalog.reference import Row, Text, read_table
from zhengku.errors import CatalogError
from zhengku.profile.words import is_delete_flag

FIELD_SYNONYMS_FILE: Final = "field_synonyms.csv"

OPERATION: Final = "operation"
NOT_WANTED: Final = "not_wanted"
"""What a synonym stands for that is no standard field: the operation's column, and columns that nobody needs."""


class Synonym(Row):
    """A name under which departments deliver a standard field; `basis` says whether it was seen or is assumed."""

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
            table.report(line, f"synonym {row.synonym!r} stands for {known[name]!r} too", "Keep one of them.")
    for problem in table.problems:
        raise CatalogError(str(problem))
    wanted = {*fields, OPERATION, NOT_WANTED}
    own = {plain(name): field for field, chinese in fields.items() for name in (field, chinese)}
    return {**own, **{name: field for name, field in known.items() if field in wanted}, **own}


def plain(name: str) -> str:
    """Return a name as names are compared: half-width, small letters, no blanks, brackets or punctuation."""
    return re.sub(r"[\W_]+", "", re.sub(r"\([^()]*\)", "", unicodedata.normalize("NFKC", name))).lower()


def field_of(name: str, synonyms: Mapping[str, str]) -> str | None:
    """Return the field that a column's name speaks of; of a merged header (持证主体/代码) the whole name or its end."""
    if is_delete_flag(name):
        return OPERATION
    *above, last = name.split("/")
    candidates = [name, *(["".join(above[-1:]) + last] if above else []), last]
    return next((synonyms[key] for candidate in candidates if (key := plain(candidate)) in synonyms), None)
