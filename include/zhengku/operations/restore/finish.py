"""What is done once after every restore, before the next night: numbers, evidence, landing, batches that are lacking.

The restored store is a store of an earlier moment. What was given up since (batches, returns, versions) is read from
`given_up`, a second store that has it: production before the restore, or a copy restored to the end of the archive.
Where there is none, names of files and landed files are what is left of it. docs/decisions/0067 has the reasons.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from zhengku import clock, ledger
from zhengku.audit import close_evidence, require_unchanged
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import open_store, statement, store_connection
from zhengku.errors import CatalogError, ConfigurationError, ZhengkuError
from zhengku.landed.landing import Landed, LandedFile
from zhengku.ledger import Batch, Connection
from zhengku.load.merge import close_repeat
from zhengku.operations.replay import require_name_and_reason, verified_file
from zhengku.operations.restore.landing_comparison import LandingComparison, compare_landing, place_of
from zhengku.operations.restore.numbers import GivenNumbers, given_by_files, given_by_store, raise_numbers
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings

log = logging.getLogger(__name__)

DELIVERED = ("delivery", "backfill")
"""Origins of batches that are done again; the others come of what people or comparisons did, which they do again."""

_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True)
class NotRepeated:
    """A batch or a landed file that was given up and is not done again, and why."""

    what: str
    why: str
    cause: Literal["people", "orphan", "error"]


@dataclass(frozen=True)
class GivenUp:
    """What people have to know of what was given up; `rows` by table, empty where it could not be read."""

    is_known: bool
    rows: Mapping[str, int]
    returns: Sequence[Mapping[str, Any]]
    decisions: Sequence[Mapping[str, Any]]
    versions: Sequence[tuple[str, str, int]]
    void_heads: Mapping[int, str]


@dataclass(frozen=True)
class FinishedRestore:
    """The outcome: `numbers` by table are the highest known one and the first to come; `repeated` what was loaded."""

    restore_id: int
    restored_to: datetime
    finished_by: str
    reason: str
    numbers: Mapping[str, Sequence[int]]
    given_up: GivenUp
    landing: LandingComparison
    repeated: Sequence[Batch]
    not_repeated: Sequence[NotRepeated]
    seal_id: int
    head: str


@dataclass(frozen=True)
class _Lost:
    """A batch or landed file to be done again."""

    batch: Batch | None
    file: LandedFile | None


def finish_restore(
    settings: Settings,
    restored_to: datetime,
    given_up_url: str | None,
    done_by: str,
    reason: str,
    *,
    from_dump: bool = False,
    until: datetime | None = None,
) -> FinishedRestore:
    """Finish a restore to a moment; safe to repeat, and to be continued after an error.

    `given_up_url` is the address of the store that has what was given up, which is only read; None when it is lost.
    With `from_dump` the store was made from a dump, whose timeline says nothing. `until` leaves out what was given up
    later than that. A batch that cannot be done again stands in `not_repeated`. Raises `ConfigurationError` when the
    store is not one restored to that moment, or the given-up store is not a later state of it; `LandingUnavailable`.
    """
    require_name_and_reason("finishes the restore", done_by, reason)
    owner_url = settings.owner_database_url
    now = clock.now()
    with _given_up_store(given_up_url) as given_up, store_connection(owner_url) as connection:
        # Numbers are raised by one process at a time.
        connection.execute("select pg_advisory_lock(hashtextextended('zhengku.restore', 0))")
        connection.commit()
        known = _require_restored(connection, restored_to, from_dump=from_dump)
        if given_up is not None:
            _require_later_state(connection, given_up)
        given = given_by_files(settings.report_folder, settings.return_folder)
        before = given_by_store(connection)
        what = _what_is_given_up(connection, given_up, before, restored_to)
        given.add(before)
        if given_up is not None:
            given.add(given_by_store(given_up))
        restore_id, numbers = known or _raise_and_record(connection, given, what, restored_to, done_by, reason, now)
        connection.commit()
        pipeline = Pipeline(settings, warm_up=True)
        landing = compare_landing(connection, pipeline.landing, digests_since=restored_to - timedelta(days=1))
        lost, not_repeated = _to_repeat(connection, given_up, landing, restored_to, until or now + _CLOCKS_DIFFER)
        repeated, failed = _repeat(pipeline, connection, lost, restore_id)
        seal = close_evidence(connection)
        require_unchanged(connection)
    assert seal is not None
    return FinishedRestore(
        restore_id=restore_id,
        restored_to=restored_to,
        finished_by=done_by,
        reason=reason,
        numbers=numbers,
        given_up=what,
        landing=landing,
        repeated=repeated,
        not_repeated=[*not_repeated, *failed],
        seal_id=seal.seal_id,
        head=seal.head,
    )


@contextmanager
def _given_up_store(url: str | None) -> Iterator[Connection | None]:
    """Open the store that was given up for reading only, with what it has at this moment."""
    if url is None:
        yield None
        return
    with open_store(url, settings={"default_transaction_read_only": "on"}) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


def _require_restored(
    connection: Connection, restored_to: datetime, *, from_dump: bool
) -> tuple[int, dict[str, list[int]]] | None:
    """Check that this is a store restored to a moment; return number and numbers of a finish that was begun before."""
    with connection.cursor(row_factory=dict_row) as cursor:
        state = cursor.execute(statement("ledger/restores.timeline")).fetchone()
    assert state is not None
    begun = state["timeline"] == state["known_timeline"]
    if begun and state["restored_to"] == restored_to:
        row = connection.execute(statement("ledger/restores.numbers"), state).fetchone()
        assert row is not None
        return state["restore_id"], row[0]
    if begun and not from_dump:
        raise ConfigurationError(
            f"Expected a store whose server was restored since timeline {state['known_timeline']} was recorded, got "
            "one on that timeline: nothing was restored here, or it was finished to another minute "
            f"({_text(state['restored_to'])}). Check ZHENGKU_DATABASE_URL; of a store made from a dump say --dump."
        )
    newest = max(filter(None, (state["newest_batch"], state["newest_seal"])), default=None)
    if newest is not None and newest > restored_to:
        raise ConfigurationError(
            f"Expected nothing in the store that is newer than the minute restored to ({_text(restored_to)}), got "
            f"a batch or seal of {_text(newest)}. Name the minute that pgBackRest was given as --target."
        )
    return None


def _require_later_state(connection: Connection, given_up: Connection) -> None:
    """Check that the given-up store is another one, and has the newest batch that was not made since the restore."""
    servers = [one.execute(statement("ledger/restores.server")).fetchone() for one in (connection, given_up)]
    assert servers[0] is not None
    assert servers[1] is not None
    if servers[0][:3] == servers[1][:3]:
        raise ConfigurationError(
            "Expected the store that was given up, got the restored store itself. Name the server that has what came "
            "after the minute, or say that it is lost."
        )
    newest = connection.execute(statement("ledger/restores.newest_batch")).fetchone()
    if newest is None:
        return
    values = {"batch_id": newest[0], "recorded_at": newest[1]}
    same = given_up.execute(statement("ledger/restores.same_batch"), values).fetchone()
    if same != (True,):
        raise ConfigurationError(
            f"Expected a later state of this store, got one that does not have its batch {newest[0]} of "
            f"{_text(newest[1])}. Name the server that production ran on before the restore."
        )


def _what_is_given_up(
    connection: Connection, given_up: Connection | None, before: GivenNumbers, restored_to: datetime
) -> GivenUp:
    if given_up is None:
        return GivenUp(False, {}, (), (), (), {})
    after = given_by_store(given_up)
    rows = {
        table: number - before.tables.get(table, 0)
        for table, number in after.tables.items()
        if number > before.tables.get(table, 0)
    }
    versions = [
        (kind, scope, number)
        for (kind, scope), number in sorted(after.versions.items())
        if number > before.versions.get((kind, scope), 0)
    ]
    newest = connection.execute(statement("ledger/restores.newest_seal")).fetchone()
    assert newest is not None
    heads = given_up.execute(statement("ledger/restores.seals_after"), {"seal_id": newest[0]}).fetchall()
    last = before.tables
    with given_up.cursor(row_factory=dict_row) as cursor:
        returns = cursor.execute(
            statement("ledger/restores.returns_given_up"), {"return_id": last.get("quarantine.problem_return", 0)}
        ).fetchall()
        decisions = cursor.execute(
            statement("ledger/restores.decisions_given_up"), {"decision_id": last.get("ledger.decision", 0)}
        ).fetchall()
    log.info("Given up since %s: %s", restored_to, rows)
    return GivenUp(True, rows, returns, decisions, versions, dict(heads))


def _raise_and_record(
    connection: Connection,
    given: GivenNumbers,
    what: GivenUp,
    restored_to: datetime,
    done_by: str,
    reason: str,
    now: datetime,
) -> tuple[int, dict[str, list[int]]]:
    """Raise every counter and record the restore, in one transaction: until then the store gives no number."""
    numbers = raise_numbers(connection, given, restored_to, now)
    values = {
        "restored_to": restored_to,
        "finished_by": done_by,
        "reason": reason,
        "given_up": Jsonb(dict(what.rows)) if what.is_known else None,
        "void_heads": Jsonb({str(seal_id): head for seal_id, head in what.void_heads.items()}),
        "numbers": Jsonb(numbers),
    }
    row = connection.execute(statement("ledger/restores.record_restore"), values).fetchone()
    assert row is not None
    return int(row[0]), numbers


def _to_repeat(
    connection: Connection,
    given_up: Connection | None,
    landing: LandingComparison,
    restored_to: datetime,
    until: datetime,
) -> tuple[list[_Lost], list[NotRepeated]]:
    """Return what has to be done again, in the order of delivery, and what is left to people."""
    lost: list[_Lost] = []
    left: list[NotRepeated] = []
    if given_up is not None:
        # A batch may have been recorded long before its transaction ended.
        since = {"since": restored_to - timedelta(days=1), "until": until}
        with given_up.cursor(row_factory=class_row(Batch)) as cursor:
            batches = cursor.execute(statement("ledger/restores.batches_since"), since).fetchall()
        ids = {"batch_ids": [batch.batch_id for batch in batches]}
        known = {row[0] for row in connection.execute(statement("ledger/restores.known_batches"), ids).fetchall()}
        for batch in batches:
            if batch.batch_id in known:
                continue
            if batch.origin in DELIVERED:
                lost.append(_Lost(batch, None))
            else:
                why = f"it is a {batch.origin}: do it again where needed"
                left.append(NotRepeated(f"batch {batch.batch_id}", why, "people"))
    named = {one.batch.landing_path for one in lost if one.batch is not None}
    for file in landing.unknown:
        if file.path in named or file.written_at > until:
            continue
        if given_up is not None or file.written_at < restored_to:
            left.append(NotRepeated(file.path, "no batch had it: a run that was killed left it", "orphan"))
        else:
            lost.append(_Lost(None, file))
    return lost, left


def _repeat(
    pipeline: Pipeline, connection: Connection, lost: Sequence[_Lost], restore_id: int
) -> tuple[list[Batch], list[NotRepeated]]:
    """Finish what was begun before the moment, then record and load what is lacking, each in its order of delivery."""
    done: list[Batch] = []
    failed: list[NotRepeated] = []
    for (batch_id,) in connection.execute(statement("ledger/restores.batches_to_finish")).fetchall():
        connection.commit()
        try:
            done.append(pipeline.load(batch_id))
        except ZhengkuError as error:
            failed.append(NotRepeated(f"batch {batch_id}", str(error), "error"))
    connection.commit()
    for one in lost:
        name = f"batch {one.batch.batch_id}" if one.batch is not None else one.file.path if one.file is not None else ""
        try:
            values = _values_of(pipeline, one, restore_id)
            with store_connection(pipeline.settings.database_url) as steps:
                batch = ledger.record_batch(steps, values)
                if batch.status == "landed" and (repeat := close_repeat(steps, batch)) is not None:
                    batch = repeat
            connection.execute(
                statement("ledger/restores.record_restored_batch"),
                {
                    "batch_id": batch.batch_id,
                    "restore_id": restore_id,
                    "earlier_batch_id": one.batch.batch_id if one.batch is not None else None,
                },
            )
            connection.commit()
            done.append(batch if batch.finished else pipeline.load(batch.batch_id))
        except ZhengkuError as error:
            log.warning("%s is not done again: %s", name, error)
            failed.append(NotRepeated(name, str(error), "error"))
    return done, failed


def _values_of(pipeline: Pipeline, one: _Lost, restore_id: int) -> dict[str, Any]:
    """Return what the ledger records of a batch that is done again. Raises for a file that is gone or was changed."""
    if one.batch is not None:
        return _values_as_given_up(pipeline, one.batch, restore_id)
    assert one.file is not None
    place = place_of(one.file.path)
    if place is None:
        raise CatalogError(
            f"{one.file.path}: expected <department>/<feed>/<day>/<digest>-<name>, as the collector lands."
        )
    feed = pipeline.catalog.feed(place.department, place.feed)
    digest = pipeline.landing.sha256(one.file.path)
    return {
        **_of_feed(pipeline, place.department, place.feed),
        "run_id": f"restore-{restore_id}",
        "status": "landed",
        "source_name": place.name,
        "source_bytes": one.file.size,
        "source_modified_at": one.file.written_at,
        "sha256": digest,
        "landing_path": one.file.path,
        "landed_at": one.file.written_at,
        "absent_fields": sorted(feed.absent_fields),
        "position_key": [],
        **dict.fromkeys(
            ("manifest", "window_start", "window_end", "position_at", "rule_id", "reason", "detail", "backfill_month")
        ),
    }


def _values_as_given_up(pipeline: Pipeline, batch: Batch, restore_id: int) -> dict[str, Any]:
    """Return the values of a given-up batch: with its watermark, its manifest, and a release by a person."""
    landed: Landed | None = None
    if batch.landing_path is not None and batch.status != "rejected":
        with store_connection(pipeline.settings.database_url) as connection:
            landed = verified_file(pipeline, connection, batch)
    is_rejected = batch.status == "rejected"
    return {
        **_of_feed(pipeline, batch.department, batch.feed),
        "run_id": f"restore-{restore_id}__{batch.run_id}",
        "status": "rejected" if is_rejected else "landed",
        "source_name": batch.source_name,
        "source_bytes": landed.size if landed is not None else batch.source_bytes,
        "source_modified_at": batch.source_modified_at,
        "sha256": batch.sha256,
        "landing_path": batch.landing_path,
        "landed_at": batch.landed_at,
        "manifest": batch.manifest,
        "window_start": batch.window_start,
        "window_end": batch.window_end,
        "position_at": batch.position_at,
        "position_key": batch.position_key,
        "absent_fields": sorted(pipeline.catalog.feed(batch.department, batch.feed).absent_fields),
        "rule_id": batch.rule_id if is_rejected else None,
        "reason": batch.reason if is_rejected else None,
        "detail": batch.detail if is_rejected else None,
        "origin": batch.origin,
        "backfill_month": batch.backfill_month,
        # Who released it then has decided: it is not asked again.
        "released_by": batch.released_by if batch.status == "loaded" else None,
        "release_reason": batch.release_reason if batch.status == "loaded" else None,
    }


def _of_feed(pipeline: Pipeline, department: str, feed_id: str) -> dict[str, Any]:
    feed = pipeline.catalog.feed(department, feed_id)
    return {
        "department": department,
        "feed": feed_id,
        "dataset": feed.dataset,
        "license_type": feed.license_type,
        "config_digest": pipeline.config_digest(feed),
    }


def _text(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M:%S}"
