"""A run of the retention: what would be removed (the plan), and removing it."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from psycopg import sql

from zhengku.catalog.retention_config import RetentionConfig
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError, ZhengkuError
from zhengku.landed.landing import LandingArea
from zhengku.retention.folders import old_entries, old_reports, old_returns, remove_entry
from zhengku.retention.landed import PIECE, plan_landed, remove_landed
from zhengku.retention.removal import Kind, Old, Planned, complete, record_removals
from zhengku.settings import Settings

log = logging.getLogger(__name__)

TABLES: Final = {
    ("ledger", "rule_result"): "rule_result_days",
    ("ledger", "warned_row"): "warned_row_days",
    ("ledger", "column_shape"): "warned_row_days",
}
"""Technical tables with rows of batches, and the setting of each: none of them is evidence."""

MOST = 50_000
"""Files, and pieces of rows, that one run removes of a kind; what is left is removed by the next one."""

ROWS = 20_000
"""Rows that are removed in one transaction."""

UNKNOWN_LOGS = "ZHENGKU_TASK_LOG_DIR is not set: where the logs of tasks are is unknown"


class Retention:
    """The retention of one installation at a moment; `task_logs` is the folder of the logs of tasks, if known."""

    def __init__(self, settings: Settings, config: RetentionConfig, now: datetime) -> None:
        self._settings = settings
        self._config = config
        self._now = now
        self._url = settings.database_url
        self._landing = LandingArea(settings.landing_url)
        _expect_apart(settings)

    def plan(self) -> list[Planned]:
        """Return what is too old of each kind, and what of it stays and why; nothing is changed."""
        with store_connection(self._url) as connection:
            planned = [plan_landed(connection, self._config, self._now)]
            for kind, folder in self._folders().items():
                counted = Planned(kind, "", self._rule(f"{kind}_days"), bytes=0)
                if folder is None:
                    counted.note = UNKNOWN_LOGS
                else:
                    for old in self._old(kind, folder):
                        counted.add(old)
                planned.append(counted)
            for table, setting in TABLES.items():
                row = connection.execute(
                    statement("retention/rows.old_rows").format(table=sql.Identifier(*table)),
                    {"before": self._before(setting)},
                ).fetchone()
                assert row is not None
                number, oldest = row
                planned.append(Planned("rows", ".".join(table), self._rule(setting), number, None, oldest))
        return planned

    def apply(self) -> dict[str, int]:
        """Remove what is too old; return the number of files, folders or rows by kind, for rows by table.

        What an earlier run had recorded is finished first. If a kind fails, the others are removed all the same: the
        first error is raised at the end.
        """
        steps: dict[str, Callable[[], int]] = {"unfinished": self._finish, "landed": self._remove_landed}
        for kind, folder in self._folders().items():
            if folder is None:
                log.warning("%s: nothing of them is removed.", UNKNOWN_LOGS)
            else:
                steps[kind] = partial(self._remove_from, kind, folder)
        for table, setting in TABLES.items():
            steps[".".join(table)] = partial(self._remove_rows, table, setting)
        removed: dict[str, int] = {}
        failures: list[ZhengkuError] = []
        for name, step in steps.items():
            try:
                removed[name] = step()
            except ZhengkuError as error:
                log.warning("Retention of %s: %s", name, error)
                failures.append(error)
            else:
                log.info("Retention of %s: %d removed", name, removed[name])
        if failures:
            raise failures[0]
        return removed

    def _folders(self) -> dict[Kind, Path | None]:
        settings = self._settings
        return {
            "report": settings.report_folder,
            "return": settings.return_folder,
            "task_log": settings.task_log_folder,
        }

    def _rule(self, setting: str) -> str:
        return f"{setting}: {getattr(self._config, setting)}"

    def _before(self, setting: str) -> datetime:
        return self._now - timedelta(days=getattr(self._config, setting))

    def _old(self, kind: Kind, folder: Path) -> Iterator[Old]:
        before = self._before(f"{kind}_days")
        if kind == "report":
            return old_reports(folder, self._settings.return_folder, before)
        if kind == "return":
            with store_connection(self._url) as connection:
                found = connection.execute(statement("retention/removals.open_returns")).fetchall()
            return old_returns(folder, before, {return_id for (return_id,) in found})
        return old_entries(folder, before)

    def _finish(self) -> int:
        """Remove what an earlier run recorded and did not complete; return how much that was."""
        folders = {kind: folder for kind, folder in self._folders().items() if folder is not None}
        values = {"kinds": ["landed", *folders], "limit": PIECE}
        finished = 0
        while True:
            with store_connection(self._url) as connection:
                found = connection.execute(statement("retention/removals.unfinished"), values).fetchall()
            for _, kind, name, newest_at in found:
                if kind == "landed":
                    self._landing.remove(name)
                else:
                    remove_entry(folders[kind], name, newest_at)
            with store_connection(self._url) as connection:
                complete(connection, [removal_id for removal_id, *_ in found])
            finished += len(found)
            if len(found) < PIECE:
                return finished

    def _remove_landed(self) -> int:
        return remove_landed(self._url, self._landing, self._config, self._now, MOST)

    def _remove_from(self, kind: Kind, folder: Path) -> int:
        removable = (old for old in self._old(kind, folder) if old.kept is None)
        removed = 0
        while removed < MOST and (piece := list(islice(removable, PIECE))):
            with store_connection(self._url) as connection:
                removal_ids = record_removals(connection, kind, self._rule(f"{kind}_days"), piece)
            for old in piece:
                remove_entry(folder, old.name, old.newest_at)
            with store_connection(self._url) as connection:
                complete(connection, removal_ids)
            removed += len(piece)
        return removed

    def _remove_rows(self, table: tuple[str, str], setting: str) -> int:
        values = {"before": self._before(setting), "name": ".".join(table), "rule": self._rule(setting), "limit": ROWS}
        removed = 0
        for _ in range(MOST):
            with store_connection(self._url) as connection:
                row = connection.execute(
                    statement("retention/rows.remove").format(table=sql.Identifier(*table)), values
                ).fetchone()
            if row is None:
                break
            removed += int(row[0])
        return removed


def _expect_apart(settings: Settings) -> None:
    """Raise `ConfigurationError` if a folder that is cleaned contains another folder of the installation."""
    others = {"the project (ZHENGKU_HOME)": settings.home, "ZHENGKU_REPORT_DIR": settings.report_folder}
    if "://" not in settings.landing_url:
        others["ZHENGKU_LANDING_URL"] = Path(settings.landing_url)
    if settings.task_log_folder is not None:
        others["ZHENGKU_TASK_LOG_DIR"] = settings.task_log_folder
    cleaned = {
        "ZHENGKU_REPORT_DIR": settings.report_folder,
        "ZHENGKU_RETURN_DIR": settings.return_folder,
        "ZHENGKU_TASK_LOG_DIR": settings.task_log_folder,
    }
    for name, folder in cleaned.items():
        for other, place in others.items():
            if folder is not None and name != other and place.resolve().is_relative_to(folder.resolve()):
                raise ConfigurationError(
                    f"{name}: expected a folder with nothing else in it, got {folder}, which contains {place} "
                    f"({other}): what is old there would be removed as well. Nothing was removed. Give each its own "
                    "folder."
                )
