"""The restore drill: restore to a minute apart from production, finish the restore there, and compare with production.

Production is only read. The copy has its own folder for reports and returns, archives nothing, and neither collects nor
sends anything; it is removed in the end, since it is personal data.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from zhengku import clock
from zhengku.audit import verify
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError
from zhengku.ledger import Connection
from zhengku.operations.restore.account import give_folder
from zhengku.operations.restore.backup import BackupTool, require_room
from zhengku.operations.restore.finish import FinishedRestore, finish_restore
from zhengku.operations.restore.numbers import GivenNumbers, given_by_store
from zhengku.operations.restore.server import running_copy
from zhengku.operations.restore.store_digest import (
    Digest,
    differing,
    digests_as_of,
    digests_of_content,
)
from zhengku.settings import Settings

Progress = Callable[[str], None]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Check:
    """A point that the drill looked at; `found` says what was not as it should be, empty when all was."""

    title: str
    found: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.found


@dataclass
class Drill:
    """The outcome of a drill: checks, the finished restore, seconds by step, and the size of the copy in bytes."""

    restored_to: datetime
    backup: str
    size: int
    checks: list[Check] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    finished: FinishedRestore | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


@dataclass(frozen=True)
class _Production:
    """What production was at the start of the drill."""

    now: datetime
    owner: str
    then: dict[str, Digest]
    content: dict[str, Digest]
    given: GivenNumbers


def restore_drill(
    settings: Settings,
    restored_to: datetime,
    folder: Path,
    done_by: str,
    *,
    keep: bool = False,
    progress: Progress = print,
) -> Drill:
    """Restore production's store as of a moment into an empty folder, finish the restore there, and check both.

    The folder is removed in the end unless `keep`. Raises `ConfigurationError` for a folder that is not empty and a
    moment to come, `BackupError` when the archive does not reach it, `StorageFull` before anything is written.
    """
    _require_moment(restored_to)
    tool = BackupTool(settings)
    backup = tool.repository().backup_for(restored_to)
    made = _require_folder(folder)
    drill = Drill(restored_to, f"{backup.label} ({backup.kind})", backup.size)
    try:
        require_room(folder, backup)
        production = _timed(drill, "read production", lambda: _read_production(settings, restored_to), progress)
        area = folder / "copy"
        give_folder(area)
        give_folder(area / "data")
        _timed(drill, "restore", lambda: tool.restore(area / "data", restored_to), progress)
        _on_copy(settings, drill, production, area, done_by, progress)
    finally:
        if not keep:
            shutil.rmtree(folder / "copy", ignore_errors=True)
            if made:
                folder.rmdir()
    return drill


def _on_copy(
    settings: Settings, drill: Drill, production: _Production, area: Path, done_by: str, progress: Progress
) -> None:
    address = urlsplit(settings.database_url)
    started = time.monotonic()
    with running_copy(area, address.path.lstrip("/")) as url:
        drill.seconds["recovery"] = time.monotonic() - started
        copy = _settings_of_copy(settings, url, address.username or "", production.owner, area.parent)
        with store_connection(copy.owner_database_url) as connection:
            restored = digests_as_of(connection, drill.restored_to)
            current = digests_as_of(connection, clock.now() + timedelta(days=1))
            drill.checks += [
                Check("the store is that of the minute", tuple(differing(restored, production.then))),
                Check("nothing later is in it", tuple(differing(restored, current))),
                Check("evidence is as it was sealed", tuple(map(str, verify(connection)))),
            ]
        drill.finished = _timed(
            drill,
            "finish",
            lambda: finish_restore(
                copy, drill.restored_to, settings.database_url, done_by, "restore drill", until=production.now
            ),
            progress,
        )
        with store_connection(copy.owner_database_url) as connection:
            drill.checks += _after_finish(connection, drill.finished, production)


def _after_finish(connection: Connection, finished: FinishedRestore, production: _Production) -> list[Check]:
    """Check the copy after its restore was finished."""
    differences = differing(digests_of_content(connection), production.content)
    people = sum(one.cause == "people" for one in finished.not_repeated)
    if people:
        # What they did after the minute is not in the copy, and shows in its store.
        differences = [f"{line} ({people} batches of people are not done again)" for line in differences]
    failed = [f"{one.what}: {one.why}" for one in finished.not_repeated if one.cause == "error"]
    next_numbers = {table: first for table, (_, first) in finished.numbers.items()}
    low = [
        f"{table}: the next number is {next_numbers.get(table)}, {highest} was given"
        for table, highest in production.given.tables.items()
        if table != "ledger.restore" and next_numbers.get(table, 0) <= highest
    ]
    for (kind, scope), highest in production.given.versions.items():
        row = connection.execute(statement("ledger/restores.highest_given"), {"kind": kind, "scope": scope}).fetchone()
        assert row is not None
        if row[0] <= highest:
            low.append(f"{kind} {scope}: versions go on after {row[0]}, {highest} was given")
    return [
        Check("no number is given a second time", tuple(low)),
        Check("each landed file of the ledger is there, as it was", tuple(
            [f"missing: {path}" for path in finished.landing.missing]
            + [f"damaged: {path}" for path in finished.landing.damaged]
        )),
        Check("what was lacking was done again", tuple(failed)),
        Check("after it the store is that of production", tuple(differences)),
        Check("evidence is as it was sealed, with the restore in it", tuple(map(str, verify(connection)))),
    ]  # fmt: skip


def _read_production(settings: Settings, restored_to: datetime) -> _Production:
    with store_connection(settings.database_url) as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        [(now, owner)] = connection.execute(
            "select clock_timestamp(), tableowner from pg_tables where schemaname = 'ledger' and tablename = 'batch'"
        ).fetchall()
        return _Production(
            now=now,
            owner=owner,
            then=digests_as_of(connection, restored_to),
            content=digests_of_content(connection),
            given=given_by_store(connection),
        )


def _settings_of_copy(settings: Settings, url: str, account: str, owner: str, folder: Path) -> Settings:
    """Return the settings of the copy: its database, its own folders, production's landing area, no source."""
    environment = {
        name: value
        for name, value in settings.environment.items()
        if not name.startswith(("ZHENGKU_CONN_", "ZHENGKU_OWNER_")) and not name.endswith("_FILE")
    }
    environment |= {
        "ZHENGKU_DATABASE_URL": url.format(account=account),
        "ZHENGKU_OWNER_DATABASE_URL": url.format(account=owner),
        "ZHENGKU_LANDING_URL": settings.landing_url,
        "ZHENGKU_REPORT_DIR": str(folder / "copy" / "reports"),
        "ZHENGKU_RETURN_DIR": str(folder / "copy" / "returns"),
    }
    return Settings(home=settings.home, environment=environment)


def _require_moment(moment: datetime) -> None:
    if moment > clock.now():
        raise ConfigurationError(
            f"Expected a moment that has been, got {moment.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M:%S}. Name an "
            "earlier one."
        )


def _require_folder(folder: Path) -> bool:
    """Make the folder unless it is there and empty; return whether it was made."""
    if folder.is_dir():
        if any(folder.iterdir()):
            raise ConfigurationError(
                f"Expected an empty folder for the copy, got {folder} with files in it. Name another."
            )
        return False
    if folder.exists():
        raise ConfigurationError(f"Expected a folder for the copy, got the file {folder}. Name another place.")
    folder.mkdir(mode=0o711, parents=True)
    return True


def _timed(drill: Drill, step: str, work: Callable[[], _T], progress: Progress) -> _T:
    progress(f"{step} …")
    started = time.monotonic()
    done = work()
    drill.seconds[step] = time.monotonic() - started
    return done
