"""Folders of reports, returns and logs of tasks: what in them is too old.

What is judged and removed as one is an entry of the second level: a day of lists, the report of a run, a return, the
logs of a run. It is as old as its newest file. Links are not followed.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from zhengku.errors import NotRemoved
from zhengku.retention.removal import Old

REMINDER = "整改提醒.txt"
"""Written and removed every morning by the review itself."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def old_reports(folder: Path, return_folder: Path, before: datetime) -> Iterator[Old]:
    """Yield the reports and lists that were last written before a moment; the newest of each folder stays."""
    for place in _entries(folder):
        if Path(place.path) != return_folder:
            found = [old for entry in _within(place) if (old := _measure(folder, entry)) is not None]
            newest = max((old.newest_at for old in found), default=None)
            for old in found:
                if old.newest_at < before:
                    yield replace(old, kept="newest") if old.newest_at == newest else old


def old_returns(folder: Path, before: datetime, open_returns: Collection[int]) -> Iterator[Old]:
    """Yield the files of returns that were last written before a moment; those of open returns stay."""
    for old in old_entries(folder, before):
        name = Path(old.name).name
        if name == REMINDER:
            yield replace(old, kept="current")
        elif name.isdecimal() and int(name) in open_returns:
            yield replace(old, kept="unsettled")
        else:
            yield old


def old_entries(folder: Path, before: datetime) -> Iterator[Old]:
    """Yield the entries of the second level whose newest file was written before a moment."""
    for place in _entries(folder):
        for entry in _within(place):
            old = _measure(folder, entry)
            if old is not None and old.newest_at < before:
                yield old


def remove_entry(folder: Path, name: str, newest_at: datetime) -> None:
    """Remove an entry: every file of it that is not newer than `newest_at`, and the folders that are empty then.

    What was written to it meanwhile stays. It may be gone already. Raises `NotRemoved`.
    """
    path = folder / name
    if not path.is_relative_to(folder) or ".." in path.parts:
        raise NotRemoved(f"Expected a path below {folder}, got {name}: nothing was removed.")
    try:
        if not path.is_symlink() and path.is_dir():
            for place, _, names in os.walk(path, topdown=False):
                for file in names:
                    _unlink(Path(place, file), newest_at)
                with suppress(OSError):
                    Path(place).rmdir()
        else:
            _unlink(path, newest_at)
    except OSError as error:
        raise NotRemoved(
            f"{error.filename or path} was not removed: {error.strerror or type(error).__name__}. Let this account "
            "write to that folder; the next run continues."
        ) from error
    if path.parent != folder:
        # The last of its folder.
        with suppress(OSError):
            path.parent.rmdir()


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """Yield the entries of a folder by name, but no links; none where there is no folder."""
    try:
        with os.scandir(folder) as found:
            entries = [entry for entry in found if not entry.is_symlink()]
    except FileNotFoundError:
        return
    except OSError as error:
        raise NotRemoved(
            f"The folder {folder} cannot be read: {error.strerror or type(error).__name__}. Let this account read it."
        ) from error
    yield from sorted(entries, key=lambda entry: entry.name)


def _within(place: "os.DirEntry[str]") -> Iterator["os.DirEntry[str]"]:
    if place.is_dir(follow_symlinks=False):
        yield from _entries(Path(place.path))
    else:
        yield place


def _measure(folder: Path, entry: "os.DirEntry[str]") -> Old | None:
    """Return number, bytes and newest time of the files of an entry; None without any."""
    files, size, newest = 0, 0, _EPOCH
    for path in _files(entry):
        with suppress(FileNotFoundError):
            status = path.lstat()
            files += 1
            size += status.st_size
            newest = max(newest, _written_at(status))
    name = Path(entry.path).relative_to(folder).as_posix()
    return Old(name, size, newest, files) if files else None


def _files(entry: "os.DirEntry[str]") -> Iterator[Path]:
    if not entry.is_dir(follow_symlinks=False):
        yield Path(entry.path)
        return
    for place, _, names in os.walk(entry.path):
        yield from (Path(place, name) for name in names)


def _unlink(path: Path, newest_at: datetime) -> None:
    with suppress(FileNotFoundError):
        if _written_at(path.lstat()) <= newest_at:
            path.unlink()


def _written_at(status: os.stat_result) -> datetime:
    # As exact as the database stores it: a number with a fraction would be rounded.
    return _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000)
