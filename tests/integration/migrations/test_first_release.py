"""A store of the first release with its data (`tests/support/first_release`), brought to this one and compared."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.support.installation import Installation, make_installation
from tests.support.seals import seal_everything
from tests.support.temporary_database import ACCOUNT_PASSWORD, as_account

import zhengku.database
from zhengku.accounts import ACCOUNTS, make_accounts
from zhengku.audit import verify
from zhengku.database import store_connection, upgrade
from zhengku.errors import ConfigurationError, StoreError
from zhengku.operations.redrive import redrive

# The others are long.
pytestmark = pytest.mark.slow_except(
    "test_all_data_of_the_first_release_is_there_after_the_upgrade", "test_store_of_a_newer_release_is_refused"
)

DUMP = Path(__file__).resolve().parents[2] / "support" / "first_release" / "store.sql"

FEED = ("market_supervision", "business_license")

Snapshot = dict[str, list[dict[str, Any]]]

HELD = (
    "store.certificate",
    "store.certificate_history",
    "store.service_case",
    "store.evaluation",
    "ledger.batch",
    "ledger.decision",
    "ledger.rule_result",
    "quarantine.problem_row",
    "quarantine.problem_event",
    "quarantine.problem_return",
    "quarantine.hand_over",
    "clearance.list",
    "clearance.entry",
    "review.night_report",
    "review.ledger_entry",
)
"""Tables that have rows in the dump: a comparison of empty ones would say nothing."""

WRITTEN = {"ledger.schema_version", "clearance.touched_day"}
"""Tables that an upgrade writes: the release, and the days of lists that are counted anew (migration 0018)."""


def read(url: str) -> Snapshot:
    """Return every row of every table of ours."""
    with psycopg.connect(url.replace("+psycopg", ""), options="-c timezone=UTC") as connection:
        tables = connection.execute(
            "select n.nspname, t.relname from pg_class as t inner join pg_namespace as n on t.relnamespace = n.oid"
            " where t.relkind in ('r', 'p') and not t.relispartition"
            " and n.nspname in ('store', 'ledger', 'quarantine', 'clearance', 'review')"
        ).fetchall()
        return {
            f"{schema}.{name}": [
                row
                for (row,) in connection.execute(
                    sql.SQL("select to_jsonb(r) from {} as r").format(sql.Identifier(schema, name))
                )
            ]
            for schema, name in tables
        }


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """Return the tables whose rows are not the same in the columns that they had before."""
    found = []
    for table in before.keys() - WRITTEN:
        columns = sorted({name for row in before[table] for name in row})
        old, new = (
            sorted(repr([row.get(name, "gone") for name in columns]) for row in rows.get(table, []))
            for rows in (before, after)
        )
        if old != new:
            found.append(table)
    return found


@pytest.fixture
def first_release(empty_database_url: str) -> str:
    """Address of a database with the store of the first release."""
    with psycopg.connect(empty_database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(DUMP.read_bytes())
    return empty_database_url


@pytest.fixture
def upgraded(first_release: str, tmp_path: Path, register_catalog: Path) -> Installation:
    """An installation on the store of the first release after `zhengku db upgrade`, with its accounts."""
    upgrade(first_release)
    with store_connection(first_release) as connection:
        make_accounts(connection, dict.fromkeys(ACCOUNTS, ACCOUNT_PASSWORD))
    return make_installation(tmp_path / "upgraded", first_release, register_catalog)


def test_all_data_of_the_first_release_is_there_after_the_upgrade(first_release):
    before = read(first_release)
    assert [table for table in HELD if not before[table]] == []
    assert before["ledger.schema_version"] == [{"version_num": "0005"}]
    upgrade(first_release)
    after = read(first_release)
    assert differences(before, after) == []
    # And again: nothing is changed twice.
    upgrade(first_release)
    assert read(first_release) == after
    # What is new of old rows: nobody knows whether they are valid for good, until they come again (migration 0014).
    certificates = after["store.certificate"] + after["store.certificate_history"]
    assert {row["valid_without_end"] for row in certificates} == {None}
    assert {row["origin"] for row in after["ledger.batch"]} == {"delivery", "redrive"}
    assert all(row["written_at"] == row["published_at"] for row in after["clearance.list"])
    # A comparison that finds nothing wrong would prove nothing.
    spoilt = {**after, "store.certificate": after["store.certificate"][1:]}
    assert differences(before, spoilt) == ["store.certificate"]


def facts(installation: Installation) -> list[tuple[Any, ...]]:
    return installation.query(
        "select record_key, holder, extension, version_no, removal, status, valid_from, district from store.certificate"
        " where record_key not like %s order by record_key",
        "%|%",
    )


def test_night_over_the_upgraded_store_ends_as_on_a_fresh_one(
    upgraded: Installation, installation: Installation, make_row: Callable[..., str]
) -> None:
    # The fresh store gets what the old one had (make_store.py.txt).
    changed = [make_row(1, 企业类型="股份有限公司"), make_row(2, 法人代表="李某某")]
    installation.deliver_rows("1.csv", *(make_row(number) for number in range(12)), minutes_ago=600)
    installation.run_one()
    installation.deliver_rows("2.csv", *changed, make_row(20), make_row(30), minutes_ago=500)
    installation.run_one()
    assert facts(upgraded) == facts(installation)
    night = [
        make_row(0),
        *changed,
        *(make_row(number) for number in range(3, 11)),
        make_row(11, 企业类型="个人独资企业"),
        make_row(21),
        make_row(40),
    ]
    batches = []
    for one in (upgraded, installation):
        one.deliver_rows("night.csv", *night, minutes_ago=5)
        batches.append(one.run_one())
    assert batches[0].counts() == batches[1].counts()
    assert (batches[0].unchanged, batches[0].updated, batches[0].inserted) == (11, 1, 2)
    assert facts(upgraded) == facts(installation)
    # The record that was wrong and came right is settled, under its old number.
    assert upgraded.query(
        "select status from quarantine.problem_row where corrected_by_batch_id = %s", batches[0].batch_id
    ) == [("corrected",)]


def test_upgraded_store_has_its_rights_and_its_evidence_can_be_sealed(
    upgraded: Installation, first_release: str
) -> None:
    with psycopg.connect(first_release.replace("+psycopg", "")) as connection:
        assert seal_everything(connection).sealed_rows > 50
        assert verify(connection, {}) == []
    with psycopg.connect(as_account(first_release, "zhengku_pages").replace("+psycopg", "")) as connection:
        assert connection.execute("select count(*) from store.certificate").fetchone() == (14,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from ledger.batch")
    # Problem records of the old release are processed again, by the pipeline's account.
    wrong = upgraded.query(
        "select problem_id from quarantine.problem_row where status in ('open', 'returned') and payload is not null"
        " order by 1 limit 1"
    )
    [batch] = redrive(upgraded.pipeline, *FEED, "z", "x", [problem_id for (problem_id,) in wrong])
    assert batch.status == "loaded"


def test_upgrade_that_fails_halfway_leaves_the_old_store_and_works_when_repeated(first_release, monkeypatch):
    before = read(first_release)
    address = first_release.replace("+psycopg", "")
    # Something in the way of a later migration: all are one transaction.
    with psycopg.connect(address) as connection:
        connection.execute("create schema watch")
    with pytest.raises(StoreError, match="watch"):
        upgrade(first_release)
    assert read(first_release) == before
    with psycopg.connect(address) as connection:
        connection.execute("drop schema watch")

    def stop(_: object) -> None:
        raise ConfigurationError("killed here")

    # Killed after the migrations, before the functions are committed.
    with monkeypatch.context() as patched:
        patched.setattr(zhengku.database, "give_rights", stop)
        with pytest.raises(ConfigurationError):
            upgrade(first_release)
    assert differences(before, read(first_release)) == []
    upgrade(first_release)
    assert differences(before, read(first_release)) == []


def test_store_of_a_newer_release_is_refused(database_url):
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("update ledger.schema_version set version_num = '9999'")
    with pytest.raises(ConfigurationError, match=r"schema 9999.*newer release.*no way back"):
        upgrade(database_url)
