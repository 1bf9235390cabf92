"""The place of a file drop: a folder of this machine (for instance a mounted share), or one of an SFTP server."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zhengku.errors import ConfigurationError
from zhengku.landed.landing import Readable
from zhengku.transports.file_drop.entry import DropFolder, Entry, no_file, not_followed


class LocalFolder:
    """A folder of this machine, `parts` below `root`.

    The root may be a link: it is the installation's. Everything below it is opened from folder to folder, so that none
    of them can be exchanged for a link in between.
    """

    def __init__(self, root: Path, parts: tuple[bytes, ...] = ()) -> None:
        self._root = root
        self._parts = parts

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the folder; yields its descriptor."""
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in self._parts:
                deeper = _open_below(descriptor, part, os.O_DIRECTORY)
                os.close(descriptor)
                descriptor = deeper
            yield descriptor
        finally:
            os.close(descriptor)

    def names(self) -> dict[bytes, Entry | None]:
        """List the names; `entry` has to be called for each."""
        with self._opened() as folder:
            return {os.fsencode(name): None for name in os.listdir(folder)}  # noqa: PTH208 - of a descriptor

    def entry(self, name: bytes) -> Entry:
        """Return one entry as it is now, of a link the link itself."""
        with self._opened() as folder:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        return Entry.of(status.st_mode, status.st_size, status.st_mtime)

    @contextmanager
    def open(self, name: bytes) -> Iterator[Readable]:
        """Open a file for reading."""
        with self._opened() as folder:
            # Without waiting for a writer, where a pipe has taken the file's place.
            descriptor = _open_below(folder, name, os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise no_file()
            yield file

    def below(self, name: bytes) -> "LocalFolder":
        """Return the folder of this name in it."""
        return LocalFolder(self._root, (*self._parts, name))


def _open_below(folder: int, name: bytes, flags: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    except OSError as error:
        # A socket cannot be opened at all, and of a link the number depends on what was asked for.
        mode = _mode(folder, name)
        if mode is not None and stat.S_ISLNK(mode):
            raise not_followed() from None
        if error.errno == errno.ENXIO:
            raise no_file() from None
        raise


def _mode(folder: int, name: bytes) -> int | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except OSError:
        return None


@contextmanager
def open_folder(address: str, below: str, connection: str) -> Iterator[DropFolder]:
    """Open the folder `below` an address, a path or `sftp://…`, of the connection with that id.

    Raises `ConfigurationError` for an address of another kind, and what `open_sftp_folder` raises.
    """
    if not _is_sftp(address, connection):
        yield LocalFolder(Path(address), tuple(os.fsencode(part) for part in below.split("/") if part))
        return
    # The import takes a quarter of a second, and most drops are local folders.
    from zhengku.transports.file_drop.sftp_folder import open_sftp_folder

    with open_sftp_folder(address, below, connection) as folder:
        yield folder


def check_address(address: str, connection: str) -> None:
    """Raise `ConfigurationError` for an address that `open_folder` would refuse, without opening it."""
    if _is_sftp(address, connection):
        from zhengku.transports.file_drop.sftp_folder import check_sftp_address

        check_sftp_address(address, connection)


def _is_sftp(address: str, connection: str) -> bool:
    scheme, separator, _ = address.partition("://")
    if separator and scheme.lower() != "sftp":
        raise ConfigurationError(
            f"ZHENGKU_CONN_{connection.upper()}: expected a folder's path or sftp://…, got {scheme[:20]}://… ."
        )
    return bool(separator)
