"""A YAML file as plain data, with the line of every key and item."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from zhengku.catalog.problem import Problem, shown

Location = tuple[str | int, ...]

_FULL_WIDTH_COLON = re.compile(r"^\s*(- )?[\w.\-/]+：")


@dataclass
class YamlFile:
    """The content of one file: `data` as dicts, lists, text, numbers, booleans and None; dates stay text.

    `texts` has the scalars as they are written in the file.
    """

    path: Path
    data: object = None
    problems: list[Problem] = field(default_factory=list)
    lines: dict[Location, int] = field(default_factory=dict)
    texts: dict[Location, str] = field(default_factory=dict)

    def line(self, location: Location) -> int:
        """Return the line, from 1, of a key or an item; when it is missing, of the innermost one that contains it."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def at(self, *location: str | int) -> object:
        """Return the data at a location, None when there is nothing."""
        here = self.data
        for step in location:
            if isinstance(step, int):
                here = here[step] if isinstance(here, list) and step < len(here) else None
            else:
                here = here.get(step) if isinstance(here, dict) else None
        return here

    def mapping(self, *location: str | int) -> dict[str, object]:
        """Return the mapping at a location, an empty one when there is something else."""
        here = self.at(*location)
        return here if isinstance(here, dict) else {}

    def items(self, *location: str | int) -> list[tuple[Location, str]]:
        """Return the texts of the list at a location, each with its own location."""
        here = self.at(*location)
        if not isinstance(here, list):
            return []
        return [((*location, position), item) for position, item in enumerate(here) if isinstance(item, str)]

    def text(self, *location: str | int) -> str | None:
        """Return the text at a location, None when there is something else."""
        here = self.at(*location)
        return here if isinstance(here, str) else None


def read_yaml(path: Path) -> YamlFile:
    """Read a file. When it cannot be read, `data` is None and `problems` has the reason with its line."""
    file = YamlFile(path)
    try:
        source = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        file.problems.append(Problem(path, None, f"cannot be read: {error.strerror}", "Give the account read access."))
        return file
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        file.problems.append(Problem(path, line, "the text is not UTF-8", "Save the file as UTF-8."))
        return file
    try:
        root = _nodes(source)
    except MarkedYAMLError as error:
        file.problems.append(_syntax_problem(path, source, error))
        return file
    except YAMLError as error:
        problem = Problem(
            path, _unprintable_line(source), f"is not YAML: {type(error).__name__}", "Remove what is not text."
        )
        file.problems.append(problem)
        return file
    file.data = None if root is None else _plain(file, root, (), ())
    return file


@lru_cache(maxsize=128)
def _nodes(source: str) -> Node | None:
    """Parse a text once per process: pages and runs read the same files many times.

    Returns nodes and not data: in constructed data duplicate keys and leading zeros are lost. The nodes are shared and
    must not be changed. Raises `YAMLError`.
    """
    root: Node | None = YAML(pure=True).compose(source)
    return root


def _syntax_problem(path: Path, source: str, error: MarkedYAMLError) -> Problem:
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    lines = source.splitlines()
    # The parser reports a full-width colon one line too late, and as something else.
    for number in range(line, max(line - 2, 0), -1):
        if number <= len(lines) and _FULL_WIDTH_COLON.match(lines[number - 1]):
            return Problem(path, number, "is not YAML: a full-width colon '：' follows the key", "Write ': '.")
    context = f" {error.context}" if error.context else ""
    fix = "Indent with blanks, put texts with : # { [ into quotes, close every quote and bracket."
    return Problem(path, line, f"is not YAML: {error.problem}{context}", fix)


def _unprintable_line(source: str) -> int:
    return next(
        (number for number, line in enumerate(source.split("\n"), 1) if not line.strip("\r\t").isprintable()), 1
    )


def _plain(file: YamlFile, node: Node, location: Location, parents: tuple[Node, ...]) -> object:
    if any(node is parent for parent in parents):
        line = file.line(location)
        file.problems.append(
            Problem(file.path, line, "the alias refers to the mapping that contains it", "Write it out.")
        )
        return None
    file.lines.setdefault(location, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        return _plain_mapping(file, node, location, (*parents, node))
    if isinstance(node, SequenceNode):
        items = []
        for position, item in enumerate(node.value):
            file.lines[*location, position] = item.start_mark.line + 1
            items.append(_plain(file, item, (*location, position), (*parents, node)))
        return items
    return _plain_scalar(file, node, location)


def _plain_mapping(
    file: YamlFile, node: MappingNode, location: Location, parents: tuple[Node, ...]
) -> dict[str, object]:
    mapping: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode):
            file.problems.append(
                Problem(file.path, line, "a list or a mapping is used as a key", "Write a name as key.")
            )
            continue
        key = str(key_node.value)
        here = (*location, key)
        if key in mapping:
            message = f"key {shown(key)} is repeated, first at line {file.lines[here]}"
            if location == ("feeds",):
                message = f"feed {shown(key)} is described a second time, first at line {file.lines[here]}"
            file.problems.append(Problem(file.path, line, message, "Remove or rename one of them."))
            continue
        file.lines[here] = line
        mapping[key] = _plain(file, value_node, here, parents)
    return mapping


def _plain_scalar(file: YamlFile, node: Node, location: Location) -> object:
    text = str(node.value)
    file.texts[location] = text
    kind = str(node.tag).rsplit(":", 1)[-1]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    try:
        if kind == "int":
            return int(text.replace("_", ""), 0 if text.lower().startswith(("0x", "0b", "0o")) else 10)
        if kind == "float":
            return float(text)
    except ValueError:
        return text
    return text
