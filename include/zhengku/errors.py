"""The errors of the package. Each message is one line: what was expected, what was received, where, and the fix.

A message never holds a value of a certificate: it may be written to a log or shown on a page. What it names, such as
a file, is masked.
"""

import errno
import shutil
from pathlib import Path

from zhengku.masking import mask_text

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of the operating system that more space would mend."""


def free_space(folder: Path) -> str:
    """Return how much space is free where a folder is or would be, for a message."""
    for place in (folder, *folder.parents):
        try:
            return f"{shutil.disk_usage(place).free / 1024**2:,.0f} MB free"
        except OSError:
            continue
    return "free space unknown"


class ZhengkuError(Exception):
    """Base of every error that is shown to a person; its text is one complete line."""

    final = False
    """Whether a retry would fail in the same way, so that a person has to act."""

    def __init__(self, message: str = "") -> None:
        super().__init__(mask_text(message))


class ConfigurationError(ZhengkuError):
    """A setting or a connection id is missing or wrong."""

    final = True


class RecordNotFound(ConfigurationError):
    """There is no batch, problem record, return or entry of the number that a person gave."""


class CatalogError(ZhengkuError):
    """The catalogue is wrong; the text names file, line and fix."""

    final = True


class DeliveryRejected(ZhengkuError):
    """A complete delivery is rejected: none of its rows is loaded, and the store stays unchanged.

    `rule` is the id of the file rule that rejected it, `reason` the Chinese text for the department.
    """

    def __init__(self, rule: str, message: str, reason: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.reason = mask_text(reason)


class DeliveryUnavailable(ZhengkuError):
    """The source could not be read now; the same step may succeed later."""


class SourceRefused(ZhengkuError):
    """The source refused the request, and will refuse it again until its or our configuration is changed."""

    final = True


class FeedsUnavailable(ZhengkuError):
    """Several feeds could not be collected, and a retry may collect some of them; the other feeds are collected."""


class FeedsRefused(ZhengkuError):
    """Several feeds could not be collected, and a retry would collect none of them; the other feeds are collected."""

    final = True


class StoreUnavailable(ZhengkuError):
    """The database cannot be reached, or refused the login."""


class StoreError(ZhengkuError):
    """The database refused a statement; the step's transaction was rolled back."""


class LandingUnavailable(ZhengkuError):
    """The landing area cannot be read now. Whether it holds a file is unknown, so no file is treated as lost."""


class LandingDamaged(ZhengkuError):
    """A file in the landing area differs from what was landed; none of its rows is loaded."""

    final = True


class RemovedByRetention(ZhengkuError):
    """A landed file was removed because it was too old: it is not lost, and only the department has it."""

    final = True


class NotRemoved(ZhengkuError):
    """Something that is too old could not be removed; its removal is recorded as not complete, and tried again."""


class WorkerKilled(ZhengkuError):
    """A child process was killed from outside; the step may succeed when it is run again."""


class StorageFull(ZhengkuError):
    """The disk of the landing area or of the database is full."""


class FileNotWritten(ZhengkuError):
    """A report, workbook or return could not be written; nothing of it is left, and an earlier file is unchanged."""

    @classmethod
    def at(cls, path: Path, error: OSError) -> "FileNotWritten":
        """Return the error for a file at `path`: it names the folder, the free space, and what to do."""
        if error.errno in NO_SPACE:
            fix = "Free space there, or let ZHENGKU_REPORT_DIR (for returns ZHENGKU_RETURN_DIR) name a larger place"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            fix = "Let this account write to that folder (owner, rights, a share mounted for writing)"
        else:
            fix = "Check that this is a folder that this account may write to"
        return cls(
            f"{path.name} was not written to the folder {path.parent}: {error.strerror or type(error).__name__} "
            f"({free_space(path.parent)}). Nothing of it is left, and an earlier file is unchanged. {fix}, then run it "
            "again."
        )


class FileChanged(ZhengkuError):
    """A file is not what was written: its digest differs from the recorded one, or none is recorded."""

    final = True


class BalanceError(ZhengkuError):
    """The counts of a batch do not add up; its transaction was rolled back."""

    final = True


class BackfillIncomplete(ZhengkuError):
    """For some feeds of a department, the store does not have all rows of a month; for the other feeds it does."""


class BatchesFailed(ZhengkuError):
    """Some deliveries of a run were rejected or are held; the others are loaded."""

    final = True
