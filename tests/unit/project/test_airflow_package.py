"""What Airflow's part imports and what imports it, and the documentation that a department's file becomes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from zhengku.catalog import load_department
from zhengku.catalog.department import Department
from zhengku.settings import project_home
from zhengku_airflow.department_doc import department_doc

HOME = project_home()
DEPARTMENTS = sorted(path.stem for path in (HOME / "include" / "catalog" / "departments").glob("*.yaml"))


def imported(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file below a folder with each top-level package that it imports, also within functions."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                yield file.name, (node.module or "").split(".")[0]
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    yield file.name, alias.name.split(".")[0]


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("include/zhengku", {"airflow", "zhengku_airflow", "local_stack", "simulator"}),
        ("include/zhengku_airflow", {"local_stack", "simulator"}),
        ("plugins", {"local_stack", "simulator"}),
        ("dags", {"local_stack", "simulator", "zhengku"}),
    ],
)
def test_imports_go_one_way(package: str, forbidden: set[str]) -> None:
    found = list(imported(HOME / package))
    assert found
    assert [(file, name) for file, name in found if name in forbidden] == []


@pytest.mark.parametrize("folder", ["dags", "plugins"])
def test_files_that_airflow_looks_for_only_name_what_the_package_holds(folder: str) -> None:
    for file in (HOME / folder).glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)] == [], file


def department(department_id: str) -> Department:
    return load_department(HOME / "include" / "catalog", department_id)


@pytest.mark.parametrize("department_id", DEPARTMENTS)
def test_documentation_names_every_feed_every_task_and_where_to_look(department_id: str) -> None:
    doc = department_doc(department(department_id))
    for feed in department(department_id).feeds.values():
        line = next(line for line in doc.splitlines() if feed.title in line)
        assert f"{feed.transport.origin_zh}，每次取{feed.window.extent_zh}" in line
        assert feed.transport.reading_zh in doc
    assert re.findall(r"^- \*\*(\w+)\*\*", doc, flags=re.MULTILINE) == ["collect", "load", "conclude"]
    files = re.findall(r"`((?:docs|include)/[^`]+)`", doc)
    assert f"include/catalog/departments/{department_id}.yaml" in files
    for file in files:
        assert (HOME / file).is_file(), file


@pytest.mark.parametrize(
    ("department_id", "lines"),
    [
        (
            "civil_affairs",
            ["只读读取前置库各表并原样落地", "前置库，每次取上次水位（cd_time）以来变动的记录，并回看120分钟。"],
        ),
        ("medical_insurance", ["按页取回接口数据并原样落地", "接口，每次取全部登记；库内有而其中没有的记录另作标记。"]),
        ("water", ["原样落地投递文件", "文件投递目录（XLSX），每次取新送达的文件。"]),
        ("tobacco", ["文件投递目录（CSV，须附清单），每次取新送达的文件；库内有而其中没有的记录另作标记。"]),
        ("unified_acceptance", ["接口数据", "前置库各表", "每日0:35、16:35归集", "`daily_clearance`"]),
    ],
)
def test_documentation_says_what_comes_from_where(department_id: str, lines: list[str]) -> None:
    doc = department_doc(department(department_id))
    for line in lines:
        assert line in doc
    assert ("`daily_clearance`" in doc) == (department_id == "unified_acceptance")


@pytest.mark.parametrize(
    ("schedule", "times"),
    [
        ("5 0 * * *", "每日0:05归集"),
        ("0,30 16,1 * * *", "每日1:00、1:30、16:00、16:30归集"),
        ("*/5 0 * * 1", "按 `*/5 0 * * 1` 归集"),
    ],
)
def test_documentation_says_when(schedule: str, times: str) -> None:
    assert times in department_doc(department("water").model_copy(update={"schedule": schedule}))
