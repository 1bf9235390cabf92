"""Any step may die and be repeated, at any instruction, and the store ends the same.

A forked child runs the pipeline and kills itself (SIGKILL) before its n-th statement, COPY block or commit; then the
same run is repeated, as Airflow repeats a task.
"""

import os
import signal

import psycopg
import pytest
from psycopg import sql
from tests.support.installation import OWNER_URL

from zhengku.errors import BalanceError, StoreUnavailable
from zhengku.ledger import Batch
from zhengku.pipeline.pipeline import Pipeline

ROWS = 8


@pytest.fixture
def delivered(installation, make_row):
    """An earlier version of two certificates is loaded; a delivery with new, newer, wrong and unreadable rows waits."""
    from zhengku.validate import run

    assert run  # imported here once, so that the children need not
    installation.deliver_rows("0.csv", make_row(1, 企业名称="鄂州市虚构旧名有限公司"), make_row(2), minutes_ago=120)
    installation.run("yesterday")
    installation.deliver_rows(
        "1.csv", *(make_row(n) for n in range(1, 6)), make_row(5), make_row(6, 企业名称=""), "x,y", minutes_ago=30
    )
    return installation


def count_down(limit: int) -> None:
    """Kill this process before the `limit`-th thing that it asks of the database."""
    left = limit

    def tick() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, name in (
        (psycopg.Cursor, "execute"),
        (psycopg.Connection, "commit"),
        (psycopg.Copy, "write"),
        (psycopg.Connection, "close"),
    ):
        inner = getattr(owner, name)

        def wrapped(*arguments, _inner=inner, **options):
            tick()
            return _inner(*arguments, **options)

        setattr(owner, name, wrapped)


def walk_and_die(installation, limit: int) -> bool:
    """Return whether the child died on the way; False when it came through."""
    child = os.fork()
    if child == 0:
        try:
            count_down(limit)
            installation.run("night")
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def check_end(installation) -> None:
    [batch] = [batch for batch in installation.run("night") if batch.run_id == "night"]
    assert (batch.status, batch.fetched) == ("loaded", ROWS)
    counts = {name: count for name, count in batch.counts().items() if count and name != "fetched"}
    assert counts == {"inserted": 3, "updated": 1, "unchanged": 1, "duplicate": 1, "quarantined": 2}
    assert sorted(row[:2] for row in installation.store().values()) == [
        [f"鄂州市虚构第{n:04d}号商贸有限公司", 2 if n == 1 else 1] for n in range(1, 6)
    ]
    assert installation.query("select count(*) from store.certificate_history") == [(1,)]
    assert installation.query("select times_seen from quarantine.problem_row") == [(1,), (1,)]
    assert installation.query("select count(*) from ledger.batch where run_id = 'night'") == [(1,)]
    assert installation.query("select nspname from pg_namespace where nspname like 'batch_%%'") == []
    landed = [path for path in (installation.drop.parents[1] / "landing").rglob("*") if path.is_file()]
    assert len(landed) == 2


@pytest.mark.parametrize("limit", [30])
def test_run_killed_at_a_statement_and_repeated_ends_the_same(delivered, limit):
    assert walk_and_die(delivered, limit)
    check_end(delivered)


@pytest.mark.slow
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.soak)])
def test_run_killed_at_its_statements_and_repeated_ends_the_same(delivered, installation, every):
    """One installation, a fresh delivery state for each kill by way of a database copy."""
    base = delivered.settings.environment[OWNER_URL].replace("+psycopg", "")
    name = base.rsplit("/", 1)[1]
    server = base.rsplit("/", 1)[0] + "/postgres"
    died = 0
    landing = installation.drop.parents[1] / "landing"
    kept = {path: path.read_bytes() for path in landing.rglob("*") if path.is_file()}
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'create database "{name}_start" template "{name}"')  # type: ignore[arg-type]
        try:
            for limit in range(0, 200, every):
                connection.execute(f'drop database "{name}" with (force)')  # type: ignore[arg-type]
                connection.execute(f'create database "{name}" template "{name}_start"')  # type: ignore[arg-type]
                # What an account may do to a database as a whole is not copied.
                connection.execute(f'grant create on database "{name}" to zhengku_pipeline')  # type: ignore[arg-type]
                for path in landing.rglob("*"):
                    if path.is_file() and path not in kept:
                        path.unlink()
                if not walk_and_die(delivered, limit):
                    break
                died += 1
                check_end(delivered)
        finally:
            connection.execute(f'drop database "{name}_start" with (force)')  # type: ignore[arg-type]
    assert died > 45 // every


@pytest.mark.slow
def test_staging_that_a_crash_of_the_server_emptied_is_staged_again(delivered):
    """Unlogged tables are empty after the server's recovery; the load must notice."""
    [batch] = delivered.pipeline.collect("market_supervision", "business_license", "night")
    delivered.pipeline.validate(batch.batch_id)
    empty_as_a_crash_does(delivered, batch.batch_id)
    check_end(delivered)


def empty_as_a_crash_does(installation, batch_id: int) -> None:
    tables = installation.query("select tablename from pg_tables where schemaname = %s", f"batch_{batch_id}")
    for (table,) in tables:
        installation.query(f"truncate batch_{batch_id}.{table}")


@pytest.mark.slow
@pytest.mark.parametrize("step", ["stage", "validate"])
def test_crash_of_the_server_right_after_a_step_is_noticed_by_the_next(delivered, step):
    """Nothing is checked or loaded that is not there, and the same step passes when it is repeated."""

    class CrashAfterStep(Pipeline):
        def stage(self, batch_id: int) -> Batch:
            return self._crash(super().stage(batch_id), "stage")

        def validate(self, batch_id: int) -> Batch:
            return self._crash(super().validate(batch_id), "validate")

        def _crash(self, batch: Batch, after: str) -> Batch:
            if after == step:
                empty_as_a_crash_does(delivered, batch.batch_id)
            return batch

    [batch] = delivered.pipeline.collect("market_supervision", "business_license", "night")
    before = delivered.store()
    with pytest.raises(StoreUnavailable, match=r"staging tables are empty.*run this step again"):
        CrashAfterStep(delivered.settings).load(batch.batch_id)
    assert delivered.store() == before
    check_end(delivered)


def test_every_step_can_be_asked_for_twice(delivered):
    pipeline = delivered.pipeline
    [batch] = pipeline.collect("market_supervision", "business_license", "night")
    [again] = pipeline.collect("market_supervision", "business_license", "night")
    assert again.batch_id == batch.batch_id
    for step in (
        pipeline.stage,
        pipeline.stage,
        pipeline.validate,
        pipeline.validate,
        pipeline.stage,
        pipeline.load,
        pipeline.load,
        pipeline.validate,
    ):
        step(batch.batch_id)
    check_end(delivered)


def test_lost_staged_row_is_a_balance_error_and_nothing_is_committed(delivered):
    [batch] = delivered.pipeline.collect("market_supervision", "business_license", "night")
    delivered.pipeline.validate(batch.batch_id)
    before = delivered.store()
    staged = sql.Identifier(f"batch_{batch.batch_id}", "staged_row")
    delivered.query(sql.SQL("delete from {0} where record_key = (select min(record_key) from {0})").format(staged))
    with pytest.raises(BalanceError, match=r"rows merged: expected 4, got 3. Nothing was loaded"):
        delivered.pipeline.load(batch.batch_id)
    assert delivered.store() == before
    assert delivered.query("select status from ledger.batch where run_id = 'night'") == [("validated",)]


def test_ledger_itself_refuses_a_batch_that_does_not_balance(delivered):
    with pytest.raises(psycopg.errors.CheckViolation):
        delivered.rewrite("update ledger.batch set inserted = inserted + 1 where status = 'loaded'")


def test_two_runs_at_once_load_each_row_once(delivered):
    """Two processes take the same batch: one waits for the other and finds the work done."""
    [batch] = delivered.pipeline.collect("market_supervision", "business_license", "night")
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                delivered.pipeline.load(batch.batch_id)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    check_end(delivered)
