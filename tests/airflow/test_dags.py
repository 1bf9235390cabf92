"""The DAGs as Airflow sees them: parsed without a database, complete, owned, named for people."""

import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from zhengku.errors import CatalogError

HOME = Path(__file__).resolve().parents[2]

# Who delivers, and how many feeds; by hand, so that a department that vanishes from the catalogue is missed.
EXPECTED = {
    "civil_affairs": ("市民政局", 5),
    "disabled_persons": ("市残疾人联合会", 1),
    "ecology": ("市生态环境局", 1),
    "education": ("市教育局", 2),
    "emergency": ("市应急管理局", 1),
    "establishment": ("市委编办", 1),
    "government_services": ("市政务服务和大数据管理局", 1),
    "health": ("市卫生健康委员会", 6),
    "housing": ("市住房和城乡建设局", 6),
    "human_resources": ("市人力资源和社会保障局", 3),
    "market_supervision": ("市市场监督管理局", 6),
    "medical_insurance": ("市医疗保障局", 1),
    "natural_resources": ("市自然资源和规划局", 4),
    "public_security": ("市公安局", 5),
    "service_evaluation": ("市政务服务“好差评”系统", 2),
    "tobacco": ("市烟草专卖局", 1),
    "transport": ("市交通运输局", 7),
    "unified_acceptance": ("市政务服务和大数据管理局（统一受理平台）", 3),
    "water": ("市水利和湖泊局", 1),
}
CASES_AND_EVALUATIONS = {"service_evaluation", "unified_acceptance"}
# test_clearance_dags.py, test_review_dags.py, test_backfill_dag.py, test_replay_dag.py and test_watch_dag.py are about
# these.
PRODUCTS = {
    "backfill",
    "daily_clearance",
    "daily_clearance_cutoff",
    "held_batches",
    "replay",
    "reconcile",
    "retention",
    "review_requests",
    "stock",
    "validation_report",
    "watch",
}


@pytest.fixture(scope="module")
def dag_bag(tmp_path_factory):
    os.environ["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("airflow"))
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(HOME / "plugins")
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(HOME / "dags")
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(HOME / "dags"))


def test_every_file_parses_and_the_list_is_the_expected_one(dag_bag):
    assert dag_bag.import_errors == {}
    assert set(dag_bag.dags) == EXPECTED.keys() | PRODUCTS
    assert {path.stem for path in (HOME / "dags").glob("*.py")} == EXPECTED.keys() | PRODUCTS


def test_every_department_of_the_catalogue_has_a_dag(dag_bag):
    departments = {path.stem for path in (HOME / "include" / "catalog" / "departments").glob("*.yaml")}
    assert departments <= set(dag_bag.dags)


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_a_dag_tells_who_it_is_and_who_is_called(dag_bag, dag_id):
    dag, (department, _) = dag_bag.dags[dag_id], EXPECTED[dag_id]
    work = "数据归集" if dag_id in CASES_AND_EVALUATIONS else "证照归集"
    assert dag.dag_display_name == f"{department}·{work}"
    assert dag.tags == {work, department}
    assert dag.doc_md
    assert department in dag.doc_md
    assert f"include/catalog/departments/{dag_id}.yaml" in dag.doc_md
    for task in dag.tasks:
        assert f"**{task.task_id}**" in dag.doc_md
        assert task.owner == "big-data-section"


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_every_system_is_read_and_loaded_on_its_own_then_all_is_concluded(dag_bag, dag_id):
    dag, (_, feeds) = dag_bag.dags[dag_id], EXPECTED[dag_id]
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == {
        "collect": {"load"},
        "load": {"conclude"},
        "conclude": set(),
    }
    group = dag.get_task("load").get_closest_mapped_task_group()
    assert group is dag.get_task("collect").get_closest_mapped_task_group()
    assert dag.get_task("conclude").get_closest_mapped_task_group() is None
    systems = group._expand_input.value["feeds"]
    assert len(systems) == (2 if dag_id in CASES_AND_EVALUATIONS else 1)
    assert len({feed for system in systems for feed in system}) == feeds


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_every_task_is_repeated_after_a_pause_and_stopped_when_it_hangs(dag_bag, dag_id):
    for task in dag_bag.dags[dag_id].tasks:
        assert task.retries == 2
        assert task.retry_delay >= timedelta(minutes=1)
        assert task.execution_timeout <= timedelta(hours=2)
        assert task.pool == dag_id


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_nights_do_not_pile_up_and_days_are_those_of_the_city(dag_bag, dag_id):
    dag = dag_bag.dags[dag_id]
    assert dag.max_active_runs == 1
    assert not dag.catchup
    assert str(dag.timetable.timezone if hasattr(dag.timetable, "timezone") else dag.timezone) == "Asia/Shanghai"


def test_departments_begin_at_night_and_no_two_in_the_same_minute(dag_bag):
    begins = {}
    for dag_id in EXPECTED.keys() - CASES_AND_EVALUATIONS:
        minute, hour, *days = dag_bag.dags[dag_id].timetable.expression.split()
        assert days == ["*", "*", "*"]
        begins[dag_id] = int(hour), int(minute)
    assert all(hour < 5 for hour, _ in begins.values()), begins
    assert len(set(begins.values())) == len(begins), begins


@pytest.mark.parametrize("dag_id", sorted(CASES_AND_EVALUATIONS))
def test_cases_and_evaluations_are_read_right_after_the_cutoffs_of_both_lists(dag_bag, dag_id):
    assert dag_bag.dags[dag_id].timetable.expression == "35 0,16 * * *"


def test_mapped_tasks_bear_the_names_of_their_feeds(dag_bag):
    for dag in dag_bag.dags.values():
        for task in dag.tasks:
            if task.task_id in ("collect", "load"):
                assert task.map_index_template == "{{ feed_titles }}"


def test_every_task_asset_and_group_has_a_chinese_name(dag_bag):
    """A person of the city reads the grid and the graphs; ids are for commands."""
    chinese = re.compile("[\u4e00-\u9fff]")
    for dag in dag_bag.dags.values():
        groups = [group for name, group in dag.task_group_dict.items() if name]
        shown = [dag.dag_display_name, *(group.group_display_name for group in groups)]
        for task in dag.tasks:
            shown += [task.task_display_name, *(asset.group for asset in task.outlets)]
        for name in shown:
            assert chinese.search(name), (dag.dag_id, name)


def test_pages_know_every_dag_that_is_no_department():
    from zhengku.pages.dag_pages import ELSEWHERE

    assert ELSEWHERE.keys() == PRODUCTS


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
import psycopg
psycopg.connect = refuse
psycopg.Connection.connect = classmethod(refuse)
import pathlib, runpy
files = sorted(pathlib.Path("dags").glob("*.py"))
assert [runpy.run_path(str(file))["dag"].dag_id for file in files] == [file.stem for file in files]
heavy = sorted({"great_expectations", "pandas", "numpy"} & set(sys.modules))
assert not heavy, heavy
"""
    environment = {**os.environ, "ZHENGKU_DATABASE_URL": "", "ZHENGKU_HOME": str(HOME)}
    environment.pop("ZHENGKU_DATABASE_URL")
    subprocess.run([sys.executable, "-c", program], check=True, cwd=HOME, env=environment, timeout=120)


def test_each_department_is_compared_weekly_in_its_own_pool(dag_bag):
    dag = dag_bag.dags["reconcile"]
    assert dag.timetable.expression == "0 10 * * 6"
    assert {task.task_id for task in dag.tasks} == set(EXPECTED)
    assert {task.task_id: task.pool for task in dag.tasks}["transport"] == "transport"
    assert all(not task.upstream_task_ids for task in dag.tasks)


def test_department_whose_file_is_wrong_fails_its_own_comparison_only(dag_bag, tmp_path, monkeypatch):
    from zhengku_airflow.reconcile_dag import reconcile

    folder = tmp_path / "catalog"
    shutil.copytree(HOME / "include" / "catalog", folder)
    wrong = folder / "departments" / "water.yaml"
    wrong.write_text(wrong.read_text(encoding="utf-8") + "surplus: 1\n", encoding="utf-8")
    monkeypatch.setenv("ZHENGKU_CATALOG_DIR", str(folder))
    # It is not asked: the file is read first.
    monkeypatch.setenv("ZHENGKU_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    dag = reconcile("")
    assert {task.task_id for task in dag.tasks} == set(EXPECTED)
    assert dag.get_task("transport").pool == "transport"
    with pytest.raises(CatalogError, match=r"water\.yaml.*surplus"):
        dag.get_task("water").python_callable("water")


def test_stock_is_counted_every_monday_before_work(dag_bag):
    dag = dag_bag.dags["stock"]
    assert dag.timetable.expression == "30 6 * * 1"
    assert {task.task_id: [asset.uri for asset in task.outlets] for task in dag.tasks} == {
        "collection_rate": ["zhengku://stock/collection_rate"],
        "expiry": ["zhengku://stock/expiry"],
    }
    assert all(not task.upstream_task_ids for task in dag.tasks)
