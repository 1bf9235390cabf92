"""Kills a step of the pipeline at the point that a plan names; the DAG files of the kill tests import it.

ZHENGKU_KILL_FOLDER holds `plan.json`, a list of {"kill", "feed", "step", "tick", "victim", "commit"}. A step's ticks
are what it asks of the outside world: statements, blocks of COPY and of the landing area, commits, requests. A kill
whose tick does not come happens at the end of its step. Each happens once, in whichever process gets there first, and
stands in `log.jsonl` before it is done. How many ticks a step had that nothing interrupted goes to `ticks.jsonl`.

With `commit`, a kill strikes while a COMMIT is in flight, and `tick` counts the step's transactions that wrote: the
message was `sent` to the server, or the kill tore it (`torn`) and only its beginning came out; nobody reads the answer.
Whether the transaction was committed is seen by the kill's row in `kills.struck`, which it wrote, too: after a crash
the server may give the same transaction number again. Such a kill does not happen when no COMMIT comes.

The steps are the four of the pipeline, and `collected` and `loaded`: the work is committed, and Airflow does not know
yet.
Victims are `task` (the process of the task), `supervisor` (Airflow's process above it too, so that nobody reports the
death but the missing heartbeat) and `postgres` (a backend of the store: the server kills all its sessions and goes
through its recovery, after which unlogged tables are empty).
"""

import contextlib
import functools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

FOLDER = Path(os.environ["ZHENGKU_KILL_FOLDER"])


class _Now:
    """What this process is doing: step and feed, and how many ticks and writing transactions it has had there."""

    step: str | None = None
    feed = ""
    ticks = 0
    commits = 0


def _log(name: str, entry: dict[str, Any]) -> None:
    with (FOLDER / name).open("a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")
        log.flush()
        os.fsync(log.fileno())


def _tick(what: str, *, last: bool = False) -> None:
    if _Now.step is None:
        return
    _Now.ticks += 1
    for kill in _planned_here():
        if not kill["commit"] and (last or _Now.ticks >= kill["tick"]) and _claimed(kill["kill"]):
            _log_kill(kill, what, _Now.ticks)
            _kill(kill["victim"])


def _planned_here() -> list[dict[str, Any]]:
    plan = json.loads((FOLDER / "plan.json").read_text(encoding="utf-8"))
    return [kill for kill in plan if (kill["feed"], kill["step"]) == (_Now.feed, _Now.step)]


def _log_kill(kill: dict[str, Any], what: str, reached: int) -> None:
    _log("log.jsonl", {**kill, "at": what, "reached": reached, "pid": os.getpid(), "time": time.time()})


def _claimed(kill: int) -> bool:
    try:
        (FOLDER / f"claimed-{kill}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _kill(victim: str) -> None:
    if victim == "postgres":
        _kill_backend()
        return
    # An orphan has had its supervisor killed before.
    if victim == "supervisor" and (supervisor := os.getppid()) > 1:
        os.kill(supervisor, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_backend() -> None:
    import psycopg

    with _uncounted():
        connection = psycopg.connect(os.environ["ZHENGKU_DATABASE_URL"].replace("+psycopg", ""))
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        # Until it is gone: the server then ends all its other sessions.
        with contextlib.suppress(psycopg.OperationalError):
            connection.execute("select pg_sleep(10)")
        connection.close()


def _before_commit(connection: Any, what: str) -> None:
    """Let the COMMIT that comes next be struck in flight, when its transaction wrote and a kill is planned for it."""
    from psycopg.pq import TransactionStatus
    from psycopg.rows import tuple_row

    if _Now.step is None or connection.info.transaction_status != TransactionStatus.INTRANS:
        return
    with _uncounted(), connection.cursor(row_factory=tuple_row) as cursor:
        [wrote] = cursor.execute("select pg_current_xact_id_if_assigned() is not null").fetchone()
    if not wrote:
        return
    _Now.commits += 1
    for kill in _planned_here():
        if kill["commit"] and _Now.commits >= kill["tick"] and _claimed(kill["kill"]):
            with _uncounted():
                connection.execute("insert into kills.struck (kill) values (%s)", (kill["kill"],))
            _log_kill(kill, f"{what}, COMMIT {kill['commit']}", _Now.commits)
            _kill_in_flight(connection, kill)


def _kill_in_flight(connection: Any, kill: dict[str, Any]) -> None:
    import psycopg

    if kill["commit"] == "torn":
        # Type and length of the whole message, but not all of its text.
        os.write(connection.pgconn.socket, b"Q\x00\x00\x00\x0bCOM")
    else:
        connection.pgconn.send_query(b"COMMIT")
        connection.pgconn.flush()
    if kill["victim"] != "postgres":
        _kill(kill["victim"])
    # Killed at once, the server may or may not have come to the end of the COMMIT; a moment later it mostly has.
    time.sleep(Random(f"in flight {kill['kill']}").choice((0, 0.0005)))
    os.kill(connection.info.backend_pid, signal.SIGKILL)
    connection.pgconn.finish()
    raise psycopg.OperationalError("the server was killed while the answer to COMMIT was awaited")


@contextlib.contextmanager
def _uncounted() -> Iterator[None]:
    before, _Now.step = _Now.step, None
    try:
        yield
    finally:
        _Now.step = before


@contextlib.contextmanager
def _doing(step: str, feed: str) -> Iterator[None]:
    before = (_Now.step, _Now.feed, _Now.ticks, _Now.commits)
    _Now.step, _Now.feed, _Now.ticks, _Now.commits = step, feed, 0, 0
    try:
        yield
        _log("ticks.jsonl", {"feed": feed, "step": step, "ticks": _Now.ticks, "commits": _Now.commits})
        _tick(f"end of {step}", last=True)
    finally:
        _Now.step, _Now.feed, _Now.ticks, _Now.commits = before


def _count(owner: Any, name: str) -> None:
    inner: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(inner)
    def counted(*arguments: Any, **options: Any) -> Any:
        _tick(f"before {owner.__name__}.{name}")
        return inner(*arguments, **options)

    setattr(owner, name, counted)


class _CountedReads:
    """Content on its way into the landing area."""

    def __init__(self, content: Any) -> None:
        self._content = content

    def read(self, size: int, /) -> Any:
        _tick("before a block is landed")
        return self._content.read(size)


def _watch() -> None:
    import psycopg
    import pymysql.cursors
    import requests

    from zhengku.collect.collector import Collector
    from zhengku.landed.landing import LandingArea
    from zhengku.pipeline.pipeline import Pipeline

    for owner, name in (
        (psycopg.Cursor, "execute"),
        (psycopg.Cursor, "executemany"),
        (psycopg.Copy, "write"),
        (pymysql.cursors.Cursor, "execute"),
        (requests.Session, "send"),
    ):
        _count(owner, name)
    _watch_commits()
    collector: Any = Collector
    pipeline: Any = Pipeline
    put, collect, load_run = LandingArea.put, collector.collect, pipeline.load_run

    def put_watched(self: Any, content: Any, *arguments: Any, **options: Any) -> Any:
        landed = put(self, _CountedReads(content), *arguments, **options)
        _tick("landed, not in the ledger yet")
        return landed

    def collect_watched(self: Any, department: str, feed_id: str, *arguments: Any, **options: Any) -> Any:
        feed = f"{department}/{feed_id}"
        with _doing("collect", feed):
            batches = collect(self, department, feed_id, *arguments, **options)
        with _doing("collected", feed):
            _tick("the batches are in the ledger, the task has not succeeded yet")
        return batches

    def load_run_watched(self: Any, *arguments: Any, **options: Any) -> Any:
        batches = load_run(self, *arguments, **options)
        for feed in sorted({f"{batch.department}/{batch.feed}" for batch in batches}):
            with _doing("loaded", feed):
                _tick("the rows are committed, the task has not succeeded yet")
        return batches

    def watch_step(step: str) -> None:
        inner = getattr(pipeline, step)

        def watched(self: Any, batch_id: int) -> Any:
            with _doing(step, _feed_of(self, batch_id)):
                return inner(self, batch_id)

        setattr(pipeline, step, watched)

    LandingArea.put = put_watched  # type: ignore[method-assign]
    collector.collect, pipeline.load_run = collect_watched, load_run_watched
    for step in ("stage", "validate", "load"):
        watch_step(step)


def _watch_commits() -> None:
    import psycopg

    commit, leave = psycopg.Connection.commit, psycopg.Transaction.__exit__

    def commit_watched(self: Any) -> None:
        _tick("before Connection.commit")
        _before_commit(self, "Connection.commit")
        commit(self)

    def leave_watched(self: Any, error: Any, *others: Any) -> Any:
        _tick("before Transaction.__exit__")
        if error is None and not self.savepoint_name:
            _before_commit(self.connection, "Transaction.__exit__")
        return leave(self, error, *others)

    psycopg.Connection.commit = commit_watched  # type: ignore[method-assign]
    psycopg.Transaction.__exit__ = leave_watched  # type: ignore[method-assign]


def _feed_of(pipeline: Any, batch_id: int) -> str:
    from zhengku import ledger
    from zhengku.database import store_connection

    with _uncounted(), store_connection(pipeline.settings.database_url) as connection:
        batch = ledger.batch_by_id(connection, batch_id)
    return f"{batch.department}/{batch.feed}"


_watch()
