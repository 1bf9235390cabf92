"""The graph of imports: which modules, and which packages, import which others; read from the text of the files."""

import ast
from functools import cache
from pathlib import Path


def modules(folder: Path) -> dict[str, Path]:
    """Return the modules below a folder, by dotted name."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
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
