"""Trying keys on a sample: which fields tell its rows apart, and which would make one record of several."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from zhengku.catalog import Feed
from zhengku.catalog.reference import LicenseType, StandardField
from zhengku.profile.looks import as_code, cleaned
from zhengku.profile.proposal import Proposal

_NATURAL: Final[Mapping[str, tuple[str, ...]]] = {
    "service_case": ("case_number", "service_number"),
    "case_result": ("case_number", "result_number"),
    "evaluation": ("evaluation_number",),
}
"""By data set: what tells its records apart; of certificates it depends on their type."""

_TYPES: Final = ("license_type_code", "license_type_name", "certificate_name")
_HOLDERS: Final = ("holder_code", "holder")


@dataclass(frozen=True)
class Trial:
    """A key tried on a sample: rows that have it, different ones among them, and rows whose holder it mixes up.

    `disputed` counts the rows that share their key with a row of another holder, or of another type.
    """

    fields: tuple[str, ...]
    rows: int
    distinct: int
    disputed: int
    keyless: int


@dataclass(frozen=True)
class ProposedKey:
    """The key that is proposed, and why; `is_sure` where every row of the sample has one of its own."""

    fields: tuple[str, ...]
    why: str
    is_sure: bool

    def __str__(self) -> str:
        """Return it as YAML, with why."""
        return f"[{', '.join(self.fields)}]  # {'' if self.is_sure else '? '}{self.why.removeprefix('? ')}"


def propose_key(
    feed: Feed,
    license_type: LicenseType | None,
    standard: Mapping[str, StandardField],
    proposal: Proposal,
    columns: Sequence[str],
    rows: Sequence[Sequence[str | None]],
    nothing: Collection[str],
) -> ProposedKey:
    """Return the first of the likely keys that tells all rows of the sample apart, else the one that does it best.

    `rows` have their cells in the order of `columns`; `nothing` are words for nothing, which are no key. A key that is
    not unique is proposed with a question.
    """
    places = {
        each.name: columns.index(each.column)
        for each in proposal.fields
        if each.column is not None and each.column in columns
    }
    candidates = _candidates(feed, license_type, standard, places)
    if not candidates:
        return ProposedKey((), "? no column is a number to tell rows by: ask the department for one", is_sure=False)
    told = [field for field in (*_HOLDERS, *_TYPES) if field in places]
    trials = [_tried(fields, told, places, standard, rows, nothing) for fields in candidates]
    best = next(
        (trial for trial in trials if trial.rows and trial.distinct == trial.rows),
        min(trials, key=lambda trial: (trial.disputed, trial.rows - trial.distinct, trials.index(trial))),
    )
    return ProposedKey(best.fields, *_why(best, trials[0], license_type, places))


def _candidates(
    feed: Feed, license_type: LicenseType | None, standard: Mapping[str, StandardField], places: Mapping[str, int]
) -> list[tuple[str, ...]]:
    natural = tuple(field for field in _NATURAL.get(feed.dataset, ()) if field in places)
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
    alone: tuple[str, ...] = (number,)
    typed: tuple[str, ...] | None = (of_type, number) if of_type else None
    # Numbers of two types of certificates have nothing to do with each other.
    any_type = license_type is not None and license_type.any_type
    ordered: list[tuple[str, ...] | None] = [typed, alone] if any_type else [alone, typed]
    ordered += [(number, holder), (of_type, number, holder) if of_type else None] if holder else []
    if number != "certificate_identifier" and "certificate_identifier" in places:
        ordered.append(("certificate_identifier",))
    return [fields for fields in ordered if fields is not None]


def _tried(
    fields: tuple[str, ...],
    told: Sequence[str],
    places: Mapping[str, int],
    standard: Mapping[str, StandardField],
    rows: Sequence[Sequence[str | None]],
    nothing: Collection[str],
) -> Trial:
    def value(row: Sequence[str | None], field: str) -> str | None:
        text = cleaned(row[places[field]], nothing)
        return as_code(text) if text is not None and standard[field].kind in ("code", "identifier") else text

    records: dict[tuple[str, ...], set[tuple[str | None, ...]]] = {}
    counts: dict[tuple[str, ...], int] = {}
    keyless = 0
    for row in rows:
        key = tuple(text for field in fields if (text := value(row, field)) is not None)
        if len(key) < len(fields):
            keyless += 1
            continue
        counts[key] = counts.get(key, 0) + 1
        records.setdefault(key, set()).add(tuple(value(row, field) for field in told))
    return Trial(
        fields,
        rows=sum(counts.values()),
        distinct=len(counts),
        disputed=sum(counts[key] for key, different in records.items() if len(different) > 1),
        keyless=keyless,
    )


def _why(best: Trial, first: Trial, license_type: LicenseType | None, places: Mapping[str, int]) -> tuple[str, bool]:
    told = [f"{best.distinct} different in {best.rows} rows"]
    is_sure = best.distinct == best.rows > 0
    if best.keyless:
        told.append(f"{best.keyless} rows have none")
    if best.disputed:
        told.append(
            f"{best.disputed} rows share theirs with a row of another holder or type, and would become one record: "
            "ask the department what tells them apart"
        )
    elif not is_sure:
        told.append(
            f"{best.rows - best.distinct} rows repeat one: right if they are later states of the same certificate"
        )
    if best.fields != first.fields:
        number = ", ".join(first.fields)
        told.append(f"[{number}] alone has {first.distinct} in {first.rows} rows")
    if license_type is not None and license_type.multi_holder and "holder_code" not in best.fields:
        told.append(
            "a certificate of this type may have several holders: if each comes as a row, add holder_code"
            if "holder_code" in places
            else "a certificate of this type may have several holders: each as a row needs a column that tells them"
        )
        is_sure = False
    if license_type is not None and license_type.any_type and not set(_TYPES) & set(best.fields):
        told.append("certificates of any type come here, and no column says which: numbers of two types may be alike")
        is_sure = False
    return "; ".join(told), is_sure and best.fields == first.fields
