"""The road that every delivery takes: collect → stage → validate → load. Airflow and the command line call these steps.

Each step is safe to repeat, at any point: it finds what an earlier try finished and does the rest.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import Thread
from traceback import walk_tb
from typing import Literal

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from zhengku import __version__, clock, ledger
from zhengku.catalog import Catalog, Feed, FileDrop, check_department, load_catalog
from zhengku.catalog.department import NewFiles, Watermark
from zhengku.catalog.reference import TABLES
from zhengku.collect.address import without_login
from zhengku.collect.drop_folder import open_folder
from zhengku.collect.landing import Landed, LandingArea, safe_name
from zhengku.collect.manifest import Manifest
from zhengku.collect.source import Collected, Delivery, Source, Window
from zhengku.collect.transports import source_of
from zhengku.collect.untaken import folders_below, untaken_files
from zhengku.collect.window import window_after
from zhengku.database import batch_schema, statement, store_connection, use_batch_schema
from zhengku.errors import (
    BatchesFailed,
    CatalogError,
    ConfigurationError,
    DeliveryRejected,
    DeliveryUnavailable,
    FeedsRefused,
    FeedsUnavailable,
    StoreUnavailable,
    ZhengkuError,
)
from zhengku.ledger import Batch, RuleResult
from zhengku.load.merge import hold, load, recognised_stands, repeat
from zhengku.load.recognise import received_seed, recognise
from zhengku.report.run_report import RunReport, build_report, write_report
from zhengku.settings import Settings
from zhengku.stage.column_names import shown
from zhengku.stage.row_rules import ROW_RULES
from zhengku.stage.source_rows import find_rows_of_problems
from zhengku.stage.staging import Staged, copy_rows, discard, is_staged, type_rows
from zhengku.stage.workbook import EMPTY
from zhengku.validate.suites import BATCH_SUITE, load_suites, reasons

log = logging.getLogger(__name__)

SHAPED_PAGES = 64
"""First pages of 8 KB of a delivery's rows whose columns are described in the ledger: some 2,000 rows."""

WARNED_ROWS = 100
"""Rows with a warning that the ledger keeps of each rule and batch."""

Observer = Callable[[str, str, int], None]
"""Told of progress: the step, the name of the delivery, and how many more bytes or rows were done."""


def _unobserved(step: str, source_name: str, amount: int) -> None:
    """Observe nothing."""


class Road:
    """The steps for one installation. `observe` is told of progress.

    With `warm_up`, the seconds that Great Expectations takes to import pass while the database is busy; for a process
    that walks the whole road.
    """

    def __init__(self, settings: Settings, observe: Observer = _unobserved, *, warm_up: bool = False) -> None:
        self.settings = settings
        self.observe = observe
        self._warm_up = warm_up
        self._begun: set[int] = set()
        """Batches of which this process has begun a step."""
        self._looked_at: set[tuple[str, str]] = set()

    @cached_property
    def catalog(self) -> Catalog:
        """The catalogue of this installation."""
        return load_catalog(self.settings.catalog_folder)

    @cached_property
    def landing(self) -> LandingArea:
        """The landing area of this installation."""
        return LandingArea(self.settings.landing_url)

    @contextmanager
    def _alone_with(self, batch_id: int) -> Iterator[tuple[ledger.Connection, Batch]]:
        """Open the store and read a batch, once no other process works on it any more."""
        with store_connection(self.settings.database_url) as connection:
            # The lock belongs to the session and goes with it, however that ends.
            connection.execute(
                "select pg_advisory_lock(hashtextextended('zhengku.batch.' || %(id)s, 0))", {"id": batch_id}
            )
            batch = ledger.batch_by_id(connection, batch_id)
            try:
                yield connection, batch
            except (ZhengkuError, psycopg.Error, KeyboardInterrupt):
                if batch_id in self._begun and not connection.broken:
                    connection.rollback()
                    ledger.end_step(connection, batch_id, done=False)
                    connection.commit()
                raise
            else:
                if batch_id in self._begun:
                    ledger.end_step(connection, batch_id, done=True)
            finally:
                self._begun.discard(batch_id)

    def _begin(self, connection: ledger.Connection, batch: Batch, step: str) -> Batch | None:
        """Note, for good, that a step of a batch begins; return the batch rejected when it died of it too often.

        What ends without a word has died: the process was killed, the machine lost its memory, or an error came that
        nobody foresaw. A department's other files must not wait for that to happen every night.
        """
        deaths = ledger.begin_step(connection, batch.batch_id, step)
        if deaths < ledger.MOST_DEATHS:
            connection.commit()
            self._begun.add(batch.batch_id)
            return None
        discard(connection, batch.batch_id)
        detail = (
            f"{batch.source_name}: its step {step} died {deaths} times without a word, as a process does that is "
            "killed or runs out of memory. Look at the worker's log, mend the cause or ask for another file, then let "
            "it be read again (`zhengku collect --again`)."
        )
        log.warning("Batch %d is rejected: %s", batch.batch_id, detail)
        return ledger.reject(
            connection,
            batch.batch_id,
            ledger.STEP_DIED,
            f"处理该批数据时程序连续{deaths}次异常中止，已停止处理。请核对文件后重新报送。",
            detail,
        )

    @contextmanager
    def _alone_with_feed(self, feed: Feed, what: Literal["feed", "backfill"] = "feed") -> Iterator[None]:
        """Wait until no other run reads this feed, or months of it: it would read the same once more."""
        with store_connection(self.settings.database_url) as connection:
            connection.execute(
                "select pg_advisory_lock(hashtextextended('zhengku.' || %(what)s || '.' || %(name)s, 0))",
                {"what": what, "name": feed.name},
            )
            # The lock is the session's: no transaction stays open while the source is read.
            connection.commit()
            yield

    def collect(
        self, department: str, feed_id: str, run_id: str, *, again: bool = False, interval: Window | None = None
    ) -> list[Batch]:
        """Lay what a feed delivered since the last run into the landing area; return the run's batches, oldest first.

        Batches that another run left unfinished, because it died, are among them. When nothing new lies in a file
        drop, the newest file is looked at once more, so that every run has evidence. What was loaded before, whose rows
        nothing has touched since, is closed at once as unchanged, unless `again` is set. A rejected file is new once
        more when its manifest or our configuration changed since, and is taken with `again` in any case.
        `interval` reads that part of a feed with a watermark instead of what is new, and leaves the watermark alone.
        Raises `DeliveryUnavailable` when there is nothing to collect or the source cannot be read now, `SourceRefused`
        when another try would end the same; `ConfigurationError`, `StorageFull`, `StoreUnavailable`. A delivery that
        is wrong as a whole becomes a rejected batch.
        """
        feed = self.catalog.feed(department, feed_id)
        address = self.settings.connection(feed.transport.connection)
        if interval is not None and not isinstance(feed.window, Watermark):
            raise ConfigurationError(
                f"{feed.name}: expected a feed with a watermark window for an interval, its window is "
                f"{feed.window.kind}. Collect it without an interval."
            )
        if isinstance(feed.transport, FileDrop):
            self._tell_untaken(department, feed.transport.connection, address, run_id)
        with self._alone_with_feed(feed):
            with store_connection(self.settings.database_url) as connection:
                ledger.take_up_unfinished(connection, department, feed_id, run_id)
                batches = ledger.batches(
                    connection, department=department, feed=feed_id, run_id=run_id, limit=1_000_000
                )
                seen = ledger.seen_deliveries(connection, department, feed_id)
                reached = ledger.watermark(connection, department, feed_id)
            if not isinstance(feed.window, NewFiles) and any(batch.run_id == run_id for batch in batches):
                # An earlier try of this run has read the feed.
                return sorted(batches, key=lambda batch: batch.batch_id)
            # What goes the road again is no delivery.
            started = any(batch.origin == "delivery" for batch in batches)
            source = source_of(feed, address, self.catalog.department(department).pool.slots)
            waiting: DeliveryUnavailable | None = None
            deliveries: Sequence[Delivery]
            try:
                deliveries = source.deliveries(interval or window_after(feed, reached))
            except DeliveryUnavailable as error:
                if not started:
                    raise
                log.warning("%s", error)
                deliveries = []
            fresh = list(deliveries)
            if isinstance(feed.transport, FileDrop):
                fresh = self._fresh(feed, feed.transport, address, deliveries, seen, again=again, started=started)
            for delivery in fresh:
                try:
                    batches.append(
                        self._collect_one(feed, source, delivery, run_id, again=again, moves=interval is None)
                    )
                except DeliveryUnavailable as error:
                    log.warning("%s", error)
                    waiting = error
            if waiting and not batches:
                raise waiting
            # A file that this very run rejected, and that was read again since, is the batch that is there.
            found = {batch.batch_id: batch for batch in batches}
            return [found[batch_id] for batch_id in sorted(found)]

    def _tell_untaken(self, department: str, connection_id: str, address: str, run_id: str) -> None:
        """Enter and log what lies in a drop that no feed takes, once in a run for each connection.

        A drop that cannot be read keeps nobody from collecting: whoever collects from it tells that.
        """
        if (run_id, connection_id) in self._looked_at:
            return
        self._looked_at.add((run_id, connection_id))
        try:
            with open_folder(address, "", connection_id) as root:
                files = untaken_files(root, folders_below(address, self._drops([department])))
                # What is left over here may be another department's; reading all of them takes a second or two.
                if files:
                    files = untaken_files(root, folders_below(address, self._drops(self.catalog.department_ids)))
        except (OSError, ZhengkuError) as error:
            log.info(
                "%s is not looked through for files that no feed takes: %s.",
                without_login(address),
                (error.strerror if isinstance(error, OSError) else None) or type(error).__name__,
            )
            return
        with store_connection(self.settings.database_url) as connection:
            new = ledger.record_untaken(connection, department, run_id, connection_id, files)
        for file in new:
            log.warning(
                "No feed takes %s in %s (%s). Change the feed's pattern or folder, or ask the department for the file "
                "as agreed.",
                file.name,
                without_login(address),
                file.reason,
            )

    def _drops(self, department_ids: Iterable[str]) -> list[tuple[str, FileDrop]]:
        """Return the file drops of departments with the addresses that this installation has."""
        found = []
        for department_id in department_ids:
            try:
                feeds = self.catalog.department(department_id).feeds.values()
            except CatalogError as error:
                log.debug("%s has no say in which files are taken: %s", department_id, error)
                continue
            for feed in feeds:
                name = f"ZHENGKU_CONN_{feed.transport.connection.upper()}"
                address = self.settings.environment.get(name)
                if isinstance(feed.transport, FileDrop) and address:
                    found.append((address, feed.transport))
        return found

    def collect_month(
        self, department: str, feed_id: str, run_id: str, month: date, window: Window, share: int
    ) -> list[Batch]:
        """Lay what a feed with a watermark has of a month into the landing area; return the batches, oldest first.

        The watermark stays, and a nightly run neither waits for it nor takes its batches up. Where the system allows so
        many requests in a minute, one of `share` is used for each that a nightly reader may.
        Raises what `collect` raises.
        """
        feed = self.catalog.feed(department, feed_id)
        address = self.settings.connection(feed.transport.connection)
        with self._alone_with_feed(feed, "backfill"):
            with store_connection(self.settings.database_url) as connection:
                known = ledger.batches(connection, department=department, feed=feed_id, run_id=run_id, limit=1_000_000)
            # An earlier try of this run has read the month.
            if found := [batch for batch in known if batch.backfill_month == month]:
                return sorted(found, key=lambda batch: batch.batch_id)
            source = source_of(feed, address, share * self.catalog.department(department).pool.slots)
            return [
                self._collect_one(feed, source, delivery, run_id, again=False, moves=False, month=month)
                for delivery in source.deliveries(window)
            ]

    def collect_feeds(
        self,
        department: str,
        feeds: Sequence[str],
        run_id: str,
        *,
        again: bool = False,
        interval: Window | None = None,
    ) -> list[Batch]:
        """Collect feeds one after another, as `collect` does; return the batches of the run that they have now.

        One that cannot be collected does not keep the others from it: then its own error is raised in the end, or, of
        several, `FeedsUnavailable` or `FeedsRefused`, which say all. Raises `CatalogError`, and nothing is collected,
        where `zhengku catalog check` finds a mistake in what the department's deliveries go by.
        """
        check_department(self.settings.catalog_folder, self.settings.suite_folder, department)
        batches: list[Batch] = []
        failures: dict[str, ZhengkuError] = {}
        for feed_id in feeds:
            try:
                batches += self.collect(department, feed_id, run_id, again=again, interval=interval)
            except ZhengkuError as error:
                failures[feed_id] = error
        if len(failures) == 1:
            raise next(iter(failures.values()))
        if failures:
            kind = FeedsRefused if all(error.final for error in failures.values()) else FeedsUnavailable
            told = " | ".join(f"{feed_id}: {error}" for feed_id, error in failures.items())
            raise kind(f"{len(failures)} of {len(feeds)} feeds were not collected: {told}")
        return batches

    def _fresh(
        self,
        feed: Feed,
        drop: FileDrop,
        address: str,
        deliveries: Sequence[Delivery],
        seen: Mapping[ledger.Identity, ledger.Seen],
        *,
        again: bool,
        started: bool,
    ) -> list[Delivery]:
        """Return the files of a drop that are to be read, the oldest first; `started` when the run has batches already.

        Raises `DeliveryUnavailable` when there is nothing to read.
        """
        config_digest = self.config_digest(feed)
        fresh = {_identity(delivery) for delivery in deliveries if _is_new(delivery, seen, config_digest)}
        rejected = {identity for identity, earlier in seen.items() if again and earlier.status == "rejected"}
        asked = {_identity(delivery) for delivery in deliveries} & rejected
        if not fresh and not started:
            try:
                fresh = {_identity(self._newest(feed, drop, address, deliveries, seen))}
            except DeliveryUnavailable as error:
                if not asked:
                    raise
                log.warning("%s", error)
        return [delivery for delivery in deliveries if _identity(delivery) in fresh | asked]

    def _newest(
        self,
        feed: Feed,
        drop: FileDrop,
        address: str,
        deliveries: Sequence[Delivery],
        seen: Mapping[ledger.Identity, ledger.Seen],
    ) -> Delivery:
        """Return the newest file of a drop with nothing new in it. Raises `DeliveryUnavailable` when there is none."""
        if not deliveries:
            what = f"{drop.pattern} with its manifest" if drop.manifest == "required" else drop.pattern
            raise DeliveryUnavailable(
                f"No file {what} in {without_login(address)}/{drop.folder} for {feed.name}. Ask the department whether "
                "its export ran."
            )
        newest = deliveries[-1]
        if seen[_identity(newest)].status == "held":
            raise DeliveryUnavailable(
                f"{newest.name} is the newest delivery of {feed.name} and its batch is held. Release it "
                "(`zhengku batches --status held`, `zhengku release`), or ask the department for a corrected file."
            )
        if seen[_identity(newest)].rule_id in (ledger.GIVEN_BACK, ledger.STEP_DIED):
            raise DeliveryUnavailable(
                f"{newest.name} is the newest delivery of {feed.name} and was given back, or a step died of it again "
                "and again (`zhengku batches --status rejected`). Ask the department for a corrected file, or let it "
                "be read again with `zhengku collect --again`."
            )
        return newest

    def _collect_one(
        self,
        feed: Feed,
        source: Source,
        delivery: Delivery,
        run_id: str,
        *,
        again: bool,
        moves: bool,
        month: date | None = None,
    ) -> Batch:
        collected: Collected | None = None
        rejection: DeliveryRejected | None = None
        identity = f"{run_id}\n{delivery.name}\n{delivery.modified_at.isoformat()}\n{delivery.size}"
        day = clock.today().isoformat()
        path = "/".join(
            (
                feed.department,
                feed.id,
                day,
                f"{hashlib.sha256(identity.encode()).hexdigest()[:12]}-{safe_name(delivery.name)}",
            )
        )
        if delivery.size:
            with store_connection(self.settings.database_url) as connection:
                delivery = replace(delivery, twins=_landed_of_size(connection, feed, delivery.size))
        try:
            collected = source.land(
                delivery, self.landing, path, lambda amount: self.observe("collect", delivery.name, amount)
            )
            rejection = collected.rejection
        except DeliveryRejected as error:
            rejection = error
        if rejection:
            log.info("Rejected: %s", rejection)
        landed = collected.landed if collected else None
        manifest = collected.manifest if collected else None
        position = collected.position if collected and moves else None
        with store_connection(self.settings.database_url) as connection:
            landed_at: datetime | None = None
            if landed is not None:
                landed = self._keep_once(connection, feed, landed)
                # An increment that is sent once more says nothing new; a whole register that is sent again does.
                if feed.deliveries == "increments" and isinstance(feed.window, NewFiles):
                    landed_at = ledger.first_delivered(connection, feed.department, feed.id, landed.digests["sha256"])
            batch = ledger.record_batch(
                connection,
                {
                    "department": feed.department,
                    "feed": feed.id,
                    "dataset": feed.dataset,
                    "license_type": feed.license_type,
                    "run_id": run_id,
                    "status": "rejected" if rejection else "landed",
                    "source_name": delivery.name,
                    "source_bytes": landed.size if landed else delivery.size or 0,
                    "source_modified_at": delivery.modified_at,
                    "sha256": landed.digests["sha256"] if landed else None,
                    "landing_path": landed.path if landed else None,
                    "landed_at": landed_at,
                    "manifest": manifest.as_json() if manifest else None,
                    "window_start": delivery.window.start if delivery.window else None,
                    "window_end": delivery.window.end if delivery.window else None,
                    "position_at": position.at if position else None,
                    "position_key": list(position.key) if position else [],
                    "config_digest": self.config_digest(feed),
                    "absent_fields": sorted(feed.absent_fields),
                    "rule_id": rejection.rule if rejection else None,
                    "reason": rejection.reason if rejection else None,
                    "detail": str(rejection) if rejection else None,
                    "origin": "delivery" if month is None else "backfill",
                    "backfill_month": month,
                },
            )
            if batch.status != "landed" or again:
                return batch
            if (repeated := repeat(connection, batch)) is not None:
                log.info(
                    "Batch %d: %s is the delivery of batch %d.",
                    batch.batch_id,
                    delivery.name,
                    repeated.repeats_batch_id,
                )
                return repeated
        return batch

    def _keep_once(self, connection: ledger.Connection, feed: Feed, landed: Landed) -> Landed:
        """Let an identical file that was landed before stand for this one."""
        earlier = _landed_of_size(connection, feed, landed.size).get(landed.digests["sha256"])
        if earlier is None or earlier == landed.path or not self.landing.can_stand(earlier, landed.size):
            return landed
        self.landing.discard([landed.path])
        return replace(landed, path=earlier)

    def config_digest(self, feed: Feed) -> str:
        """Digest of all that decides what becomes of a file: feed, catalogue's tables, suites, release."""
        digest = hashlib.sha256(f"{__version__}\n{feed.config_digest}\n".encode())
        tables = [self.settings.catalog_folder / name for name in TABLES]
        suites = sorted(self.settings.suite_folder.glob("*.json"))
        for path in (*tables, *suites):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def stage(self, batch_id: int) -> Batch:
        """Read a landed batch into its staging tables, unless that is done; a wrong file closes it as rejected.

        Raises `LandingUnavailable` when the landing area cannot be read now: the batch waits for it.
        """
        with self._alone_with(batch_id) as (connection, batch):
            if batch.finished or (batch.status in ("staged", "validated") and is_staged(connection, batch)):
                return batch
            feed = self.catalog.feed(batch.department, batch.feed)
            assert batch.landing_path is not None
            if (rejected := self._begin(connection, batch, "stage")) is not None:
                return rejected
            if not self.landing.holds(batch.landing_path, batch.source_bytes):
                return ledger.reject(
                    connection,
                    batch_id,
                    "file.lost",
                    f"{batch.source_name} 的落地文件丢失，请重新提交",
                    f"{batch.source_name}: expected {batch.source_bytes} bytes at {batch.landing_path} in the landing "
                    f"area {without_login(self.landing.url)}, and they are not there. It is collected again when it "
                    "still lies in the drop; otherwise ask the department to deliver it again.",
                )
            try:
                with connection.transaction(), self.landing.open(batch.landing_path) as content:
                    staged = copy_rows(
                        connection,
                        batch,
                        feed,
                        content,
                        lambda rows: self.observe("stage", batch.source_name, rows),
                    )
                    _check_count(batch, staged)
                    if self._warm_up:
                        Thread(target=import_module, args=("zhengku.validate.run",), daemon=True).start()
                    seed = received_seed(self.config_digest(feed))
                    recognised = recognise(connection, batch, feed, self.catalog, staged.columns, seed)
                    told = type_rows(
                        connection, batch, feed, self.catalog, staged, seed=seed, recognised=recognised.rows
                    )
                    staged = replace(staged, notes=(*staged.notes, *told))
                    find_rows_of_problems(connection, batch, feed, staged.columns)
                    connection.execute(
                        statement("stage/staging.record_staged"),
                        {
                            "batch_id": batch_id,
                            "fetched": staged.fetched,
                            "staged": staged.staged,
                            "recognised": recognised.rows,
                            "recognised_after": recognised.after,
                            "blank_lines": staged.blank_lines,
                            "footers": staged.footers,
                            "notes": [note.text_zh for note in staged.notes],
                            "columns": staged.shown_columns,
                            "unknown_columns": staged.unknown_columns,
                            "sheets": None if staged.sheets is None else Jsonb(list(map(asdict, staged.sheets))),
                        },
                    )
                    connection.execute(
                        statement("stage/staging.column_shapes"),
                        {"batch_id": batch_id, "names": staged.shown_columns, "pages_end": f"({SHAPED_PAGES},0)"},
                    )
            except DeliveryRejected as error:
                log.info("Batch %d is rejected: %s: %s", batch_id, batch.source_name, error)
                return ledger.reject(connection, batch_id, error.rule, error.reason, f"{batch.source_name}: {error}")
            for note in staged.notes:
                log.warning("Batch %d: %s: %s.", batch_id, batch.source_name, note.text_en)
            if staged.unknown_columns:
                log.warning(
                    "Batch %d: %s has columns that the feed does not know: %s. Map them or list them as "
                    "ignored_columns.",
                    batch_id,
                    batch.source_name,
                    shown(staged.unknown_columns),
                )
            for sheet in staged.sheets or ():
                if sheet.skipped is not None:
                    log.log(
                        logging.INFO if sheet.skipped == EMPTY else logging.WARNING,
                        "Batch %d: sheet %s of %s was not read (%s); %d of its rows have something in them. Say in the "
                        "feed's format which sheets are read.",
                        batch_id,
                        shown([sheet.name]),
                        batch.source_name,
                        sheet.skipped,
                        sheet.rows,
                    )
            return ledger.batch_by_id(connection, batch_id)

    def validate(self, batch_id: int) -> Batch:
        """Check a batch against its feed's suites and mark the rows that fail; a failed batch rule holds it."""
        batch = self.stage(batch_id)
        if batch.finished:
            return batch
        # Great Expectations takes seconds to import: only this step needs it.
        from zhengku.validate.staged_batch import StagedBatch

        with self._alone_with(batch_id) as (connection, batch):
            if batch.status == "validated" or batch.finished:
                return batch
            _check_staged(connection, batch, "staged")
            if (rejected := self._begin(connection, batch, "validate")) is not None:
                return rejected
            feed = self.catalog.feed(batch.department, batch.feed)
            today = clock.today()
            staged = StagedBatch(self.settings.database_url, batch_schema(batch_id), batch, feed, self.catalog, today)
            rows = staged.validate(connection, load_suites(self.settings.suite_folder, feed.suites))
            unreadable = dict(connection.execute(statement("validate/outcome.unreadable_by_rule")).fetchall())
            # What was validated before and came again fails what it failed then.
            failed = Counter(rows.failed_rows)
            failed.update(dict(connection.execute(statement("validate/outcome.recognised_warnings")).fetchall()))
            summary = staged.validate_whole(connection, load_suites(self.settings.suite_folder, [BATCH_SUITE]))
            ledger.record_rule_results(
                connection,
                batch_id,
                [
                    *(RuleResult(rule_id, "critical", count, skipped=False) for rule_id, count in unreadable.items()),
                    *(
                        RuleResult(rule.rule_id, rule.severity, failed[rule.rule_id], rule.success is None)
                        for rule in rows.rules
                    ),
                    *(
                        RuleResult(rule.rule_id, rule.severity, int(rule.success is False), rule.success is None)
                        for rule in summary.rules
                    ),
                ],
            )
            holding = [rule.rule_id for rule in summary.failed if rule.severity == "critical"]
            if holding and batch.released_by is None:
                reason = self.reasons(batch.department)[holding[0]]
                detail = f"{batch.source_name}: {', '.join(holding)}: {self._summary_text(connection, batch_id)}"
                log.info("Batch %d is held: %s", batch_id, detail)
                return hold(connection, batch, holding[0], reason, detail)
            use_batch_schema(connection, batch_id)
            connection.execute(statement("validate/outcome.record_validated"), {"batch_id": batch_id})
            connection.execute(statement("validate/outcome.keep_failed_text"))
            connection.execute("drop table text_row")
            warned = [rule.rule_id for rule in rows.rules if rule.severity != "critical" and failed[rule.rule_id]]
            if warned:
                connection.execute(
                    statement("validate/outcome.keep_warned"),
                    {"batch_id": batch_id, "rules": warned, "most": WARNED_ROWS},
                )
            return ledger.batch_by_id(connection, batch_id)

    def _summary_text(self, connection: ledger.Connection, batch_id: int) -> str:
        """Return the figures that a rule for the batch as a whole looked at, for the engineer."""
        use_batch_schema(connection, batch_id)
        with connection.cursor(row_factory=dict_row) as cursor:
            summary = cursor.execute("select * from batch_summary").fetchone()
        assert summary is not None
        return ", ".join(f"{name} {value}" for name, value in summary.items() if value is not None)

    def reasons(self, department: str) -> dict[str, str]:
        """Return the Chinese reason of every rule that a department's rows meet, by rule id."""
        feeds = self.catalog.department(department).feeds.values()
        names = [name for feed in feeds for name in feed.suites]
        return {**ROW_RULES, **reasons(load_suites(self.settings.suite_folder, [*names, BATCH_SUITE]))}

    def load(self, batch_id: int) -> Batch:
        """Merge a batch into the store, balanced, and close it.

        One whose recognised rows another batch has written to meanwhile is staged and validated anew.
        """
        while True:
            batch = self.validate(batch_id)
            if batch.finished:
                return batch
            with self._alone_with(batch_id) as (connection, batch):
                if batch.finished:
                    return batch
                _check_staged(connection, batch, "validated")
                if recognised_stands(connection, batch):
                    if (rejected := self._begin(connection, batch, "load")) is not None:
                        return rejected
                    feed = self.catalog.feed(batch.department, batch.feed)
                    loaded = load(connection, batch, feed, self.catalog, self.reasons(batch.department))
                    # As the ledger says it once this step has ended.
                    return replace(loaded, begun_step=None, step_deaths=0)
                log.info("Batch %d is staged anew: what its rows are compared with was written to.", batch_id)
                ledger.unstage(connection, batch_id)

    def load_run(
        self, department: str, run_id: str, feeds: Sequence[str] | None = None, *, last_try: bool = True
    ) -> list[Batch]:
        """Stage, validate and load every batch of a run (of `feeds` only, where given); return the run's batches.

        One that fails does not keep the others from going on, whatever the failure: `conclude` names it. Raises the
        first failure when none came through or, unless this is the `last_try`, when another try may mend it; one that
        nobody foresaw may pass.
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
            except Exception as error:  # noqa: BLE001 - a fault that one batch meets must not cost a department the others
                # Its text may quote a row, and so may a traceback.
                log.warning(
                    "Batch %d: expected one of zhengku's own errors, %s came at %s. The batch waits and is tried "
                    "again; report this line if it comes back.",
                    batch.batch_id,
                    type(error).__name__,
                    _place(error),
                )
                failures.append(error)
        passing = [error for error in failures if not (isinstance(error, ZhengkuError) and error.final)]
        if passing and not last_try:
            raise passing[0]
        if failures and not batches:
            raise failures[0]
        return batches

    def conclude(self, department: str, run_id: str, feeds: Sequence[str] | None = None) -> Path:
        """Write the report of a run over `feeds` (all of the department when left out) and return its path.

        Raises `BatchesFailed` when somebody has to look: a batch was rejected, is held or did not finish, none of its
        rows could be loaded, or a feed delivered nothing. What else the run brought is loaded.
        """
        with store_connection(self.settings.database_url) as connection:
            report = self.report(connection, department, run_id)
        path = write_report(report, self.settings.report_folder)
        log.info("Report: %s", path)
        batches = [section.batch for section in report.sections]
        complaints = [
            f"batch {batch.batch_id} is {batch.status} ({batch.rule_id}): {batch.detail}"
            if batch.finished
            else f"batch {batch.batch_id} ({batch.source_name}) did not get beyond {batch.status}"
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
        """Gather the report of a run as it stands now."""
        return build_report(connection, self.catalog, self.reasons(department), department, run_id)

    def release(self, batch_id: int, released_by: str, reason: str) -> Batch:
        """Let a held batch go on: it is staged and validated anew, and its batch rules no longer hold it.

        Raises `ConfigurationError` when the batch is not held.
        """
        with self._alone_with(batch_id) as (connection, batch):
            ledger.release(connection, batch, released_by, reason)
        return self.load(batch_id)


def _is_new(delivery: Delivery, seen: Mapping[ledger.Identity, ledger.Seen], config_digest: str) -> bool:
    """Tell whether a delivery has no batch yet, or was rejected and may fare better now.

    That is when it has had another manifest since, or we have changed how the feed is read: the fault may have been
    ours.
    """
    earlier = seen.get(_identity(delivery))
    if earlier is None:
        return True
    if earlier.status != "rejected" or earlier.finished_at is None:
        return False
    if earlier.config_digest != config_digest:
        return True
    return delivery.manifest_at is not None and delivery.manifest_at > earlier.finished_at


def _place(error: BaseException) -> str:
    """Return where an error was raised, as the last files and lines on the way there, without its text."""
    steps = [f"{Path(frame.f_code.co_filename).name}:{line}" for frame, line in walk_tb(error.__traceback__)]
    return " > ".join(steps[-3:])


def _identity(delivery: Delivery) -> ledger.Identity:
    assert delivery.size is not None
    return delivery.name, delivery.size, delivery.modified_at


def _landed_of_size(connection: ledger.Connection, feed: Feed, size: int) -> dict[str, str]:
    """Return the paths of a feed's landed files of a size in bytes, by SHA-256."""
    named = {"department": feed.department, "feed": feed.id, "source_bytes": size}
    return dict(connection.execute(statement("ledger/batches.landed_of_size"), named).fetchall())


def _check_staged(connection: ledger.Connection, batch: Batch, status: str) -> None:
    """Raise `StoreUnavailable` when the server crashed since the step before, which emptied the staging tables.

    Another run may have staged the batch anew meanwhile: it is then not as far as it was.
    """
    if batch.status != status or not is_staged(connection, batch):
        raise StoreUnavailable(
            f"Batch {batch.batch_id}: expected its rows to be {status}, and its staging tables are empty or made anew: "
            "the license store's server crashed meanwhile. Nothing was loaded; run this step again, which stages them."
        )


def _check_count(batch: Batch, staged: Staged) -> None:
    rows = Manifest.from_json(batch.manifest).rows if batch.manifest else None
    fetched = staged.fetched
    # A system that counts lines has counted its sums and remarks as well.
    if rows is not None and rows not in (fetched, fetched + staged.footers):
        raise DeliveryRejected(
            "file.count",
            f"the manifest says {rows} rows, the file has {fetched}: it is incomplete or the manifest belongs to "
            "another file. Ask the department to send both again.",
            f"清单所载行数 {rows} 与文件实际行数 {fetched} 不符，文件可能不完整，请连同清单重新提交",
        )
