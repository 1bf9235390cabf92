"""Loads of one license type wait for each other: each decides by what is stored, which the other is changing."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.errors import LockNotAvailable

from zhengku.load import merge

STEPS = {
    "load": lambda connection, batch, pipeline: merge.load(
        connection, batch, pipeline.catalog.feed(batch.department, batch.feed), pipeline.catalog, {}
    ),
    "look whether recognised rows are current": lambda connection, batch, _: merge.recognised_rows_are_current(
        connection, batch
    ),
    "close a repeat": lambda connection, batch, _: merge.close_repeat(connection, batch),
}


def connect(installation) -> psycopg.Connection[Any]:
    return psycopg.connect(installation.settings.database_url.replace("+psycopg", ""))


@contextmanager
def another_load(installation, subject: str = "business_license") -> Iterator[None]:
    """Lock a license type as the transaction of another load does, which has not ended."""
    with connect(installation) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"zhengku.load.{subject}"])
        yield


@pytest.fixture
def validated(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1))
    [batch] = installation.pipeline.collect("market_supervision", "business_license", "night")
    installation.pipeline.stage(batch.batch_id)
    return installation, installation.pipeline.validate(batch.batch_id)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_whatever_decides_by_the_store_waits_for_the_other_load(validated, step):
    installation, batch = validated
    with connect(installation) as connection:
        connection.execute("set lock_timeout = '200ms'")
        connection.commit()
        with another_load(installation), pytest.raises(LockNotAvailable):
            step(connection, batch, installation.pipeline)
        connection.rollback()
        # Another type is no reason to wait, and the own one only until the other load ends.
        with another_load(installation, "food_business_license"):
            step(connection, batch, installation.pipeline)


def test_load_of_a_batch_waits_and_then_goes_on(validated):
    installation, batch = validated
    done = []
    loading = threading.Thread(target=lambda: done.append(installation.pipeline.load(batch.batch_id)))
    with another_load(installation):
        loading.start()
        until = time.monotonic() + 60
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = %s::oid"
        [[database]] = installation.query("select oid from pg_database where datname = current_database()")
        while installation.query(waiting, database) != [(1,)]:
            assert loading.is_alive(), "the load did not wait for the other one"
            assert time.monotonic() < until, "the load came to no lock"
            time.sleep(0.02)
        assert installation.query("select status from ledger.batch") == [("validated",)]
    loading.join(60)
    assert [one.inserted for one in done] == [1]
