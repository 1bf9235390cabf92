"""The private parts of Great Expectations that zhengku uses are those of the release it was made for."""

import inspect
from importlib.metadata import version

import pytest
from great_expectations.core.id_dict import IDDict
from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.registry import get_metric_kwargs
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.metrics_calculator import MetricsCalculator
from great_expectations.validator.validation_graph import ValidationGraph

from zhengku.validate.gx_internals import MADE_FOR

USED = {
    IDDict.to_id: ("id_keys", "id_ignore_keys"),
    SqlAlchemyExecutionEngine.__init__: ("engine", "create_temp_table"),
    SqlAlchemyExecutionEngine.get_domain_records: ("domain_kwargs",),
    SqlAlchemyExecutionEngine.load_batch_data: ("batch_id", "batch_data"),
    SqlAlchemyBatchData.__init__: ("execution_engine", "table_name", "create_temp_table"),
    ValidationGraph.__init__: ("execution_engine",),
    ValidationGraph.build_metric_dependency_graph: ("metric_configuration", "runtime_configuration"),
    MetricsCalculator.__init__: ("execution_engine", "show_progress_bars"),
    MetricsCalculator.resolve_validation_graph: ("graph", "runtime_configuration"),
    MetricConfiguration.__init__: ("metric_name", "metric_domain_kwargs", "metric_value_kwargs"),
    get_metric_kwargs: ("metric_name",),
}
"""Private part → the parameters by which `zhengku.validate.gx_internals` calls or overrides it."""


def test_installed_release_is_the_one_the_internals_were_made_for() -> None:
    assert version("great-expectations") == MADE_FOR, (
        "zhengku.validate.gx_internals overrides private parts of another release of Great Expectations. Read what "
        "changed in validation_graph.py, metrics_calculator.py, id_dict.py and the metrics table.row_count and "
        "table.column_types, run the tests of zhengku.validate and `make bench`, then set MADE_FOR."
    )


@pytest.mark.parametrize("part", USED, ids=lambda part: part.__qualname__)
def test_private_part_takes_what_it_is_given(part) -> None:
    assert set(USED[part]) <= set(inspect.signature(part).parameters)


@pytest.mark.parametrize(("metric", "values"), [("table.row_count", ()), ("table.column_types", ("include_nested",))])
def test_metric_that_is_replaced_takes_what_it_took(metric: str, values: tuple[str, ...]) -> None:
    assert get_metric_kwargs(metric)["metric_value_keys"] == values
