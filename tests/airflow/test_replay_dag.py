"""The DAG of a replay: what its parameters name goes through the pipeline again."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.airflow_tasks import call

from zhengku.errors import ConfigurationError

HOME = Path(__file__).resolve().parents[2]


def asked(**values: Any) -> dict[str, Any]:
    unasked = {"batches": [], "department": None, "feed": None, "since": None, "until": None}
    return {
        "params": {**unasked, "by": "虚构甲", "reason": "映射已改", **values},
        "dag_run": SimpleNamespace(run_id="manual__1"),
    }


def test_what_is_asked_for_is_replayed_once_for_a_run(dags, installation, make_row, monkeypatch):
    for name, value in installation.settings.environment.items():
        monkeypatch.setenv(name, value)
    installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    done = call(dags, "replay", "take_again", **asked(batches=[1]))
    # A second try of the task finds its own.
    assert call(dags, "replay", "take_again", **asked(batches=[1])) == done
    assert installation.query("select batch_id, origin, run_id, released_by from ledger.batch where batch_id > 1") == [
        (done[0], "replay", "manual__1", "虚构甲")
    ]
    for wrong in (asked(), asked(batches=[1], department="market_supervision")):
        with pytest.raises(ConfigurationError, match="either numbers of batches or a department"):
            call(dags, "replay", "take_again", **wrong)


def test_it_runs_by_hand_alone(dags):
    dag = dags["replay"]
    assert (dag.schedule, dag.max_active_runs) == (None, 1)
    assert dag.doc_md
