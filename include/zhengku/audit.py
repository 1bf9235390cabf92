"""Evidence (留痕) is sealed: whoever changes, removes or puts in a row afterwards is found out, the owner included.

What evidence is, and how it is digested, is in `sql/functions/audit.sql`; docs/decisions/0058.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row

from zhengku.database import statement
from zhengku.errors import ZhengkuError
from zhengku.ledger import Connection
from zhengku.masking import mask_text

Fault = Literal["changed", "removed", "inserted", "leaves", "chain", "head", "void"]

FAULT_WORDS: Mapping[Fault, str] = {
    "changed": "was changed after it was sealed",
    "removed": "was removed after it was sealed",
    "inserted": "was put in afterwards: it says that it was written before the last seal, which does not have it",
    "leaves": "the digests of this kind of evidence were rewritten within the seal",
    "chain": "the seal itself was rewritten: its head is not the digest of what it holds and of the seal before",
    "head": "the head is not the one that was printed",
    "void": "the printed head is of a seal that was given up by a restore of the database, whose record has it",
}
"""What each fault says about a row or a seal."""


class EvidenceChanged(ZhengkuError):
    """Evidence is not as it was sealed: the first of what was found."""

    final = True


@dataclass(frozen=True)
class Seal:
    """Evidence written from `sealed_from` until before `sealed_until`; `head` is 64 hexadecimal digits (SHA-256)."""

    seal_id: int
    sealed_from: datetime
    sealed_until: datetime
    sealed_at: datetime
    sealed_rows: int
    head: str


@dataclass(frozen=True)
class Finding:
    """What is not as it was sealed: a row of a kind of evidence, a kind of evidence of a seal, or a seal."""

    seal_id: int | None
    kind: str | None
    row_key: str | None
    fault: Fault

    def __str__(self) -> str:
        """Return a sentence; the numbers of people in the key are masked."""
        where = f"seal {self.seal_id}" if self.seal_id is not None else "no seal"
        what = " ".join(part for part in (self.kind, mask_text(self.row_key or "")) if part) or "the seal"
        return f"{where}: {what} {FAULT_WORDS[self.fault]}"


def close_evidence(connection: Connection) -> Seal | None:
    """Seal what was written since the last seal, and return the newest seal; commits.

    Evidence of transactions that still run, and what was written after they began, is left to the next seal. None when
    nothing was ever sealed, since a transaction is older than all evidence.
    """
    connection.commit()
    connection.execute(statement("audit/seals.seal_evidence"))
    connection.commit()
    found = seals(connection, limit=1)
    return found[0] if found else None


def seals(connection: Connection, limit: int = 50) -> list[Seal]:
    """Return the seals, the newest first."""
    with connection.cursor(row_factory=class_row(Seal)) as cursor:
        return cursor.execute(statement("audit/seals.seals"), {"limit": limit}).fetchall()


def verify(connection: Connection, printed: Mapping[int, str] | None = None) -> list[Finding]:
    """Compare all evidence with its seals; return what differs, an empty list when nothing does.

    `printed` are heads by number of the seal, as read from a report outside the database: the owner of the database
    could rewrite the whole chain, but not what was printed. A head may be shortened to its first digits.
    """
    with connection.cursor(row_factory=class_row(Finding)) as cursor:
        findings = cursor.execute(statement("audit/seals.verify")).fetchall()
    known = {one.seal_id: one.head for one in seals(connection, limit=1_000_000)} if printed else {}
    void = connection.execute(statement("ledger/restores.void_heads")).fetchall() if printed else []
    for seal_id, head in (printed or {}).items():
        if not known.get(seal_id, "").startswith(head.lower()):
            is_void = any(number == seal_id and given.startswith(head.lower()) for number, given, _ in void)
            findings.append(Finding(seal_id, None, None, "void" if is_void else "head"))
    return findings


def require_unchanged(connection: Connection) -> None:
    """Raise `EvidenceChanged` when any evidence is not as it was sealed."""
    findings = verify(connection)
    if findings:
        raise EvidenceChanged(
            f"Expected evidence as it was sealed; {len(findings):,} rows or seals are not: {findings[0]}. "
            "`zhengku audit verify` lists all: docs/runbooks/evidence.md."
        )
