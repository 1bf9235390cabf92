"""`zhengku watch`: what a monitoring of the city gets, without Airflow."""

import json
import shutil
from pathlib import Path

import pytest
from tests.support import command_line
from tests.support.calm_catalog import calm
from tests.support.installation import Installation, make_installation

from zhengku.database import store_connection
from zhengku.settings import project_home
from zhengku.watch import state
from zhengku.watch.finding import Finding


@pytest.fixture
def shipped(tmp_path: Path, database_url: str) -> Installation:
    """An installation with all feeds, whose lists and reports are not looked at: it has days of its own."""
    folder = tmp_path / "catalog"
    shutil.copytree(project_home() / "include" / "catalog", folder)
    calm(folder)
    return make_installation(tmp_path, database_url, folder)


def watch(installation: Installation, *arguments: str) -> tuple[int, str]:
    done = command_line.zhengku(installation.settings.environment, "watch", *arguments)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_it_says_that_nobody_looks_and_ends_with_a_status(shipped):
    status, text = watch(shipped)
    assert status == 1
    assert "紧急 巡检未运行: 任务流 watch 未在运行，从未检查" in text


def test_it_repeats_what_airflow_saw_last_and_reminders_are_no_fault(shipped):
    with store_connection(shipped.settings.database_url) as connection:
        state.record_look(connection, "airflow", [])
    assert watch(shipped)[0] == 0
    with store_connection(shipped.settings.database_url) as connection:
        state.record_look(connection, "airflow", [Finding("task_failed", "tobacco", "烟草专卖局：失败")])
    status, text = watch(shipped, "--json")
    assert status == 1
    found = [one for one in json.loads(text) if one["urgency"] == "problem"]
    assert [(one["kind"], one["text"]) for one in found] == [("task_failed", "烟草专卖局：失败")]
