"""Runs suites with Great Expectations in the database: which rules fail, and the conditions of their failing rows."""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metadata_types import FailureSeverity

from zhengku.errors import CatalogError, StoreUnavailable
from zhengku.validate import expectations
from zhengku.validate.gx_internals import failing_condition, fault_name, metrics_of, open_table, resolve
from zhengku.validate.suites import EXTENSION, Rule, Severity, Suite

_OWN_EXPECTATIONS = expectations.__name__
"""Importing the module registers its classes; Great Expectations finds expectations by name."""


@dataclass(frozen=True)
class RuleOutcome:
    """The outcome of a rule, or why it was skipped.

    `condition` is true for the `failed_rows` that fail (SQL over the columns of the table); only a failed rule has one.
    """

    rule_id: str
    severity: Severity
    skipped: Literal["absent_field", "no_parameter"] | None = None
    condition: sa.ColumnElement[bool] | None = None
    failed_rows: int = 0

    @property
    def success(self) -> bool | None:
        """Whether no row fails; None for a rule that was skipped."""
        return None if self.skipped else self.failed_rows == 0


@dataclass(frozen=True)
class ValidationOutcome:
    """The outcomes of the rules of some suites on one table, in the order of the suites."""

    rules: tuple[RuleOutcome, ...]

    @property
    def failed(self) -> tuple[RuleOutcome, ...]:
        """The rules that some row fails."""
        return tuple(rule for rule in self.rules if rule.success is False)

    @property
    def skipped(self) -> tuple[RuleOutcome, ...]:
        """The rules that do not apply: the feed lacks a field, or a parameter has no value."""
        return tuple(rule for rule in self.rules if rule.success is None)


def validate_rows(
    url: str,
    schema: str,
    table: str,
    suites: Sequence[Suite],
    parameters: Mapping[str, Any],
    absent_fields: frozenset[str] = frozenset(),
    extension_fields: frozenset[str] | None = None,
    *,
    is_empty: bool = False,
) -> ValidationOutcome:
    """Check every row of a table, which another connection must have committed, against the rules of the suites.

    `url` is a SQLAlchemy address. `parameters` gives every `{"$PARAMETER": name}` of the suites its value; days are
    `date` or ISO text. A rule is skipped when its feed lacks one of its fields (`absent_fields`; an extension field
    also when `extension_fields`, those that the feed maps, are given without it), or when one of its parameters is
    None. A table that `is_empty` fails no rule; it is not passed to Great Expectations, which would take a second.

    Raises `CatalogError`, naming suite and entry, for an expectation that does not exist, has wrong arguments or cannot
    be computed on this table; `StoreUnavailable` when the database fails meanwhile.
    """
    skipped: dict[str, RuleOutcome] = {}
    to_run: dict[str, _RuleToRun] = {}
    for suite in suites:
        for rule in suite.rules:
            if reason := _reason_to_skip(rule, parameters, absent_fields, extension_fields):
                skipped[rule.rule_id] = RuleOutcome(rule.rule_id, rule.severity, reason)
            else:
                to_run[rule.rule_id] = _RuleToRun(suite, rule, build(suite, rule, parameters))
    if is_empty:
        found = {rule_id: RuleOutcome(rule_id, one.rule.severity) for rule_id, one in to_run.items()}
    else:
        found = _run(url, schema, table, to_run) if to_run else {}
    outcomes = skipped | found
    return ValidationOutcome(tuple(outcomes[rule.rule_id] for suite in suites for rule in suite.rules))


@dataclass(frozen=True)
class _RuleToRun:
    suite: Suite
    rule: Rule
    expectation: Expectation


def _run(url: str, schema: str, table: str, to_run: Mapping[str, _RuleToRun]) -> dict[str, RuleOutcome]:
    """Let Great Expectations count the failing rows of all rules, in one pass over the table.

    It computes only the metrics. A complete validation would also count the rows of the table and the values of each
    column, and take twice the time in Python; these counts are not needed, since one failing row fails a rule.
    """
    with open_table(url, schema, table) as engine:
        try:
            metrics = {rule_id: metrics_of(one.expectation) for rule_id, one in to_run.items()}
            resolved = resolve(engine, metrics.values())
        except (GreatExpectationsError, sa.exc.SQLAlchemyError):
            raise _not_computed(engine, f"{schema}.{table}", to_run.values()) from None
        outcomes: dict[str, RuleOutcome] = {}
        for rule_id, one in to_run.items():
            count, condition = metrics[rule_id]
            # The count is None where the rule's own `row_condition` selects no row.
            failed_rows = int(resolved[count.id] or 0)
            outcomes[rule_id] = RuleOutcome(
                rule_id=rule_id,
                severity=one.rule.severity,
                condition=failing_condition(engine, *resolved[condition.id]) if failed_rows else None,
                failed_rows=failed_rows,
            )
        return outcomes


def build(suite: Suite, rule: Rule, parameters: Mapping[str, Any]) -> Expectation:
    """Make the expectation of a rule, its parameters filled in.

    Raises `CatalogError`, naming suite and entry, when there is no such expectation, when it does not check rows, or
    when its arguments are wrong.
    """
    if "mostly" in rule.kwargs:
        raise CatalogError(
            f"{suite.where(rule)}: expected no `mostly`: every failing row is marked. "
            f"How many may fail is a rule about the batch."
        )
    configuration = ExpectationConfiguration(
        type=rule.type,
        kwargs=rule.arguments(parameters),
        meta={"rule_id": rule.rule_id},
        severity=FailureSeverity(rule.severity),
    )
    try:
        with warnings.catch_warnings(action="error", category=DeprecationWarning):
            expectation = configuration.to_domain_obj()
    except Exception as error:  # noqa: BLE001 - pydantic 1, Great Expectations and TypeErrors, all about the entry
        raise CatalogError(f"{suite.where(rule)}: {rule.type}: {_one_line(str(error))}") from None
    if getattr(expectation, "map_metric", None) is None:
        raise CatalogError(
            f"{suite.where(rule)}: {rule.type} checks a complete table; expected an expectation that checks each row, "
            "so that failing rows can be marked. Batch rules check the row of batch_summary."
        )
    return expectation


def _reason_to_skip(
    rule: Rule,
    parameters: Mapping[str, Any],
    absent_fields: frozenset[str],
    extension_fields: frozenset[str] | None,
) -> Literal["absent_field", "no_parameter"] | None:
    if absent_fields.intersection(rule.meta.fields):
        return "absent_field"
    required = {field.removeprefix(EXTENSION) for field in rule.meta.fields if field.startswith(EXTENSION)}
    if extension_fields is not None and not extension_fields.issuperset(required):
        return "absent_field"
    if any(name in parameters and parameters[name] is None for name in rule.parameters):
        return "no_parameter"
    return None


def _not_computed(
    engine: SqlAlchemyExecutionEngine, table: str, rules: Iterable[_RuleToRun]
) -> CatalogError | StoreUnavailable:
    """Return the error that names the rule that cannot be computed: all rules counted in one query fail together."""
    for one in rules:
        try:
            resolve(engine, [metrics_of(one.expectation)])
        except (GreatExpectationsError, sa.exc.SQLAlchemyError) as error:
            raised = f"{error} {type(error).__name__}"
        else:
            continue
        if re.search(r"OperationalError|InterfaceError|AdminShutdown", raised):
            break
        return CatalogError(
            f"{one.suite.where(one.rule)}: {one.rule.type} cannot be computed on {table}: {fault_name(raised)}. "
            "Expected a column and arguments that fit; correct the entry, or the table."
        )
    return StoreUnavailable(f"The database failed while {table} was checked. Nothing was marked; repeat the step.")


def _one_line(text: str) -> str:
    return " ".join(text.split())
