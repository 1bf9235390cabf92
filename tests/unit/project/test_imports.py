"""Packages import one another in one direction: the imports' own graph has no circle."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from tests.support.import_graph import imports, rooms

from zhengku.settings import project_home

INCLUDE = project_home() / "include"


def check_no_circle(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these import one another in a circle: {' → '.join(reversed(error.args[1]))}")


def test_no_module_is_in_a_circle() -> None:
    check_no_circle(imports(INCLUDE))


def test_no_package_is_in_a_circle() -> None:
    check_no_circle(rooms(imports(INCLUDE)))


def test_no_transport_knows_another() -> None:
    folder = INCLUDE / "zhengku" / "transports"
    kinds = {path.name for path in folder.iterdir() if (path / "model.py").is_file()}
    assert len(kinds) == 3
    for module, imported in imports(INCLUDE).items():
        own = module.removeprefix("zhengku.transports.").split(".")[0]
        if own in kinds and own != module:
            others = {name for name in imported for kind in kinds - {own} if f"transports.{kind}" in name}
            assert not others, f"{module} imports {others}"


def test_circle_is_found(tmp_path: Path) -> None:
    package = tmp_path / "zhengku"
    for name, text in {
        "a/one.py": "from zhengku.b import two",
        "b/two.py": "def f():\n    import zhengku.a.one",
    }.items():
        (package / name).parent.mkdir(parents=True)
        (package / name).write_text(text, encoding="utf-8")
    for found in (imports(tmp_path), rooms(imports(tmp_path))):
        with pytest.raises(pytest.fail.Exception, match="circle"):
            check_no_circle(found)
