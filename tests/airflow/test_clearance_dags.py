"""The DAGs of the daily clearance as Airflow sees them, and that none of their steps runs without need."""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
DAGS = ("daily_clearance", "daily_clearance_cutoff")


@pytest.mark.parametrize("dag_id", DAGS)
def test_dag_tells_what_it_does_and_who_is_called(dags, dag_id):
    dag = dags[dag_id]
    assert dag.dag_display_name.startswith("日清清单·")
    assert dag.tags == {"日清日结"}
    for task in dag.tasks:
        assert f"**{task.task_id}**" in dag.doc_md
        assert task.owner == "big-data-section"
    for file in re.findall(r"`((?:docs|include)/[^`]+)`", dag.doc_md):
        assert (HOME / file).is_file(), file


@pytest.mark.parametrize("dag_id", DAGS)
def test_list_that_is_out_is_told_of_whatever_becomes_of_rates_and_workbooks(dags, dag_id):
    assert {task.task_id: task.downstream_task_ids for task in dags[dag_id].tasks} == {
        "publish": {"rates", "workbooks", "notify_by_mail", "notify_by_robot"},
        "rates": {"workbooks"},
        "workbooks": set(),
        "notify_by_mail": set(),
        "notify_by_robot": set(),
    }
    # A run whose step failed is red: none is skipped over.
    assert {task.trigger_rule for task in dags[dag_id].tasks} == {"all_success"}


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_step_is_repeated_and_stopped_when_it_hangs(dags, dag_id):
    dag = dags[dag_id]
    assert dag.max_active_runs == 1
    assert not dag.catchup
    for task in dag.tasks:
        assert task.retries == 2
        assert timedelta(minutes=1) <= task.retry_delay <= timedelta(minutes=5)
        assert task.execution_timeout <= timedelta(minutes=30)


def test_one_runs_when_cases_and_evaluations_were_loaded(dags):
    condition = dags["daily_clearance"].timetable.asset_condition
    assert type(condition).__name__ == "AssetAll"
    assert {asset.name for asset in condition.objects} == {"store.service_case", "store.evaluation"}


def test_the_other_runs_at_the_hours_of_the_catalogue_and_tells_when_a_list_is_late(dags):
    dag = dags["daily_clearance_cutoff"]
    crons = {cron.expression: str(cron.timezone) for cron in dag.timetable.timetables}
    assert crons == {"50 16 * * *": "Asia/Shanghai", "0 6 * * *": "Asia/Shanghai"}
    [alert] = dag.deadline
    assert alert.interval == timedelta(minutes=20)
    assert alert.callback.path == "zhengku_airflow.notifier.CityNotifier"
    assert dags["daily_clearance"].deadline is None


def test_plugins_are_light_and_every_process_can_import_them():
    """Every process of Airflow imports each file of the folder, those of the tasks too."""
    program = """
import json, sys
from airflow import plugins_manager, settings
settings.PLUGINS_FOLDER, folder = sys.argv[1], settings.PLUGINS_FOLDER
plugins_manager._get_plugins()
before = set(sys.modules)
settings.PLUGINS_FOLDER = folder
plugins_manager._get_plugins.cache_clear()
plugins, errors = plugins_manager._get_plugins()
print(json.dumps([[plugin.name for plugin in plugins], errors, sorted(set(sys.modules) - before)]))
"""
    environment = {**os.environ, "AIRFLOW__CORE__PLUGINS_FOLDER": str(HOME / "plugins"), "ZHENGKU_HOME": str(HOME)}
    command = [sys.executable, "-c", program, str(HOME / "tests" / "support" / "data")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=120)
    names, errors, modules = json.loads(done.stdout.splitlines()[-1])
    assert {"zhengku_clearance", "zhengku_review"} <= set(names)
    assert errors == {}
    heavy = ("airflow.api_fastapi", "fastapi", "great_expectations", "numpy", "pandas", "xlsxwriter", "zhengku.pages")
    # Of the pages the names of the roles are all that is imported.
    light = ("zhengku.pages", "zhengku.pages.access")
    assert [name for name in modules if name.startswith(heavy) and name not in light] == []
