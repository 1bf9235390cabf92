"""The pipeline that processes every delivery: collect → stage → validate → load.

Airflow and the command line call these steps. Each can be called again at any point: it finds what an earlier try
finished and does the rest.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from traceback import walk_tb

from zhengku import ledger
from zhengku.catalog import Feed
from zhengku.collect.collector import Collector
from zhengku.database import store_connection
from zhengku.errors import BatchesFailed, StoreUnavailable, ZhengkuError
from zhengku.installation import Installation, Observer, ignore_progress
from zhengku.ledger import Batch
from zhengku.load.merge import load, recognised_rows_are_current
from zhengku.metrics import measured_step
from zhengku.pipeline.batch_lock import BatchLock
from zhengku.pipeline.stage_step import stage_batch
from zhengku.report.run_report import RunReport, build_report, write_report
from zhengku.settings import Settings
from zhengku.stage.staging import is_staged
from zhengku.transports.source import Window

log = logging.getLogger(__name__)


class Pipeline(Installation):
    """The steps of one installation; `observe` is called with their progress.

    With `warm_up`, Great Expectations, which takes seconds to import, is imported while the database is busy; for
    a process that runs all steps.
    """

    def __init__(self, settings: Settings, observe: Observer = ignore_progress, *, warm_up: bool = False) -> None:
        super().__init__(settings, observe)
        self._warm_up = warm_up

    @cached_property
    def _lock(self) -> BatchLock:
        return BatchLock(self.settings.database_url)

    @cached_property
    def collector(self) -> Collector:
        """Collects for this installation."""
        return Collector(self)

    def collect(
        self, department: str, feed_id: str, run_id: str, *, again: bool = False, interval: Window | None = None
    ) -> list[Batch]:
        """Land what a feed delivered since the last run; return the run's batches (see `Collector.collect`)."""
        return self.collector.collect(department, feed_id, run_id, again=again, interval=interval)

    def collect_feeds(
        self,
        department: str,
        feeds: Sequence[str],
        run_id: str,
        *,
        again: bool = False,
        interval: Window | None = None,
    ) -> list[Batch]:
        """Collect feeds one after another; return the run's batches of them (see `Collector.collect_feeds`)."""
        return self.collector.collect_feeds(department, feeds, run_id, again=again, interval=interval)

    def collect_month(
        self, department: str, feed_id: str, run_id: str, month: date, window: Window, share: int
    ) -> list[Batch]:
        """Land what a feed has of a month; return the batches (see `Collector.collect_month`)."""
        return self.collector.collect_month(department, feed_id, run_id, month, window, share)

    def stage(self, batch_id: int) -> Batch:
        """Read a landed batch into its staging tables, unless that is done; one with an unreadable file is rejected.

        Raises `LandingUnavailable` when the landing area cannot be read now: the batch waits for it.
        """
        with measured_step("stage") as measured, self._lock.hold(batch_id) as (connection, batch):
            if batch.finished or (batch.status in ("staged", "validated") and is_staged(connection, batch)):
                return batch
            feed = self._feed(batch)
            if (rejected := self._lock.start_step(connection, batch, "stage")) is not None:
                return rejected
            measured.start(batch.department, batch.feed)
            return measured.ended(stage_batch(connection, batch, feed, self, warm_up=self._warm_up))

    def validate(self, batch_id: int) -> Batch:
        """Check a batch against its feed's suites and mark the rows that fail; a failed batch rule holds it."""
        batch = self.stage(batch_id)
        if batch.finished:
            return batch
        # Great Expectations takes seconds to import: only this step needs it.
        from zhengku.pipeline.validate_step import validate_batch

        with measured_step("validate") as measured, self._lock.hold(batch_id) as (connection, batch):
            if batch.status == "validated" or batch.finished:
                return batch
            _check_staged(connection, batch, "staged")
            if (rejected := self._lock.start_step(connection, batch, "validate")) is not None:
                return rejected
            measured.start(batch.department, batch.feed)
            return measured.ended(validate_batch(connection, batch, self._feed(batch), self))

    def load(self, batch_id: int) -> Batch:
        """Merge a batch into the store, account for all its rows, and close it.

        If another batch has changed stored rows that were recognised, the batch is staged and validated again first.
        """
        while True:
            batch = self.validate(batch_id)
            if batch.finished:
                return batch
            with measured_step("load") as measured, self._lock.hold(batch_id) as (connection, batch):
                if batch.finished:
                    return batch
                _check_staged(connection, batch, "validated")
                if recognised_rows_are_current(connection, batch):
                    if (rejected := self._lock.start_step(connection, batch, "load")) is not None:
                        return rejected
                    measured.start(batch.department, batch.feed)
                    loaded = load(connection, batch, self._feed(batch), self.catalog, self.reasons(batch.department))
                    # The values that the ledger has once this step has ended.
                    return measured.ended(replace(loaded, begun_step=None, step_deaths=0))
                log.info("Batch %d is staged again: the rows that it is compared with were changed.", batch_id)
                ledger.unstage(connection, batch_id)

    def _feed(self, batch: Batch) -> Feed:
        return self.catalog.feed(batch.department, batch.feed)

    def load_run(
        self, department: str, run_id: str, feeds: Sequence[str] | None = None, *, last_try: bool = True
    ) -> list[Batch]:
        """Stage, validate and load every batch of a run (of `feeds` only, where given); return the run's batches.

        If a batch fails, the others are processed all the same, and `conclude` names it. Raises the first failure when
        no batch succeeded or, unless this is the `last_try`, when another try may succeed, as it may after an
        unexpected error.
        """
        with store_connection(self.settings.database_url) as connection:
            waiting = ledger.batches(connection, department=department, run_id=run_id, limit=1_000_000)
        batches: list[Batch] = []
        failures: list[Exception] = []
        for batch in sorted(waiting, key=lambda batch: batch.batch_id):
            if feeds is not None and batch.feed not in feeds:
                continue
            try:
                batches.append(batch if batch.finished else self.load(batch.batch_id))
            except ZhengkuError as error:
                log.warning("Batch %d: %s", batch.batch_id, error)
                failures.append(error)
            except Exception as error:  # noqa: BLE001 - an unexpected error of one batch must not stop the others
                # Only the type and place are logged: the text or a traceback may quote a row.
                log.warning(
                    "Batch %d: expected one of zhengku's own errors, got %s at %s. The batch waits and is tried again; "
                    "report this line if the error comes back.",
                    batch.batch_id,
                    type(error).__name__,
                    _place(error),
                )
                failures.append(error)
        temporary = [error for error in failures if not (isinstance(error, ZhengkuError) and error.final)]
        if temporary and not last_try:
            raise temporary[0]
        if failures and not batches:
            raise failures[0]
        return batches

    def conclude(self, department: str, run_id: str, feeds: Sequence[str] | None = None) -> Path:
        """Write the report of a run over `feeds` (all of the department when left out) and return its path.

        Raises `BatchesFailed` when somebody has to look: a batch was rejected, is held or did not finish, none of its
        rows could be loaded, or a feed delivered nothing. Everything else of the run is loaded.
        """
        with store_connection(self.settings.database_url) as connection:
            report = self.report(connection, department, run_id)
        path = write_report(report, self.settings.report_folder)
        log.info("Report: %s", path)
        batches = [section.batch for section in report.sections]
        complaints = [
            f"batch {batch.batch_id} is {batch.status} ({batch.rule_id}): {batch.detail}"
            if batch.finished
            else f"batch {batch.batch_id} ({batch.source_name}) is still {batch.status}"
            for batch in batches
            if batch.status != "loaded"
        ]
        complaints += [
            f"batch {section.batch.batch_id} ({section.batch.source_name}): none of its {section.batch.fetched} rows "
            "could be loaded, all are problem records: `zhengku problems list --batch "
            f"{section.batch.batch_id}` says why"
            for section in report.sections
            if section.nothing_loaded
        ]
        delivered = {batch.feed for batch in batches if batch.origin == "delivery"}
        expected = self.catalog.department(department).feeds if feeds is None else feeds
        complaints += [f"feed {feed} has no batch in this run" for feed in expected if feed not in delivered]
        if complaints:
            raise BatchesFailed(f"{len(complaints)} to look at: {' | '.join(complaints)} | Report: {path}")
        return path

    def report(self, connection: ledger.Connection, department: str, run_id: str) -> RunReport:
        """Collect the data of the report of a run as of now."""
        return build_report(connection, self.catalog, self.reasons(department), department, run_id)

    def release(self, batch_id: int, released_by: str, reason: str) -> Batch:
        """Release a held batch: stage and validate it again without holding it for its batch rules, and load it.

        Raises `ConfigurationError` when the batch is not held.
        """
        with self._lock.hold(batch_id) as (connection, batch):
            ledger.release(connection, batch, released_by, reason)
        return self.load(batch_id)


def _place(error: BaseException) -> str:
    """Return where an error was raised: the last three files and lines of its traceback, without its text."""
    steps = [f"{Path(frame.f_code.co_filename).name}:{line}" for frame, line in walk_tb(error.__traceback__)]
    return " > ".join(steps[-3:])


def _check_staged(connection: ledger.Connection, batch: Batch, status: str) -> None:
    """Raise `StoreUnavailable` when the staging tables were emptied by a crash of the server since the step before.

    So it does when the batch has another status than `status`, since another run has staged it again meanwhile.
    """
    if batch.status != status or not is_staged(connection, batch):
        raise StoreUnavailable(
            f"Batch {batch.batch_id}: expected its rows to be {status}, and its staging tables are empty or new: "
            "the license store's server crashed meanwhile. Nothing was loaded; run this step again, which stages them."
        )
