"""Which landed files are removed, which stay and why, and what says so afterwards."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.seals import seal_everything
from tests.support.temporary_database import as_account

from zhengku import clock, ledger
from zhengku.audit import verify
from zhengku.catalog.retention_config import RetentionConfig, load_retention
from zhengku.database import store_connection
from zhengku.errors import LandingUnavailable, RemovedByRetention
from zhengku.operations.redrive import redrive
from zhengku.operations.replay import replay, replayable
from zhengku.retention.landed import plan_landed
from zhengku.retention.run import Retention
from zhengku.settings import project_home

# The others are long.
pytestmark = pytest.mark.slow_except(
    "test_old_file_is_removed_and_recorded_and_the_newest_stays",
    "test_killed_between_record_and_removal_is_finished_by_the_next_run",
)

FEED = ("market_supervision", "business_license")
LATER = timedelta(days=500)


@pytest.fixture
def config() -> RetentionConfig:
    return load_retention(project_home() / "include" / "catalog")


def later(installation: Any, config: RetentionConfig) -> Retention:
    return Retention(installation.settings, config, clock.now() + LATER)


def kept(installation: Any, config: RetentionConfig, now: datetime | None = None) -> tuple[int, dict[str, int]]:
    with store_connection(installation.settings.database_url) as connection:
        planned = plan_landed(connection, config, now or clock.now() + LATER)
    return planned.number, planned.kept


def landed_files(installation: Any) -> list[Path]:
    return sorted(path for path in Path(installation.settings.landing_url).rglob("*") if path.is_file())


def removals(installation: Any) -> list[tuple[Any, ...]]:
    return installation.query(
        "select batch_ids, files, sha256 is not null, rule, removed_at is not null from ledger.removal"
        " where kind = 'landed' order by removal_id"
    )


def test_old_file_is_removed_and_recorded_and_the_newest_stays(reviewed, make_row, config):
    for number in (1, 2):
        reviewed.deliver_rows(f"{number}.csv", make_row(number), minutes_ago=60 - number)
        reviewed.run_one()
    assert kept(reviewed, config, clock.now() + timedelta(days=364)) == (0, {})
    assert kept(reviewed, config) == (1, {"newest": 1})
    assert later(reviewed, config).apply()["landed"] == 1
    assert len(landed_files(reviewed)) == 1
    assert removals(reviewed) == [([1], 1, True, "landed_days: 365", True)]
    # Again, there is nothing to do.
    assert set(later(reviewed, config).apply().values()) == {0}


def test_held_batch_and_one_that_waits_are_kept(reviewed, make_row, config):
    reviewed.deliver_rows("held.csv", *(make_row(2000 + number, 企业名称="") for number in range(300)))
    assert reviewed.run_one().status == "held"
    reviewed.deliver_rows("waits.csv", make_row(1), minutes_ago=30)
    reviewed.pipeline.collect(*FEED, "waits")
    assert kept(reviewed, config) == (0, {"unsettled": 2})


def test_rejected_file_is_kept_until_something_was_loaded(reviewed, make_row, config):
    reviewed.deliver("broken.csv", b"\x00\x01\x02")
    assert reviewed.run_one().status == "rejected"
    assert kept(reviewed, config) == (0, {"awaited": 1})
    reviewed.deliver_rows("right.csv", make_row(1), minutes_ago=30)
    reviewed.run_one()
    assert kept(reviewed, config) == (1, {"newest": 1})


def test_files_of_open_problems_and_of_what_backups_would_ask_for_are_kept(reviewed, make_row, config):
    reviewed.deliver_rows("wrong.csv", make_row(1, 企业名称=""), make_row(2))
    reviewed.run_one()
    reviewed.deliver_rows("other.csv", make_row(3), minutes_ago=30)
    reviewed.run_one()
    assert kept(reviewed, config) == (0, {"newest": 1, "problem": 1})
    # Put right, but lately: a database that is restored to before that would ask for the file.
    reviewed.deliver_rows("mended.csv", make_row(1), minutes_ago=20)
    reviewed.run_one()
    assert kept(reviewed, config) == (2, {"newest": 1})
    reviewed.rewrite("update quarantine.problem_row set updated_at = %s", clock.now() + LATER - timedelta(days=10))
    assert kept(reviewed, config) == (1, {"newest": 1, "backup": 1})


def test_file_of_two_batches_stays_as_long_as_one_needs_it(reviewed, make_row, config):
    reviewed.deliver_rows("a.csv", make_row(1))
    first = reviewed.run_one()
    reviewed.deliver_rows("b.csv", make_row(2), minutes_ago=30)
    reviewed.run_one()
    with store_connection(reviewed.settings.database_url) as connection:
        batches = replayable(connection, batch_ids=[first.batch_id])
    [again] = replay(reviewed.pipeline, batches, "z", "x")
    assert again.landing_path == first.landing_path
    reviewed.rewrite("update ledger.batch set status = 'validated' where batch_id = %s", again.batch_id)
    assert kept(reviewed, config) == (0, {"newest": 1, "unsettled": 1})


@pytest.fixture
def removed(reviewed, make_row, config) -> Iterator[tuple[Any, ledger.Batch]]:
    """An installation whose first delivery was removed, with its batch."""
    reviewed.deliver_rows("first.csv", make_row(1), make_row(2), minutes_ago=90)
    first = reviewed.run_one()
    reviewed.deliver_rows("second.csv", make_row(3), make_row(4, 企业名称=""), minutes_ago=60)
    reviewed.run_one()
    assert later(reviewed, config).apply()["landed"] == 1
    return reviewed, first


def test_what_needs_a_removed_file_says_so(removed):
    installation, first = removed
    with store_connection(installation.settings.database_url) as connection:
        batches = replayable(connection, batch_ids=[first.batch_id])
    with pytest.raises(
        RemovedByRetention, match=r"removed on \d{4}-\d\d-\d\d because it was too old \(landed_days: 365"
    ):
        replay(installation.pipeline, batches, "z", "x")
    assert installation.query("select count(*) from ledger.batch where rule_id = 'file.lost'") == [(0,)]


def test_work_goes_on_after_a_removal(removed, make_row, database_url):
    installation, first = removed
    # The same file once more is landed anew, and its rows are those of the store.
    installation.deliver_rows("first-again.csv", make_row(1), make_row(2), minutes_ago=30)
    again = installation.run_one()
    assert (again.status, again.landing_path != first.landing_path, again.unchanged) == ("loaded", True, 2)
    assert [batch.status for batch in redrive(installation.pipeline, *FEED, "z", "x")] == ["loaded"]
    installation.deliver_rows("third.csv", make_row(1, 企业类型="股份有限公司"), minutes_ago=10)
    assert installation.run_one().updated == 1
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        seal_everything(connection)
        assert verify(connection, {}) == []


def test_killed_between_record_and_removal_is_finished_by_the_next_run(reviewed, make_row, config, monkeypatch):
    for number in (1, 2):
        reviewed.deliver_rows(f"{number}.csv", make_row(number), minutes_ago=60 - number)
        reviewed.run_one()
    killed = later(reviewed, config)

    class Killed(BaseException):
        pass

    def die(path: str) -> bool:
        raise Killed

    monkeypatch.setattr(killed._landing, "remove", die)
    with pytest.raises(Killed):
        killed.apply()
    assert len(landed_files(reviewed)) == 2
    assert [row[-1] for row in removals(reviewed)] == [False]
    # No batch takes up a file that is going to be removed: the same bytes are landed anew.
    reviewed.deliver_rows("again.csv", make_row(1), minutes_ago=5)
    assert reviewed.run_one().status == "loaded"
    assert len(landed_files(reviewed)) == 3
    done = later(reviewed, config).apply()
    # Of the two that came later, the newest stays.
    assert (done["unfinished"], done["landed"]) == (1, 1)
    assert [row[-1] for row in removals(reviewed)] == [True, True]
    # Killed after the removal, before the record was completed.
    reviewed.rewrite("update ledger.removal set removed_at = null where kind = 'landed'")
    assert later(reviewed, config).apply()["unfinished"] == 2
    assert len(landed_files(reviewed)) == 1


def test_nothing_counts_as_removed_while_the_area_is_away(reviewed, make_row, config, tmp_path):
    for number in (1, 2):
        reviewed.deliver_rows(f"{number}.csv", make_row(number), minutes_ago=60 - number)
        reviewed.run_one()
    area = Path(reviewed.settings.landing_url)
    area.rename(tmp_path / "elsewhere")
    area.mkdir()
    with pytest.raises(LandingUnavailable):
        later(reviewed, config).apply()
    assert [row[-1] for row in removals(reviewed)] == [False]
    area.rmdir()
    (tmp_path / "elsewhere").rename(area)
    assert later(reviewed, config).apply()["unfinished"] == 1
    assert len(landed_files(reviewed)) == 1


def test_removals_are_evidence(removed, database_url):
    installation, _ = removed
    with psycopg.connect(as_account(database_url, "zhengku_pipeline").replace("+psycopg", "")) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from ledger.removal")
        connection.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("update ledger.removal set name = 'x'")
        connection.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="evidence"):
            connection.execute("update ledger.removal set removed_at = now()")
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        seal_everything(connection)
        installation.rewrite("update ledger.removal set bytes = 0 where kind = 'landed'")
        assert [(one.kind, one.fault) for one in verify(connection, {})] == [("removal", "changed")]
