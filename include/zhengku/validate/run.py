"""Running suites with Great Expectations in the database: which rules hold for a table, and the conditions of the rest."""

import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import great_expectations as gx
import sqlalchemy as sa
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.datasource.fluent.interfaces import Batch
from great_expectations.exceptions import GreatExpectationsError
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import Validator

from zhengku.errors import CatalogError, StoreUnavailable
from zhengku.validate import expectations
from zhengku.validate.suites import Rule, Severity, Suite

logging.getLogger("great_expectations").setLevel(logging.WARNING)

_OWN_EXPECTATIONS = expectations.__name__
"""Importing the module registers what it defines; Great Expectations finds expectations by name."""

ResultFormat = Literal["BOOLEAN_ONLY", "BASIC"]


@dataclass(frozen=True)
class RuleOutcome:
    """What a rule found. `success` is None for a rule that was skipped, and `skipped` then says why.

    `condition` is true for the rows that fail (SQL over the columns of the table); only a failed rule has one.
    `failed_rows` is counted where the result format is BASIC.
    """

    rule_id: str
    severity: Severity
    success: bool | None
    skipped: Literal["absent_field", "no_parameter"] | None = None
    condition: sa.ColumnElement[bool] | None = None
    failed_rows: int | None = None


@dataclass(frozen=True)
class ValidationOutcome:
    """What the rules of some suites found on one table, in the order of the suites."""

    rules: tuple[RuleOutcome, ...]

    @property
    def failed(self) -> tuple[RuleOutcome, ...]:
        """The rules that some row breaks."""
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
    result_format: ResultFormat = "BOOLEAN_ONLY",
) -> ValidationOutcome:
    """Check every row of a table, which another connection must have committed, against the rules of the suites.

    `url` is a SQLAlchemy address. `parameters` gives every `{"$PARAMETER": name}` of the suites its value; days are
    `date` or ISO text. A rule is skipped when its feed lacks one of its fields (`absent_fields`), or when one of its
    parameters is None.

    Raises `CatalogError`, naming suite and entry, for an expectation that does not exist, has wrong arguments or cannot
    be computed on this table; `StoreUnavailable` when the database fails meanwhile.
    """
    to_run: list[tuple[Suite, Rule]] = []
    outcomes: dict[str, RuleOutcome] = {}
    for suite in suites:
        for rule in suite.rules:
            skipped = _skipped(rule, parameters, absent_fields)
            outcomes[rule.rule_id] = RuleOutcome(rule.rule_id, rule.severity, None, skipped)
            if skipped is None:
                to_run.append((suite, rule))
    built = [build(suite, rule, parameters) for suite, rule in to_run]
    if built:
        with _batch(url, schema, table) as batch:
            merged = gx.ExpectationSuite(name=" + ".join(suite.name for suite in suites), expectations=built)
            try:
                results = batch.validate(merged, result_format=result_format).results
            except (GreatExpectationsError, sa.exc.SQLAlchemyError) as error:
                raise _not_computed(f"{schema}.{table}", suites[0], None, f"{type(error).__name__} {error}") from None
            by_rule = {result.expectation_config.meta["rule_id"]: result for result in results}
            for (suite, rule), expectation in zip(to_run, built, strict=True):
                outcomes[rule.rule_id] = _outcome(batch, suite, rule, expectation, by_rule.get(rule.rule_id))
    return ValidationOutcome(tuple(outcomes.values()))


def build(suite: Suite, rule: Rule, parameters: Mapping[str, Any]) -> Expectation:
    """Make the expectation of a rule, its parameters filled in.

    Raises `CatalogError`, naming suite and entry, when there is no such expectation, when it is none about rows, or when
    its arguments are wrong.
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
        severity=rule.severity,
    )
    try:
        with warnings.catch_warnings(action="error", category=DeprecationWarning):
            expectation = configuration.to_domain_obj()
    except Exception as error:  # noqa: BLE001 - pydantic 1, Great Expectations and TypeErrors, all about the entry
        raise CatalogError(f"{suite.where(rule)}: {rule.type}: {_one_line(str(error))}") from None
    if getattr(expectation, "map_metric", None) is None:
        raise CatalogError(
            f"{suite.where(rule)}: {rule.type} judges a table as a whole; expected an expectation about each row, "
            "so that failing rows can be marked. Rules about a batch look at the row of batch_summary."
        )
    return expectation


def _skipped(
    rule: Rule, parameters: Mapping[str, Any], absent_fields: frozenset[str]
) -> Literal["absent_field", "no_parameter"] | None:
    if absent_fields.intersection(rule.meta.fields):
        return "absent_field"
    if any(name in parameters and parameters[name] is None for name in rule.parameters):
        return "no_parameter"
    return None


@contextmanager
def _batch(url: str, schema: str, table: str) -> Iterator[Batch]:
    """Open a table for Great Expectations; its connections are closed at the end, which it would not do itself."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    # A dollar sign would be read as the name of a variable.
    source = context.data_sources.add_sql(
        "store",
        connection_string=url.replace("$", "%24"),
        kwargs={
            "connect_args": {
                "application_name": "zhengku validate",
                "options": "-c timezone=Asia/Shanghai -c jit=off",
                "connect_timeout": 10,
            }
        },
    )
    engine: SqlAlchemyExecutionEngine | None = None
    try:
        asset = source.add_table_asset(table, table_name=table, schema_name=schema)
        batch = asset.add_batch_definition_whole_table("whole").get_batch()
        assert isinstance(batch.data.execution_engine, SqlAlchemyExecutionEngine)
        engine = batch.data.execution_engine
        yield batch
    except (GreatExpectationsError, sa.exc.OperationalError) as error:
        raise StoreUnavailable(
            f"Great Expectations cannot read {schema}.{table}: {_fault(str(error))}. "
            "Check that the license store runs and that the batch is staged, then repeat the step."
        ) from None
    finally:
        if engine is not None:
            engine.close()
        source.get_engine().dispose()


def _outcome(
    batch: Batch, suite: Suite, rule: Rule, expectation: Expectation, result: ExpectationValidationResult | None
) -> RuleOutcome:
    # A rule that raised has an entry of its own in the results, which otherwise looks like a rule that failed.
    if result is None:
        raise _not_computed(batch.data_asset.name, suite, rule, "no result")
    if raised := _raised(result.exception_info):
        raise _not_computed(batch.data_asset.name, suite, rule, raised)
    return RuleOutcome(
        rule_id=rule.rule_id,
        severity=rule.severity,
        success=bool(result.success),
        condition=None if result.success else _condition(batch, expectation),
        failed_rows=result.result.get("unexpected_count") if result.result else None,
    )


def _raised(info: Any) -> str:
    """Return what an expectation raised, or an empty text; Great Expectations gives one report or one per metric."""
    reports = [info] if "raised_exception" in info else list(info.values())
    return " ".join(
        f"{report.get('exception_message')} {report.get('exception_traceback')}"
        for report in reports
        if report.get("raised_exception")
    )


def _not_computed(table: str, suite: Suite, rule: Rule | None, raised: str) -> CatalogError | StoreUnavailable:
    where = suite.where(rule) if rule else suite.path.name
    fault = _fault(raised)
    if re.search(r"OperationalError|AdminShutdown|ConnectionTimeout", raised):
        return StoreUnavailable(f"{where}: the database failed while {table} was checked: {fault}. Repeat the step.")
    return CatalogError(
        f"{where}: cannot be computed on {table}: {fault}. Expected a column and arguments that fit; correct the entry, "
        "or the table."
    )


def _fault(raised: str) -> str:
    """Name the error, and a column or table that is missing; the rest of a message may quote values of a row."""
    names = re.findall(r"psycopg\.errors\.\w+|\b\w+(?:Error|Exception)\b", raised)
    missing = re.search(r'(?:column|relation|table|function|schema) "?[\w.]+(?:\([\w ,]*\))?"? does not exist', raised)
    return " ".join(filter(None, (names[0] if names else "unknown error", missing and missing.group())))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _condition(batch: Batch, expectation: Expectation) -> sa.ColumnElement[bool]:
    """Ask Great Expectations for the condition that it counts with, and for the rows that it looks at."""
    engine = batch.data.execution_engine
    assert isinstance(engine, SqlAlchemyExecutionEngine)
    map_metric = expectation.map_metric
    dependencies = expectation.get_validation_dependencies(
        execution_engine=engine, runtime_configuration={"result_format": "BOOLEAN_ONLY"}
    )
    counted = dependencies.metric_configurations[f"{map_metric}.unexpected_count"]
    validator = Validator(execution_engine=engine, batches=[batch], data_context=batch.datasource.data_context)
    unexpected, compute_domain, accessor_domain = validator.metrics_calculator.get_metric(
        MetricConfiguration(
            metric_name=f"{map_metric}.condition",
            metric_domain_kwargs=counted.metric_domain_kwargs,
            metric_value_kwargs=counted.metric_value_kwargs,
        )
    )
    domain = engine.get_domain_records({**compute_domain, **accessor_domain})
    looked_at = [
        part.whereclause
        for part in sa.sql.visitors.iterate(domain)
        if isinstance(part, sa.Select) and part.whereclause is not None
    ]
    return sa.and_(*looked_at, unexpected)
