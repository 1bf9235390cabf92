"""Trial: run a changed suite over the data of the last nights, without writing, before it goes live.

Each batch is staged from its landed file in a schema of its own, checked with the rules as they are and as changed, and
dropped: ledger, quarantine, store and the batch's own staging tables are not touched.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

import psycopg
from psycopg.rows import class_row

from zhengku import clock, ledger
from zhengku.catalog import Feed
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection, use_schema
from zhengku.errors import (
    CatalogError,
    ConfigurationError,
    DeliveryRejected,
    DeliveryUnavailable,
    LandingUnavailable,
    RemovedByRetention,
    ZhengkuError,
)
from zhengku.landed.address import without_login
from zhengku.ledger import Batch, Connection
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings
from zhengku.stage.staging import copy_rows, discard_schema, type_rows
from zhengku.validate.suites import BATCH_SUITE, Severity, Suite, load_suites, suite_names

SCHEMA: Final = "rules_trial"
"""Schema in which a trial stages batches, one after another; the next trial drops what a killed one leaves there."""


@dataclass(frozen=True)
class RuleComparison:
    """One rule of the suite: rows that fail it now and with the change (of a batch rule: 1 where the batch fails).

    A severity is None where that version of the suite has no such rule.
    """

    rule_id: str
    severity_now: Severity | None
    severity_changed: Severity | None
    failing_now: int
    failing_changed: int


@dataclass(frozen=True)
class BatchComparison:
    """One batch under both versions; counts are rows.

    `newly_warned` rows are loaded under both versions, with a warning only under the changed one. `held_now` and
    `held_changed` are the ids of the batch rules that hold the batch.
    """

    batch_id: int
    feed: str
    rows: int
    newly_quarantined: int
    newly_passing: int
    newly_warned: int
    held_now: tuple[str, ...]
    held_changed: tuple[str, ...]
    rules: tuple[RuleComparison, ...]


@dataclass(frozen=True)
class NotTried:
    """A batch that could not be tried, and why."""

    batch_id: int
    feed: str
    why: str


@dataclass(frozen=True)
class FeedComparison:
    """The batches of one feed together: `held_now`, `held_changed` count batches, the other counts are rows."""

    feed: str
    batches: int
    rows: int
    newly_quarantined: int
    newly_passing: int
    newly_warned: int
    held_now: int
    held_changed: int
    rules: tuple[RuleComparison, ...]


@dataclass(frozen=True)
class Trial:
    """A changed suite tried on the batches of the last `nights` days, today included (Asia/Shanghai)."""

    suite: str
    nights: int
    batches: tuple[BatchComparison, ...]
    not_tried: tuple[NotTried, ...]

    @property
    def feeds(self) -> list[FeedComparison]:
        """The comparisons by feed, sorted by name."""
        by_feed: dict[str, list[BatchComparison]] = {}
        for batch in self.batches:
            by_feed.setdefault(batch.feed, []).append(batch)
        return [_sum_of_feed(feed, by_feed[feed]) for feed in sorted(by_feed)]


def try_suite(
    settings: Settings, suite: str, changed: Path, nights: int, observe: Callable[[str], None] = lambda _: None
) -> Trial:
    """Try the file `changed` instead of that of `suite` on every batch of the last `nights` days that the suite checks.

    A batch whose file is gone or whose feed was removed is listed in `not_tried`. `observe` is called with the name of
    each batch.
    Raises `ConfigurationError` for an unknown suite, a file that does not exist, or when there is no batch at all;
    `CatalogError`, naming file and entry, for a suite that is wrong; the first reason, when no batch could be tried.
    """
    folder = settings.suite_folder
    if suite not in suite_names(folder):
        raise ConfigurationError(f"No suite {suite!r}. There is: {', '.join(suite_names(folder)) or 'none'}.")
    if not changed.is_file():
        raise ConfigurationError(
            f"--file: expected a changed {suite}.json, there is no file {changed}. Copy {folder / suite}.json and "
            "change the copy."
        )
    # Mistakes in the file itself are reported before anything is staged.
    load_suites(folder, [suite], {suite: changed})
    pipeline = Pipeline(settings)
    today = clock.today()
    since = datetime.combine(today - timedelta(days=nights - 1), time(), CITY_TIME_ZONE)
    compared: list[BatchComparison] = []
    not_tried: list[NotTried] = []
    failures: list[ZhengkuError] = []
    with store_connection(settings.database_url) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('zhengku.rules_trial', 0))")
        for batch in _loaded_since(connection, since):
            name = f"{batch.department}/{batch.feed}"
            try:
                feed = pipeline.catalog.feed(batch.department, batch.feed)
            except CatalogError as error:
                # The feed was removed, or the department's file is wrong: the other batches are tried all the same.
                not_tried.append(NotTried(batch.batch_id, name, str(error)))
                failures.append(error)
                continue
            live = load_suites(folder, [*feed.suites, BATCH_SUITE])
            if suite not in {one.name for one in live}:
                continue
            observe(f"{name} batch {batch.batch_id}")
            try:
                _stage(connection, pipeline, batch, feed)
                compared.append(_compare(connection, pipeline, batch, feed, suite, changed))
            except (DeliveryUnavailable, LandingUnavailable, DeliveryRejected, RemovedByRetention) as error:
                not_tried.append(NotTried(batch.batch_id, name, str(error)))
                failures.append(error)
            finally:
                _drop_staged(connection)
    if not compared:
        if failures:
            raise failures[0]
        raise ConfigurationError(
            f"Expected a batch that was loaded in the last {nights} nights and is checked by {suite}; there is none. "
            "Look further back: --nights."
        )
    return Trial(suite, nights, tuple(compared), tuple(not_tried))


def _loaded_since(connection: Connection, since: datetime) -> list[Batch]:
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        batches = cursor.execute(statement("operations/trial.loaded_since"), {"since": since}).fetchall()
    connection.commit()
    return batches


def _stage(connection: Connection, pipeline: Pipeline, batch: Batch, feed: Feed) -> None:
    """Stage the landed file of a batch under today's configuration of its feed."""
    assert batch.landing_path is not None
    ledger.expect_not_removed(connection, batch.landing_path)
    if not pipeline.landing.holds(batch.landing_path, batch.source_bytes):
        raise DeliveryUnavailable(
            f"Batch {batch.batch_id}: expected {batch.source_bytes} bytes at {batch.landing_path} in the landing area "
            f"{without_login(pipeline.landing.url)}, and they are not there. It is left out."
        )
    with pipeline.landing.open(batch.landing_path) as content:
        staged = copy_rows(connection, batch, feed, content, schema=SCHEMA)
        type_rows(connection, batch, feed, pipeline.catalog, staged, schema=SCHEMA)
    # Great Expectations reads the rows over a connection of its own.
    connection.commit()


def _drop_staged(connection: psycopg.Connection[object]) -> None:
    """Drop the staged rows, also after an error; when the connection is lost, the next trial drops them."""
    if not connection.closed:
        connection.rollback()
        discard_schema(connection, SCHEMA)
        connection.commit()


def _compare(
    connection: Connection, pipeline: Pipeline, batch: Batch, feed: Feed, suite: str, changed: Path
) -> BatchComparison:
    # Great Expectations takes seconds to import.
    from zhengku.validate.staged_batch import StagedBatch

    folder = pipeline.settings.suite_folder
    # The rules use the day on which the batch was validated: a date that was in the future then still is.
    on_day = (batch.validated_at or batch.recorded_at).astimezone(CITY_TIME_ZONE).date()
    staged = StagedBatch(pipeline.settings.database_url, SCHEMA, batch, feed, pipeline.catalog, on_day)

    def run_rules(replaced: Mapping[str, Path]) -> tuple[dict[str, int], list[str]]:
        """Check rows and batch; return how many rows fail each rule, and the batch rules that hold the batch."""
        rows = staged.validate(connection, load_suites(folder, feed.suites, replaced))
        summary = staged.validate_summary(connection, load_suites(folder, [BATCH_SUITE], replaced))
        failed = {**rows.failed_rows, **dict.fromkeys((rule.rule_id for rule in summary.failed), 1)}
        return failed, [rule.rule_id for rule in summary.failed if rule.severity == "critical"]

    failing_now, held_now = run_rules({})
    use_schema(connection, SCHEMA)
    connection.execute("alter table mark rename to mark_now")
    failing_changed, held_changed = run_rules({suite: changed})
    use_schema(connection, SCHEMA)
    counted = connection.execute(statement("operations/trial.compare_marks")).fetchone()
    assert counted is not None
    newly_quarantined, newly_passing, newly_warned = counted
    severities_now = _severities(load_suites(folder, [suite]), suite)
    severities_changed = _severities(load_suites(folder, [suite], {suite: changed}), suite)
    return BatchComparison(
        batch.batch_id,
        feed.name,
        batch.fetched or 0,
        newly_quarantined,
        newly_passing,
        newly_warned,
        tuple(held_now),
        tuple(held_changed),
        tuple(
            RuleComparison(
                rule_id,
                severities_now.get(rule_id),
                severities_changed.get(rule_id),
                failing_now.get(rule_id, 0),
                failing_changed.get(rule_id, 0),
            )
            for rule_id in {**severities_now, **severities_changed}
        ),
    )


def _severities(suites: Iterable[Suite], name: str) -> dict[str, Severity]:
    return {rule.rule_id: rule.severity for suite in suites if suite.name == name for rule in suite.rules}


def _sum_of_feed(feed: str, batches: Sequence[BatchComparison]) -> FeedComparison:
    rules: dict[str, RuleComparison] = {}
    for batch in batches:
        for rule in batch.rules:
            before = rules.get(rule.rule_id)
            rules[rule.rule_id] = RuleComparison(
                rule.rule_id,
                rule.severity_now,
                rule.severity_changed,
                rule.failing_now + (before.failing_now if before else 0),
                rule.failing_changed + (before.failing_changed if before else 0),
            )
    return FeedComparison(
        feed,
        len(batches),
        sum(batch.rows for batch in batches),
        sum(batch.newly_quarantined for batch in batches),
        sum(batch.newly_passing for batch in batches),
        sum(batch.newly_warned for batch in batches),
        sum(bool(batch.held_now) for batch in batches),
        sum(bool(batch.held_changed) for batch in batches),
        tuple(rules.values()),
    )
