"""Rules as data: the suites of `expectations/*.json`, one for each data set and additional ones for license types."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from zhengku.errors import CatalogError, ConfigurationError

BATCH_SUITE = "batch"
"""Name of the suite of batch rules, which check the one row of `batch_summary`."""

Severity = Literal["critical", "warning", "info"]
"""`critical` keeps a row out of the store (a batch rule: holds the batch); the others load and are reported."""

EXTENSION = "extension."
"""Prefix of the name of an extension field in the `fields` of a rule."""

_PARAMETER = "$PARAMETER"
_Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
_RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z_]+(\.[a-z0-9_]+)+$")]


class RuleMeta(BaseModel):
    """What people read about a rule. `fields`: the fields that it checks (`extension.<name>` for extension fields).

    `example`: a value that fails the rule; `right_example`: a correct value. Phrases are Chinese.
    `applies_if` names a parameter: the rule is skipped where that is None. `deletes` says whether it checks rows that
    delete a record, which have little more than its key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule_id: _RuleId
    reason_zh: _Text
    standard: _Text
    example: _Text
    right_example: _Text
    fields: tuple[_Text, ...] = Field(min_length=1)
    applies_if: _Text | None = None
    deletes: Literal["no", "also", "only"] = "no"


class Rule(BaseModel):
    """One entry of a suite: an expectation of Great Expectations with its severity and its description."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: _Text
    kwargs: dict[str, Any]
    severity: Severity
    meta: RuleMeta

    @property
    def rule_id(self) -> str:
        """Stable id of the rule; it is stored in the quarantine and the ledger, and shown in reports."""
        return self.meta.rule_id

    @property
    def reason(self) -> str:
        """What is wrong with a row that fails, in Chinese, for the department."""
        return self.meta.reason_zh

    @property
    def parameters(self) -> frozenset[str]:
        """Names of the parameters in its arguments (`{"$PARAMETER": name}`) and in `applies_if`."""
        applies_if = [] if self.meta.applies_if is None else [self.meta.applies_if]
        return frozenset([*_parameter_names(self.kwargs), *applies_if])

    def arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the expectation's arguments with `values` in place of the parameters.

        Raises `ConfigurationError` when one has no value.
        """
        if missing := self.parameters - values.keys():
            raise ConfigurationError(
                f"Rule {self.rule_id} needs parameters {', '.join(sorted(missing))}; given are "
                f"{', '.join(sorted(values)) or 'none'}. Pass them, with None where one does not apply."
            )
        filled = _filled(self.kwargs, values)
        assert isinstance(filled, dict)
        return filled


class _SuiteFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Text
    notes: _Text | None = None
    includes: tuple[_Text, ...] = ()
    expectations: tuple[Rule, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Suite:
    """The rules of one file, in its order; `notes` says in Chinese what the suite is for."""

    name: str
    path: Path
    rules: tuple[Rule, ...]
    notes: str | None = None

    def where(self, rule: Rule) -> str:
        """Return the place of a rule for messages: file, entry, id."""
        return f"{self.path.name}, entry {self.rules.index(rule) + 1} ({rule.rule_id})"


def suite_names(folder: Path) -> tuple[str, ...]:
    """Return the names of all suites of a folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


def load_suites(folder: Path, names: Sequence[str], instead: Mapping[str, Path] | None = None) -> list[Suite]:
    """Read the named suites (`<folder>/<name>.json`) in the given order, each after those that it includes.

    A suite that several suites include is returned once. `instead` has files that are read instead of the folder's,
    by suite. Raises `CatalogError`, naming file and entry, for a missing or malformed
    file, a severity that does not exist, or a rule id used twice. Whether an expectation exists is checked when
    it is built, by `zhengku.validate.run.build`.
    """
    suites = list(_with_included(folder, names, instead or {}).values())
    first: dict[str, str] = {}
    for suite in suites:
        for place, rule in enumerate(suite.rules, start=1):
            here = f"{suite.path.name}, entry {place}"
            if rule.rule_id in first:
                raise CatalogError(
                    f"{here}: rule id {rule.rule_id!r} is used in {first[rule.rule_id]} already; expected its own. "
                    "Rename one: quarantined rows and reports point at rules by id."
                )
            first[rule.rule_id] = here
    return suites


def rules_for_upserts(suites: Iterable[Suite]) -> list[Suite]:
    """Return the suites with only the rules that check rows with a new or changed record."""
    return [
        replace(suite, rules=tuple(rule for rule in suite.rules if rule.meta.deletes != "only")) for suite in suites
    ]


def rules_for_deletes(suites: Iterable[Suite]) -> list[Suite]:
    """Return the suites with only the rules that check rows that delete a record."""
    return [replace(suite, rules=tuple(rule for rule in suite.rules if rule.meta.deletes != "no")) for suite in suites]


def reasons(suites: Iterable[Suite]) -> dict[str, str]:
    """Return the Chinese reason of every rule, by rule id."""
    return {rule.rule_id: rule.reason for suite in suites for rule in suite.rules}


def _with_included(folder: Path, names: Sequence[str], instead: Mapping[str, Path]) -> dict[str, Suite]:
    suites: dict[str, Suite] = {}
    for name in dict.fromkeys(names):
        suite, includes = _load(folder, name, instead)
        for included in includes:
            group, further = _load(folder, included, instead)
            if further:
                raise CatalogError(
                    f"{suite.path.name}: includes {included!r}, which includes {', '.join(further)}; expected one "
                    f"level. Name them all in {suite.path.name}."
                )
            suites.setdefault(included, group)
        suites.setdefault(name, suite)
    return suites


def _load(folder: Path, name: str, instead: Mapping[str, Path]) -> tuple[Suite, tuple[str, ...]]:
    path = instead.get(name, folder / f"{name}.json")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(suite_names(folder)) or "none"
        raise CatalogError(
            f"No suite {name!r}: expected a file {path}; suites there: {known}. Write it, or correct the feed."
        ) from None
    except json.JSONDecodeError as error:
        raise CatalogError(f"{path.name}:{error.lineno}: not JSON: {error.msg} at column {error.colno}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path.name}: cannot be read as UTF-8 text ({type(error).__name__}).") from None
    try:
        read = _SuiteFile.model_validate(content)
    except ValidationError as error:
        raise CatalogError("; ".join(_fault_message(path, content, fault) for fault in error.errors())) from None
    if read.name != name:
        raise CatalogError(f"{path.name}: the name inside is {read.name!r}; expected {name!r}.")
    return Suite(name=name, path=path, rules=read.expectations, notes=read.notes), read.includes


def _fault_message(path: Path, content: Any, fault: Any) -> str:
    """Return the message of one mistake in a suite file: where, what was expected, and what was received."""
    location = list(fault["loc"])
    where = path.name
    if location[:1] == ["expectations"] and len(location) > 1:
        entry = content["expectations"][location[1]]
        where += f", entry {location[1] + 1}"
        if isinstance(entry, dict) and isinstance(entry.get("meta"), dict) and "rule_id" in entry["meta"]:
            where += f" ({entry['meta']['rule_id']})"
        location = location[2:]
    key = ".".join(str(part) for part in location)
    received = "" if fault["type"] == "missing" else f", got {fault['input']!r:.80}"
    return f"{where}: {key or 'the content'}: {fault['msg']}{received}"


def parameter_name(value: Any) -> str | None:
    """Return the parameter that an argument of a rule names; None for an argument with a value of its own."""
    return value[_PARAMETER] if isinstance(value, dict) and set(value) == {_PARAMETER} else None


def _parameter_names(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        if name := parameter_name(value):
            yield name
        else:
            for inner in value.values():
                yield from _parameter_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parameter_names(inner)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if name := parameter_name(value):
            return values[name]
        return {key: _filled(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, values) for inner in value]
    return value
