"""What a correct pipeline makes of the rows of one feed, night after night: the fates, and what the store must have.

It uses what was decided about a row (its key, its version, the rules that it fails), never the row's values.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from simulator.model import Fate, RowTruth, SourceRow, StoredTruth

UNDATED: Final = datetime(1900, 1, 1)
"""Version of a row without a time, where times decide: older than any other."""

SHARE_RULES_FROM: Final = 200
"""From so many rows of a delivery on, at most a fifth may be wrong; for fewer rows `_MOST_NEW_PROBLEMS` applies."""


@dataclass(frozen=True)
class Content:
    """What the store has of a certificate: canonical fields and extension, and the district as it was written."""

    fields: Mapping[str, str]
    extension: Mapping[str, str]
    district_form: str | None


@dataclass(frozen=True)
class Decided:
    """A row and what was decided about it before it was written.

    `version` orders the rows of one certificate; `intent` is the fate that it was made for on the first night that
    reads it, None where several rows were made for one collection. `rules` are the critical rules that it fails,
    `warnings` the others. A `torn` row is no record at all.
    """

    row: SourceRow
    key: str | None
    version: datetime
    content: Content | None
    intent: Fate | None = None
    removes: bool = False
    rules: tuple[str, ...] = ()
    warnings: frozenset[str] = frozenset()
    torn: bool = False

    def truth(self, fate: Fate) -> RowTruth:
        """Return the row's fate, with the rules that it fails."""
        # Rows that delete a certificate have little but its key, and are checked only for that.
        warnings = () if self.removes else tuple(sorted(self.warnings))
        return RowTruth(self.row.row_id, fate, self.key, self.rules, warnings)


@dataclass(frozen=True)
class _Stored:
    content: Content
    version: datetime
    removal: Literal["deleted", "disappeared"] | None = None


@dataclass
class Store:
    """What the license store must have of one feed."""

    license_type: str
    _certificates: dict[str, _Stored] = field(default_factory=dict)

    def collect(self, rows: Sequence[Decided]) -> list[RowTruth]:
        """Load the rows that one night reads, in their order, and return the fate of each."""
        newest: dict[str, tuple[datetime, int]] = {}
        for place, row in enumerate(rows):
            if row.key is not None and not row.rules:
                newest[row.key] = max(newest.get(row.key, (row.version, place)), (row.version, place))
        truths, winners = [], []
        for place, row in enumerate(rows):
            fate = self._fate(row, row.key is not None and newest.get(row.key) == (row.version, place))
            truths.append(row.truth(fate))
            if fate in ("inserted", "updated", "deleted"):
                winners.append((row, fate))
        for row, _ in winners:
            self._load(row)
        return truths

    def _fate(self, row: Decided, is_newest: bool) -> Fate:
        stored = self._certificates.get(row.key) if row.key is not None else None
        if row.rules:
            # The age of a row without a time is unknown.
            is_older = stored is not None and not row.torn and UNDATED < row.version < stored.version
            return "superseded" if is_older else "quarantined"
        if not is_newest:
            return "duplicate"
        if stored is None:
            return "deleted" if row.removes else "inserted"
        if row.removes and stored.removal == "deleted" and row.version <= stored.version:
            return "unchanged"
        if not row.removes and stored.removal is None and stored.content == row.content:
            return "unchanged"
        if row.version < stored.version:
            return "superseded"
        return "deleted" if row.removes else "updated"

    def _load(self, row: Decided) -> None:
        assert row.key is not None
        assert row.content is not None
        stored = self._certificates.get(row.key)
        content = stored.content if row.removes and stored is not None else row.content
        self._certificates[row.key] = _Stored(content, row.version, "deleted" if row.removes else None)

    def compare(self, rows: Sequence[Decided]) -> bool:
        """Mark certificates that a whole register no longer has; return False where a row without a key forbids it."""
        keys = {row.key for row in rows if not row.torn}
        if None in keys or any(row.torn for row in rows):
            return False
        for key, stored in self._certificates.items():
            if key not in keys and stored.removal is None:
                self._certificates[key] = _Stored(stored.content, stored.version, "disappeared")
        return True

    def truths(self) -> list[StoredTruth]:
        """Return what the store must have, by key."""
        return [
            StoredTruth(
                self.license_type,
                key,
                stored.content.fields,
                stored.content.extension,
                stored.removal,
                as_time(stored.version) if stored.removal == "deleted" else None,
            )
            for key, stored in sorted(self._certificates.items())
        ]


_MOST_NEW_PROBLEMS: Final = ((100, 30), (20, 50), (5, 75), (3, 99))
"""From so many rows of a small delivery on: most new problems in a hundred rows."""


def batch_rules(
    rows: Sequence[Decided], loaded_before: int | None, known: Collection[str] = frozenset()
) -> tuple[str, ...]:
    """Return the rules for a delivery as a whole that these rows fail; `known` has the keys of unsolved problems.

    `loaded_before` is how many rows the last loaded whole register had; None where there is none, or where a delivery
    is no whole register.
    """
    failed = []
    wrong = sum(bool(row.rules) for row in rows)
    if len(rows) >= SHARE_RULES_FROM:
        if 5 * wrong > len(rows):
            failed.append("batch.quarantined_share.at_most_a_fifth")
        if 20 * wrong > len(rows):
            failed.append("batch.quarantined_share.notable")
    else:
        new = sum(bool(row.rules) and row.key not in known for row in rows)
        share = next((share for least, share in _MOST_NEW_PROBLEMS if len(rows) >= least), 100)
        if 100 * new > share * len(rows):
            failed.append("batch.quarantined_share.small_batch")
    if loaded_before is not None:
        if 2 * len(rows) < loaded_before:
            failed.append("batch.volume.not_shrunk")
        if len(rows) > 2 * loaded_before:
            failed.append("batch.volume.not_swollen")
    return tuple(failed)


HOLDING: Final = frozenset(
    {
        "batch.quarantined_share.at_most_a_fifth",
        "batch.quarantined_share.small_batch",
        "batch.volume.not_shrunk",
    }
)
"""Rules for a delivery as a whole that are critical: it is held."""


def as_time(at: datetime) -> str:
    """Return a time of Asia/Shanghai with its offset."""
    return f"{at.isoformat(sep=' ', timespec='seconds')}+08:00"
