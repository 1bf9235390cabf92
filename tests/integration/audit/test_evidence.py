"""Evidence is only added to, and its seals name whatever was changed by somebody who switched that off."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.support.installation import OWNER_URL, Installation, license_row, make_installation
from tests.support.review_installation import NOW, ReviewedInstallation
from tests.support.seals import seal_everything
from tests.support.temporary_database import temporary_store

from zhengku.audit import seals, verify
from zhengku.database import store_connection
from zhengku.review import decisions, problems
from zhengku.review.daily import publish_nights
from zhengku.review.night import report_of
from zhengku.review.requests import enter_request

INSERT_ONLY = (
    "ledger.decision",
    "quarantine.problem_event",
    "quarantine.hand_over",
    "review.night_report",
    "store.certificate_history",
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, server_url, template_database, register_catalog):
    """An installation with evidence of every kind that its night and a decision leave, all of it sealed.

    Made once: every change by a test is rolled back.
    """
    with temporary_store(server_url, template_database) as url:
        made = make_installation(tmp_path_factory.mktemp("recorded"), url, register_catalog)
        reviewed = ReviewedInstallation(made.settings, made.drop)
        fill(reviewed)
        yield reviewed


def fill(reviewed: ReviewedInstallation) -> None:
    reviewed.deliver_rows("a.csv", *(license_row(n) for n in range(30)), license_row(30, 注册日期="不详"))
    reviewed.run()
    reviewed.deliver_rows("b.csv", *(license_row(n, 注册资金="7万元") for n in range(3)), minutes_ago=50)
    reviewed.run()
    reviewed.deliver_rows("c.csv", *(license_row(n, 注册日期="不详") for n in range(60, 90)), minutes_ago=40)
    [held] = reviewed.run()
    assert held.status == "held"
    decisions.reject(reviewed.settings, reviewed.pipeline.catalog, held.batch_id, "zhang", "虚构事由")
    returns = reviewed.returns()
    made = returns.make("market_supervision", "zhang", NOW)
    returns.hand_over(made.return_id, made.files[0]["name"], "zhang").close()
    with store_connection(reviewed.settings.database_url) as connection:
        problems.waive(connection, reviewed.problem_ids("returned"), "zhang", "虚构事由", None, NOW.date())
        enter_request(connection, "return", "market_supervision", "zhang", "虚构事由")
        seal_everything(connection)
    publish_nights(reviewed.settings, NOW)
    with store_connection(reviewed.settings.database_url) as connection:
        seal_everything(connection)


@contextmanager
def owner_of(installation: Installation, options: str = "") -> Iterator[psycopg.Connection[Any]]:
    """Connect as the owner of the database; what it changes is rolled back at the end."""
    url = installation.settings.environment[OWNER_URL].replace("+psycopg", "")
    with psycopg.connect(url, options=options) as connection:
        yield connection
        connection.rollback()


@contextmanager
def after(installation: Installation, change: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect as an owner who switched off what guards the evidence, and has made a change."""
    with owner_of(installation, "-c session_replication_role=replica") as connection:
        assert connection.execute(change.encode()).rowcount != 0
        yield connection


def found(connection: psycopg.Connection[Any]) -> set[tuple[str | None, str]]:
    return {(one.kind, one.fault) for one in verify(connection)}


def test_night_leaves_evidence_of_which_nothing_is_found(recorded):
    with owner_of(recorded) as connection:
        assert verify(connection) == []
        kinds = dict(connection.execute("select kind, sum(sealed_rows) from audit.seal_part group by kind").fetchall())
    # An open request is no evidence yet; lists have a test of their own.
    others = ("list", "service_case", "evaluation", "case_result", "restored_batch")
    assert {kind for kind, rows in kinds.items() if rows == 0 and not kind.startswith(others)} == {
        "request",
        "reveal",
        "removal",
    }


@pytest.mark.parametrize("table", INSERT_ONLY)
@pytest.mark.parametrize("change", ["update {0} set {1} = {1}", "delete from {0}", "truncate {0} cascade"])
def test_even_the_owner_is_refused(recorded, table, change):
    with owner_of(recorded) as connection:
        name = sql.Identifier(*table.split("."))
        assert connection.execute(sql.SQL("select from {} limit 1").format(name)).rowcount == 1
        column = connection.execute(
            "select attname from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and attidentity = '' limit 1",
            (table,),
        ).fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"{table} is evidence"):
            connection.execute(sql.SQL(change).format(name, sql.Identifier(column[0])))


@pytest.mark.parametrize(
    "change",
    [
        "update ledger.batch set inserted = inserted + 1, unchanged = unchanged - 1 where status = 'loaded'",
        "update ledger.batch set source_name = 'x' where status = 'rejected'",
        "update ledger.batch set status = 'landed' where status = 'rejected'",
        "delete from ledger.batch",
        "update quarantine.problem_return set made_by = 'li'",
        "update review.request set asked_by = 'li'",
        "update audit.seal set head = ''",
        "delete from audit.leaf",
    ],
)
def test_what_is_complete_stays(recorded, change):
    with (
        owner_of(recorded) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="is evidence"),
    ):
        connection.execute(change.encode())


@pytest.mark.parametrize(
    ("change", "kind", "fault"),
    [
        ("update ledger.decision set decided_by = 'li'", "decision", "changed"),
        ("update ledger.batch set reason = 'x' where status = 'rejected'", "batch", "changed"),
        ("update quarantine.problem_event set done_by = 'li' where event = 'waived'", "problem_event", "changed"),
        (
            "update quarantine.problem_event set happened_at = now() + interval '1 day' where event = 'waived'",
            "problem_event",
            "changed",
        ),
        ("delete from quarantine.problem_event where event = 'waived'", "problem_event", "removed"),
        ("delete from quarantine.hand_over where channel = 'download'", "hand_over", "removed"),
        ("update quarantine.problem_return set due_on = due_on + 1", "problem_return", "changed"),
        ("update review.night_report set figures = figures || '{\"never_fired_days\": 1}'", "night_report", "changed"),
        ("update store.certificate_history set holder = 'x' where version_no = 1", "certificate_history", "changed"),
        (
            "insert into ledger.decision (batch_id, decision, decided_by, reason, decided_at)"
            " select batch_id, 'released', 'li', 'x', decided_at from ledger.decision",
            "decision",
            "inserted",
        ),
    ],
)
def test_verification_names_what_the_owner_changed(recorded, change, kind, fault):
    with after(recorded, change) as connection:
        findings = verify(connection)
        assert {(one.kind, one.fault) for one in findings} == {(kind, fault)}
        if kind == "decision":
            key = connection.execute("select row(max(decision_id))::text from ledger.decision").fetchone()
            assert [one.row_key for one in findings] == list(key)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("update audit.leaf set digest = sha256('x') where kind = 'decision'", "leaves"),
        ("delete from audit.leaf where kind = 'batch'", "leaves"),
        ("update audit.seal_part set digest = sha256('x') where kind = 'decision'", "chain"),
        ("update audit.seal set sealed_until = sealed_until - interval '1 hour' where seal_id = 1", "chain"),
        ("update audit.seal set head = sha256('x') where seal_id = 1", "chain"),
    ],
)
def test_seals_that_were_rewritten_are_named(recorded, change, fault):
    with after(recorded, change) as connection:
        assert fault in {one for _, one in found(connection)}


def test_chain_that_the_owner_made_anew_differs_from_what_was_printed(recorded):
    with owner_of(recorded) as connection:
        printed = {one.seal_id: one.head for one in seals(connection)}
        assert verify(connection, printed) == []
    with after(recorded, "update ledger.decision set decided_by = 'li'") as connection:
        for statement in (
            "update review.night_report set seal_id = null",
            "delete from audit.leaf",
            "delete from audit.seal_part",
            "delete from audit.seal",
            "select audit.close()",
        ):
            connection.execute(statement.encode())
        assert verify(connection) == []
        assert {one.fault for one in verify(connection, printed)} == {"head"}


def test_evidence_of_a_transaction_that_still_runs_is_sealed_when_it_has_ended(reviewed):
    reviewed.deliver_rows("a.csv", license_row(1), license_row(2))
    [batch] = reviewed.run()
    url = reviewed.settings.database_url
    with store_connection(url) as slow, store_connection(url) as connection:
        slow.execute(
            "insert into ledger.decision (batch_id, decision, decided_by, reason) values (%s, 'released', 'z', 'x')",
            (batch.batch_id,),
        )
        seal_everything(connection)
        slow.commit()
        assert verify(connection) == []
        assert connection.execute("select count(*) from audit.leaf where kind = 'decision'").fetchone() == (0,)
        seal_everything(connection)
        assert verify(connection) == []
        assert connection.execute("select count(*) from audit.leaf where kind = 'decision'").fetchone() == (1,)


def test_night_report_prints_the_head(recorded):
    # The first report of the fixture sealed the night before it was made.
    with store_connection(recorded.settings.database_url) as connection:
        report = report_of(connection)
        known = {one.seal_id: one.head for one in seals(connection)}
    assert report is not None
    assert report.seal is not None
    assert report.seal.head == known[report.seal.seal_id]
    pages = list(recorded.settings.report_folder.rglob("归集校验日报_*.html"))
    assert any(report.seal.head in page.read_text(encoding="utf-8") for page in pages)


def test_loaded_batch_with_rows_has_no_balance_of_zeros(recorded):
    zeros = (
        "update ledger.batch set fetched = 0, inserted = 0, updated = 0, unchanged = 0, deleted = 0, superseded = 0,"
        " duplicate = 0, quarantined = 0, held = 0 where status = 'loaded' and staged > 0"
    )
    with (
        pytest.raises(psycopg.errors.CheckViolation, match="batch_balance_covers_staged"),
        after(recorded, zeros),
    ):
        pass
