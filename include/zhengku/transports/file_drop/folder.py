"""The place of a file drop: a folder of this machine (for instance a mounted share), or one of an SFTP server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zhengku.errors import ConfigurationError
from zhengku.landed.landing import Readable
from zhengku.transports.file_drop.entry import DropFolder, Entry


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _at(self, name: bytes) -> Path:
        return self._path / os.fsdecode(name)

    def names(self) -> dict[bytes, Entry | None]:
        """List the names; `entry` has to be called for each."""
        return {os.fsencode(path.name): None for path in self._path.iterdir()}

    def entry(self, name: bytes) -> Entry:
        """Return one entry as it is now, following links."""
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

    Raises `ConfigurationError` for an address of another kind, and what `open_sftp_folder` raises.
    """
    if not _is_sftp(address, connection):
        yield LocalFolder(Path(address) / below)
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
