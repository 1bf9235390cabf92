"""Any rows of any transport end as loaded or quarantined, each of them counted; in the real store."""

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.department_pipeline import DEPARTMENTS, DepartmentPipeline, samples

ODD = ["", " ", "NULL", "长期", "2024/2/30", "9" * 40, '"', ",", "a\nb", "\\N", "\t", "１２", "x" * 2000, "{}", "[1"]


def values_of(form: str) -> st.SearchStrategy[Any]:
    """Return what a cell may hold in this form."""
    # A worksheet cannot hold control characters at all; a text file holds NUL and an empty line between its rows.
    characters = st.characters(codec="utf-8", exclude_categories=("Cc",) if "xlsx" in form else ())
    texts = st.one_of(st.sampled_from(ODD), st.text(characters, max_size=20))
    if "csv" in form:
        return texts
    plain = st.one_of(
        st.none(), texts, st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False, width=32)
    )
    if form == "http":
        return st.recursive(
            plain | st.booleans(), lambda inner: st.lists(inner, max_size=2) | keyed(inner), max_leaves=3
        )
    return plain


def keyed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.text(max_size=4), inner, max_size=2)


@pytest.mark.slow
@pytest.mark.parametrize("department", DEPARTMENTS)
def test_fuzzed_rows_end_as_loaded_or_quarantined_and_counted(
    department: str, department_pipeline: DepartmentPipeline
) -> None:
    [sample] = samples(department)
    good = sample.rows[0]
    changes = st.dictionaries(st.sampled_from(sorted(good)), values_of(DEPARTMENTS[department]), max_size=4)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(changes, min_size=1, max_size=25))
    def every_row_is_accounted_for(fuzzed: list[dict[str, Any]]) -> None:
        rows = [good, *({**good, **changed} for changed in fuzzed)]
        batch = department_pipeline.load(department, sample.feed, rows)
        if batch.status == "held":
            # Too many of them are wrong: a person lets the others in.
            assert batch.held == batch.fetched
            batch = department_pipeline.pipeline.release(batch.batch_id, "测试", "模糊测试")
        assert (batch.status, batch.detail) == ("loaded", None)
        fates = batch.counts()
        assert fates.pop("fetched") == sum(fates.values())
        assert batch.fetched + batch.blank_lines == len(rows)
        if batch.repeats_batch_id is not None:
            # The very same file: its problems are those of the earlier batch.
            return
        with psycopg.connect(department_pipeline.settings.database_url.replace("+psycopg", "")) as connection:
            problems = connection.execute(
                "select rules, reasons from quarantine.problem_row where last_batch_id = %s", [batch.batch_id]
            ).fetchall()
        # Rows that are wrong in the same way are one problem, seen several times.
        assert (len(problems) > 0) == (batch.quarantined > 0)
        assert len(problems) <= batch.quarantined
        assert all(rules and len(rules) == len(reasons) and all(reasons) for rules, reasons in problems)

    every_row_is_accounted_for()
