"""The road that every delivery takes: collect → stage → validate → load. Airflow and the command line call these steps.

Each step is safe to repeat, at any point: it finds what an earlier try finished and does the rest.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import Thread

from psycopg.rows import dict_row

from zhengku import __version__, ledger
from zhengku.catalog import Catalog, Feed, load_catalog
from zhengku.collect.file_drop import Delivery, check_digests, land, list_deliveries, manifest_of
from zhengku.collect.landing import Landed, LandingArea, safe_name
from zhengku.collect.manifest import Manifest, manifest_time
from zhengku.database import batch_schema, statement, store_connection, use_batch_schema
from zhengku.errors import BatchesFailed, DeliveryRejected, DeliveryUnavailable, ZhengkuError
from zhengku.ledger import Batch, RuleResult
from zhengku.load.merge import hold, load, repeat
from zhengku.report.run_report import RunReport, build_report, write_report
from zhengku.settings import CITY_TIME_ZONE, Settings
from zhengku.stage.row_rules import ROW_RULES
from zhengku.stage.staging import copy_rows, is_staged, type_rows
from zhengku.validate.suites import BATCH_SUITE, load_suites, reasons

log = logging.getLogger(__name__)

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
            yield connection, ledger.batch_by_id(connection, batch_id)

    def collect(self, department: str, feed_id: str, run_id: str, *, again: bool = False) -> list[Batch]:
        """Lay what a feed delivered since the last run into the landing area; return the run's batches, oldest first.

        Batches that another run left unfinished, because it died, are among them. When nothing new lies there, the
        newest file is looked at once more, so that every run has evidence. A file loaded before, whose rows nothing has
        touched since, is closed at once as unchanged, unless `again` is set.
        Raises `DeliveryUnavailable` when there is nothing to collect; `ConfigurationError`, `StorageFull`,
        `StoreUnavailable`. A delivery that is wrong as a whole becomes a rejected batch.
        """
        feed = self.catalog.feed(department, feed_id)
        address = self.settings.connection(feed.transport.connection)
        with store_connection(self.settings.database_url) as connection:
            ledger.take_up_unfinished(connection, department, feed_id, run_id)
            batches = ledger.batches(connection, department=department, feed=feed_id, run_id=run_id, limit=1_000_000)
            seen = ledger.seen_deliveries(connection, department, feed_id)
        waiting: DeliveryUnavailable | None = None
        try:
            deliveries = list_deliveries(feed.transport, address)
        except DeliveryUnavailable as error:
            if not batches:
                raise
            log.warning("%s", error)
            deliveries = []
        fresh = [delivery for delivery in deliveries if _is_new(delivery, seen)]
        if not fresh and not batches:
            fresh = [self._newest(feed, address, deliveries, seen)]
        for delivery in fresh:
            try:
                batches.append(self._collect_one(feed, delivery, run_id, again=again))
            except DeliveryUnavailable as error:
                log.warning("%s", error)
                waiting = error
        if waiting and not batches:
            raise waiting
        return sorted(batches, key=lambda batch: batch.batch_id)

    def _newest(
        self, feed: Feed, address: str, deliveries: list[Delivery], seen: Mapping[ledger.Identity, ledger.Seen]
    ) -> Delivery:
        """Return the newest file of a drop with nothing new in it. Raises `DeliveryUnavailable` when there is none."""
        drop = feed.transport
        if not deliveries:
            what = f"{drop.pattern} with its manifest" if drop.manifest == "required" else drop.pattern
            raise DeliveryUnavailable(
                f"No file {what} in {address}/{drop.folder} for {feed.name}. Ask the department whether its export ran."
            )
        newest = deliveries[-1]
        if seen[_identity(newest)].status == "held":
            raise DeliveryUnavailable(
                f"{newest.name} is the newest delivery of {feed.name} and its batch is held. Release it "
                "(`zhengku batches --status held`, `zhengku release`), or ask the department for a corrected file."
            )
        return newest

    def _collect_one(self, feed: Feed, delivery: Delivery, run_id: str, *, again: bool) -> Batch:
        manifest: Manifest | None = None
        landed: Landed | None = None
        rejection: DeliveryRejected | None = None
        identity = f"{run_id}\n{delivery.name}\n{delivery.modified_at.isoformat()}\n{delivery.size}"
        day = datetime.now(tz=CITY_TIME_ZONE).date().isoformat()
        path = "/".join(
            (
                feed.department,
                feed.id,
                day,
                f"{hashlib.sha256(identity.encode()).hexdigest()[:12]}-{safe_name(delivery.name)}",
            )
        )
        try:
            manifest = manifest_of(feed.transport, delivery)
            landed = land(
                delivery,
                manifest,
                feed.transport,
                self.landing,
                path,
                lambda amount: self.observe("collect", delivery.name, amount),
            )
            check_digests(delivery.name, manifest, landed)
        except DeliveryRejected as error:
            log.info("Rejected: %s", error)
            rejection = error
        with store_connection(self.settings.database_url) as connection:
            landed_at: datetime | None = None
            if landed is not None:
                landed = self._keep_once(connection, feed, landed)
                # An increment that is sent once more says nothing new; a whole register that is sent again does.
                if feed.deliveries == "increments":
                    landed_at = ledger.first_delivered(connection, feed.department, feed.id, landed.digests["sha256"])
            batch = ledger.record_batch(
                connection,
                {
                    "department": feed.department,
                    "feed": feed.id,
                    "license_type": feed.license_type,
                    "run_id": run_id,
                    "status": "rejected" if rejection else "landed",
                    "source_name": delivery.name,
                    "source_bytes": delivery.size,
                    "source_modified_at": delivery.modified_at,
                    "sha256": landed.digests["sha256"] if landed else None,
                    "landing_path": landed.path if landed else None,
                    "landed_at": landed_at,
                    "manifest": manifest.as_json() if manifest else None,
                    "config_digest": self._config_digest(feed),
                    "absent_fields": sorted(feed.absent_fields),
                    "rule_id": rejection.rule if rejection else None,
                    "reason": rejection.reason if rejection else None,
                    "detail": str(rejection) if rejection else None,
                },
            )
            if batch.status == "landed" and not again and (repeated := repeat(connection, batch)) is not None:
                log.info(
                    "Batch %d: %s is the file of batch %d.", batch.batch_id, delivery.name, repeated.repeats_batch_id
                )
                return repeated
        return batch

    def _keep_once(self, connection: ledger.Connection, feed: Feed, landed: Landed) -> Landed:
        """Let an identical file that was landed before stand for this one."""
        earlier = connection.execute(
            statement("collect/landed_before"),
            {
                "department": feed.department,
                "feed": feed.id,
                "sha256": landed.digests["sha256"],
                "source_bytes": landed.size,
            },
        ).fetchone()
        if earlier is None or earlier[0] == landed.path or not self.landing.holds(earlier[0], landed.size):
            return landed
        self.landing.discard([landed.path])
        return Landed(path=earlier[0], size=landed.size, digests=landed.digests)

    def _config_digest(self, feed: Feed) -> str:
        """Digest of all that decides what becomes of a file: feed, catalogue's tables, suites, release."""
        digest = hashlib.sha256(f"{__version__}\n{feed.config_digest}\n".encode())
        tables = sorted(self.settings.catalog_folder.glob("*.csv"))
        suites = sorted(self.settings.suite_folder.glob("*.json"))
        for path in (*tables, *suites):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def stage(self, batch_id: int) -> Batch:
        """Read a landed batch into its staging tables, unless that is done; a wrong file closes it as rejected."""
        with self._alone_with(batch_id) as (connection, batch):
            if batch.finished or (batch.status in ("staged", "validated") and is_staged(connection, batch)):
                return batch
            feed = self.catalog.feed(batch.department, batch.feed)
            assert batch.landing_path is not None
            if not self.landing.holds(batch.landing_path, batch.source_bytes):
                return ledger.reject(
                    connection,
                    batch_id,
                    "file.lost",
                    f"{batch.source_name} 的落地文件丢失，请重新提交",
                    f"{batch.source_name}: expected {batch.source_bytes} bytes at {batch.landing_path} in the landing "
                    f"area {self.landing.url}, and they are not there. It is collected again when it still lies in the "
                    "drop; otherwise ask the department to deliver it again.",
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
                    _check_count(batch, staged.fetched)
                    if self._warm_up:
                        Thread(target=import_module, args=("zhengku.validate.run",), daemon=True).start()
                    type_rows(connection, batch, feed, self.catalog, staged.columns)
                    connection.execute(
                        statement("stage/record_staged"),
                        {
                            "batch_id": batch_id,
                            "fetched": staged.fetched,
                            "staged": staged.staged,
                            "blank_lines": staged.blank_lines,
                            "unknown_columns": staged.unknown_columns,
                        },
                    )
            except DeliveryRejected as error:
                log.info("Batch %d is rejected: %s: %s", batch_id, batch.source_name, error)
                return ledger.reject(connection, batch_id, error.rule, error.reason, f"{batch.source_name}: {error}")
            if staged.unknown_columns:
                log.warning(
                    "Batch %d: %s has columns that the feed does not know: %s. Map them or list them as "
                    "ignored_columns.",
                    batch_id,
                    batch.source_name,
                    ", ".join(staged.unknown_columns),
                )
            return ledger.batch_by_id(connection, batch_id)

    def validate(self, batch_id: int) -> Batch:
        """Check a batch against its feed's suites and mark the rows that fail; a failed batch rule holds it."""
        batch = self.stage(batch_id)
        if batch.finished:
            return batch
        # Great Expectations takes seconds to import: only this step needs it.
        from zhengku.validate.marks import mark_rows
        from zhengku.validate.run import validate_rows

        with self._alone_with(batch_id) as (connection, batch):
            if batch.status == "validated" or batch.finished:
                return batch
            feed = self.catalog.feed(batch.department, batch.feed)
            schema = batch_schema(batch_id)
            url = self.settings.database_url
            license_type = self.catalog.license_type(batch.license_type)
            parameters = {
                "today": datetime.now(tz=CITY_TIME_ZONE).date(),
                "license_type_name": license_type.name_zh,
                "license_type_code": license_type.license_type_code,
            }
            rows = validate_rows(
                url,
                schema,
                "certificate",
                load_suites(self.settings.suite_folder, feed.suites),
                parameters,
                feed.absent_fields,
            )
            failed_rows = mark_rows(connection, schema, "certificate", rows)
            use_batch_schema(connection, batch_id)
            unreadable = dict(connection.execute(statement("validate/unreadable_by_rule")).fetchall())
            connection.execute("drop table if exists batch_summary")
            connection.execute(
                statement("validate/batch_summary"),
                {"batch_id": batch_id, "snapshots": feed.deliveries == "snapshots"},
            )
            # Great Expectations looks at the summary over a connection of its own.
            connection.commit()
            summary = validate_rows(
                url, schema, "batch_summary", load_suites(self.settings.suite_folder, [BATCH_SUITE]), parameters
            )
            ledger.record_rule_results(
                connection,
                batch_id,
                [
                    *(RuleResult(rule_id, "critical", count, skipped=False) for rule_id, count in unreadable.items()),
                    *(
                        RuleResult(rule.rule_id, rule.severity, failed_rows.get(rule.rule_id, 0), rule.success is None)
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
            connection.execute(statement("validate/record_validated"), {"batch_id": batch_id})
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
        """Merge a batch into the store, balanced, and close it."""
        batch = self.validate(batch_id)
        if batch.finished:
            return batch
        with self._alone_with(batch_id) as (connection, batch):
            if batch.finished:
                return batch
            return load(connection, batch, self.reasons(batch.department))

    def each(self, step: Callable[[int], Batch], batch_ids: Sequence[int]) -> list[Batch]:
        """Take a step for every batch; one that fails does not keep the others from going on.

        Returns those that came through; `conclude` names the rest. Raises the first error when none came through.
        """
        batches: list[Batch] = []
        first: ZhengkuError | None = None
        for batch_id in batch_ids:
            try:
                batches.append(step(batch_id))
            except ZhengkuError as error:
                log.warning("Batch %d: %s", batch_id, error)
                first = first or error
        if first is not None and not batches:
            raise first
        return batches

    def conclude(self, department: str, run_id: str, feeds: Sequence[str] | None = None) -> Path:
        """Write the report of a run over `feeds` (all of the department when left out) and return its path.

        Raises `BatchesFailed` when somebody has to look: a batch was rejected, is held or did not finish, or a feed
        delivered nothing. What else the run brought is loaded.
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
        delivered = {batch.feed for batch in batches}
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


def _is_new(delivery: Delivery, seen: Mapping[ledger.Identity, ledger.Seen]) -> bool:
    """Tell whether a delivery has no batch yet, or was rejected and has had another manifest since."""
    earlier = seen.get(_identity(delivery))
    if earlier is None:
        return True
    if earlier.status != "rejected" or earlier.finished_at is None:
        return False
    manifest_at = manifest_time(delivery.path)
    return manifest_at is not None and manifest_at > earlier.finished_at


def _identity(delivery: Delivery) -> ledger.Identity:
    return delivery.name, delivery.size, delivery.modified_at


def _check_count(batch: Batch, fetched: int) -> None:
    rows = Manifest.from_json(batch.manifest).rows if batch.manifest else None
    if rows is not None and rows != fetched:
        raise DeliveryRejected(
            "file.count",
            f"the manifest says {rows} rows, the file has {fetched}: it is incomplete or the manifest belongs to "
            "another file. Ask the department to send both again.",
            f"清单所载行数 {rows} 与文件实际行数 {fetched} 不符，文件可能不完整，请连同清单重新提交",
        )
