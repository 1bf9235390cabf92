"""Where a file drop lies: a folder of this machine (a mounted share, for instance), or one behind SFTP."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from zhengku.clock import CITY_TIME_ZONE
from zhengku.collect.landing import Readable
from zhengku.errors import ConfigurationError


@dataclass(frozen=True)
class Entry:
    """What a name of the folder stands for: `size` in bytes, 0 for what is no file; `modified_at` in Asia/Shanghai.

    The time is that of the machine which holds the folder, in the precision that it tells.
    """

    size: int
    modified_at: datetime
    is_file: bool
    is_folder: bool = False

    @classmethod
    def of(cls, mode: int, size: int, modified: float) -> "Entry":
        """Take the figures of a stat. Raises `OverflowError`, `ValueError` for a time that no calendar has."""
        is_file = stat.S_ISREG(mode)
        changed = datetime.fromtimestamp(modified, tz=CITY_TIME_ZONE)
        return cls(size if is_file else 0, changed, is_file, stat.S_ISDIR(mode))


class DropFolder(Protocol):
    """A folder that a department lays files into. Names are bytes as the folder has them, in whatever encoding.

    Every method raises `OSError` when the folder or the file cannot be read, `FileNotFoundError` when it is not there.
    """

    def names(self) -> Mapping[bytes, Entry | None]:
        """Return what lies in the folder; None where the list does not tell and `entry` has to be asked."""

    def entry(self, name: bytes) -> Entry:
        """Look at one name now, through a link; raises `OverflowError`, `ValueError` for an impossible time too."""

    def open(self, name: bytes) -> AbstractContextManager[Readable]:
        """Open a file for reading."""

    def below(self, name: bytes) -> "DropFolder":
        """Return the folder of this name in it, which need not be there."""


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _at(self, name: bytes) -> Path:
        return self._path / os.fsdecode(name)

    def names(self) -> dict[bytes, Entry | None]:
        """List the names; each has to be looked at."""
        return {os.fsencode(path.name): None for path in self._path.iterdir()}

    def entry(self, name: bytes) -> Entry:
        """Look at one name now."""
        status = self._at(name).stat()
        return Entry.of(status.st_mode, status.st_size, status.st_mtime)

    @contextmanager
    def open(self, name: bytes) -> Iterator[Readable]:
        """Open a file for reading."""
        with self._at(name).open("rb") as file:
            yield file

    def below(self, name: bytes) -> "LocalFolder":
        """Return the folder of this name in it."""
        return LocalFolder(self._at(name))


@contextmanager
def open_folder(address: str, below: str, connection: str) -> Iterator[DropFolder]:
    """Open the folder `below` an address, a path or `sftp://…`, of the connection with that id.

    Raises `ConfigurationError` for an address of another kind, and what `zhengku.collect.drop_folder_sftp` says.
    """
    if not _is_sftp(address, connection):
        yield LocalFolder(Path(address) / below)
        return
    # It takes a quarter of a second to import, and most drops are folders.
    from zhengku.collect.drop_folder_sftp import open_sftp_folder

    with open_sftp_folder(address, below, connection) as folder:
        yield folder


def check_address(address: str, connection: str) -> None:
    """Raise `ConfigurationError` for an address that `open_folder` would refuse, without opening it."""
    if _is_sftp(address, connection):
        from zhengku.collect.drop_folder_sftp import check_sftp_address

        check_sftp_address(address, connection)


def _is_sftp(address: str, connection: str) -> bool:
    scheme, separator, _ = address.partition("://")
    if separator and scheme.lower() != "sftp":
        raise ConfigurationError(
            f"ZHENGKU_CONN_{connection.upper()}: expected a folder's path or sftp://…, got {scheme[:20]}://… ."
        )
    return bool(separator)
