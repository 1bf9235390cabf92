"""What a file drop offers: a folder that is listed and read, on this machine or behind SFTP, and its entries."""

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
