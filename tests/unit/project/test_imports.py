"""Packages import one another in one direction: the imports' own graph has no circle."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from zhengku.settings import project_home

INCLUDE = project_home() / "include"


def modules(folder: Path) -> dict[str, Path]:
    """Return the modules below a folder, by dotted name."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(folder: Path) -> dict[str, set[str]]:
    """Return which modules each module imports, anywhere in its text; of those below the folder."""
    known = modules(folder)
    graph: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names} & known.keys()
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    within = f"{node.module}.{alias.name}"
                    graph[name] |= {within if within in known else node.module} & known.keys()
    return graph


def room(module: str) -> str:
    """Return the package of zhengku that a module belongs to; other packages are one each."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "zhengku" else parts[0]


def rooms(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return which rooms each room imports; `zhengku` itself holds the release alone."""
    found: dict[str, set[str]] = {}
    for module, imported in graph.items():
        found.setdefault(room(module), set()).update({room(name) for name in imported} - {room(module), "zhengku"})
    return found


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
