"""The interface of a file drop's folder, on this machine or on an SFTP server, and its entries."""

import errno
import stat
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from zhengku.clock import CITY_TIME_ZONE
from zhengku.landed.landing import Readable

NOT_FOLLOWED: Final = "it is a link, or in a folder that is one, and links are not followed"
NO_FILE: Final = "it is no file but a pipe, a device or a socket"


def not_followed() -> OSError:
    """Return the error for a link in the place of a file or a folder."""
    return OSError(errno.ELOOP, NOT_FOLLOWED)


def no_file() -> OSError:
    """Return the error for what is neither a file nor a folder."""
    return OSError(errno.EINVAL, NO_FILE)


@dataclass(frozen=True)
class Entry:
    """What a folder has by one name: `size` in bytes, 0 for what is no file; `modified_at` in Asia/Shanghai.

    A link is neither a file nor a folder, whatever it leads to. What is none of the three is a pipe, a device or a
    socket. The time is by the clock of the machine that has the folder, as precise as that machine gives it.
    """

    size: int
    modified_at: datetime
    is_file: bool
    is_folder: bool = False
    is_link: bool = False

    @property
    def is_passed_over(self) -> bool:
        """Whether it is a link, a pipe, a device or a socket: nothing of it is ever opened."""
        return not self.is_file and not self.is_folder

    @classmethod
    def of(cls, mode: int, size: int, modified: float) -> "Entry":
        """Return the entry for the figures of a stat; raises `OverflowError`, `ValueError` for an impossible time."""
        is_file = stat.S_ISREG(mode)
        changed = datetime.fromtimestamp(modified, tz=CITY_TIME_ZONE)
        return cls(size if is_file else 0, changed, is_file, stat.S_ISDIR(mode), stat.S_ISLNK(mode))


class DropFolder(Protocol):
    """A folder into which a department puts files. Names are bytes as the folder has them, in whatever encoding.

    No link below the connection's address is followed: it could lead to any file that this account may read. Every
    method raises `OSError` when the folder or the file cannot be read, `FileNotFoundError` when it is not there.
    """

    def names(self) -> Mapping[bytes, Entry | None]:
        """Return what is in the folder; None where the listing does not say enough and `entry` has to be called."""

    def entry(self, name: bytes) -> Entry:
        """Return one entry as it is now, of a link the link itself.

        Raises `OverflowError`, `ValueError` as `Entry.of` does.
        """

    def open(self, name: bytes) -> AbstractContextManager[Readable]:
        """Open a file for reading; raises `OSError` for a link and for what is no file, whatever it was before."""

    def below(self, name: bytes) -> "DropFolder":
        """Return the folder of this name in it, which need not exist."""
