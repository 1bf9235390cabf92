"""The comparison of two stores by which the kill tests judge finds a version or an event too much, or another one."""

from pathlib import Path

import psycopg
from tests.support.installation import make_installation
from tests.support.store_comparison import compared_rows, differences_between, evidence_faults
from tests.support.temporary_database import database_name, temporary_store
from tests.support.undisturbed_nights import decide_about_problems

from zhengku.clock import now

NIGHTS = (
    ((1, {}), (2, {}), (3, {"企业名称": ""}), (4, {"企业名称": ""})),
    ((1, {"企业名称": "鄂州市虚构改名商贸有限公司"}), (2, {}), (3, {})),
)

TAMPERING = {
    "a replaced version is another": "update store.certificate_history set holder = 'x'",
    "a replaced version is missing": "delete from store.certificate_history",
    "a version is counted once more": "update store.certificate set version_no = version_no + 1",
    "an event is doubled": "insert into quarantine.problem_event (problem_id, event, done_by, reason)"
    " select problem_id, event, done_by, reason from quarantine.problem_event order by event_id limit 1",
    "an event is lost": "delete from quarantine.problem_event where event = 'corrected'",
    "somebody else waived": "update quarantine.problem_event set done_by = 'x' where event = 'waived'",
    "another reason": "update quarantine.problem_event set reason = 'x' where event = 'waived'",
    "a problem record is open again": "update quarantine.problem_row set status = 'open', solution = null,"
    " solved_at = null, closed_at = null where solution = 'corrected'",
}


def pass_nights(folder: Path, database_url: str, catalog: Path, make_row) -> None:
    installation = make_installation(folder, database_url, catalog)
    for number, rows in enumerate(NIGHTS, 1):
        installation.deliver_rows(f"{number}.csv", *(make_row(row, **values) for row, values in rows))
        installation.run(f"night-{number}")
        decide_about_problems(installation.settings, database_url, "test", now())


def test_two_stores_of_the_same_nights_are_equal_until_one_is_tampered_with(
    tmp_path, server_url, template_database, register_catalog, make_row, subtests
):
    with temporary_store(server_url, template_database) as url, temporary_store(server_url, template_database) as other:
        pass_nights(tmp_path / "one", url, register_catalog, make_row)
        pass_nights(tmp_path / "other", other, register_catalog, make_row)
        assert compared_rows(url) == {
            "records": 3, "replaced versions": 1, "problem records": 2, "problem events": 4,
        }  # fmt: skip
        assert differences_between(url, other) == []
        assert evidence_faults(url) == []
        for what, statement in TAMPERING.items():
            with subtests.test(what), temporary_store(server_url, database_name(url)) as tampered:
                options = "-c session_replication_role=replica"
                with psycopg.connect(tampered.replace("+psycopg", ""), options=options) as connection:
                    assert connection.execute(statement.encode()).rowcount > 0
                assert differences_between(tampered, other) != []
        with psycopg.connect(url.replace("+psycopg", ""), options="-c session_replication_role=replica") as connection:
            connection.execute("delete from store.certificate_history")
        faults = "\n".join(evidence_faults(url))
        assert "was removed after it was sealed" in faults
        assert "left no evidence" in faults
        assert "1 of them not the first, and 0 that it replaced" in faults
