"""The landing area: every delivery as it came, so that a batch can be replayed without asking the department.

A folder by default; any address that fsspec knows otherwise. Only the account of the pipeline can read it.
"""

import errno
import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import fsspec

from zhengku.errors import DeliveryUnavailable, StorageFull

BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Landed:
    """A file in the landing area: `path` below the area's address, digests by algorithm in hexadecimal."""

    path: str
    size: int
    digests: dict[str, str]


@contextmanager
def _storage_errors(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(
                f"The landing area {where} has no space left ({error.strerror}); nothing was kept of this delivery. "
                "Free space or set ZHENGKU_LANDING_URL to a larger place, then run it again."
            ) from error
        raise


class LandingArea:
    """Where raw deliveries lie, at `url` (a folder or an fsspec address)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._files, self._root = fsspec.core.url_to_fs(url)
        protocol = self._files.protocol
        self._local = "file" in ((protocol,) if isinstance(protocol, str) else protocol)

    def put(
        self,
        content: BinaryIO,
        path: str,
        algorithms: Iterable[str] = (),
        on_bytes: Callable[[int], None] | None = None,
    ) -> Landed:
        """Copy `content` to `path`, written aside first, so that a file that is there is whole.

        Digests are SHA-256 and those of `algorithms`. `on_bytes` is told of every block's size.
        Raises `StorageFull`; nothing is left behind then.
        """
        digests = {name: hashlib.new(name) for name in {"sha256", *algorithms}}
        target = f"{self._root}/{path}"
        aside = f"{target}.{uuid.uuid4().hex}.part"
        size = 0
        with _storage_errors(self.url):
            self._make_folder(target.rsplit("/", 1)[0])
            try:
                with self._files.open(aside, "wb") as out:
                    if self._local:
                        Path(aside).chmod(0o600)
                    while block := content.read(BLOCK):
                        out.write(block)
                        size += len(block)
                        for digest in digests.values():
                            digest.update(block)
                        if on_bytes:
                            on_bytes(len(block))
                    if self._local:
                        out.flush()
                        os.fsync(out.fileno())
                self._files.mv(aside, target)
            except BaseException:
                if self._files.exists(aside):
                    self._files.rm(aside)
                raise
        return Landed(path=path, size=size, digests={name: digest.hexdigest() for name, digest in digests.items()})

    def _make_folder(self, folder: str) -> None:
        if not self._local:
            self._files.makedirs(folder, exist_ok=True)
            return
        missing: list[Path] = []
        step = Path(folder)
        while not step.exists():
            missing.append(step)
            step = step.parent
        for step in reversed(missing):
            step.mkdir(mode=0o700, exist_ok=True)

    def holds(self, path: str, size: int) -> bool:
        """Tell whether a whole file of `size` bytes lies at `path`."""
        address = f"{self._root}/{path}"
        return bool(self._files.exists(address)) and self._files.size(address) == size

    def open(self, path: str) -> BinaryIO:
        """Open a landed file for reading. Raises `DeliveryUnavailable` when it is gone."""
        try:
            return cast(BinaryIO, self._files.open(f"{self._root}/{path}", "rb"))
        except FileNotFoundError as error:
            raise DeliveryUnavailable(
                f"The landed file {path} is not in {self.url} any more. Ask the department to deliver it again."
            ) from error

    def discard(self, paths: Iterable[str]) -> None:
        """Remove files that are not needed, for instance the second copy of an identical delivery."""
        for path in paths:
            self._files.rm(f"{self._root}/{path}")


def safe_name(name: str) -> str:
    """Return a file name that is safe on any file system: letters of any script, digits, `-`, `_` and dots stay."""
    return re.sub(r"[^\w.\-]", "_", name)[-80:].lstrip(".") or "delivery"
