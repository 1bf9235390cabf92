"""The names of files in a drop: which of them a feed collects, and which are never collected."""

import fnmatch
from typing import Final
from unicodedata import normalize

from zhengku.landed.manifest import SUFFIX
from zhengku.transports.file_drop.model import FileDrop

_UNFINISHED: Final = (".part", ".tmp", ".temp", ".partial", ".filepart", ".crdownload", ".download", ".swp", "~")
_SYSTEMS: Final = frozenset({"thumbs.db", "desktop.ini", "$recycle.bin", "system volume information", "__macosx"})


def clean_name(raw_name: bytes) -> str:
    """Return a file's name as text: departments' systems write names in UTF-8 or GB 18030."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw_name.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw_name.decode("utf-8", "backslashreplace")


def is_ignored(name: str) -> bool:
    """Return whether a name is that of a hidden file, of an unfinished one, or of a program's own file.

    Spreadsheet programs create `~$x.xlsx` while somebody has `x.xlsx` open.
    """
    plain = name.casefold()
    return plain.startswith((".", "~$")) or plain.endswith(_UNFINISHED) or plain in _SYSTEMS


def is_manifest(name: str) -> bool:
    """Return whether a name is that of a manifest."""
    return name.casefold().endswith(SUFFIX)


def described_by(manifest: str) -> str:
    """Return the name of the file that a manifest of this name describes."""
    return manifest[: -len(SUFFIX)]


def takes(drop: FileDrop, name: str) -> bool:
    """Return whether a feed collects files of this name, in any case: some programs export `DATA.CSV`."""
    return (
        fnmatch.fnmatchcase(_comparable(name), _comparable(drop.pattern))
        and not is_ignored(name)
        and not is_manifest(name)
    )


def _comparable(name: str) -> str:
    # Some systems write a letter and its accent as two characters.
    return normalize("NFC", name).casefold()
