"""Running suites with Great Expectations in the database: which rules hold, and the conditions of those that do not."""

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
from great_expectations.datasource.fluent.interfaces import Batch, GxDatasourceWarning, TestConnectionError
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import Validator

from zhengku.database import SESSION_OPTIONS
from zhengku.errors import CatalogError, StoreUnavailable
from zhengku.validate import expectations
from zhengku.validate.suites import EXTENSION, Rule, Severity, Suite

# This one sets a level of its own, to tell of a folder for documentation that it has removed again.
logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)

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
    extension_fields: frozenset[str] | None = None,
    *,
    is_empty: bool = False,
) -> ValidationOutcome:
    """Check every row of a table, which another connection must have committed, against the rules of the suites.

    `url` is a SQLAlchemy address. `parameters` gives every `{"$PARAMETER": name}` of the suites its value; days are
    `date` or ISO text. A rule is skipped when its feed lacks one of its fields (`absent_fields`; an extension field
    also when `extension_fields`, those that the feed maps, are given without it), or when one of its parameters is
    None. A table that `is_empty` fails no rule, and Great Expectations, which takes its second for that, is not asked.

    Raises `CatalogError`, naming suite and entry, for an expectation that does not exist, has wrong arguments or cannot
    be computed on this table; `StoreUnavailable` when the database fails meanwhile.
    """
    skipped: dict[str, RuleOutcome] = {}
    asked: dict[str, _Asked] = {}
    for suite in suites:
        for rule in suite.rules:
            if reason := _reason_to_skip(rule, parameters, absent_fields, extension_fields):
                skipped[rule.rule_id] = RuleOutcome(rule.rule_id, rule.severity, None, reason)
            else:
                asked[rule.rule_id] = _Asked(suite, rule, build(suite, rule, parameters))
    if is_empty:
        found = {rule_id: RuleOutcome(rule_id, one.rule.severity, True) for rule_id, one in asked.items()}
    else:
        found = _ask(url, schema, table, asked, result_format) if asked else {}
    outcomes = skipped | found
    return ValidationOutcome(tuple(outcomes[rule.rule_id] for suite in suites for rule in suite.rules))


@dataclass(frozen=True)
class _Asked:
    suite: Suite
    rule: Rule
    expectation: Expectation


def _ask(
    url: str, schema: str, table: str, asked: Mapping[str, _Asked], result_format: ResultFormat
) -> dict[str, RuleOutcome]:
    with _batch(url, schema, table) as batch:
        # One suite, so that Great Expectations counts for all of them in one pass over the table.
        merged = gx.ExpectationSuite(name="rules", expectations=[one.expectation for one in asked.values()])
        results = {
            result.expectation_config.meta["rule_id"]: result
            for result in batch.validate(merged, result_format=result_format).results
            if result.expectation_config
        }
        if raised := [rule_id for rule_id in asked if rule_id not in results or _raised(results[rule_id])]:
            raise _not_computed(batch, f"{schema}.{table}", [asked[rule_id] for rule_id in raised])
        conditions = _conditions(
            batch, {rule_id: one.expectation for rule_id, one in asked.items() if not results[rule_id].success}
        )
    return {
        rule_id: RuleOutcome(
            rule_id=rule_id,
            severity=one.rule.severity,
            success=bool(results[rule_id].success),
            condition=conditions.get(rule_id),
            failed_rows=results[rule_id].result.get("unexpected_count"),
        )
        for rule_id, one in asked.items()
    }


def build(suite: Suite, rule: Rule, parameters: Mapping[str, Any]) -> Expectation:
    """Make the expectation of a rule, its parameters filled in.

    Raises `CatalogError`, naming suite and entry, when there is no such expectation, when it is none about rows, or
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
            f"{suite.where(rule)}: {rule.type} judges a table as a whole; expected an expectation about each row, "
            "so that failing rows can be marked. Rules about a batch look at the row of batch_summary."
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
    asked = {field.removeprefix(EXTENSION) for field in rule.meta.fields if field.startswith(EXTENSION)}
    if extension_fields is not None and not extension_fields.issuperset(asked):
        return "absent_field"
    if any(name in parameters and parameters[name] is None for name in rule.parameters):
        return "no_parameter"
    return None


@contextmanager
def _batch(url: str, schema: str, table: str) -> Iterator[Batch]:
    """Open a table for Great Expectations; its connections are closed at the end, which it would not do itself."""
    context = gx.get_context(mode="ephemeral")
    variables: Any = context.variables
    variables.progress_bars = {"globally": False}
    address = sa.make_url(url).update_query_dict(
        {
            "application_name": "zhengku validate",
            "options": f'{SESSION_OPTIONS} -c search_path="{schema}"',
            "connect_timeout": "10",
        }
    )
    source: SQLDatasource | None = None
    engine: SqlAlchemyExecutionEngine | None = None
    try:
        with warnings.catch_warnings():
            # It advises its source for PostgreSQL, which refuses addresses without a host.
            warnings.simplefilter("ignore", GxDatasourceWarning)
            source = context.data_sources.add_sql(
                "store",
                # Great Expectations would take a dollar sign for the name of a variable.
                connection_string=address.render_as_string(hide_password=False).replace("$", "%24"),
            )
        asset = source.add_table_asset(table, table_name=table)
        batch = asset.add_batch_definition_whole_table("whole").get_batch()
        assert isinstance(batch.data.execution_engine, SqlAlchemyExecutionEngine)
        engine = batch.data.execution_engine
        yield batch
    except (TestConnectionError, GreatExpectationsError, sa.exc.OperationalError) as error:
        raise StoreUnavailable(
            f"Great Expectations cannot read {schema}.{table}: {_fault(str(error))}. "
            "Check that the license store runs and that the batch is staged, then repeat the step."
        ) from None
    finally:
        if engine is not None:
            engine.close()
        if source is not None:
            source.get_engine().dispose()


def _raised(result: ExpectationValidationResult) -> str:
    """Return what an expectation raised, or an empty text; else one that raised looks like one that failed."""
    info: Any = result.exception_info or {}
    # One report for the expectation, or one for each of its metrics.
    reports = [info] if "raised_exception" in info else list(info.values())
    return " ".join(
        f"{report.get('exception_message')} {report.get('exception_traceback')}"
        for report in reports
        if report.get("raised_exception")
    )


def _not_computed(batch: Batch, table: str, raised: Sequence[_Asked]) -> CatalogError | StoreUnavailable:
    """Find out which rule failed: rules that were counted in one query fail together."""
    for one in raised:
        told = _raised(batch.validate(one.expectation, result_format="BOOLEAN_ONLY"))
        if re.search(r"OperationalError|InterfaceError|AdminShutdown", told):
            break
        if told:
            return CatalogError(
                f"{one.suite.where(one.rule)}: {one.rule.type} cannot be computed on {table}: {_fault(told)}. "
                "Expected a column and arguments that fit; correct the entry, or the table."
            )
    return StoreUnavailable(f"The database failed while {table} was checked. Nothing was marked; repeat the step.")


def _fault(raised: str) -> str:
    """Name the error, and a column or table that is missing; the rest of a message may quote values of a row."""
    names = re.findall(r"psycopg\.errors\.\w+|\b\w+(?:Error|Exception)\b", raised)
    missing = re.search(r'(?:column|relation|database|schema) "[\w.]+"(?: in BatchData)? does not exist', raised)
    return " ".join([*names[:1], *([missing.group()] if missing else [])]) or "unknown fault"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _conditions(batch: Batch, failed: Mapping[str, Expectation]) -> dict[str, sa.ColumnElement[bool]]:
    """Ask Great Expectations for the conditions that it counted with, and for the rows that it looked at."""
    engine = batch.data.execution_engine
    assert isinstance(engine, SqlAlchemyExecutionEngine)
    wanted: dict[str, MetricConfiguration] = {}
    for rule_id, expectation in failed.items():
        map_metric: str = getattr(expectation, "map_metric")  # noqa: B009 - only map expectations declare it
        dependencies = expectation.get_validation_dependencies(
            execution_engine=engine, runtime_configuration={"result_format": "BOOLEAN_ONLY"}
        )
        counted = dependencies.metric_configurations[f"{map_metric}.unexpected_count"]
        wanted[rule_id] = MetricConfiguration(
            metric_name=f"{map_metric}.condition",
            metric_domain_kwargs=counted.metric_domain_kwargs,
            metric_value_kwargs=counted.metric_value_kwargs,
        )
    validator = Validator(execution_engine=engine, batches=[batch], data_context=batch.datasource.data_context)
    resolved, _ = validator.metrics_calculator.compute_metrics(
        list(wanted.values()), runtime_configuration=None, min_graph_edges_pbar_enable=0
    )
    conditions: dict[str, sa.ColumnElement[bool]] = {}
    for rule_id, metric in wanted.items():
        unexpected, compute_domain, accessor_domain = resolved[metric.id]
        domain = engine.get_domain_records({**compute_domain, **accessor_domain})
        looked_at = [
            part.whereclause
            for part in sa.sql.visitors.iterate(domain)
            if isinstance(part, sa.Select) and part.whereclause is not None
        ]
        conditions[rule_id] = sa.and_(*looked_at, unexpected)
    return conditions
