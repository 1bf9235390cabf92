"""The file drop: a folder into which a department's system lays files."""

import fnmatch
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from zhengku.catalog import FileDrop
from zhengku.collect.landing import Landed, LandingArea
from zhengku.collect.manifest import LARGEST, SUFFIX, Manifest, manifest_path, read_manifest
from zhengku.errors import DeliveryRejected, DeliveryUnavailable
from zhengku.settings import CITY_TIME_ZONE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """A file in the drop as it was seen: size in bytes, time of its last change in Asia/Shanghai.

    `name` is text that can be stored and shown; the name in `path` may hold bytes that are not UTF-8.
    """

    name: str
    path: Path
    size: int
    modified_at: datetime
    is_file: bool


def _clean_name(path: Path) -> str:
    """Return a file's name as text: departments' systems write names in UTF-8 or GB 18030."""
    name = os.fsencode(path.name)
    for encoding in ("utf-8", "gb18030"):
        try:
            return name.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name.decode("utf-8", "backslashreplace")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn errors of the department's side into `DeliveryUnavailable`."""
    try:
        yield
    except FileNotFoundError as error:
        raise DeliveryUnavailable(
            f"{_clean_name(path)} is no longer in the file drop; it was moved or removed after it was listed. It is "
            "taken by the next try if it comes back."
        ) from error
    except PermissionError as error:
        raise DeliveryUnavailable(
            f"{_clean_name(path)}: this account may not read it in the file drop. Ask for the right to read."
        ) from error
    except OSError as error:
        raise DeliveryUnavailable(
            f"{_clean_name(path)} cannot be read from the file drop: {error.strerror or type(error).__name__}. "
            "Check the share; it is taken by the next try."
        ) from error


class _Source:
    """An open delivery whose read errors are told apart from write errors of the landing area."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    def read(self, size: int, /) -> bytes:
        with _reading(self._path):
            return self._file.read(size)


def _seen(path: Path) -> Delivery:
    status = path.stat()
    return Delivery(
        name=_clean_name(path),
        path=path,
        size=status.st_size if stat.S_ISREG(status.st_mode) else 0,
        modified_at=datetime.fromtimestamp(status.st_mtime, tz=CITY_TIME_ZONE),
        is_file=stat.S_ISREG(status.st_mode),
    )


def list_deliveries(drop: FileDrop, address: str) -> list[Delivery]:
    """List what lies in the drop and matches the feed's pattern, oldest first.

    A file whose manifest is required and not there yet is still being delivered, and is left for the next run.
    An entry that cannot be looked at (a link to nothing, a file just removed) is left out with a warning.
    Raises `DeliveryUnavailable` when the folder cannot be read.
    """
    folder = Path(address) / drop.folder
    try:
        paths = list(folder.iterdir())
    except OSError as error:
        raise DeliveryUnavailable(
            f"The file drop {folder} (connection {drop.connection!r}) cannot be read: {error.strerror}. "
            "Check that the share is mounted and that this account may read it."
        ) from error
    found: list[Delivery] = []
    for path in paths:
        name = _clean_name(path)
        if (
            not fnmatch.fnmatchcase(name, drop.pattern)
            or name.startswith(".")
            or name.endswith((SUFFIX, ".part", ".tmp"))
        ):
            continue
        try:
            found.append(_seen(path))
        except (OSError, OverflowError, ValueError) as error:
            # The other two are for times of change that no calendar has.
            log.warning(
                "%s in %s is left out: expected a file, it cannot be looked at (%s). Remove it or mend the link.",
                name,
                folder,
                (error.strerror if isinstance(error, OSError) else None) or type(error).__name__,
            )
    if drop.manifest == "required":
        listed = set(paths)
        found = [delivery for delivery in found if manifest_path(delivery.path) in listed]
    return sorted(found, key=lambda delivery: (delivery.modified_at, delivery.name))


def manifest_of(drop: FileDrop, delivery: Delivery) -> Manifest | None:
    """Read the manifest beside a delivery, if the feed has manifests and it is there.

    Raises `DeliveryRejected` when it cannot be understood; `DeliveryUnavailable` when it cannot be read, or is required
    and gone.
    """
    if drop.manifest == "none":
        return None
    path = manifest_path(delivery.path)
    with _reading(path):
        if not path.is_file():
            if drop.manifest == "required":
                raise DeliveryUnavailable(
                    f"{delivery.name}: expected a manifest {_clean_name(path)} beside it, there is no such file any "
                    "more. It is taken by the next try once it is back."
                )
            return None
        with path.open("rb") as file:
            content = file.read(LARGEST)
    return read_manifest(_clean_name(path), content)


def land(
    delivery: Delivery,
    manifest: Manifest | None,
    drop: FileDrop,
    landing: LandingArea,
    path: str,
    on_bytes: Callable[[int], None] | None = None,
) -> Landed:
    """Copy a delivery into the landing area untouched, with the digests that its manifest gives.

    Raises `DeliveryRejected` for what is no file or is empty; `DeliveryUnavailable` when it changed while it was read,
    vanished, or cannot be read; `StorageFull` and `ConfigurationError` when the landing area cannot be written to.
    """
    if not delivery.is_file:
        raise DeliveryRejected(
            "file.kind",
            f"{delivery.name}: expected a file, found a folder or a device. Ask the department for a plain CSV file.",
            f"{delivery.name} 不是文件（可能是文件夹），请以单个 CSV 文件重新提交",
        )
    # A file that changed just now may still be being written: give the writer time to finish.
    time.sleep(
        min(max(0.0, drop.settle_seconds - (time.time() - delivery.modified_at.timestamp())), drop.settle_seconds)
    )
    with _reading(delivery.path):
        seen = _seen(delivery.path)
    if seen != delivery:
        raise DeliveryUnavailable(f"{delivery.name} is still being written to; it is taken by the next try.")
    if not delivery.size:
        raise DeliveryRejected(
            "file.empty",
            f"{delivery.name}: expected a header and rows, the file has 0 bytes. Ask the department to send it again.",
            f"{delivery.name} 为空文件（0 字节），请重新导出后提交",
        )
    with _reading(delivery.path):
        file = delivery.path.open("rb")
    with file:
        landed = landing.put(_Source(delivery.path, file), path, manifest.digests if manifest else (), on_bytes)
    try:
        with _reading(delivery.path):
            seen = _seen(delivery.path)
    except DeliveryUnavailable:
        landing.discard([landed.path])
        raise
    if landed.size != delivery.size or seen != delivery:
        landing.discard([landed.path])
        raise DeliveryUnavailable(f"{delivery.name} changed while it was read; it is taken by the next try.")
    return landed


def check_digests(name: str, manifest: Manifest | None, landed: Landed) -> None:
    """Compare a landed file with its manifest. Raises `DeliveryRejected` when a digest differs."""
    for algorithm, digest in (manifest.digests if manifest else {}).items():
        if landed.digests[algorithm] != digest:
            raise DeliveryRejected(
                "file.digest",
                f"{name}: the manifest says {algorithm} {digest[:12]}…, the file has "
                f"{landed.digests[algorithm][:12]}…: it was damaged on the way or the manifest belongs to another "
                "file. Ask the department to send both again.",
                f"{name} 的摘要（{algorithm}）与清单不符，文件可能在传输中损坏，请连同清单重新提交",
            )
