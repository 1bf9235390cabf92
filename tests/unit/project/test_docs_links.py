"""The documents: links and paths lead to what exists, each document is in the index, the packages are as described."""

import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from tests.support.import_graph import imports, rooms

from zhengku.database import statement_names
from zhengku.metrics import WORK_METRICS
from zhengku.operations.standing import STANDING_METRICS
from zhengku.settings import project_home

PROJECT = project_home()
READMES = [PROJECT / "README.md", PROJECT / "README.zh-CN.md"]
DOCUMENTS = sorted([*READMES, PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").rglob("*.md")])
LINKED = [*DOCUMENTS, PROJECT / "CHANGELOG.md"]
FOLDERS = (".ci", "benchmarks", "dags", "docs", "expectations", "include", "plugins", "sql", "tests")

IN_BACKTICKS = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]\[]*\]\(([^()\s]+)\)")
PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)+/?")
FILE = re.compile(r".*\.(py|sql|md|csv|yaml|json|j2|c)")
MODULE = re.compile(r"(zhengku|zhengku_airflow|simulator|local_stack|benchmarks)(\.\w+)+")
CLASS = re.compile(r"([A-Z][a-z]+){2,}")
METRICS = {metric.name for metric in (*WORK_METRICS, *STANDING_METRICS)}
"""They are named as modules are."""
CLASSES_OF_OTHERS = {"AsyncCallback", "BaseNotifier", "DeadlineAlert", "SyncCallback", "SystemExit"} | {
    # The messages of the Task SDK.
    "GetDRCount",
    "GetDag",
    "GetPreviousDagRun",
    "GetTaskStates",
}

PLACEHOLDER = re.compile(r"culture_tourism|NNNN")
"""In the name of a file that a reader is to make."""


def name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", without_code(document.read_text(encoding="utf-8")), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def broken_links(document: Path) -> list[str]:
    broken = []
    for target in LINK.findall(IN_BACKTICKS.sub("", without_code(document.read_text(encoding="utf-8")))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        if not found.exists() or (anchor and found.suffix == ".md" and anchor not in anchors(found)):
            broken.append(target)
    return broken


@cache
def all_paths() -> str:
    """Return the paths of all files and folders, a line each, between slashes."""
    return "".join(f"/{name(path)}/\n" for folder in (*FOLDERS, "docker") for path in (PROJECT / folder).rglob("*"))


def exists(path: str) -> bool:
    """Return whether a path of the project, or the end of one, or a pattern, leads to a file or a folder."""
    pattern = re.escape(path.strip("/")).replace(r"\*", "[^/\n]*")
    start = "^/" if path.split("/")[0] in FOLDERS else "/"
    return re.search(f"{start}{pattern}/$", all_paths(), re.MULTILINE) is not None


def is_module(dotted: str) -> bool:
    """Return whether a dotted name is a module, or something that is defined in one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        root = PROJECT if parts[0] == "benchmarks" else PROJECT / "include"
        path = root.joinpath(*parts[:length])
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if file.is_file() or path.is_dir():
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            return all(re.search(rf"\b{part}\b", text) for part in parts[length:])
    return False


@cache
def classes() -> set[str]:
    files = (PROJECT / "include").rglob("*.py")
    return {found for path in files for found in re.findall(r"^class (\w+)", path.read_text("utf-8"), re.MULTILINE)}


def unknown_names(document: Path) -> list[str]:
    """Return names in backticks that look like a file, statement, module or class of the project, and are not."""
    statements = set(statement_names())
    topics = {statement.rpartition(".")[0] for statement in statements}
    unknown = []
    for code in IN_BACKTICKS.findall(without_code(document.read_text(encoding="utf-8"))):
        if PLACEHOLDER.search(code):
            continue
        if code.rpartition(".")[0] in topics:
            known = code in statements or FILE.fullmatch(code) is not None
        elif MODULE.fullmatch(code):
            known = is_module(code) or code in METRICS
        elif CLASS.fullmatch(code):
            known = code in classes() | CLASSES_OF_OTHERS
        elif PATH.fullmatch(code) and (code.split("/")[0] in FOLDERS or FILE.fullmatch(code)):
            known = exists(code)
        else:
            continue
        if not known:
            unknown.append(code)
    return unknown


@pytest.mark.parametrize("document", LINKED, ids=name)
def test_links_lead_to_what_exists(document: Path) -> None:
    assert broken_links(document) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_named_files_statements_modules_and_classes_exist(document: Path) -> None:
    assert unknown_names(document) == []


def test_what_does_not_exist_is_found(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "# A page\n[a](other.md) [b](#a-page) [c](#no-page) `sql/load/settel.sql` `sql/load/settle.sql` "
        "`load/merge.confrim` `zhengku.stage.cleaner` `zhengku.stage.cleaning` "
        "`zhengku.stage.cleaning.no_query` `NoPipeline` `Pipeline`",
        encoding="utf-8",
    )
    assert broken_links(document) == ["other.md", "#no-page"]
    # The second is put together: `test_statements` takes every literal of this form for a call.
    wrong = [
        "sql/load/settel.sql",
        "load/" + "merge.confrim",
        "zhengku.stage.cleaner",
        "zhengku.stage.cleaning.no_query",
        "NoPipeline",
    ]
    assert unknown_names(document) == wrong


def test_every_document_is_linked_from_the_index() -> None:
    index = PROJECT / "docs" / "README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in LINK.findall(index.read_text("utf-8"))}
    assert [name(path) for path in DOCUMENTS if path != index and path.resolve() not in linked] == []


def test_the_levels_of_packages_in_the_architecture_are_those_of_the_imports() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = [line.split() for line in re.findall(r"^ *[0-9]+  [a-z_ ]+$", text, re.MULTILINE)]
    graph = rooms(imports(PROJECT / "include"))
    levels: dict[str, int] = {}
    for package in TopologicalSorter(graph).static_order():
        levels[package] = 1 + max((levels[imported] for imported in graph[package]), default=0)
    found: dict[int, set[str]] = {}
    for package, level in levels.items():
        if package != "zhengku":
            found.setdefault(level, set()).add(package.removeprefix("zhengku."))
    assert {int(level): set(packages) for level, *packages in shown} == found


@pytest.mark.parametrize("readme", READMES, ids=name)
def test_the_tree_in_the_readme_has_every_folder(readme: Path) -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```$", readme.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    [tree] = [block for block in blocks if block.startswith("dags/")]
    shown = [line.split()[0] for line in tree.splitlines()]
    packages = {f"include/{path.name}/" for path in (PROJECT / "include").iterdir() if path.suffix != ".egg-info"}
    assert set(shown) == {f"{folder}/" for folder in FOLDERS if folder not in (".ci", "include")} | packages
