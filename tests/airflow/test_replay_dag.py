"""The DAG of a replay: what its parameters name goes through the pipeline again."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.airflow_tasks import call

from zhengku.errors import ConfigurationError

HOME = Path(__file__).resolve().parents[2]


def asked(login: str | None = "zhang", **values: Any) -> dict[str, Any]:
    """Return the context of a run that a login started."""
    unasked = {"batches": [], "department": None, "feed": None, "since": None, "until": None}
    return {
        "params": {**unasked, "reason": "映射已改", **values},
        "dag_run": SimpleNamespace(run_id="manual__1", run_type="manual", triggering_user_name=login),
    }


@pytest.fixture
def loaded(installation, make_row, monkeypatch) -> Any:
    """An installation that has loaded batch 1, found by the task in its environment."""
    for name, value in installation.settings.environment.items():
        monkeypatch.setenv(name, value)
    installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    return installation


def test_what_is_asked_for_is_replayed_once_for_a_run_in_the_name_of_who_started_it(dags, loaded):
    done = call(dags, "replay", "take_again", **asked(batches=[1], by="li"))
    # A second try of the task finds its own.
    assert call(dags, "replay", "take_again", **asked(batches=[1])) == done
    assert loaded.query("select batch_id, origin, run_id, released_by from ledger.batch where batch_id > 1") == [
        (done[0], "replay", "manual__1", "zhang")
    ]
    for wrong in (asked(), asked(batches=[1], department="market_supervision")):
        with pytest.raises(ConfigurationError, match="either numbers of batches or a department"):
            call(dags, "replay", "take_again", **wrong)


def test_run_that_no_login_started_replays_nothing(dags, loaded):
    with pytest.raises(ConfigurationError, match=r"got manual__1 \(manual\), which no login started"):
        call(dags, "replay", "take_again", **asked(login=None, batches=[1], by="li"))
    assert loaded.query("select count(*) from ledger.batch") == [(1,)]


def test_it_runs_by_hand_alone(dags):
    dag = dags["replay"]
    assert (dag.schedule, dag.max_active_runs) == (None, 1)
    assert dag.doc_md
    # No parameter names a person.
    assert list(dag.params) == ["batches", "department", "feed", "since", "until", "reason"]
