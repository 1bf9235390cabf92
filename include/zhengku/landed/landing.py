"""The landing area: every delivery as received, so that a batch can be replayed without asking the department.

A folder by default; any address that fsspec knows otherwise. Only the account of the pipeline can read it.
"""

import hashlib
import io
import logging
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import fsspec

from zhengku import clock
from zhengku.errors import (
    NO_SPACE,
    ConfigurationError,
    DeliveryUnavailable,
    LandingUnavailable,
    StorageFull,
    free_space,
)
from zhengku.landed.address import without_login

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

log = logging.getLogger(__name__)

BLOCK = 1024 * 1024

ABANDONED_AFTER = 24 * 3600
"""Seconds without a write after which a temporary file counts as left by a killed run."""

FOLDERS_SWEPT = 8
"""Newest folders next to a target's that every delivery searches for such files; there is one folder a day."""


_BUFFER = 64 * 1024


class Readable(Protocol):
    """What a delivery is read from, block by block."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


@dataclass(frozen=True)
class Landed:
    """A file in the landing area: `path` below the area's address, digests by algorithm in hexadecimal."""

    path: str
    size: int
    digests: dict[str, str]


@dataclass(frozen=True)
class LandedFile:
    """A file that is found in the landing area: `path` below the area's address, when it was written (with a zone)."""

    path: str
    size: int
    written_at: datetime


@contextmanager
def _storage_errors(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            # A folder has no scheme.
            free = "" if "://" in where else f", {free_space(Path(where))}"
            raise StorageFull(
                f"The landing area {where} has no space left ({error.strerror}{free}); nothing was kept of this "
                "delivery. Free space or set ZHENGKU_LANDING_URL to a larger place, then run it again."
            ) from error
        raise ConfigurationError(
            f"The landing area {where} cannot be used: {error.strerror or type(error).__name__}; nothing was kept of "
            "this delivery. Check that ZHENGKU_LANDING_URL names a folder that this account may write to."
        ) from error


@contextmanager
def _read_errors(area: str, path: str) -> Iterator[None]:
    """Turn errors of the storage into `LandingUnavailable`: they do not say whether the file exists."""
    try:
        yield
    except OSError as error:
        raise _unavailable(area, path, error.strerror or type(error).__name__) from error


def _unavailable(area: str, path: str, cause: str) -> LandingUnavailable:
    return LandingUnavailable(
        f"{path} in the landing area {without_login(area)} cannot be read now: {cause}. Nothing is given up for lost. "
        "Check on the machine of the worker that the area is there (a share: mounted), that ZHENGKU_LANDING_URL names "
        "it, and that this account has the right to read the file, then run this step again."
    )


class _Content(io.RawIOBase):
    """An open landed file whose read errors are no `OSError`: readers take an `OSError` for a damaged file."""

    def __init__(self, content: BinaryIO, area: str, path: str) -> None:
        self._content = content
        self._where = area, path

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        target = memoryview(buffer).cast("B")
        with _read_errors(*self._where):
            piece = self._content.read(len(target))
        target[: len(piece)] = piece
        return len(piece)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        with _read_errors(*self._where):
            return self._content.seek(offset, whence)

    def tell(self) -> int:
        with _read_errors(*self._where):
            return self._content.tell()

    def close(self) -> None:
        if not self.closed:
            super().close()
            # Nothing was written to the file: what was read stays valid, whatever error closing it raises.
            with suppress(OSError):
                self._content.close()


def _read_through(
    content: Readable,
    algorithms: Iterable[str],
    take: Callable[[bytes], object] | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> tuple[int, dict[str, str]]:
    """Read to the end; return the size and the digests, SHA-256 among them, by algorithm in hexadecimal."""
    digests = {name: hashlib.new(name) for name in {"sha256", *algorithms}}

    def digest(block: bytes) -> None:
        for one in digests.values():
            one.update(block)

    size = 0
    # Digesting takes as long as reading and writing, and does not hold Python's lock: each block is digested while it
    # is written and the next one is read.
    with ThreadPoolExecutor(1, "digest") as digesting:
        digested = digesting.submit(digest, b"")
        while block := content.read(BLOCK):
            digested.result()
            digested = digesting.submit(digest, block)
            if take:
                take(block)
            size += len(block)
            if on_bytes:
                on_bytes(len(block))
        digested.result()
    return size, {name: one.hexdigest() for name, one in digests.items()}


def _sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class LandingArea:
    """The place where raw deliveries are stored, at `url` (a folder or an fsspec address)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._files, self._root = fsspec.core.url_to_fs(url)
        protocol = self._files.protocol
        self._local = "file" in ((protocol,) if isinstance(protocol, str) else protocol)

    def put(
        self,
        content: Readable,
        path: str,
        algorithms: Iterable[str] = (),
        on_bytes: Callable[[int], None] | None = None,
    ) -> Landed:
        """Copy `content` to `path`, by way of a temporary file, so that a file at `path` is always complete.

        Digests are SHA-256 and those of `algorithms`. `on_bytes` is called with the size of every block. An `OSError`
        is taken for one of the landing area: `content` must raise `ZhengkuError` when it cannot be read.
        Raises `StorageFull`, `ConfigurationError` when the area cannot be written to; nothing stays in it then.
        """
        target = f"{self._root}/{path}"
        temporary = f"{target}.{uuid.uuid4().hex}.part"
        with _storage_errors(without_login(self.url)):
            folder = target.rsplit("/", 1)[0]
            self._make_folder(folder)
            if self._local:
                self._sweep(Path(folder))
            try:
                with self._files.open(temporary, "wb") as out:
                    if self._local:
                        Path(temporary).chmod(0o600)
                    size, digests = _read_through(content, algorithms, out.write, on_bytes)
                    if self._local:
                        out.flush()
                        os.fsync(out.fileno())
                self._files.mv(temporary, target)
                if self._local:
                    _sync_folder(Path(folder))
            except BaseException:
                with suppress(OSError):
                    if self._files.exists(temporary):
                        self._files.rm(temporary)
                raise
        return Landed(path, size, digests)

    def find(self, content: Readable, candidates: Mapping[str, str], algorithms: Iterable[str] = ()) -> Landed | None:
        """Return the landed file with exactly the bytes of `content`; None where no candidate is complete and has them.

        `candidates` are paths by SHA-256. Nothing is written; digests are as those of `put`.
        """
        size, digests = _read_through(content, algorithms)
        path = candidates.get(digests["sha256"])
        return Landed(path, size, digests) if path is not None and self.is_usable(path, size) else None

    def is_usable(self, path: str, size: int) -> bool:
        """Return whether the landed file at `path` is complete and readable, for another delivery of the same bytes."""
        try:
            return self.holds(path, size)
        except LandingUnavailable as error:
            # Two copies are better than none that can be read.
            log.warning("%s", error)
            return False

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
            _sync_folder(step.parent)

    def _sweep(self, folder: Path) -> None:
        """Remove temporary files of killed runs from a folder and the newest ones next to it: it is personal data."""
        folders = {folder}
        with suppress(OSError):
            if folder != Path(self._root):
                siblings = sorted(path for path in folder.parent.iterdir() if path.is_dir())
                folders.update(siblings[-FOLDERS_SWEPT:])
        for place in folders:
            for path in place.glob("*.part"):
                # Another run may be removing it too.
                with suppress(OSError):
                    if (
                        re.search(r"\.[0-9a-f]{32}\.part$", path.name)
                        and clock.now().timestamp() - path.stat().st_mtime > ABANDONED_AFTER
                    ):
                        path.unlink()

    def holds(self, path: str, size: int) -> bool:
        """Return whether a complete file of `size` bytes is at `path`.

        Raises `LandingUnavailable` when that cannot be found out now: only an area that can be read can lack a file.
        """
        # Not exists(), which returns False for every error.
        with _read_errors(self.url, path):
            try:
                return bool(self._files.info(f"{self._root}/{path}")["size"] == size)
            except FileNotFoundError:
                self._expect_area(path)
                return False

    def files(self) -> Iterator[LandedFile]:
        """Yield every complete file of the area. Raises `LandingUnavailable` when it cannot be listed."""
        with _read_errors(self.url, "what is"):
            found: dict[str, dict[str, Any]] = self._files.find(self._root, detail=True)
        for place, known in sorted(found.items()):
            path = place.removeprefix(self._root).lstrip("/")
            if not re.search(r"\.[0-9a-f]{32}\.part$", path):
                yield LandedFile(path, int(known["size"]), _written_at(known))

    def open(self, path: str) -> BinaryIO:
        """Open a landed file for reading.

        Raises `DeliveryUnavailable` when it is gone; `LandingUnavailable`, also while it is read, when the area or the
        file cannot be read now.
        """
        with _read_errors(self.url, path):
            try:
                content = self._files.open(f"{self._root}/{path}", "rb")
            except FileNotFoundError as error:
                self._expect_area(path)
                raise DeliveryUnavailable(
                    f"The landed file {path} is not in {without_login(self.url)} any more. Ask the department to "
                    "deliver it again."
                ) from error
        return io.BufferedReader(_Content(content, self.url, path), _BUFFER)

    def sha256(self, path: str) -> str:
        """Return the digest of a landed file, in hexadecimal. Raises what `open` raises."""
        with self.open(path) as content:
            _, digests = _read_through(content, ())
        return digests["sha256"]

    def _expect_area(self, path: str) -> None:
        """Raise `LandingUnavailable` unless the area can be listed, where the file at `path` was not found."""
        with _read_errors(self.url, path):
            # A mount point without its mount is a folder, too, but an empty one.
            if not self._files.ls(self._root, detail=False):
                raise _unavailable(self.url, path, "the area is empty, as a mount point without its mount is")

    def remove(self, path: str) -> bool:
        """Remove a landed file, and its folder if that is empty then; return whether the file was there.

        Raises `LandingUnavailable` when that cannot be found out now: of an area that is away nothing is removed.
        """
        target = f"{self._root}/{path}"
        with _read_errors(self.url, path):
            try:
                self._files.rm(target)
            except FileNotFoundError:
                self._expect_area(path)
                return False
        if self._local:
            # Not empty: others are in it.
            with suppress(OSError):
                Path(target).parent.rmdir()
        return True

    def discard(self, paths: Iterable[str]) -> None:
        """Remove files that are not needed, for instance the second copy of an identical delivery."""
        for path in paths:
            with _storage_errors(without_login(self.url)), suppress(FileNotFoundError):
                self._files.rm(f"{self._root}/{path}")


def _written_at(known: Mapping[str, Any]) -> datetime:
    """Return when a file was written: file systems of fsspec have different names for it."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
        written = known.get(name)
        if isinstance(written, (int, float)):
            return datetime.fromtimestamp(written, UTC)
        if isinstance(written, datetime):
            return written if written.tzinfo else written.replace(tzinfo=UTC)
    raise ConfigurationError(
        f"The landing area does not say when its files were written: expected mtime, LastModified or another time of "
        f"fsspec, got {', '.join(sorted(known))}."
    )


def safe_name(name: str) -> str:
    """Return a file name that is safe on any file system: letters of any script, digits, `-`, `_` and dots stay."""
    return re.sub(r"[^\w.\-]", "_", name)[-80:].lstrip(".") or "delivery"
