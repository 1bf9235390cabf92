"""What zhengku uses of Great Expectations' private parts, and why; no other module imports them.

A complete validation by its public API counts the rows of the table and the values of every column in queries of their
own, and takes twice the time in Python; docs/decisions/0003 has the figures. This module computes only its metrics.
These parts may change in any release: a test compares the installed one with `MADE_FOR` and says what to check.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, Final

import sqlalchemy as sa
from great_expectations.core.id_dict import IDDict, IDDictID
from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.expectations.registry import get_metric_kwargs
from great_expectations.validator.metric_configuration import MetricConfiguration, MetricConfigurationID
from great_expectations.validator.metrics_calculator import MetricsCalculator
from great_expectations.validator.validation_graph import ValidationGraph

from zhengku.database import store_engine
from zhengku.errors import StoreUnavailable

MADE_FOR: Final = "1.24.1"
"""The release of Great Expectations for which this module was written."""


class _Engine(SqlAlchemyExecutionEngine):
    """Great Expectations' engine for a table whose rows need not be counted and whose columns are known."""

    known_columns: Sequence[str] = ()
    """The names of the columns; no rule of ours reads their types."""


class _RowsNotCounted(TableMetricProvider):
    """Replaces the row count, which every metric of a column requests in a query of its own, and none of ours reads."""

    metric_name = "table.row_count"

    @metric_value(engine=_Engine)
    def _sqlalchemy(cls, **_: Any) -> None:
        return None


class _ColumnsKnown(TableMetricProvider):
    """Replaces the column types, for which the original queries the columns twice, and the primary key."""

    metric_name = "table.column_types"
    value_keys = ("include_nested",)
    default_kwarg_values = {"include_nested": True}  # noqa: RUF012 - as Great Expectations declares it

    @metric_value(engine=_Engine)
    def _sqlalchemy(cls, execution_engine: _Engine, **_: Any) -> list[dict[str, Any]]:
        return [{"name": name, "type": sa.types.NullType()} for name in execution_engine.known_columns]


class _Graph(ValidationGraph):
    """The graph of which metrics need which others, built with each metric once, however many others need it.

    Great Expectations follows every path again: for the twenty rules of a certificate it visits sixty metrics five
    hundred times.
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


class _Arguments(IDDict):
    """Arguments of a metric that do not change: Great Expectations computes their id some seven times per metric."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__(arguments)
        self._id = super().to_id()

    def to_id(self, id_keys: Any = None, id_ignore_keys: Any = None) -> IDDictID:
        return self._id if id_keys is None and id_ignore_keys is None else super().to_id(id_keys, id_ignore_keys)

    def __deepcopy__(self, memo: dict[int, Any]) -> IDDict:
        """Return a copy that may be changed: rules are grouped in one query by the id of a copy without the column."""
        return IDDict(deepcopy(dict(self), memo))

    def __copy__(self) -> IDDict:
        return IDDict(self)


@contextmanager
def open_table(url: str, schema: str, table: str) -> Iterator[SqlAlchemyExecutionEngine]:
    """Open a table for Great Expectations, and close its connections at the end, which it does not do itself.

    Raises `StoreUnavailable` when the database cannot be reached or the table is not there.
    """
    database = store_engine(url, application_name="zhengku validate", settings={"search_path": f'"{schema}"'})
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
            f"Great Expectations cannot read {schema}.{table}: {fault_name(f'{error} {type(error).__name__}')}. "
            "Check that the license store runs and that the batch is staged, then repeat the step."
        ) from None
    finally:
        database.dispose()


def metrics_of(expectation: Expectation) -> tuple[MetricConfiguration, MetricConfiguration]:
    """Return the two metrics of an expectation: how many rows fail, and the condition of failing rows.

    With an expectation as argument, `get_metric_kwargs` would build the configuration nine times for each rule.
    """
    map_metric: str = getattr(expectation, "map_metric")  # noqa: B009 - only map expectations declare it
    count = f"{map_metric}.unexpected_count"
    names = get_metric_kwargs(count)
    domain, values = (
        _Arguments({name: getattr(expectation, name, None) for name in names[kind]})
        for kind in ("metric_domain_keys", "metric_value_keys")
    )
    return MetricConfiguration(count, domain, values), MetricConfiguration(f"{map_metric}.condition", domain, values)


def resolve(
    engine: SqlAlchemyExecutionEngine, metrics: Iterable[tuple[MetricConfiguration, MetricConfiguration]]
) -> dict[MetricConfigurationID, Any]:
    """Compute metrics and return their values by id; all counts are computed in one query."""
    graph = _Graph(engine)
    # Otherwise it would try three times, and log errors with the values of rows.
    configuration = {"catch_exceptions": False}
    for pair in metrics:
        for one in pair:
            graph.build_metric_dependency_graph(one, configuration)
    calculator = MetricsCalculator(execution_engine=engine, show_progress_bars=False)
    resolved, _ = calculator.resolve_validation_graph(graph, configuration)
    return resolved


def failing_condition(
    engine: SqlAlchemyExecutionEngine,
    unexpected: sa.ColumnElement[bool],
    compute_domain: Mapping[str, Any],
    accessor_domain: Mapping[str, Any],
) -> sa.ColumnElement[bool]:
    """Return the condition of failing rows: that which Great Expectations counted, and that of the rows it checked."""
    domain = engine.get_domain_records({**compute_domain, **accessor_domain})
    checked = [
        part.whereclause
        for part in sa.sql.visitors.iterate(domain)
        if isinstance(part, sa.Select) and part.whereclause is not None
    ]
    return sa.and_(*checked, unexpected)


def fault_name(raised: str) -> str:
    """Return the name of an error and of a missing column or table: the rest of the text may quote values of a row."""
    names = re.findall(r"psycopg\.errors\.\w+|\b\w+(?:Error|Exception)\b", raised)
    missing = re.search(r'(?:column|relation|database|schema) "[\w.]+"(?: in BatchData)? does not exist', raised)
    return " ".join([*names[:1], *([missing.group()] if missing else [])]) or "unknown fault"
