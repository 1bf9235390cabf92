"""The landing area compared with the ledger: files that no batch has, and batches whose file is not there."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from zhengku.database import statement
from zhengku.landed.landing import LandedFile, LandingArea
from zhengku.ledger import Connection


@dataclass(frozen=True)
class LandingComparison:
    """What differs: `unknown` files that no batch has, paths of `missing` files and of `damaged` ones (by batch)."""

    files: int
    unknown: tuple[LandedFile, ...]
    missing: Mapping[str, int]
    damaged: Mapping[str, int]


def compare_landing(connection: Connection, landing: LandingArea, *, digests_since: datetime) -> LandingComparison:
    """Compare names and sizes of all landed files with the ledger, and the SHA-256 of those landed since a moment.

    Raises `LandingUnavailable` when the area cannot be read.
    """
    present = {file.path: file for file in landing.files()}
    known: set[str] = set()
    missing, damaged = {}, {}
    for path, size, sha256, batch_id in connection.execute(statement("ledger/restores.landed_batches")).fetchall():
        known.add(path)
        file = present.get(path)
        if file is None:
            missing[path] = batch_id
        elif file.size != size or (file.written_at >= digests_since and landing.sha256(path) != sha256):
            damaged[path] = batch_id
    unknown = [file for path, file in present.items() if path not in known]
    return LandingComparison(
        files=len(present),
        unknown=tuple(sorted(unknown, key=lambda file: (file.written_at, file.path))),
        missing=missing,
        damaged=damaged,
    )


@dataclass(frozen=True)
class LandedPlace:
    """What the path of a landed file tells: its feed, and the file's name as far as the path keeps it."""

    department: str
    feed: str
    name: str


def place_of(path: str) -> LandedPlace | None:
    """Return what a path of the landing area tells; None for one that the collector did not make."""
    found = re.fullmatch(r"([a-z0-9_]+)/([a-z0-9_]+)/\d{4}-\d\d-\d\d/[0-9a-f]{12}-(.+)", path)
    return None if found is None else LandedPlace(found[1], found[2], posixpath.basename(found[3]))
