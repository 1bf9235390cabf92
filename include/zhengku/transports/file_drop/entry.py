"""The interface of a file drop's folder, on this machine or on an SFTP server, and its entries."""

import stat
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from zhengku.clock import CITY_TIME_ZONE
from zhengku.landed.landing import Readable


@dataclass(frozen=True)
class Entry:
    """What a folder has by one name: `size` in bytes, 0 for what is no file; `modified_at` in Asia/Shanghai.

    The time is by the clock of the machine that has the folder, as precise as that machine gives it.
    """

    size: int
    modified_at: datetime
    is_file: bool
    is_folder: bool = False

    @classmethod
    def of(cls, mode: int, size: int, modified: float) -> "Entry":
        """Return the entry for the figures of a stat; raises `OverflowError`, `ValueError` for an impossible time."""
        is_file = stat.S_ISREG(mode)
        changed = datetime.fromtimestamp(modified, tz=CITY_TIME_ZONE)
        return cls(size if is_file else 0, changed, is_file, stat.S_ISDIR(mode))


class DropFolder(Protocol):
    """A folder into which a department puts files. Names are bytes as the folder has them, in whatever encoding.

    Every method raises `OSError` when the folder or the file cannot be read, `FileNotFoundError` when it is not there.
    """

    def names(self) -> Mapping[bytes, Entry | None]:
        """Return what is in the folder; None where the listing does not say enough and `entry` has to be called."""

    def entry(self, name: bytes) -> Entry:
        """Return one entry as it is now, following links; raises `OverflowError`, `ValueError` as `Entry.of` does."""

    def open(self, name: bytes) -> AbstractContextManager[Readable]:
        """Open a file for reading."""

    def below(self, name: bytes) -> "DropFolder":
        """Return the folder of this name in it, which need not exist."""
