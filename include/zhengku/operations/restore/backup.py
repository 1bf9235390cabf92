"""Backups by pgBackRest: what the repository holds, restoring from it, and how old backups and archive are.

pgBackRest reads its own configuration (`PGBACKREST_CONFIG`, /etc/pgbackrest/pgbackrest.conf). Which program and stanza:
`ZHENGKU_PGBACKREST`, `ZHENGKU_BACKUP_STANZA`.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg.rows import class_row

from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.errors import ConfigurationError, StorageFull, ZhengkuError
from zhengku.ledger import Connection
from zhengku.operations.restore.account import run_as
from zhengku.settings import Settings

_ROOM = 1.2
"""What a restored copy needs beside its own size: WAL that is replayed, and what is written after the restore."""


class BackupError(ZhengkuError):
    """The backup tool failed, or has not what is asked for."""


@dataclass(frozen=True)
class Backup:
    """A base backup: usable for every moment since `stopped_at`; `size` in bytes, of the restored files."""

    label: str
    kind: str
    stopped_at: datetime
    size: int


@dataclass(frozen=True)
class Repository:
    """What the repository holds: backups, the oldest first, the newest archived WAL, and whether it is encrypted."""

    backups: tuple[Backup, ...]
    newest_wal: str | None
    encrypted: bool

    def backup_for(self, moment: datetime) -> Backup:
        """Return the newest backup from which a moment can be reached. Raises `BackupError` when there is none."""
        before = [backup for backup in self.backups if backup.stopped_at <= moment]
        if not before:
            first = self.backups[0].stopped_at if self.backups else None
            raise BackupError(
                f"Expected a moment since the end of the first backup, got {_text(moment)}. "
                + (
                    f"The first backup ended at {_text(first)}: name a later moment."
                    if first
                    else "There is no backup."
                )
            )
        return before[-1]


class BackupTool:
    """pgBackRest with the configuration of this machine."""

    def __init__(self, settings: Settings) -> None:
        self.program = settings.environment.get("ZHENGKU_PGBACKREST") or "pgbackrest"
        self.stanza = settings.environment.get("ZHENGKU_BACKUP_STANZA") or "zhengku"

    def repository(self) -> Repository:
        """Ask what the repository holds. Raises `ConfigurationError` without program or stanza, `BackupError`."""
        return parse_info(self._run("info", "--output=json"), self.stanza)

    def restore(self, folder: Path, moment: datetime) -> str:
        """Restore the database cluster as of a moment into an empty folder; return the tool's messages.

        The copy archives nothing: its WAL would otherwise mix with production's. Raises `BackupError`.
        """
        return self._run(
            "restore",
            f"--pg1-path={folder}",
            "--type=time",
            f"--target={moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00",
            "--target-action=promote",
            "--archive-mode=off",
            "--log-level-console=info",
        )

    def _run(self, command: str, *options: str) -> str:
        if shutil.which(self.program) is None:
            raise ConfigurationError(
                f"Expected the program {self.program} (pgBackRest), it is not installed here. Run this in the service "
                "`restore` of docker-compose.yml, or install the package pgbackrest (ZHENGKU_PGBACKREST names another)."
            )
        line = [self.program, f"--stanza={self.stanza}", *options, command]
        done: subprocess.CompletedProcess[str] = subprocess.run(
            line,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            # Nothing of ours that holds a password is for another program.
            env={name: value for name, value in os.environ.items() if not name.startswith("ZHENGKU_CONN_")},
            **run_as(),
        )
        if done.returncode:
            words = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line or "HINT" in line]
            raise BackupError(
                f"pgBackRest {command} of stanza {self.stanza} failed ({done.returncode}): "
                f"{' '.join(words)[:600] or done.stderr[-300:]}. docs/runbooks/restore.md"
            )
        return done.stdout


def parse_info(text: str, stanza: str) -> Repository:
    """Read the answer of `pgbackrest info --output=json`. Raises `BackupError` for another answer or stanza."""
    try:
        found = [one for one in json.loads(text) if one["name"] == stanza]
        names = [one["name"] for one in json.loads(text)]
        if not found or found[0]["status"]["code"] in (1, 2):
            why = found[0]["status"]["message"] if found else f"it has {', '.join(names) or 'none'}"
            raise BackupError(
                f"Expected backups of the stanza {stanza} in pgBackRest's repository: {why}. Make one "
                "(`pgbackrest stanza-create`, `pgbackrest backup`), or name another: ZHENGKU_BACKUP_STANZA."
            )
        [one] = found
        backups = [_backup(each) for each in one["backup"] if not each.get("error")]
        newest = [each["max"] for each in one["archive"] if each.get("max")]
        return Repository(
            backups=tuple(sorted(backups, key=lambda backup: backup.stopped_at)),
            newest_wal=newest[-1] if newest else None,
            encrypted=one.get("cipher", "none") != "none",
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BackupError(
            f"Expected the answer of `pgbackrest info --output=json`, got another one ({type(error).__name__}: "
            f"{str(error)[:80]}). Check that ZHENGKU_PGBACKREST is pgBackRest 2.45 or newer."
        ) from error


def _backup(one: dict[str, Any]) -> Backup:
    stopped = datetime.fromtimestamp(one["timestamp"]["stop"], UTC)
    return Backup(str(one["label"]), str(one["type"]), stopped, int(one["info"]["size"]))


def require_room(folder: Path, backup: Backup) -> None:
    """Raise `StorageFull` unless the restored files of a backup fit into the disk of a folder."""
    free, needed = shutil.disk_usage(folder).free, int(backup.size * _ROOM)
    if free < needed:
        raise StorageFull(
            f"Expected {needed / 1024**2:,.0f} MB free in {folder} for the copy (1.2 times the database), got "
            f"{free / 1024**2:,.0f} MB. Free space, or name a folder on a larger disk."
        )


@dataclass(frozen=True)
class BackupState:
    """How far the archive and the backups are behind; moments have a zone, None: never.

    `waiting_bytes` of WAL were written since the newest archived file. `failing_since` is the newest failure after the
    newest success.
    """

    archiving: bool
    last_archived_at: datetime | None
    failing_since: datetime | None
    waiting_bytes: int
    last_backup_at: datetime | None
    last_backup_kind: str | None

    def complaints(self, now: datetime, *, archive_minutes: int = 15, backup_hours: int = 36) -> Sequence[str]:
        """Return in Chinese what somebody has to look at, the most urgent first; nothing when all is well."""
        found = []
        if not self.archiving:
            found.append("数据库没有归档 WAL（archive_mode 未开启）：磁盘损坏会丢失上次备份以来的全部数据")
        elif self.failing_since is not None:
            found.append(
                f"WAL 归档失败（最近一次 {_text(self.failing_since)}，最近成功 {_text(self.last_archived_at)}）："
                "检查备份库是否可写、是否已满"
            )
        elif self.waiting_bytes > _SEGMENT and (
            self.last_archived_at is None or now - self.last_archived_at > timedelta(minutes=archive_minutes)
        ):
            found.append(
                f"WAL 归档落后 {self.waiting_bytes // 1024**2:,} MB，最近一次归档为 {_text(self.last_archived_at)}"
            )
        if self.last_backup_at is None:
            found.append("数据库还没有基础备份：无法恢复")
        elif now - self.last_backup_at > timedelta(hours=backup_hours):
            found.append(f"数据库基础备份已超过 {backup_hours} 小时：最近一次为 {_text(self.last_backup_at)}")
        return found


_SEGMENT = 16 * 1024**2


def backup_state(connection: Connection) -> BackupState:
    """Return how far archive and backups are behind, as the database itself knows it: any account may ask."""
    with connection.cursor(row_factory=class_row(BackupState)) as cursor:
        state = cursor.execute(statement("ledger/restores.backup_state")).fetchone()
    assert state is not None
    return state


def _text(moment: datetime | None) -> str:
    return "从未" if moment is None else f"{moment.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M:%S}"
