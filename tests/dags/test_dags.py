"""The DAGs as Airflow sees them: parsed without a database, complete, owned, named for people."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]

EXPECTED = {
    "market_supervision": {
        "title": "市市场监督管理局·证照归集",
        "owner": "big-data-section",
        "tags": {"证照归集", "市市场监督管理局"},
        "retries": 2,
        "tasks": ["feed.collect", "feed.stage", "feed.validate", "feed.load", "conclude"],
    },
}


@pytest.fixture(scope="module")
def dag_bag(tmp_path_factory):
    os.environ["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("airflow"))
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(HOME / "plugins")
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(HOME / "dags")
    sys.path.append(str(HOME / "plugins"))  # as Airflow does at start
    from airflow.dag_processing.dagbag import DagBag

    yield DagBag(str(HOME / "dags"))
    sys.path.remove(str(HOME / "plugins"))


def test_every_file_parses_and_the_list_is_the_expected_one(dag_bag):
    assert dag_bag.import_errors == {}
    assert sorted(dag_bag.dags) == sorted(EXPECTED)
    assert {path.stem for path in (HOME / "dags").glob("*.py")} == set(EXPECTED)


def test_every_department_of_the_catalogue_has_a_dag(dag_bag):
    departments = {path.stem for path in (HOME / "include" / "catalog" / "departments").glob("*.yaml")}
    assert departments <= set(dag_bag.dags)


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_a_dag_tells_who_it_is_and_who_is_called(dag_bag, dag_id):
    dag, expected = dag_bag.dags[dag_id], EXPECTED[dag_id]
    assert dag.dag_display_name == expected["title"]
    assert dag.tags == expected["tags"]
    assert dag.doc_md
    assert "collect" in dag.doc_md
    assert {task.owner for task in dag.tasks} == {expected["owner"]}


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_every_task_is_repeated_after_a_pause_and_stopped_when_it_hangs(dag_bag, dag_id):
    dag, expected = dag_bag.dags[dag_id], EXPECTED[dag_id]
    assert sorted(task.task_id for task in dag.tasks) == sorted(expected["tasks"])
    for task in dag.tasks:
        assert task.retries == expected["retries"]
        assert task.retry_delay >= timedelta(minutes=1)
        assert task.execution_timeout <= timedelta(hours=2)
        assert task.pool == dag_id


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_nights_do_not_pile_up_and_days_are_those_of_the_city(dag_bag, dag_id):
    dag = dag_bag.dags[dag_id]
    assert dag.max_active_runs == 1
    assert not dag.catchup
    assert str(dag.timetable.timezone if hasattr(dag.timetable, "timezone") else dag.timezone) == "Asia/Shanghai"


def test_mapped_tasks_bear_the_name_of_their_feed(dag_bag):
    for dag in dag_bag.dags.values():
        for task in dag.tasks:
            if task.task_id.startswith("feed."):
                assert task.map_index_template == "{{ feed_title }}"


def test_parsing_reads_no_database_no_variable_and_imports_nothing_heavy():
    """Parsed in a process in which every connection and every look-up of Airflow's metadata raises."""
    program = """
import socket, sys
def refuse(*_, **__):
    raise AssertionError("a connection was opened while DAGs are parsed")
socket.socket.connect = refuse
socket.create_connection = refuse
from airflow.sdk import BaseHook, Connection, Variable
Variable.get = classmethod(refuse)
Connection.get = classmethod(refuse)
BaseHook.get_connection = classmethod(refuse)
import sqlalchemy.engine
sqlalchemy.engine.Engine.connect = refuse
sys.path.append("plugins")
import psycopg
psycopg.connect = refuse
psycopg.Connection.connect = classmethod(refuse)
import runpy
runpy.run_path("dags/market_supervision.py")
heavy = sorted({"great_expectations", "pandas", "numpy"} & set(sys.modules))
assert not heavy, heavy
"""
    environment = {**os.environ, "ZHENGKU_DATABASE_URL": "", "ZHENGKU_HOME": str(HOME)}
    environment.pop("ZHENGKU_DATABASE_URL")
    subprocess.run([sys.executable, "-c", program], check=True, cwd=HOME, env=environment, timeout=120)
