"""The file drop: a folder into which a department's system lays files."""

import fnmatch
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from zhengku.catalog import FileDrop
from zhengku.collect.landing import Landed, LandingArea
from zhengku.collect.manifest import LARGEST, SUFFIX, Manifest, read_manifest
from zhengku.errors import DeliveryRejected, DeliveryUnavailable
from zhengku.settings import CITY_TIME_ZONE


@dataclass(frozen=True)
class Delivery:
    """A file in the drop as it was seen: size in bytes, time of its last change in Asia/Shanghai."""

    name: str
    path: Path
    size: int
    modified_at: datetime
    is_file: bool


def _seen(path: Path) -> Delivery:
    status = path.stat()
    return Delivery(
        name=path.name,
        path=path,
        size=status.st_size if stat.S_ISREG(status.st_mode) else 0,
        modified_at=datetime.fromtimestamp(status.st_mtime, tz=CITY_TIME_ZONE),
        is_file=stat.S_ISREG(status.st_mode),
    )


def list_deliveries(drop: FileDrop, address: str) -> list[Delivery]:
    """List what lies in the drop and matches the feed's pattern, oldest first.

    A file whose manifest is required and not there yet is still being delivered, and is left for the next run.
    Raises `DeliveryUnavailable` when the folder cannot be read.
    """
    folder = Path(address) / drop.folder
    try:
        paths = list(folder.iterdir())
        found = [
            _seen(path)
            for path in paths
            if fnmatch.fnmatchcase(path.name, drop.pattern)
            and not path.name.startswith(".")
            and not path.name.endswith((SUFFIX, ".part", ".tmp"))
        ]
    except OSError as error:
        raise DeliveryUnavailable(
            f"The file drop {folder} (connection {drop.connection!r}) cannot be read: {error.strerror}. "
            "Check that the share is mounted and that this account may read it."
        ) from error
    if drop.manifest == "required":
        names = {path.name for path in paths}
        found = [delivery for delivery in found if delivery.name + SUFFIX in names]
    return sorted(found, key=lambda delivery: (delivery.modified_at, delivery.name))


def manifest_of(drop: FileDrop, delivery: Delivery) -> Manifest | None:
    """Read the manifest beside a delivery, if the feed has manifests and it is there.

    Raises `DeliveryRejected` when it cannot be understood.
    """
    path = delivery.path.with_name(delivery.name + SUFFIX)
    if drop.manifest == "none" or not path.is_file():
        return None
    with path.open("rb") as file:
        return read_manifest(path.name, file.read(LARGEST))


def land(
    delivery: Delivery,
    manifest: Manifest | None,
    drop: FileDrop,
    landing: LandingArea,
    path: str,
    on_bytes: Callable[[int], None] | None = None,
) -> Landed:
    """Copy a delivery into the landing area untouched, with the digests that its manifest gives.

    Raises `DeliveryRejected` for what is no file or is empty; `DeliveryUnavailable` when it changed while it was read;
    `StorageFull`.
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
    if _seen(delivery.path) != delivery:
        raise DeliveryUnavailable(f"{delivery.name} is still being written to; it is taken by the next try.")
    if not delivery.size:
        raise DeliveryRejected(
            "file.empty",
            f"{delivery.name}: expected a header and rows, the file has 0 bytes. Ask the department to send it again.",
            f"{delivery.name} 为空文件（0 字节），请重新导出后提交",
        )
    try:
        with delivery.path.open("rb") as content:
            landed = landing.put(content, path, manifest.digests if manifest else (), on_bytes)
    except PermissionError as error:
        raise DeliveryUnavailable(
            f"{delivery.path}: this account may not read it. Ask for the right to read."
        ) from error
    if landed.size != delivery.size or _seen(delivery.path) != delivery:
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
