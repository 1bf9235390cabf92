"""The example of a new expectation in the docstring of `zhengku.validate.expectations` runs, and finds wrong values."""

import doctest

import sqlalchemy as sa
from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine

from zhengku.validate import expectations
from zhengku.validate.gx_internals import metrics_of, resolve


def test_example_of_a_new_expectation_runs_and_finds_the_wrong_values() -> None:
    [example] = [test for test in doctest.DocTestFinder(recurse=False).find(expectations) if test.examples]
    results = doctest.DocTestRunner().run(example, clear_globs=False)
    assert results.failed == 0
    assert results.attempted == len(example.examples) > 0

    rule = example.globs["suite"].rules[0]
    values = [rule.meta.right_example, rule.meta.example, None]
    database = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    certificates = sa.Table("certificate", sa.MetaData(), sa.Column("certificate_number", sa.Text))
    with database.begin() as connection:
        certificates.create(connection)
        connection.execute(sa.insert(certificates), [{"certificate_number": value} for value in values])
    engine = SqlAlchemyExecutionEngine(engine=database, create_temp_table=False)
    rows = SqlAlchemyBatchData(execution_engine=engine, table_name="certificate", create_temp_table=False)
    engine.load_batch_data("rows", rows)
    count, condition = metrics_of(example.globs["expectation"])
    resolved = resolve(engine, [(count, condition)])
    assert resolved[count.id] == 1
    database.dispose()
