"""Rows that a department corrects or deletes where they stand, and what a person decides about the rest."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.support.reconciled_table import FEED, FIRST, Front, correct, filled, removal
from typer.testing import CliRunner

from simulator.business_licenses import credit_code
from zhengku.cli.common import person
from zhengku.cli.main import app
from zhengku.database import store_connection
from zhengku.errors import ConfigurationError
from zhengku.operations.reconcile import Reconciliation
from zhengku.review import requests

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.slow_except("test_the_section_withdraws_with_a_request")


def problems(front: Front) -> list[tuple[str, str | None, str | None]]:
    return front.installation.query(
        "select status, solution, record_key from quarantine.problem_row order by problem_id"
    )


@pytest.mark.parametrize("wrong", ["", "91420700XN000001ZZ"], ids=["no key", "a wrong key"])
def test_a_row_corrected_in_place_settles_its_problem_by_the_row_id(front: Front, wrong: str) -> None:
    filled(front)
    front.write("I", wrong, FIRST + timedelta(days=10))
    front.run()
    assert [status for status, _, _ in problems(front)] == ["open"]
    correct(front, credit_code(50), front.numbers)
    front.run()
    assert [(status, solution) for status, solution, _ in problems(front)] == [("corrected", "corrected")]
    events = front.installation.query("select event, batch_id from quarantine.problem_event")
    [(newest,)] = front.installation.query("select max(batch_id) from ledger.batch")
    assert events == [("corrected", newest)]


def test_a_row_corrected_wrongly_is_another_problem_as_old_as_the_first(front: Front) -> None:
    filled(front)
    front.write("I", "", FIRST + timedelta(days=10))
    front.run()
    correct(front, "", front.numbers, name="改了名称仍无代码的有限公司")
    front.run()
    assert [(status, solution) for status, solution, _ in problems(front)] == [("closed", "replaced"), ("open", None)]
    assert front.installation.query("select attempts from quarantine.problem_row where status = 'open'") == [(2,)]
    correct(front, credit_code(50), front.numbers, hours=9)
    front.run()
    assert [status for status, _, _ in problems(front)] == ["closed", "corrected"]


def test_other_rows_settle_nothing(front: Front) -> None:
    filled(front)
    front.write("I", "", FIRST + timedelta(days=10))
    front.run()
    front.write("I", credit_code(51), FIRST + timedelta(days=12))
    front.run()
    assert [status for status, _, _ in problems(front)] == ["open"]


def number_corrected(front: Front) -> tuple[str, str]:
    """Let a certificate that is loaded get another number in its row; return the old one and the new."""
    codes = filled(front)
    correct(front, credit_code(60), 4)
    front.write("I", credit_code(902), FIRST + timedelta(days=25))
    front.run()
    return codes[3], credit_code(60)


def command(front: Front, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, list[dict[str, object]]]:
    for name, value in front.installation.settings.environment.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["reconcile", "--department", FEED[0], "--whole", "--json", *arguments])
    return done.exit_code, json.loads(done.stdout)


def test_fix_marks_the_certificate_of_a_number_that_was_corrected_in_place(front: Front, monkeypatch) -> None:
    old, new = number_corrected(front)
    code, [found] = command(front, monkeypatch)
    assert (code, found["missing_at_source"]) == (1, 1)
    assert removal(front, old) == [(None,)]
    code, [fixed] = command(front, monkeypatch, "--fix", "--for", "大数据科", "--reason", "已与部门核对")
    assert (code, fixed["differences"]) == (0, 0)
    assert (removal(front, old), removal(front, new)) == ([("disappeared",)], [(None,)])
    assert problems(front) == [("closed", "gone", old)]
    assert front.installation.query("select event, done_by, reason from quarantine.problem_event") == [
        ("gone", person("大数据科"), "已与部门核对")
    ]
    # The version that stood is kept.
    assert front.installation.query(
        "select record_key, removal from store.certificate_history where record_key = %s", old
    ) == [(old, None)]


def test_what_was_withdrawn_stands_again_once_the_source_has_it(front: Front, monkeypatch) -> None:
    old, _ = number_corrected(front)
    command(front, monkeypatch, "--fix")
    assert removal(front, old) == [("disappeared",)]
    # It was there all the time, at the very time that it had.
    front.write("I", old, FIRST + timedelta(minutes=3))
    code, [found] = command(front, monkeypatch)
    assert (code, found["missing_in_store"]) == (1, 1)
    code, _ = command(front, monkeypatch, "--fix")
    assert (code, removal(front, old)) == (0, [(None,)])


def test_a_row_deleted_and_another_appended_between_two_pages(front: Front, monkeypatch) -> None:
    codes = filled(front)
    front.server.run("delete from license where 统一社会信用代码 = :code", code=codes[2])
    # Read by nobody: it got a time that the watermark had passed.
    front.write("I", credit_code(70), FIRST + timedelta(days=2, hours=1))
    front.run()
    code, [found] = command(front, monkeypatch)
    assert (code, found["missing_at_source"], found["missing_in_store"]) == (1, 1, 1)
    code, _ = command(front, monkeypatch, "--fix")
    assert (code, removal(front, codes[2]), removal(front, credit_code(70))) == (0, [("disappeared",)], [(None,)])


def ask(front: Front, problem_ids: Sequence[int]) -> tuple[bool, str | None]:
    with store_connection(front.installation.settings.database_url) as connection:
        requests.enter_request(connection, "mend", FEED[0], "大数据科", "核实", feed=FEED[1], problem_ids=problem_ids)
    [done] = requests.execute_requests(front.installation.pipeline)
    return done.failed, done.outcome


def test_the_section_withdraws_with_a_request(front: Front) -> None:
    old, _ = number_corrected(front)
    front.compare()
    [(problem,)] = front.installation.query("select problem_id from quarantine.problem_row where status = 'open'")
    assert ask(front, [problem]) == (False, "撤下来源已无的 1 条")
    assert removal(front, old) == [("disappeared",)]
    assert front.compare().differences == 0
    # Asked twice, it finds nothing to do, and says so.
    failed, told = ask(front, [problem])
    assert (failed, "got none" in str(told)) == (True, True)


def test_the_section_has_what_is_lacking_collected_with_a_request(front: Front) -> None:
    codes = filled(front)
    front.lose(codes[5])
    front.compare()
    [(problem,)] = front.installation.query("select problem_id from quarantine.problem_row where status = 'open'")
    failed, told = ask(front, [problem])
    assert not failed
    assert str(told).startswith("补采 1 批，入库 1 行")
    assert removal(front, codes[5]) == [(None,)]


def test_nothing_is_withdrawn_that_came_back_since(front: Front) -> None:
    old, _ = number_corrected(front)
    front.compare()
    [(problem,)] = front.installation.query("select problem_id from quarantine.problem_row where status = 'open'")
    front.write("I", old, FIRST + timedelta(minutes=3))
    assert ask(front, [problem]) == (False, "撤下来源已无的 0 条")
    assert removal(front, old) == [(None,)]


def test_a_source_that_was_emptied_takes_nothing_along(front: Front) -> None:
    codes = filled(front, days=5, each=6)
    front.server.run("delete from license where 统一社会信用代码 <> :code", code=credit_code(900))
    front.compare()
    reconciliation = Reconciliation(front.installation.pipeline)
    with pytest.raises(ConfigurationError, match="more likely emptied or moved"):
        reconciliation.withdraw(*FEED, "大数据科", "核实")
    with pytest.raises(ConfigurationError, match="who withdraws and why"):
        reconciliation.withdraw(*FEED, " ", "核实")
    assert {removal(front, code)[0] for code in codes} == {(None,)}
