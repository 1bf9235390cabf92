"""The digests of files that were written for people: a file is handed over only while it is what was written."""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from zhengku.database import statement
from zhengku.errors import FileChanged
from zhengku.ledger import Connection


def record_published(connection: Connection, report_folder: Path, path: Path) -> None:
    """Record the digest of a file that was just written below the folder of reports."""
    with path.open("rb") as file:
        values = {
            "path": path.relative_to(report_folder).as_posix(),
            "bytes": os.fstat(file.fileno()).st_size,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }
    connection.execute(statement("ledger/published_files.record"), values)


def published_digest(connection: Connection, report_folder: Path, path: Path) -> str | None:
    """Return the SHA-256 (hex) of a file as it was written last; None where none was recorded."""
    values = {"path": path.relative_to(report_folder).as_posix()}
    row = connection.execute(statement("ledger/published_files.newest"), values).fetchone()
    return None if row is None else str(row[0])


def open_unchanged(path: Path, sha256: str | None) -> BinaryIO:
    """Open a file whose SHA-256 (hex) is the recorded one; who reads it gets the bytes that were compared.

    Raises `FileChanged` where the digests differ or none is recorded, `OSError` where the file cannot be read.
    """
    if sha256 is None:
        raise FileChanged(
            f"{path.name} in {path.parent}: expected a recorded digest, there is none; it is not handed over. "
            "Write the file again, which records it."
        )
    file = path.open("rb")
    found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        file.close()
        raise FileChanged(
            f"{path.name} in {path.parent}: expected SHA-256 {sha256} as it was written, got {found}; it is not handed "
            "over. Find out who changed the file, then write it again."
        )
    file.seek(0)
    return file
