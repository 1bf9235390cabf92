"""Choosing the key of a feed: counting, for likely keys, how many rows of a sample each identifies."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from zhengku.catalog import Feed
from zhengku.catalog.reference import LicenseType, StandardField
from zhengku.profile.column_profile import as_code, cleaned
from zhengku.profile.proposal import Proposal

_NATURAL_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "service_case": ("case_number", "service_number"),
    "case_result": ("case_number", "result_number"),
    "evaluation": ("evaluation_number",),
}
"""Data set → the fields that identify its records. The key of certificates depends on their license type."""

_TYPES: Final = ("license_type_code", "license_type_name", "certificate_name")
_HOLDERS: Final = ("holder_code", "holder")


@dataclass(frozen=True)
class _KeyCounts:
    """A key counted on a sample: the rows that have it, the distinct keys of these, and the `keyless` rows without it.

    `disputed` counts the rows that share their key with a row of another holder or type.
    """

    fields: tuple[str, ...]
    rows: int
    distinct: int
    disputed: int
    keyless: int


@dataclass(frozen=True)
class ProposedKey:
    """A proposed key and the reason; `is_sure` when it is the most likely one and unique in the sample."""

    fields: tuple[str, ...]
    why: str
    is_sure: bool

    def __str__(self) -> str:
        """Return the key as YAML, with the reason as a comment."""
        return f"[{', '.join(self.fields)}]  # {'' if self.is_sure else '? '}{self.why.removeprefix('? ')}"


def propose_key(
    feed: Feed,
    license_type: LicenseType | None,
    standard: Mapping[str, StandardField],
    proposal: Proposal,
    columns: Sequence[str],
    rows: Sequence[Sequence[str | None]],
    null_words: Collection[str],
) -> ProposedKey:
    """Return the first likely key that is unique in the sample, else the one with the fewest disputed rows.

    `rows` have their cells in the order of `columns`. Cells with one of `null_words` count as empty. A key that is not
    unique is proposed with a question mark.
    """
    places = {
        each.name: columns.index(each.column)
        for each in proposal.fields
        if each.column is not None and each.column in columns
    }
    candidates = _candidates(feed, license_type, standard, places)
    if not candidates:
        why = "? no column has numbers that identify rows: ask the department for one"
        return ProposedKey((), why, is_sure=False)
    identity = [field for field in (*_HOLDERS, *_TYPES) if field in places]
    counted = [_count(fields, identity, places, standard, rows, null_words) for fields in candidates]
    best = next(
        (counts for counts in counted if counts.rows and counts.distinct == counts.rows),
        min(counted, key=lambda counts: (counts.disputed, counts.rows - counts.distinct, counted.index(counts))),
    )
    return ProposedKey(best.fields, *_reason(best, counted[0], license_type, places))


def _candidates(
    feed: Feed, license_type: LicenseType | None, standard: Mapping[str, StandardField], places: Mapping[str, int]
) -> list[tuple[str, ...]]:
    """Return the keys that the mapped fields allow, the most likely first."""
    natural = tuple(field for field in _NATURAL_KEYS.get(feed.dataset, ()) if field in places)
    if natural:
        return [natural]
    number = next(
        (field for field in ("certificate_number", "certificate_identifier") if field in places),
        next((field for field in places if standard[field].kind == "code"), None),
    )
    if number is None:
        return []
    of_type = next((field for field in _TYPES if field in places), None)
    holder = next((field for field in _HOLDERS[:1] if field in places and field != number), None)
    only_number: tuple[str, ...] = (number,)
    with_type: tuple[str, ...] | None = (of_type, number) if of_type else None
    # Certificates of two types may have the same number.
    any_type = license_type is not None and license_type.any_type
    ordered: list[tuple[str, ...] | None] = [with_type, only_number] if any_type else [only_number, with_type]
    ordered += [(number, holder), (of_type, number, holder) if of_type else None] if holder else []
    if number != "certificate_identifier" and "certificate_identifier" in places:
        ordered.append(("certificate_identifier",))
    return [fields for fields in ordered if fields is not None]


def _count(
    fields: tuple[str, ...],
    identity: Sequence[str],
    places: Mapping[str, int],
    standard: Mapping[str, StandardField],
    rows: Sequence[Sequence[str | None]],
    null_words: Collection[str],
) -> _KeyCounts:
    """Count the keys of the rows; rows with one key that differ in the `identity` fields are disputed."""

    def value(row: Sequence[str | None], field: str) -> str | None:
        text = cleaned(row[places[field]], null_words)
        return as_code(text) if text is not None and standard[field].kind in ("code", "identifier") else text

    identities: dict[tuple[str, ...], set[tuple[str | None, ...]]] = {}
    counts: dict[tuple[str, ...], int] = {}
    keyless = 0
    for row in rows:
        key = tuple(text for field in fields if (text := value(row, field)) is not None)
        if len(key) < len(fields):
            keyless += 1
            continue
        counts[key] = counts.get(key, 0) + 1
        identities.setdefault(key, set()).add(tuple(value(row, field) for field in identity))
    return _KeyCounts(
        fields,
        rows=sum(counts.values()),
        distinct=len(counts),
        disputed=sum(counts[key] for key, different in identities.items() if len(different) > 1),
        keyless=keyless,
    )


def _reason(
    best: _KeyCounts, first: _KeyCounts, license_type: LicenseType | None, places: Mapping[str, int]
) -> tuple[str, bool]:
    """Return the reason for the best key, and whether it is sure; `first` is the most likely key."""
    reasons = [f"{best.distinct} different in {best.rows} rows"]
    is_sure = best.distinct == best.rows > 0
    if best.keyless:
        reasons.append(f"{best.keyless} rows have none")
    if best.disputed:
        reasons.append(
            f"{best.disputed} rows share their key with a row of another holder or type, and would become one record: "
            "ask the department what distinguishes them"
        )
    elif not is_sure:
        reasons.append(
            f"{best.rows - best.distinct} rows repeat one: right if they are later states of the same certificate"
        )
    if best.fields != first.fields:
        number = ", ".join(first.fields)
        reasons.append(f"[{number}] by itself has {first.distinct} in {first.rows} rows")
    if license_type is not None and license_type.multi_holder and "holder_code" not in best.fields:
        reasons.append(
            "a certificate of this type may have several holders: if each comes as a row, add holder_code"
            if "holder_code" in places
            else "a certificate of this type may have several holders: if each comes as a row, a column must name it"
        )
        is_sure = False
    if license_type is not None and license_type.any_type and not set(_TYPES) & set(best.fields):
        reasons.append("certificates of any type come here, and no column says which: two types may use one number")
        is_sure = False
    return "; ".join(reasons), is_sure and best.fields == first.fields
