"""Evidence is only added to, and its seals name whatever was changed by somebody who switched that off."""

import psycopg
import pytest
from psycopg import sql
from tests.support.installation import OWNER_URL, license_row
from tests.support.review_installation import NOW

from zhengku.audit import close_evidence, seals, verify
from zhengku.database import store_connection
from zhengku.pipeline.pipeline import Pipeline
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


@pytest.fixture
def recorded(reviewed):
    """An installation with evidence of every kind that its night and a decision leave, all of it sealed."""
    reviewed.deliver_rows("a.csv", *(license_row(n) for n in range(30)), license_row(30, 注册日期="不详"))
    reviewed.run()
    reviewed.deliver_rows("b.csv", *(license_row(n, 注册资金="7万元") for n in range(3)), minutes_ago=50)
    reviewed.run()
    reviewed.deliver_rows("c.csv", *(license_row(n, 注册日期="不详") for n in range(60, 90)), minutes_ago=40)
    [held] = reviewed.run()
    assert held.status == "held"
    decisions.reject(Pipeline(reviewed.settings), held.batch_id, "zhang", "虚构事由")
    returns = reviewed.returns()
    made = returns.make("market_supervision", "zhang", NOW)
    returns.hand_over(made.return_id, made.files[0]["name"], "zhang")
    with store_connection(reviewed.settings.database_url) as connection:
        problems.waive(connection, reviewed.problem_ids("returned"), "zhang", "虚构事由", None, NOW.date())
        enter_request(connection, "return", "market_supervision", "zhang", "虚构事由")
    publish_nights(reviewed.settings, NOW)
    with store_connection(reviewed.settings.database_url) as connection:
        wait_for_seal(connection)
    return reviewed


def wait_for_seal(connection: psycopg.Connection[object]) -> None:
    """Seal what was written until now: a seal ends a second before it is made."""
    connection.execute("select pg_sleep(1.1)")
    assert close_evidence(connection) is not None


def faults(installation) -> list[tuple[str | None, str | None, str]]:
    with store_connection(installation.settings.database_url) as connection:
        return [(one.kind, one.row_key, one.fault) for one in verify(connection)]


def test_night_leaves_evidence_of_which_nothing_is_found(recorded):
    assert faults(recorded) == []
    kinds = dict(recorded.query("select kind, sum(sealed_rows) from audit.seal_part group by kind"))
    empty = {kind for kind, rows in kinds.items() if rows == 0}
    # An open request is no evidence yet; lists have a test of their own.
    assert {kind for kind in empty if not kind.startswith(("list", "service_case", "evaluation", "case_result"))} == {
        "request",
        "reveal",
    }


@pytest.mark.parametrize("table", INSERT_ONLY)
@pytest.mark.parametrize("change", ["update {0} set {1} = {1}", "delete from {0}", "truncate {0} cascade"])
def test_even_the_owner_is_refused(recorded, table, change):
    [column] = recorded.query("select attname from pg_attribute where attrelid = %s::regclass and attnum = 1", table)
    statement = sql.SQL(change).format(sql.Identifier(*table.split(".")), sql.Identifier(column[0]))
    assert recorded.query(sql.SQL("select count(*) from {}").format(sql.Identifier(*table.split(".")))) != [(0,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"{table} is evidence"):
        recorded.query(statement)


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
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is evidence"):
        recorded.query(change)


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
    recorded.rewrite(change)
    found = faults(recorded)
    assert {(one[0], one[2]) for one in found} == {(kind, fault)}
    if kind == "decision":
        [key] = recorded.query("select row(max(decision_id))::text from ledger.decision")
        assert found == [(kind, key[0], fault)]


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
    recorded.rewrite(change)
    assert fault in {one[2] for one in faults(recorded)}


def test_chain_that_the_owner_made_anew_differs_from_what_was_printed(recorded):
    with store_connection(recorded.settings.database_url) as connection:
        printed = {one.seal_id: one.head for one in seals(connection)}
        assert verify(connection, printed) == []
    recorded.rewrite(
        "update ledger.decision set decided_by = 'li'; delete from audit.leaf; delete from audit.seal_part;"
        " update review.night_report set seal_id = null; delete from audit.seal"
    )
    with store_connection(recorded.settings.environment[OWNER_URL]) as connection:
        assert close_evidence(connection) is not None
        assert verify(connection) == []
        assert {one.fault for one in verify(connection, printed)} == {"head"}


def test_evidence_of_a_transaction_that_still_runs_is_sealed_when_it_has_ended(reviewed):
    reviewed.deliver_rows("a.csv", license_row(1), license_row(2))
    [batch] = reviewed.run()
    url = reviewed.settings.database_url
    with store_connection(url) as slow, store_connection(url) as connection:
        slow.execute(
            "insert into ledger.decision (batch_id, decision, decided_by, reason) values (%s, 'released', 'zhang', 'x')",
            (batch.batch_id,),
        )
        wait_for_seal(connection)
        slow.commit()
        assert verify(connection) == []
        assert connection.execute("select count(*) from audit.leaf where kind = 'decision'").fetchone() == (0,)
        wait_for_seal(connection)
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
    counts = [
        "fetched",
        "inserted",
        "updated",
        "unchanged",
        "deleted",
        "superseded",
        "duplicate",
        "quarantined",
        "held",
    ]
    zeros = ", ".join(f"{name} = 0" for name in counts)
    with pytest.raises(psycopg.errors.CheckViolation, match="batch_balance_covers_staged"):
        recorded.rewrite(f"update ledger.batch set {zeros} where status = 'loaded' and staged > 0")
