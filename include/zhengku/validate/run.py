"""Running suites with Great Expectations in the database: which rules hold, and the conditions of those that do not."""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from great_expectations.core.id_dict import IDDict, IDDictID
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.expectations.registry import get_metric_kwargs
from great_expectations.validator.metric_configuration import MetricConfiguration, MetricConfigurationID
from great_expectations.validator.metrics_calculator import MetricsCalculator
from great_expectations.validator.validation_graph import ValidationGraph

from zhengku.database import SESSION_OPTIONS
from zhengku.errors import CatalogError, StoreUnavailable
from zhengku.validate import expectations
from zhengku.validate.suites import EXTENSION, Rule, Severity, Suite

_OWN_EXPECTATIONS = expectations.__name__
"""Importing the module registers what it defines; Great Expectations finds expectations by name."""


@dataclass(frozen=True)
class RuleOutcome:
    """What a rule found, or why it was skipped.

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
                skipped[rule.rule_id] = RuleOutcome(rule.rule_id, rule.severity, reason)
            else:
                asked[rule.rule_id] = _Asked(suite, rule, build(suite, rule, parameters))
    if is_empty:
        found = {rule_id: RuleOutcome(rule_id, one.rule.severity) for rule_id, one in asked.items()}
    else:
        found = _ask(url, schema, table, asked) if asked else {}
    outcomes = skipped | found
    return ValidationOutcome(tuple(outcomes[rule.rule_id] for suite in suites for rule in suite.rules))


@dataclass(frozen=True)
class _Asked:
    suite: Suite
    rule: Rule
    expectation: Expectation


def _ask(url: str, schema: str, table: str, asked: Mapping[str, _Asked]) -> dict[str, RuleOutcome]:
    """Have Great Expectations count the failing rows of all rules, in one pass over the table.

    Its metrics are asked, not a whole validation: that would count the rows of the table and the values of each column
    too, and takes as long again in Python. None of it is read, since a rule fails by a single row (no `mostly`).
    """
    with _engine(url, schema, table) as engine:
        try:
            metrics = {rule_id: metrics_of(one.expectation) for rule_id, one in asked.items()}
            resolved = _resolve(engine, metrics.values())
        except (GreatExpectationsError, sa.exc.SQLAlchemyError):
            raise _not_computed(engine, f"{schema}.{table}", asked.values()) from None
        outcomes: dict[str, RuleOutcome] = {}
        for rule_id, one in asked.items():
            count, condition = metrics[rule_id]
            # Nothing is counted where the rule's own `row_condition` leaves no row.
            failed_rows = int(resolved[count.id] or 0)
            outcomes[rule_id] = RuleOutcome(
                rule_id=rule_id,
                severity=one.rule.severity,
                condition=_failing(engine, *resolved[condition.id]) if failed_rows else None,
                failed_rows=failed_rows,
            )
        return outcomes


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


class _Engine(SqlAlchemyExecutionEngine):
    """Great Expectations' engine, of a table whose rows need not be counted and whose columns are known."""

    known_columns: Sequence[str] = ()
    """The names of the columns; no rule of ours reads their types."""


class _RowsNotCounted(TableMetricProvider):
    """What every metric of a column asks for, in a query of its own over the whole table, and none of ours reads."""

    metric_name = "table.row_count"

    @metric_value(engine=_Engine)
    def _sqlalchemy(cls, **_: Any) -> None:
        return None


class _ColumnsKnown(TableMetricProvider):
    """What every metric of a column asks for: by itself it asks the database for the columns twice, and for the key."""

    metric_name = "table.column_types"
    value_keys = ("include_nested",)
    default_kwarg_values = {"include_nested": True}  # noqa: RUF012 - as Great Expectations declares it

    @metric_value(engine=_Engine)
    def _sqlalchemy(cls, execution_engine: _Engine, **_: Any) -> list[dict[str, Any]]:
        return [{"name": name, "type": sa.types.NullType()} for name in execution_engine.known_columns]


class _Graph(ValidationGraph):
    """Which metrics need which others; what one needs is looked up once, however many others need it.

    Great Expectations follows every path anew: the twenty rules of a certificate make five hundred metrics of sixty.
    """

    def __init__(self, execution_engine: SqlAlchemyExecutionEngine) -> None:
        super().__init__(execution_engine)
        self._followed: set[MetricConfigurationID] = set()

    def build_metric_dependency_graph(
        self, metric_configuration: MetricConfiguration, runtime_configuration: dict[str, Any] | None = None
    ) -> None:
        """Add a metric and what it needs."""
        if metric_configuration.id not in self._followed:
            self._followed.add(metric_configuration.id)
            super().build_metric_dependency_graph(metric_configuration, runtime_configuration)


@contextmanager
def _engine(url: str, schema: str, table: str) -> Iterator[SqlAlchemyExecutionEngine]:
    """Open a table for Great Expectations; its connections are closed at the end, which it would not do itself."""
    address = sa.make_url(url).update_query_dict(
        {
            "application_name": "zhengku validate",
            "options": f'{SESSION_OPTIONS} -c search_path="{schema}"',
            "connect_timeout": "10",
        }
    )
    database = sa.create_engine(address)
    try:
        engine = _Engine(engine=database, create_temp_table=False)
        with database.connect() as connection:
            engine.known_columns = list(
                connection.execute(sa.select(sa.text("*")).select_from(sa.table(table)).limit(0)).keys()
            )
        rows = SqlAlchemyBatchData(execution_engine=engine, table_name=table, create_temp_table=False)
        engine.load_batch_data("rows", rows)
        yield engine
    except (sa.exc.ProgrammingError, sa.exc.OperationalError) as error:
        raise StoreUnavailable(
            f"Great Expectations cannot read {schema}.{table}: {_fault(f'{error} {type(error).__name__}')}. "
            "Check that the license store runs and that the batch is staged, then repeat the step."
        ) from None
    finally:
        database.dispose()


class _Arguments(IDDict):
    """Arguments of a metric, which nobody changes: Great Expectations makes their id anew some seven times a metric."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__(arguments)
        self._id = super().to_id()

    def to_id(self, id_keys: Any = None, id_ignore_keys: Any = None) -> IDDictID:
        return self._id if id_keys is None and id_ignore_keys is None else super().to_id(id_keys, id_ignore_keys)

    def __deepcopy__(self, memo: dict[int, Any]) -> IDDict:
        """Return what may be changed: rules are counted in one query by the id of a copy without the column."""
        return IDDict(deepcopy(dict(self), memo))

    def __copy__(self) -> IDDict:
        return IDDict(self)


def metrics_of(expectation: Expectation) -> tuple[MetricConfiguration, MetricConfiguration]:
    """Name what Great Expectations computes for an expectation: how many rows fail, and by which condition.

    Given an expectation, its `get_metric_kwargs` would put together the configuration nine times for each rule.
    """
    map_metric: str = getattr(expectation, "map_metric")  # noqa: B009 - only map expectations declare it
    count = f"{map_metric}.unexpected_count"
    names = get_metric_kwargs(count)
    domain, values = (
        _Arguments({name: getattr(expectation, name, None) for name in names[kind]})
        for kind in ("metric_domain_keys", "metric_value_keys")
    )
    return MetricConfiguration(count, domain, values), MetricConfiguration(f"{map_metric}.condition", domain, values)


def _resolve(
    engine: SqlAlchemyExecutionEngine, metrics: Iterable[tuple[MetricConfiguration, MetricConfiguration]]
) -> dict[MetricConfigurationID, Any]:
    """Compute metrics, by their ids; those that count do so in one query."""
    graph = _Graph(engine)
    # Else it would try three times, and log what it met with the values of rows.
    configuration = {"catch_exceptions": False}
    for pair in metrics:
        for one in pair:
            graph.build_metric_dependency_graph(one, configuration)
    calculator = MetricsCalculator(execution_engine=engine, show_progress_bars=False)
    resolved, _ = calculator.resolve_validation_graph(graph, configuration)
    return resolved


def _not_computed(
    engine: SqlAlchemyExecutionEngine, table: str, asked: Iterable[_Asked]
) -> CatalogError | StoreUnavailable:
    """Find out which rule failed: rules that were counted in one query fail together."""
    for one in asked:
        try:
            _resolve(engine, [metrics_of(one.expectation)])
        except (GreatExpectationsError, sa.exc.SQLAlchemyError) as error:
            told = f"{error} {type(error).__name__}"
        else:
            continue
        if re.search(r"OperationalError|InterfaceError|AdminShutdown", told):
            break
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


def _failing(
    engine: SqlAlchemyExecutionEngine,
    unexpected: sa.ColumnElement[bool],
    compute_domain: Mapping[str, Any],
    accessor_domain: Mapping[str, Any],
) -> sa.ColumnElement[bool]:
    """Make the condition of failing rows of what Great Expectations counted with, and of the rows that it looked at."""
    domain = engine.get_domain_records({**compute_domain, **accessor_domain})
    looked_at = [
        part.whereclause
        for part in sa.sql.visitors.iterate(domain)
        if isinstance(part, sa.Select) and part.whereclause is not None
    ]
    return sa.and_(*looked_at, unexpected)
