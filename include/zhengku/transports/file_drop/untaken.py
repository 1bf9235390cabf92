"""Files of a drop that no feed takes: in a wrong folder, packed, in another form, or with another name."""

import logging
import os
import posixpath
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from zhengku import clock
from zhengku.landed.address import without_login
from zhengku.masking import mask_text
from zhengku.transports.file_drop.entry import DropFolder, Entry
from zhengku.transports.file_drop.model import FileDrop
from zhengku.transports.file_drop.names import clean_name, described_by, is_ignored, is_manifest, takes
from zhengku.transports.source import UntakenFile

log = logging.getLogger(__name__)

DEEPEST: Final = 4
"""Levels of folders below the connection's address that are searched."""

MOST_LOOKED_AT: Final = 20_000
"""Names that are checked; in a drop with more, the rest is not reported."""

MANIFEST_DAYS: Final = 1
"""How long a file may wait for the manifest without which it is not collected."""

_LINK: Final = "是链接（快捷方式），不跟随链接，未采集；请提交文件本身"
_NO_FILE: Final = "不是普通文件（管道、设备或套接字），未采集；请提交普通文件"

_KINDS: Final = {
    (".zip", ".rar", ".7z", ".gz", ".tgz", ".tar", ".bz2", ".xz"): "压缩包，请解压后提交",
    (".xls", ".xlsb", ".et", ".ods"): "不支持的电子表格格式，请另存为约定的格式（CSV或XLSX）后提交",
    (".doc", ".docx", ".wps", ".pdf", ".jpg", ".jpeg", ".png", ".ofd"): "不是数据文件，请提交CSV或XLSX",
}


def place_of(address: str, below: str) -> str:
    """Return the place of a folder below an address, without a login, for comparisons."""
    if "://" not in address:
        # Links below the address are not followed.
        return os.path.normpath(Path(address).resolve() / below)
    scheme, _, rest = without_login(address).partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}{posixpath.normpath('/' + f'{path}/{below}'.strip('/'))}"


def folders_below(address: str, drops: Sequence[tuple[str, FileDrop]]) -> dict[str, list[FileDrop]]:
    """Return the drops by their folder below `address`, of those that are there; each is given with its own address."""
    root = place_of(address, "")
    found: dict[str, list[FileDrop]] = {}
    for own_address, drop in drops:
        place = place_of(own_address, drop.folder)
        if place == root:
            found.setdefault("", []).append(drop)
        elif place.startswith(root.rstrip("/") + "/"):
            found.setdefault(place[len(root.rstrip("/")) + 1 :], []).append(drop)
    return found


def untaken_files(root: DropFolder, drops: Mapping[str, Sequence[FileDrop]]) -> list[UntakenFile]:
    """Return the files in a connection's folders that no feed takes, by name; `drops` are those of each folder.

    Links, pipes, devices and sockets are among them, since no feed opens them. Hidden and unfinished files and
    manifests of collected files are ignored. Raises `OSError` when `root` cannot be
    read.
    """
    found: list[UntakenFile] = []
    looked_at = 0
    waiting: deque[tuple[str, DropFolder]] = deque([("", root)])
    while waiting:
        path, folder = waiting.popleft()
        try:
            names = folder.names()
        except OSError as error:
            if not path:
                raise
            cause = error.strerror or type(error).__name__
            log.warning("%s in the file drop cannot be looked into: %s.", mask_text(path), cause)
            continue
        here = drops.get(path, ())
        for raw_name, known in names.items():
            looked_at += 1
            if looked_at > MOST_LOOKED_AT:
                log.warning("The file drop holds more than %d names; the rest is not looked at.", MOST_LOOKED_AT)
                return sorted(found, key=lambda file: file.name)
            name = clean_name(raw_name)
            if is_ignored(name):
                continue
            try:
                entry = known or folder.entry(raw_name)
            except (OSError, OverflowError, ValueError) as error:
                # A file that was just removed.
                log.debug("%s cannot be looked at: %s", name, type(error).__name__)
                continue
            below = f"{path}/{name}" if path else name
            if entry.is_passed_over:
                found.append(UntakenFile(below, entry.size, entry.modified_at, _LINK if entry.is_link else _NO_FILE))
                continue
            taken_by = [drop for drop in here if takes(drop, name)]
            if entry.is_folder and not taken_by:
                if below.count("/") < DEEPEST:
                    waiting.append((below, folder.below(raw_name)))
            elif entry.is_file and (reason := _reason(name, entry, taken_by, here, path, names)):
                found.append(UntakenFile(below, entry.size, entry.modified_at, reason))
    return sorted(found, key=lambda file: file.name)


def _reason(
    name: str,
    entry: Entry,
    taken_by: Sequence[FileDrop],
    here: Sequence[FileDrop],
    path: str,
    names: Mapping[bytes, Entry | None],
) -> str | None:
    """Return why no feed takes a file; None for one that is taken, and for a manifest of such a file."""
    if taken_by:
        if any(drop.manifest != "required" for drop in taken_by) or entry.modified_at > clock.now() - timedelta(
            days=MANIFEST_DAYS
        ):
            return None
        manifests = {described_by(other).casefold() for other in map(clean_name, names) if is_manifest(other)}
        return None if name.casefold() in manifests else "缺少约定的清单文件，未采集"
    if is_manifest(name) and any(takes(drop, described_by(name)) for drop in here):
        return None
    for suffixes, reason in _KINDS.items():
        if name.casefold().endswith(suffixes):
            return reason
    if not here:
        return "不在约定的目录中" if not path else f"目录“{path}”没有来源接收"
    patterns = "、".join(dict.fromkeys(drop.pattern for drop in here))
    return f"文件名与约定的不符（约定：{patterns}）"
