"""The mistakes that pydantic finds in the structure of a YAML file, with line, place and fix."""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from zhengku.catalog.problem import SECRET_FIX, Problem, did_you_mean, names_a_secret, shown
from zhengku.catalog.yaml_file import Location, YamlFile
from zhengku.transports.http.model import HEADER_PATTERN

ModelT = TypeVar("ModelT", bound=BaseModel)

_PATTERNS = {HEADER_PATTERN: ("the name of an HTTP header", "Use letters, digits and -, like x-signature.")}
"""Pattern → what a text must be, in words, and the fix. Other patterns are those of ids."""


def structure_problems(
    source: YamlFile,
    model: type[BaseModel],
    errors: ValidationError,
    reported: Collection[Location] = (),
    see: str = "",
) -> list[Problem]:
    """Return the mistakes that pydantic found when it read a file as `model`.

    Those at the locations in `reported` are left out. `see` is the fix for keys that the model does not describe.
    """
    check = _StructureCheck(source, model, see)
    for error in errors.errors(include_url=False):
        location = _without_tags(tuple(step for step in error["loc"] if step != "[key]"), source.data)
        # A default that cannot be computed because of another wrong value is no mistake of its own.
        if location not in reported and error["type"] != "default_factory_not_called":
            about_key = bool(error["loc"]) and error["loc"][-1] == "[key]"
            check.report_error(location, dict(error), about_key)
    return check.problems


def read_settings(source: YamlFile, model: type[ModelT]) -> tuple[ModelT | None, list[Problem]]:
    """Read a file that is one `model`; return it, None where it cannot be read, and the mistakes, by line."""
    if source.data is None:
        empty = Problem(source.path, None, "the file is empty", "Restore it from the repository.")
        return None, source.problems or [empty]
    problems = [*source.problems]
    settings: ModelT | None = None
    try:
        settings = model.model_validate(source.data)
    except ValidationError as errors:
        problems += structure_problems(source, model, errors)
    return settings, by_line(problems)


def by_line(problems: Iterable[Problem]) -> list[Problem]:
    """Return mistakes of one file in the order of their lines."""
    return sorted(problems, key=lambda problem: problem.line or 0)


class _StructureCheck:
    def __init__(self, source: YamlFile, model: type[BaseModel], see: str) -> None:
        self.source = source
        self.schema = model.model_json_schema()
        self.see = see
        self.problems: list[Problem] = []

    def report(self, location: Location, message: str, fix: str) -> None:
        self.problems.append(Problem(self.source.path, self.source.line(location), message, fix))

    def report_error(self, location: Location, error: dict[str, Any], about_key: bool) -> None:
        context = error.get("ctx", {})
        name = str(location[-1]) if location else ""
        place = dotted(location) if location else "the file"
        around = dotted(location[:-1]) if len(location) > 1 else "the file"
        received = shown(name if about_key else error["input"])
        if isinstance(error["input"], int | float) and not isinstance(error["input"], bool) and not about_key:
            # As written: 001 is the number 1, and only its text tells the reader which one is meant.
            received = f"the number {self.source.texts.get(location, received)}"
        match error["type"]:
            case "extra_forbidden" if names_a_secret(name):
                self.report(location, f"key {shown(name)} in {around} names a secret", SECRET_FIX)
            case "extra_forbidden":
                fix = did_you_mean(name, self._allowed_keys(location[:-1]))
                self.report(location, f"unknown key {shown(name)} in {around}", fix)
            case "missing":
                self.report(location, f"key {name!r} is missing in {around}", f"Add it: {self._meaning(location)}")
            case "string_type" if isinstance(error["input"], int | float | bool):
                text = self.source.texts.get(location, "")
                self.report(location, f"{place}: expected text, got {received}", f'Put it into quotes: "{text}".')
            case "string_type":
                self.report(location, f"{place}: expected text, got {received}", self._meaning(location))
            case "string_too_short":
                self.report(location, f"{place}: expected text, got an empty one", "Fill it in or remove the key.")
            case "union_tag_not_found":
                self.report(location, f"{place}: key 'kind' is missing", f"Add it: {_quoted_list(context)}.")
            case "union_tag_invalid":
                fix = did_you_mean(context["tag"], _quoted(context["expected_tags"]))
                self.report((*location, "kind"), f"{place}: unknown kind {shown(context['tag'])}", fix)
            case "string_pattern_mismatch":
                what, fix = _PATTERNS.get(
                    context["pattern"], ("small letters, digits and _", "Use an id like market_supervision.")
                )
                self.report(location, f"{place}: expected {what}, got {received}", fix)
            case "literal_error" | "enum":
                fix = did_you_mean(str(error["input"]), _quoted(context["expected"]))
                self.report(location, f"{place}: expected {context['expected']}, got {received}", fix)
            case "model_type" | "dict_type" | "model_attributes_type":
                fix = self._mapping_fix(location, error["input"])
                self.report(location, f"{place}: expected a mapping, got {received}", fix)
            case "tuple_type" | "list_type":
                self.report(location, f"{place}: expected a list, got {received}", "Put it into brackets: [a, b].")
            case "int_type" | "int_parsing" | "int_from_float":
                self.report(location, f"{place}: expected a whole number, got {received}", self._meaning(location))
            case "bool_type" | "bool_parsing":
                self.report(location, f"{place}: expected true or false, got {received}", self._meaning(location))
            case "greater_than_equal":
                message = f"{place}: expected at least {context['ge']}, got {received}"
                self.report(location, message, self._meaning(location))
            case "less_than_equal":
                self.report(
                    location, f"{place}: expected at most {context['le']}, got {received}", self._meaning(location)
                )
            case "too_short":
                self.report(location, f"{place} is empty", "Name at least one.")
            case "catalog":
                self.report(location, f"{place}: {context['message']}", context["fix"])
            case _:
                self.report(location, f"{place}: {error['msg']}, got {received}", self._meaning(location))

    def _meaning(self, location: Location) -> str:
        return str(self._schema_at(location).get("description") or self.see)

    def _mapping_fix(self, location: Location, received: object) -> str:
        if isinstance(received, str) and "：" in received:
            return "Write ': ' and not the full-width '：'."
        keys = self._allowed_keys(location)
        return 'Write {column: …} or {constant: "…"}.' if "column" in keys else "Write its keys below it, indented."

    def _allowed_keys(self, location: Location) -> Collection[str]:
        return list(self._schema_at(location).get("properties", {}))

    def _schema_at(self, location: Location) -> dict[str, Any]:
        here = self.schema
        value = self.source.data
        for step in (*location, None):
            kinds = here.get("discriminator", {}).get("mapping", {})
            kind = value.get("kind") if isinstance(value, dict) else None
            for option in [{"$ref": kinds[kind]} if kind in kinds else here, *here.get("anyOf", [])]:
                if "$ref" in option:
                    here = {**here, **self.schema["$defs"][option["$ref"].rsplit("/", 1)[-1]]}
            value = value.get(step) if isinstance(value, dict) else None
            if step is None:
                break
            below = here.get("properties", {}).get(step) or here.get("items") or here.get("additionalProperties")
            if not isinstance(below, dict):
                # The schema of a key that is given by a pattern is below the pattern.
                below = next(iter(here.get("patternProperties", {}).values()), {})
            here = below
        return here


def dotted(location: Location) -> str:
    """Return a location as people write it: `feeds.case.fields`."""
    return ".".join(str(step) for step in location)


def _without_tags(location: Location, data: object) -> Location:
    """Leave out the values of `kind` that pydantic puts between the keys of the file for a discriminated union."""
    steps: list[str | int] = []
    here = data
    for step in location:
        if isinstance(here, dict) and step not in here and here.get("kind") == step:
            continue
        steps.append(step)
        if isinstance(here, dict):
            here = here.get(step)
        elif isinstance(here, list) and isinstance(step, int):
            here = here[step] if step < len(here) else None
    return tuple(steps)


def _quoted_list(context: dict[str, Any]) -> str:
    return "kind, one of " + ", ".join(_quoted(str(context.get("expected_tags", "")))) if context else "kind"


def _quoted(expected: str) -> Iterable[str]:
    return expected.replace(" or ", ", ").replace("'", "").split(", ")
