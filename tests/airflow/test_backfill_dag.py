"""The DAG of the backfill as Airflow sees it: a partition a month, a task and a pool for each department."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.airflow_tasks import call, skipped

from zhengku.catalog import load_catalog
from zhengku.operations.backfill import backfilled_feeds
from zhengku_airflow.pools import department_pools

HOME = Path(__file__).resolve().parents[2]


def test_every_department_with_months_has_a_task_in_a_pool_of_its_own(dags):
    dag = dags["backfill"]
    catalog = load_catalog(HOME / "include" / "catalog")
    expected = {name for name, each in catalog.departments.items() if backfilled_feeds(each)}
    assert {"transport", "housing", "public_security"} <= expected
    # What cases produced has a past. Cases and evaluations are for the lists of the day, file drops come whole.
    assert set(backfilled_feeds(catalog.department("unified_acceptance"))) == {"case_results"}
    assert not {"service_evaluation", "tobacco"} & expected
    assert set(dag.task_ids) == expected
    pools = department_pools(HOME / "include" / "catalog", print)
    for task in dag.tasks:
        assert task.pool == f"{catalog.department(task.task_id).pool.name}_backfill"
        assert pools[task.pool] == 1
        assert [asset.uri for asset in task.outlets] == [f"zhengku://backfill/{task.task_id}"]
    # What is scheduled by the store's assets is not woken by a month.
    assert {asset.uri for task in dag.tasks for asset in task.outlets}.isdisjoint(
        f"zhengku://store/{key}" for key in catalog.license_types
    )


def test_partitions_are_the_months_before_the_runs(dags):
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.serialization.serialized_objects import DagSerialization

    dag = DagSerialization.from_dict(DagSerialization.to_dict(dags["backfill"]))
    assert isinstance(dag, SerializedDAG)
    assert dag.timetable.partitioned
    begin, end = datetime(2019, 1, 1, tzinfo=UTC), datetime(2019, 4, 2, tzinfo=UTC)
    keys = [info.partition_key for info in dag.iter_dagrun_infos_between(begin, end)]
    assert "2019-01" in keys
    assert keys == sorted(set(keys))


def run_of(key: str | None, departments: list[str], **more: Any) -> dict[str, Any]:
    return {
        "params": {"departments": departments, "again": False},
        "dag_run": SimpleNamespace(partition_key=key, run_id="backfill__2019-03"),
        "ti": SimpleNamespace(try_number=1),
        **more,
    }


def test_task_takes_the_month_of_its_partition(dags, monkeypatch):
    asked: list[tuple[Any, ...]] = []

    def backfill_month(pipeline, department, month, run_id, *, again):
        asked.append((department, month.isoformat(), run_id, again))
        return []

    monkeypatch.setattr("zhengku.operations.backfill.backfill_month", backfill_month)
    call(dags, "backfill", "transport", **run_of("2019-03", []))
    call(dags, "backfill", "transport", **run_of("2019-04", ["transport", "housing"]))
    assert asked == [
        ("transport", "2019-03-01", "backfill__2019-03", False),
        ("transport", "2019-04-01", "backfill__2019-03", False),
    ]
    with pytest.raises(skipped(), match="other departments"):
        call(dags, "backfill", "transport", **run_of("2019-03", ["housing"]))
    with pytest.raises(skipped(), match="no month"):
        call(dags, "backfill", "transport", **run_of(None, []))
