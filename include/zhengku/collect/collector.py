"""Collect: lands what a department's feeds delivered since the last run, and records it as batches."""

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Literal

from zhengku import clock, ledger
from zhengku.catalog import Feed
from zhengku.check.configuration import check_department
from zhengku.collect.files import files_to_read
from zhengku.collect.untaken import UntakenFiles
from zhengku.collect.window import window_after
from zhengku.database import statement, store_connection
from zhengku.errors import (
    ConfigurationError,
    DeliveryRejected,
    DeliveryUnavailable,
    FeedsRefused,
    FeedsUnavailable,
    RemovedByRetention,
    ZhengkuError,
)
from zhengku.installation import Installation
from zhengku.landed.landing import Landed, safe_name
from zhengku.ledger import Batch
from zhengku.load.merge import close_repeat
from zhengku.masking import mask_text
from zhengku.metrics import measured_step
from zhengku.transports.registry import connector_of
from zhengku.transports.source import Collected, Delivery, Source, Window
from zhengku.transports.window import NewFiles, Watermark

log = logging.getLogger(__name__)


class Collector:
    """Collects the feeds of one installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._settings = installation.settings
        self._untaken = UntakenFiles(installation)

    @contextmanager
    def _lock_feed(self, feed: Feed, what: Literal["feed", "backfill"] = "feed") -> Iterator[None]:
        """Wait until no other run reads this feed, or months of it: both would read the same rows."""
        with store_connection(self._settings.database_url) as connection:
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
        """Land what a feed delivered since the last run; return the run's batches of the feed, oldest first.

        Batches that a crashed run left unfinished are among them. When a file drop has no new file, its newest file is
        read again, so that every run has a record. A repeat (a file that was loaded before, and whose rows no batch has
        written to since) is closed at once as unchanged, unless `again` is set. A rejected file is read again when its
        manifest or our configuration has changed since, and with `again` in any case.
        `interval` reads that part of a feed with a watermark instead of what is new, and does not move the watermark.
        Raises `DeliveryUnavailable` when there is nothing to collect or the source cannot be read now, `SourceRefused`
        when another try would end the same; `ConfigurationError`, `StorageFull`, `StoreUnavailable`. A delivery that
        cannot be used at all becomes a rejected batch.
        """
        feed = self._installation.catalog.feed(department, feed_id)
        address = self._settings.connection(feed.transport.connection)
        if interval is not None and not isinstance(feed.window, Watermark):
            raise ConfigurationError(
                f"{feed.name}: expected a feed with a watermark window for an interval, its window is "
                f"{feed.window.kind}. Collect it without an interval."
            )
        if feed.transport.delivers_files:
            self._untaken.report(feed, address, run_id)
        with self._lock_feed(feed):
            with store_connection(self._settings.database_url) as connection:
                ledger.take_up_unfinished(connection, department, feed_id, run_id)
                batches = ledger.batches(
                    connection, department=department, feed=feed_id, run_id=run_id, limit=1_000_000
                )
                seen = ledger.seen_deliveries(connection, department, feed_id)
                reached = ledger.watermark(connection, department, feed_id)
            if not isinstance(feed.window, NewFiles) and any(batch.run_id == run_id for batch in batches):
                # An earlier try of this run has read the feed.
                return sorted(batches, key=lambda batch: batch.batch_id)
            source = connector_of(feed).source(address, self._installation.catalog.department(department).pool.slots)
            window = interval or window_after(feed, reached)
            # Batches of a replay, redrive or reread are no deliveries.
            has_batches = any(batch.origin == "delivery" for batch in batches)
            deliveries = self._deliveries_to_read(
                feed, address, source, window, seen, again=again, has_batches=has_batches
            )
            unavailable: DeliveryUnavailable | None = None
            for delivery in deliveries:
                try:
                    batches.append(
                        self.collect_delivery(
                            feed, source, delivery, run_id, again=again, advance_watermark=interval is None
                        )
                    )
                except DeliveryUnavailable as error:
                    log.warning("%s", error)
                    unavailable = error
            if unavailable and not batches:
                raise unavailable
            # A file that this run rejected and has read again since is in the list twice: its later state counts.
            found = {batch.batch_id: batch for batch in batches}
            return [found[batch_id] for batch_id in sorted(found)]

    def _deliveries_to_read(
        self,
        feed: Feed,
        address: str,
        source: Source,
        window: Window,
        seen: Mapping[ledger.DeliveryIdentity, ledger.SeenDelivery],
        *,
        again: bool,
        has_batches: bool,
    ) -> list[Delivery]:
        """Return what a source delivers in a window, of a file drop only the files to read.

        Raises `DeliveryUnavailable` when there is nothing, unless the run `has_batches` of the feed already.
        """
        deliveries: Sequence[Delivery]
        try:
            deliveries = source.deliveries(window)
        except DeliveryUnavailable as error:
            if not has_batches:
                raise
            log.warning("%s", error)
            deliveries = []
        if not feed.transport.delivers_files:
            return list(deliveries)
        config_digest = self._installation.config_digest(feed)
        return files_to_read(feed, address, deliveries, seen, config_digest, again=again, has_batches=has_batches)

    def collect_month(
        self, department: str, feed_id: str, run_id: str, month: date, window: Window, share: int
    ) -> list[Batch]:
        """Land what a feed with a watermark has of a month; return the batches, oldest first.

        The watermark does not move, and a nightly run neither waits for the month nor takes up its batches. Where the
        system limits requests per minute, the reader uses one of `share` requests that a nightly reader may send.
        Raises what `collect` raises.
        """
        feed = self._installation.catalog.feed(department, feed_id)
        address = self._settings.connection(feed.transport.connection)
        with self._lock_feed(feed, "backfill"):
            with store_connection(self._settings.database_url) as connection:
                known = ledger.batches(connection, department=department, feed=feed_id, run_id=run_id, limit=1_000_000)
            # An earlier try of this run has read the month.
            if found := [batch for batch in known if batch.backfill_month == month]:
                return sorted(found, key=lambda batch: batch.batch_id)
            source = connector_of(feed).source(
                address, share * self._installation.catalog.department(department).pool.slots
            )
            return [
                self.collect_delivery(feed, source, delivery, run_id, again=False, advance_watermark=False, month=month)
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
        """Collect feeds one after another, as `collect` does; return the run's batches of these feeds.

        If a feed cannot be collected, the others are collected all the same: its error is raised at the end, or, of
        several, `FeedsUnavailable` or `FeedsRefused` with all errors. Raises `CatalogError`, and nothing is collected,
        where `zhengku catalog check` finds a mistake in the configuration of the department's deliveries.
        """
        check_department(self._settings.catalog_folder, self._settings.suite_folder, department)
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
            listed = " | ".join(f"{feed_id}: {error}" for feed_id, error in failures.items())
            raise kind(f"{len(failures)} of {len(feeds)} feeds were not collected: {listed}")
        return batches

    def collect_delivery(
        self,
        feed: Feed,
        source: Source,
        delivery: Delivery,
        run_id: str,
        *,
        again: bool,
        advance_watermark: bool,
        month: date | None = None,
    ) -> Batch:
        """Land a delivery and record it in the ledger; return its batch, rejected when it cannot be used at all.

        With `again`, the same file as before becomes a batch of its own. With `advance_watermark`, the feed's next run
        starts where this delivery ends; `month` is that of a backfill. Raises what the source's `land` raises.
        """
        with measured_step("collect") as measured:
            measured.start(feed.department, feed.id)
            return measured.ended(
                self._collect_delivery(feed, source, delivery, run_id, again, advance_watermark, month)
            )

    def _collect_delivery(
        self,
        feed: Feed,
        source: Source,
        delivery: Delivery,
        run_id: str,
        again: bool,
        advance_watermark: bool,
        month: date | None,
    ) -> Batch:
        collected, rejection = self._land(feed, source, delivery, run_id)
        if rejection:
            log.info("Rejected: %s", rejection)
        if collected and not advance_watermark:
            collected = replace(collected, position=None)
        with store_connection(self._settings.database_url) as connection:
            batch = self._record_batch(connection, feed, delivery, run_id, collected, rejection, month)
            if batch.status != "landed" or again:
                return batch
            if (repeated := close_repeat(connection, batch)) is not None:
                log.info(
                    "Batch %d: %s is the delivery of batch %d.",
                    batch.batch_id,
                    mask_text(delivery.name),
                    repeated.repeats_batch_id,
                )
                return repeated
        return batch

    def _land(
        self, feed: Feed, source: Source, delivery: Delivery, run_id: str
    ) -> tuple[Collected | None, DeliveryRejected | None]:
        """Land a delivery; return what was collected, if anything, and why it is rejected, if it is."""
        if delivery.size:
            with store_connection(self._settings.database_url) as connection:
                delivery = replace(delivery, landed_of_size=_landed_of_size(connection, feed, delivery.size))
        try:
            collected = source.land(
                delivery,
                self._installation.landing,
                _landing_path(feed, delivery, run_id),
                lambda amount: self._installation.observe("collect", delivery.name, amount),
            )
        except DeliveryRejected as error:
            return None, error
        return collected, collected.rejection

    def _record_batch(
        self,
        connection: ledger.Connection,
        feed: Feed,
        delivery: Delivery,
        run_id: str,
        collected: Collected | None,
        rejection: DeliveryRejected | None,
        month: date | None,
    ) -> Batch:
        """Record a delivery in the ledger as a landed or rejected batch."""
        landed = collected.landed if collected else None
        manifest = collected.manifest if collected else None
        position = collected.position if collected else None
        landed_at: datetime | None = None
        if landed is not None:
            landed = self._reuse_identical(connection, feed, landed)
            # An increment that is delivered again is as old as the first time; a register that is sent again is new.
            if feed.deliveries == "increments" and isinstance(feed.window, NewFiles):
                landed_at = ledger.first_delivered(connection, feed.department, feed.id, landed.digests["sha256"])
        values: dict[str, Any] = {
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
            "config_digest": self._installation.config_digest(feed),
            "absent_fields": sorted(feed.absent_fields),
            "rule_id": rejection.rule if rejection else None,
            "reason": rejection.reason if rejection else None,
            "detail": str(rejection) if rejection else None,
            "origin": "delivery" if month is None else "backfill",
            "backfill_month": month,
        }
        try:
            return ledger.record_batch(connection, values)
        except RemovedByRetention as error:
            raise DeliveryUnavailable(
                f"{delivery.name}: the same file was landed before, and its copy in the landing area is being removed "
                "because it is too old. Nothing was recorded; the next try lands the file anew."
            ) from error

    def _reuse_identical(self, connection: ledger.Connection, feed: Feed, landed: Landed) -> Landed:
        """Return an identical file that was landed before and delete this copy; without one, return `landed`."""
        earlier = _landed_of_size(connection, feed, landed.size).get(landed.digests["sha256"])
        if earlier is None or earlier == landed.path or not self._installation.landing.is_usable(earlier, landed.size):
            return landed
        self._installation.landing.discard([landed.path])
        return replace(landed, path=earlier)


def _landing_path(feed: Feed, delivery: Delivery, run_id: str) -> str:
    """Return where a delivery is landed; another run, or another file of the same name, has another path."""
    identity = f"{run_id}\n{delivery.name}\n{delivery.modified_at.isoformat()}\n{delivery.size}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return f"{feed.department}/{feed.id}/{clock.today().isoformat()}/{digest}-{safe_name(delivery.name)}"


def _landed_of_size(connection: ledger.Connection, feed: Feed, size: int) -> dict[str, str]:
    """Return the paths of a feed's landed files of a size in bytes, by SHA-256."""
    named = {"department": feed.department, "feed": feed.id, "source_bytes": size}
    return dict(connection.execute(statement("ledger/batches.landed_of_size"), named).fetchall())
