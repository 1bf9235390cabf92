"""The file drop as a source: a folder, of this machine or an SFTP server, into which a department puts files."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from zhengku import clock
from zhengku.errors import DeliveryRejected, DeliveryUnavailable
from zhengku.landed.address import without_login
from zhengku.landed.landing import Landed, LandingArea, Readable
from zhengku.landed.manifest import LARGEST, SUFFIX, Manifest, read_manifest
from zhengku.masking import mask_text
from zhengku.transports.file_drop.entry import DropFolder, Entry, no_file, not_followed
from zhengku.transports.file_drop.folder import LocalFolder, check_address, open_folder
from zhengku.transports.file_drop.model import FileDrop
from zhengku.transports.file_drop.names import clean_name, described_by, is_manifest, takes
from zhengku.transports.source import Collected, Delivery, Source, Window

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileDelivery(Delivery):
    """A file of the drop; `raw_name` is its name as the folder has it, which may be no UTF-8.

    `manifest_name` is that of its manifest; None where there was none.
    """

    raw_name: bytes = b""
    manifest_name: bytes | None = None


class FileDropSource(Source):
    """The file drop of one feed, below `address`.

    Every call opens the folder anew and closes it, so that no connection waits while rows are loaded.
    """

    def __init__(self, drop: FileDrop, address: str) -> None:
        self._drop = drop
        self._address = address

    def check(self) -> None:
        """Raise `ConfigurationError` for an address of no folder and no SFTP server, or with an unusable key."""
        check_address(self._address, self._drop.connection)

    def _folder(self) -> AbstractContextManager[DropFolder]:
        return open_folder(self._address, self._drop.folder, self._drop.connection)

    def deliveries(self, window: Window) -> Sequence[FileDelivery]:
        """Return the files that match the feed's pattern in any case, the oldest first; a drop knows no windows.

        A file whose manifest is required and not there yet is still being delivered, and is left for the next run.
        An entry that cannot be looked at (a file that was just removed) is left out with a warning. Links, pipes,
        devices and sockets are left out: `untaken_files` tells of them.
        Raises `DeliveryUnavailable` when the folder cannot be read; `SourceRefused` when an SFTP server is not the
        known one or refuses the login; `ConfigurationError`.
        """
        with self._folder() as folder:
            shown = f"{without_login(self._address).rstrip('/')}/{self._drop.folder}".rstrip("/")
            try:
                names = folder.names()
            except OSError as error:
                raise DeliveryUnavailable(
                    f"The file drop {shown} (connection {self._drop.connection!r}) cannot be read: "
                    f"{error.strerror or type(error).__name__}. Check that the folder is there (a share: mounted) and "
                    "that this account may read it."
                ) from error
            found: list[FileDelivery] = []
            manifests = {
                described_by(name).casefold(): raw_name
                for raw_name in names
                if is_manifest(name := clean_name(raw_name))
            }
            for raw_name in names:
                name = clean_name(raw_name)
                if not takes(self._drop, name):
                    continue
                manifest_name = manifests.get(name.casefold())
                if self._drop.manifest == "required" and manifest_name is None:
                    continue
                try:
                    entry = names[raw_name] or folder.entry(raw_name)
                    if not entry.is_passed_over:
                        found.append(_delivery_of(folder, names, raw_name, entry, manifest_name))
                except (OSError, OverflowError, ValueError) as error:
                    # The other two errors are for times of change that are in no calendar.
                    log.warning(
                        "%s in %s is left out: expected a file, it cannot be looked at (%s). Remove it or "
                        "deliver it again.",
                        mask_text(clean_name(raw_name)),
                        shown,
                        (error.strerror if isinstance(error, OSError) else None) or type(error).__name__,
                    )
        return sorted(found, key=lambda delivery: (delivery.modified_at, delivery.name))

    def land(
        self, delivery: Delivery, landing: LandingArea, path: str, on_bytes: Callable[[int], None] | None = None
    ) -> Collected:
        """Copy a file into the landing area unchanged; one that differs from its manifest's digest is returned with a
        rejection. A file of a local folder that was landed before is only read.

        Raises `DeliveryRejected` for what is no file or is empty, and for a manifest that cannot be read;
        `DeliveryUnavailable` when the file changed while it was read, vanished, or cannot be read, or when its manifest
        is required and gone; `SourceRefused`; `StorageFull` and `ConfigurationError` when the landing area cannot be
        written to.
        """
        assert isinstance(delivery, FileDelivery)
        if not delivery.is_file:
            raise DeliveryRejected(
                "file.kind",
                f"{delivery.name}: expected a file, found a folder. Ask the department for a plain file.",
                f"{delivery.name} 不是文件（可能是文件夹），请以单个文件重新提交",
            )
        # A file that changed just now may still be being written: give the writer time to finish.
        age = clock.now().timestamp() - delivery.modified_at.timestamp()
        time.sleep(min(max(0.0, self._drop.settle_seconds - age), self._drop.settle_seconds))
        with self._folder() as folder:
            if _changed(folder, delivery):
                raise DeliveryUnavailable(f"{delivery.name} is still being written to; it is taken by the next try.")
            if not delivery.size:
                raise DeliveryRejected(
                    "file.empty",
                    f"{delivery.name}: expected a header and rows, the file has 0 bytes. Ask the department to send it "
                    "again.",
                    f"{delivery.name} 为空文件（0 字节），请重新导出后提交",
                )
            manifest = self._manifest(folder, delivery)
            algorithms = manifest.digests if manifest else ()
            landed: Landed | None = None
            # From an SFTP server, a file with other bytes would be transferred twice.
            if delivery.landed_of_size and isinstance(folder, LocalFolder):
                with _opened(folder, delivery.raw_name) as content:
                    landed = landing.find(content, delivery.landed_of_size, algorithms)
            copies: list[str] = []
            if landed is not None:
                if on_bytes:
                    on_bytes(landed.size)
            else:
                with _opened(folder, delivery.raw_name) as content:
                    landed = landing.put(content, path, algorithms, on_bytes)
                copies.append(landed.path)
            try:
                changed = landed.size != delivery.size or _changed(folder, delivery)
            except DeliveryUnavailable:
                landing.discard(copies)
                raise
            if changed:
                landing.discard(copies)
                raise DeliveryUnavailable(f"{delivery.name} changed while it was read; it is taken by the next try.")
        return Collected(landed, manifest, rejection=_wrong_digest(delivery.name, manifest, landed))

    def _manifest(self, folder: DropFolder, delivery: FileDelivery) -> Manifest | None:
        """Read the manifest of a delivery, if the feed has manifests and it is there."""
        if self._drop.manifest == "none":
            return None
        raw_name = delivery.manifest_name or delivery.raw_name + SUFFIX.encode()
        name = clean_name(raw_name)
        with _reading(raw_name):
            try:
                entry = folder.entry(raw_name)
                there = entry.is_file
            except FileNotFoundError:
                there = False
            else:
                if entry.is_passed_over:
                    # Without it, the file would be collected unchecked.
                    raise not_followed() if entry.is_link else no_file()
        if there:
            with _opened(folder, raw_name) as content:
                return read_manifest(name, content.read(LARGEST))
        if self._drop.manifest == "required":
            raise DeliveryUnavailable(
                f"{delivery.name}: expected a manifest {name} beside it, there is no such file any more. It is taken "
                "by the next try once it is back."
            )
        return None


def _delivery_of(
    folder: DropFolder,
    names: Mapping[bytes, Entry | None],
    raw_name: bytes,
    entry: Entry,
    manifest_name: bytes | None,
) -> FileDelivery:
    manifest: Entry | None = None
    if manifest_name is not None:
        try:
            manifest = names[manifest_name] or folder.entry(manifest_name)
        except (OSError, OverflowError, ValueError) as error:
            # Landing the file reports what is wrong with its manifest.
            log.debug("%s cannot be looked at: %s", clean_name(manifest_name), type(error).__name__)
    return FileDelivery(
        name=clean_name(raw_name),
        raw_name=raw_name,
        size=entry.size,
        modified_at=entry.modified_at,
        is_file=entry.is_file,
        manifest_at=manifest.modified_at if manifest else None,
        manifest_name=manifest_name,
    )


def _changed(folder: DropFolder, delivery: FileDelivery) -> bool:
    with _reading(delivery.raw_name):
        entry = folder.entry(delivery.raw_name)
    return (entry.size, entry.modified_at) != (delivery.size, delivery.modified_at)


@contextmanager
def _reading(raw_name: bytes) -> Iterator[None]:
    """Turn errors of the department's side into `DeliveryUnavailable`."""
    try:
        yield
    except FileNotFoundError as error:
        raise DeliveryUnavailable(
            f"{clean_name(raw_name)} is no longer in the file drop; it was moved or removed after it was listed. It "
            "is taken by the next try if it comes back."
        ) from error
    except PermissionError as error:
        raise DeliveryUnavailable(
            f"{clean_name(raw_name)}: this account may not read it in the file drop. Ask for the right to read."
        ) from error
    except OSError as error:
        raise DeliveryUnavailable(
            f"{clean_name(raw_name)} cannot be read from the file drop: {error.strerror or type(error).__name__}. "
            "Check the share or the server; it is taken by the next try."
        ) from error
    except (OverflowError, ValueError) as error:
        raise DeliveryUnavailable(
            f"{clean_name(raw_name)} cannot be read from the file drop: its time of change is in no calendar. Ask the "
            "department to write it anew."
        ) from error


class _Content:
    """An open file that distinguishes its read errors from write errors of the landing area."""

    def __init__(self, content: Readable, raw_name: bytes) -> None:
        self._content = content
        self._raw_name = raw_name

    def read(self, size: int, /) -> bytes:
        with _reading(self._raw_name):
            return self._content.read(size)


@contextmanager
def _opened(folder: DropFolder, raw_name: bytes) -> Iterator[Readable]:
    with ExitStack() as stack:
        with _reading(raw_name):
            content = stack.enter_context(folder.open(raw_name))
        yield _Content(content, raw_name)


def _wrong_digest(name: str, manifest: Manifest | None, landed: Landed) -> DeliveryRejected | None:
    """Return the rejection of a landed file whose manifest has another digest; None where they agree."""
    for algorithm, digest in (manifest.digests if manifest else {}).items():
        if landed.digests[algorithm] != digest:
            return DeliveryRejected(
                "file.digest",
                f"{name}: the manifest says {algorithm} {digest[:12]}…, the file has "
                f"{landed.digests[algorithm][:12]}…: it was damaged on the way or the manifest belongs to another "
                "file. Ask the department to send both again.",
                f"{name} 的摘要（{algorithm}）与清单不符，文件可能在传输中损坏，请连同清单重新提交",
            )
    return None
