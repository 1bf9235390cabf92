"""Compares a feed's source with the store: by counts and checksums of days where the source can count, else by key.

The newest row of each key, by its version time, is compared. Days whose sums differ are read as the nightly collection
reads them, cleaned as every delivery is, and compared key by key: values that only cleaning changes are no difference.
Changes at the source after the comparison's instant (the watermark, less its overlap) are left to the next night.
"""

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from zhengku import clock, ledger
from zhengku.catalog import Feed
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError, FeedsRefused, FeedsUnavailable, ZhengkuError
from zhengku.ledger import Batch
from zhengku.load.merge import lock_subject
from zhengku.load.store_table import StoreTable
from zhengku.operations.reconcile import roll_up
from zhengku.pipeline.pipeline import Pipeline
from zhengku.stage.staging import copy_rows, discard_schema, type_rows
from zhengku.transports.registry import connector_of
from zhengku.transports.source import EARLIEST, Source, Window
from zhengku.transports.window import Watermark, Whole

log = logging.getLogger(__name__)

KINDS: Final = ("missing_in_store", "missing_at_source", "differs")
"""The kinds of differences, as in `reconciliation.difference`."""

REASONS: Final = {
    "missing_in_store": "比对发现：来源有该记录，证照库中没有，且无问题数据或暂扣批次可以解释",
    "missing_at_source": "比对发现：证照库中有该记录，来源已没有，且未送来删除；请部门确认",
    "differs": "比对发现：来源与证照库中该记录的更新时间不一致",
}
"""The Chinese reason of each kind, for the department."""

OWN_RULES: Final = [f"reconciliation.{kind}" for kind in KINDS]

_MANY: Final = 20
"""So many certificates that are also more than half are not withdrawn at once: probably the source was emptied."""

_FIRST: Final = EARLIEST.replace(tzinfo=CITY_TIME_ZONE)
_ALWAYS: Final = "-infinity"
"""The start of a period without one: rows stored with a time before `EARLIEST` are compared as well."""

_LAST: Final = datetime(9999, 12, 30, tzinfo=CITY_TIME_ZONE)


@dataclass
class Result:
    """The result of comparing one feed. Counts are keys; `explained` counts keys that differ for a known reason.

    `source_count` is None where the feed cannot be compared: `note` says why. Times have a zone.
    """

    department: str
    feed: str
    since: datetime | None
    until: datetime | None
    started_at: datetime
    method: str = "not_comparable"
    compared_until: datetime | None = None
    source_count: int | None = None
    store_count: int | None = None
    days: int | None = None
    unequal_days: int | None = None
    explained: dict[str, int] = field(default_factory=dict)
    missing_in_store: int = 0
    missing_at_source: int = 0
    differs: int = 0
    note: str | None = None

    @property
    def differences(self) -> int:
        """Number of keys that differ between source and store for no known reason."""
        return self.missing_in_store + self.missing_at_source + self.differs


class Reconciliation:
    """Compares the feeds of one installation with the store."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._url = pipeline.settings.database_url

    def compare(
        self, department: str, feed_id: str, since: datetime | None = None, until: datetime | None = None
    ) -> Result:
        """Compare a feed from `since` to `until` (None: no bound), record the result, and return it.

        Both are extended to complete days of Asia/Shanghai. Problem records of differences that are gone become
        corrected. Raises what collecting raises when the source cannot be read: the last result remains recorded.
        """
        feed = self._pipeline.catalog.feed(department, feed_id)
        since = since and datetime.combine(since.astimezone(CITY_TIME_ZONE), time(), tzinfo=CITY_TIME_ZONE)
        until = until and datetime.combine(until.astimezone(CITY_TIME_ZONE), time.max, tzinfo=CITY_TIME_ZONE)
        result = Result(department, feed_id, since, until, clock.now())
        with store_connection(self._url) as connection:
            values = {"department": department, "feed": feed_id}
            with connection.cursor(row_factory=class_row(Batch)) as cursor:
                newest = cursor.execute(statement("reconcile/comparison.newest_loaded"), values).fetchone()
            reached = ledger.watermark(connection, department, feed_id)
        if newest is None:
            result.note = "该来源尚无入库批次，无可比对"
        elif isinstance(feed.window, Watermark):
            if feed.version != "source_updated_at":
                result.note = "该来源的记录不带更新时间，无法按日比对"
            elif reached is None:
                result.note = "该来源尚无水位，无可比对"
            else:
                result.compared_until = reached.at - timedelta(minutes=feed.window.overlap_minutes)
                self._compare_window(feed, newest, result)
        elif isinstance(feed.window, Whole) and feed.version == "source_updated_at":
            result.compared_until = newest.source_modified_at
            result.method = "keys"
            self._compare_keys(feed, newest, result, [Window()], None)
        elif feed.deliveries == "snapshots":
            self._compare_snapshot(feed, newest, result)
        else:
            result.note = "该来源以文件逐次投递增量，来源处没有可供清点的全量，无法比对；请部门定期投递全量文件"
        self._record(result)
        return result

    def recount(self) -> list[roll_up.RecountedDay]:
        """Rebuild the roll-up from all rows of the store; return and log the days on which it differed from the table.

        Comparisons by day use the roll-up: only after a recount do rows that were deleted or changed by hand differ.
        """
        found = roll_up.recount(self._url, self._pipeline.catalog)
        for day in found:
            log.warning(
                "%s/%s %s %s: the roll-up had %d rows and the table has %d: rows were changed outside the pipeline.",
                day.department,
                day.feed,
                day.license_type,
                day.day,
                day.kept,
                day.counted,
            )
        return found

    def compare_department(self, department: str, since: datetime | None) -> list[Result]:
        """Compare every feed of a department from `since` on; if one fails, the others are compared all the same.

        Raises its error at the end or, of several, `FeedsUnavailable` or `FeedsRefused` with all errors.
        """
        results: list[Result] = []
        failures: list[ZhengkuError] = []
        for feed_id in self._pipeline.catalog.department(department).feeds:
            try:
                results.append(self.compare(department, feed_id, since))
            except ZhengkuError as error:
                failures.append(error)
        if len(failures) == 1:
            raise failures[0]
        if failures:
            kind = FeedsRefused if all(error.final for error in failures) else FeedsUnavailable
            raise kind(f"{len(failures)} feeds were not compared: {' | '.join(map(str, failures))}")
        return results

    def fix(self, department: str, feed_id: str) -> list[Batch]:
        """Collect and load the days on which the store lacks rows again; return the batches.

        The watermark does not move. Raises what collecting and loading raise.
        """
        feed = self._pipeline.catalog.feed(department, feed_id)
        with store_connection(self._url) as connection:
            days = [
                day
                for (day,) in connection.execute(
                    statement("reconcile/comparison.lacking_days"), {"department": department, "feed": feed_id}
                )
            ]
        batches: list[Batch] = []
        intervals: Sequence[Window | None] = (
            _ranges(days) if isinstance(feed.window, Watermark) else [None][: len(days)]
        )
        for interval in intervals:
            run_id = f"fix__{clock.now().isoformat(timespec='seconds')}__{uuid.uuid4().hex[:6]}"
            collected = self._pipeline.collect(department, feed_id, run_id, again=True, interval=interval)
            batches += [self._pipeline.load(batch.batch_id) for batch in collected]
        return batches

    def withdraw(
        self, department: str, feed_id: str, done_by: str, reason: str, problem_ids: Sequence[int] | None = None
    ) -> int:
        """Mark the certificates that the source no longer has, as the last comparison found them; return how many.

        Only a person decides this: `done_by` and `reason` are recorded with the problem records (`problem_ids`, else
        all unsolved ones), and the replaced version is moved to the history. A certificate that was changed since is
        not marked. One that the source delivers again is valid again; until then a comparison finds it missing.
        Raises `ConfigurationError` without a name and a reason, and where all are requested and they are so many that
        the source was more likely emptied.
        """
        if not done_by.strip() or not reason.strip():
            raise ConfigurationError("Expected who withdraws and why, got a blank. Both are recorded: name them.")
        feed = self._pipeline.catalog.feed(department, feed_id)
        table = StoreTable.of_feed(feed, self._pipeline.catalog.standard_fields(feed.dataset))
        started = clock.now()
        values: dict[str, Any] = {
            "department": department,
            "feed": feed_id,
            "dataset": feed.dataset,
            "license_type": feed.license_type,
            "run_id": f"withdraw__{started.isoformat(timespec='seconds')}__{uuid.uuid4().hex[:6]}",
            "begun": started,
            "config_digest": self._pipeline.config_digest(feed),
            "problem_ids": None if problem_ids is None else list(problem_ids),
            "done_by": done_by.strip(),
            "reason": reason.strip(),
        }
        with store_connection(self._url) as connection:
            lock_subject(connection, feed.license_type or feed.dataset)
            counted = connection.execute(
                statement("reconcile/withdrawal.count_withdrawable").format(**table.names), values
            )
            withdrawable, valid = counted.fetchone() or (0, 0)
            if problem_ids is None and withdrawable >= _MANY and 2 * withdrawable > valid:
                raise ConfigurationError(
                    f"{feed.name}: the source no longer has {withdrawable} of {valid} certificates, which is more than "
                    "half: it was more likely emptied or moved. Ask the department; if they are void indeed, "
                    "withdraw their problem records on the page 问题数据."
                )
            if not withdrawable:
                return 0
            batch = connection.execute(statement("reconcile/withdrawal.record_withdrawal"), values).fetchone()
            assert batch is not None
            done = connection.execute(
                statement("reconcile/withdrawal.withdraw").format(**table.names), {**values, "batch_id": batch[0]}
            ).fetchone()
            assert done is not None
            return int(done[0])

    def fix_problems(
        self, department: str, feed_id: str, problem_ids: Sequence[int], done_by: str, reason: str
    ) -> tuple[list[Batch], int]:
        """Fix the differences of problem records; return the collected batches and the number withdrawn.

        Their period is compared again first, so that only differences that still exist are fixed. Raises what
        comparing, collecting and withdrawing raise; `ConfigurationError` where no problem record is of a comparison.
        """
        values = {"department": department, "feed": feed_id, "problem_ids": list(problem_ids)}
        with store_connection(self._url) as connection:
            found = connection.execute(statement("reconcile/withdrawal.period_of_problems"), values).fetchone()
        assert found is not None
        if not found[0]:
            raise ConfigurationError(
                f"Expected problem records of a comparison of {department}/{feed_id} that are not solved yet, got none."
            )
        _, since, until = found
        result = self.compare(department, feed_id, since, until)
        batches = self.fix(department, feed_id) if result.missing_in_store + result.differs else []
        if batches:
            self.compare(department, feed_id, since, until)
        return batches, self.withdraw(department, feed_id, done_by, reason, problem_ids)

    def _source(self, feed: Feed) -> Source:
        address = self._pipeline.settings.connection(feed.transport.connection)
        return connector_of(feed).source(address, self._pipeline.catalog.department(feed.department).pool.slots)

    def _compare_window(self, feed: Feed, newest: Batch, result: Result) -> None:
        assert result.compared_until is not None
        since = result.since or _FIRST
        horizon_day = result.compared_until.astimezone(CITY_TIME_ZONE).date()
        last_complete_day = datetime.combine(horizon_day, time(), tzinfo=CITY_TIME_ZONE) - timedelta(microseconds=1)
        sums = self._source(feed).day_sums(since, last_complete_day) if since <= last_complete_day else {}
        if sums is None:
            result.method = "keys"
            self._compare_keys(feed, newest, result, [Window(start=result.since)], None)
            return
        result.method = "day_sums"
        roll_up.refresh(self._url, self._pipeline.catalog)
        with store_connection(self._url) as connection:
            stored = roll_up.store_days(connection, feed.department, feed.id, since.date(), last_complete_day.date())
        unequal = sorted(day for day in sums.keys() | stored.keys() if sums.get(day) != stored.get(day))
        result.days = len(sums.keys() | stored.keys())
        result.unequal_days = len(unequal)
        # Rows that changed after the instant are read as well: the store may have them under an earlier time.
        tail = Window(start=max(since, datetime.combine(horizon_day, time(), tzinfo=CITY_TIME_ZONE)))
        read = [*unequal, horizon_day]
        self._compare_keys(feed, newest, result, [*_ranges(unequal), tail], read)
        result.source_count = sum(day.number for day in sums.values())
        result.store_count = sum(day.number for day in stored.values())

    def _compare_snapshot(self, feed: Feed, newest: Batch, result: Result) -> None:
        if newest.landing_path is None or not self._pipeline.landing.holds(newest.landing_path, newest.source_bytes):
            result.note = f"批次 {newest.batch_id} 的全量文件已不在落地区，无法比对"
            return
        result.method = "snapshot"
        result.note = f"与批次 {newest.batch_id} 的全量数据比对"
        with self._open_comparison() as connection:
            self._stage_keys(connection, feed, newest, newest.landing_path)
            self._record_differences(connection, feed, result, None, timed=False)

    def _compare_keys(
        self, feed: Feed, newest: Batch, result: Result, windows: Sequence[Window], days: list[date] | None
    ) -> None:
        """Read `windows` of the source and compare; `days` are those read, None for all of the period."""
        source = self._source(feed)
        with self._open_comparison() as connection:
            for window in windows:
                self._read_window(connection, feed, source, replace(newest, landed_at=result.started_at), window)
            if result.since is not None:
                self._look_up_unseen(connection, feed, source, newest, result, days)
            self._record_differences(connection, feed, result, days, timed=True)

    def _read_window(
        self, connection: psycopg.Connection[Any], feed: Feed, source: Source, batch: Batch, window: Window
    ) -> None:
        """Read a window of the source into the comparison's table."""
        landing = self._pipeline.landing
        for delivery in source.deliveries(window):
            path = f"{feed.department}/{feed.id}/reconciliation/{uuid.uuid4().hex}"
            try:
                collected = source.land(delivery, landing, path)
                if collected.rejection:
                    raise collected.rejection
                self._stage_keys(connection, feed, batch, path)
            finally:
                landing.discard([path])

    def _look_up_unseen(
        self,
        connection: psycopg.Connection[Any],
        feed: Feed,
        source: Source,
        newest: Batch,
        result: Result,
        days: list[date] | None,
    ) -> None:
        """Look up records that the source does not have in the period: their time may have been moved to before it.

        They are looked up by key where the source supports that; else everything before the period is read.
        """
        values = self._period(feed, result, days)
        table = StoreTable(feed.dataset, feed.license_type, ())
        unseen = [
            key
            for (key,) in connection.execute(
                statement("reconcile/comparison.unseen_keys").format(**table.names), values
            )
        ]
        connection.commit()
        if not unseen:
            return
        found = source.newest_times(unseen)
        if found is None:
            log.info(
                "%s: the source does not show %d records since %s, and cannot look up keys: everything before that is "
                "read.",
                feed.name,
                len(unseen),
                result.since,
            )
            batch = replace(newest, landed_at=result.started_at)
            self._read_window(connection, feed, source, batch, Window(end=result.since))
            return
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into pg_temp.source_row (record_key, version_at) values (%s, %s)", list(found.items())
            )
        connection.commit()

    def _period(self, feed: Feed, result: Result, days: list[date] | None) -> dict[str, Any]:
        """Return the parameters of statements about the compared period; `days` are those read, None for all of it."""
        horizon = result.compared_until or _LAST
        return {
            "department": feed.department,
            "feed": feed.id,
            "license_type": feed.license_type,
            "since": result.since or _ALWAYS,
            "until": min(result.until or horizon, horizon),
            "horizon": horizon,
            "days": days,
        }

    @contextmanager
    def _open_comparison(self) -> Iterator[psycopg.Connection[Any]]:
        """Open the store with a table for the source's keys; no transaction stays open while the source is read."""
        with store_connection(self._url) as connection:
            connection.execute(statement("reconcile/comparison.source_row"))
            connection.commit()
            yield connection

    def _stage_keys(self, connection: psycopg.Connection[Any], feed: Feed, batch: Batch, path: str) -> None:
        """Stage a landed file and write its keys and version times to the comparison's table."""
        schema = f"reconciliation_{uuid.uuid4().hex[:12]}"
        with self._pipeline.landing.open(path) as content:
            staged = copy_rows(connection, replace(batch, origin="delivery"), feed, content, schema=schema)
        type_rows(connection, batch, feed, self._pipeline.catalog, staged, schema=schema)
        connection.execute(statement("reconcile/comparison.take_staged"))
        discard_schema(connection, schema)
        connection.commit()

    def _record_differences(
        self, connection: psycopg.Connection[Any], feed: Feed, result: Result, days: list[date] | None, *, timed: bool
    ) -> None:
        """Compare the source's keys with the store, and record differences and their problem records."""
        values: dict[str, Any] = {
            **self._period(feed, result, days),
            "dataset": feed.dataset,
            "timed": timed,
            "begun": result.started_at,
            "own_rules": OWN_RULES,
            "reasons": Jsonb(REASONS),
            "run_id": f"reconcile__{result.started_at.isoformat(timespec='seconds')}__{uuid.uuid4().hex[:6]}",
            "config_digest": self._pipeline.config_digest(feed),
        }
        table = StoreTable(feed.dataset, feed.license_type, ())
        connection.execute(statement("reconcile/comparison.source_key"))
        connection.execute("analyze pg_temp.source_key")
        connection.execute(statement("reconcile/compare.compare").format(**table.names), values)
        for kind, explanation, number in connection.execute(statement("reconcile/comparison.count_found")).fetchall():
            if explanation is None:
                setattr(result, kind, number)
            else:
                result.explained[explanation] = result.explained.get(explanation, 0) + number
        counted = connection.execute(
            statement("reconcile/comparison.count_keys").format(**table.names), values
        ).fetchone()
        assert counted is not None
        result.source_count, result.store_count = counted
        connection.execute(statement("reconcile/comparison.settle_differences"), values)
        batch = connection.execute(statement("reconcile/comparison.record_comparison_batch"), values).fetchone()
        if batch is not None:
            connection.execute(statement("reconcile/comparison.enter_problems"), {**values, "batch_id": batch[0]})
            connection.execute(statement("reconcile/comparison.enter_differences"), values)

    def _record(self, result: Result) -> None:
        with store_connection(self._url) as connection:
            values = {name: getattr(result, name) for name in result.__dataclass_fields__}
            connection.execute(
                statement("reconcile/comparison.record_run"), {**values, "explained": Jsonb(result.explained)}
            )


def _ranges(days: Sequence[date]) -> list[Window]:
    """Return the windows of days that follow each other; days ascend."""
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and day - ranges[-1][1] <= timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return [
        Window(
            # The first day of all includes rows without a time, or with an earlier one.
            start=datetime.combine(first, time(), tzinfo=CITY_TIME_ZONE) if first > EARLIEST.date() else None,
            end=datetime.combine(last, time.max, tzinfo=CITY_TIME_ZONE),
        )
        for first, last in ranges
    ]


def since_of(days: int | None) -> datetime | None:
    """Return the start of a period of so many days that ends today; None for no bound."""
    if days is None:
        return None
    if days < 1:
        raise ConfigurationError(f"Expected a period of at least one day, got {days}.")
    return clock.now() - timedelta(days=days)
