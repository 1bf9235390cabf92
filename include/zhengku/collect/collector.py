"""Collect: what a department's feeds delivered since the last run is landed, and becomes batches."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Literal

from zhengku import clock, ledger
from zhengku.catalog import Feed
from zhengku.check.configuration import check_department
from zhengku.collect.files import files_to_read
from zhengku.collect.window import window_after
from zhengku.database import statement, store_connection
from zhengku.errors import (
    CatalogError,
    ConfigurationError,
    DeliveryRejected,
    DeliveryUnavailable,
    FeedsRefused,
    FeedsUnavailable,
    ZhengkuError,
)
from zhengku.installation import Installation
from zhengku.landed.address import without_login
from zhengku.landed.landing import Landed, safe_name
from zhengku.ledger import Batch
from zhengku.load.merge import repeat
from zhengku.transports.registry import connector_of
from zhengku.transports.source import Collected, Delivery, Source, Window
from zhengku.transports.transport import Transport
from zhengku.transports.window import NewFiles, Watermark

log = logging.getLogger(__name__)


class Collector:
    """Collects for one installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._settings = installation.settings
        self._looked_at: set[tuple[str, str]] = set()
        """Runs and connections whose files that no feed takes are reported already."""

    @contextmanager
    def _lock_feed(self, feed: Feed, what: Literal["feed", "backfill"] = "feed") -> Iterator[None]:
        """Wait until no other run reads this feed, or months of it: it would read the same once more."""
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
        feed = self._installation.catalog.feed(department, feed_id)
        address = self._settings.connection(feed.transport.connection)
        if interval is not None and not isinstance(feed.window, Watermark):
            raise ConfigurationError(
                f"{feed.name}: expected a feed with a watermark window for an interval, its window is "
                f"{feed.window.kind}. Collect it without an interval."
            )
        if feed.transport.delivers_files:
            self._report_untaken(feed, address, run_id)
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
            # What goes the pipeline again is no delivery.
            started = any(batch.origin == "delivery" for batch in batches)
            source = connector_of(feed).source(address, self._installation.catalog.department(department).pool.slots)
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
            if feed.transport.delivers_files:
                fresh = files_to_read(
                    feed,
                    address,
                    deliveries,
                    seen,
                    self._installation.config_digest(feed),
                    again=again,
                    has_batches=started,
                )
            for delivery in fresh:
                try:
                    batches.append(
                        self.collect_delivery(
                            feed, source, delivery, run_id, again=again, advance_watermark=interval is None
                        )
                    )
                except DeliveryUnavailable as error:
                    log.warning("%s", error)
                    waiting = error
            if waiting and not batches:
                raise waiting
            # A file that this very run rejected, and that was read again since, is the batch that is there.
            found = {batch.batch_id: batch for batch in batches}
            return [found[batch_id] for batch_id in sorted(found)]

    def _report_untaken(self, feed: Feed, address: str, run_id: str) -> None:
        """Enter and log the files of a feed's connection that no feed takes, once in a run for each connection.

        A place that cannot be read keeps nobody from collecting: whoever collects from it reports that.
        """
        connection_id = feed.transport.connection
        if (run_id, connection_id) in self._looked_at:
            return
        self._looked_at.add((run_id, connection_id))
        connector = connector_of(feed)
        try:
            files = connector.untaken_files(address, self._takers([feed.department]))
            # What is left may be another department's; reading all departments' files takes a second or two.
            if files:
                files = connector.untaken_files(address, self._takers(self._installation.catalog.department_ids))
        except (OSError, ZhengkuError) as error:
            log.info(
                "%s is not looked through for files that no feed takes: %s.",
                without_login(address),
                (error.strerror if isinstance(error, OSError) else None) or type(error).__name__,
            )
            return
        with store_connection(self._settings.database_url) as connection:
            new = ledger.record_untaken(connection, feed.department, run_id, connection_id, files)
        for file in new:
            log.warning(
                "No feed takes %s in %s (%s). Change the feed's pattern or folder, or ask the department for the file "
                "as agreed.",
                file.name,
                without_login(address),
                file.reason,
            )

    def _takers(self, department_ids: Iterable[str]) -> list[tuple[str, Transport]]:
        """Return the transports of departments' feeds, each with its address, where this installation has one."""
        found: list[tuple[str, Transport]] = []
        for department_id in department_ids:
            try:
                feeds = self._installation.catalog.department(department_id).feeds.values()
            except CatalogError as error:
                log.debug("%s has no say in which files are taken: %s", department_id, error)
                continue
            for feed in feeds:
                address = self._settings.environment.get(f"ZHENGKU_CONN_{feed.transport.connection.upper()}")
                if address:
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
        """Collect feeds one after another, as `collect` does; return the batches of the run that they have now.

        One that cannot be collected does not keep the others from it: then its own error is raised in the end, or, of
        several, `FeedsUnavailable` or `FeedsRefused`, which say all. Raises `CatalogError`, and nothing is collected,
        where `zhengku catalog check` finds a mistake in what the department's deliveries go by.
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
            told = " | ".join(f"{feed_id}: {error}" for feed_id, error in failures.items())
            raise kind(f"{len(failures)} of {len(feeds)} feeds were not collected: {told}")
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
        """Land a delivery and enter it in the ledger; return its batch, which is rejected when it is wrong as a whole.

        With `again`, the same file as before becomes a batch of its own. `advance_watermark` lets the feed's next run
        begin where this delivery ends; `month` is that of a backfill. Raises what the source's `land` raises.
        """
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
            with store_connection(self._settings.database_url) as connection:
                delivery = replace(delivery, landed_of_size=_landed_of_size(connection, feed, delivery.size))
        try:
            collected = source.land(
                delivery,
                self._installation.landing,
                path,
                lambda amount: self._installation.observe("collect", delivery.name, amount),
            )
            rejection = collected.rejection
        except DeliveryRejected as error:
            rejection = error
        if rejection:
            log.info("Rejected: %s", rejection)
        landed = collected.landed if collected else None
        manifest = collected.manifest if collected else None
        position = collected.position if collected and advance_watermark else None
        with store_connection(self._settings.database_url) as connection:
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
                    "config_digest": self._installation.config_digest(feed),
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
        if earlier is None or earlier == landed.path or not self._installation.landing.is_usable(earlier, landed.size):
            return landed
        self._installation.landing.discard([landed.path])
        return replace(landed, path=earlier)


def _landed_of_size(connection: ledger.Connection, feed: Feed, size: int) -> dict[str, str]:
    """Return the paths of a feed's landed files of a size in bytes, by SHA-256."""
    named = {"department": feed.department, "feed": feed.id, "source_bytes": size}
    return dict(connection.execute(statement("ledger/batches.landed_of_size"), named).fetchall())
