"""One department of each transport: sample rows in its own words, in the whole pipeline with the shipped catalogue."""

import pytest
from tests.support.department_pipeline import DEPARTMENTS, DepartmentPipeline, Sample, samples

SAMPLES = [sample for department in DEPARTMENTS for sample in samples(department)]


@pytest.mark.parametrize("sample", SAMPLES, ids=Sample.title)
def test_sample_rows_reach_the_store_as_their_file_says(
    sample: Sample, department_pipeline: DepartmentPipeline
) -> None:
    department_pipeline.check(sample)


def test_the_departments_are_of_the_transports_they_stand_for(department_pipeline: DepartmentPipeline) -> None:
    for sample in SAMPLES:
        transport = department_pipeline.pipeline.catalog.feed(sample.department, sample.feed).transport
        form = f" {transport.format.kind}" if transport.kind == "file_drop" else ""
        assert f"{transport.kind}{form}" == DEPARTMENTS[sample.department]


def test_a_row_that_is_not_as_the_sample_says_fails_the_check(department_pipeline: DepartmentPipeline) -> None:
    [sample] = samples("tobacco")
    changed = [{**sample.store[0], "holder": "另一家虚构公司"}, *sample.store[1:]]
    with pytest.raises(AssertionError):
        department_pipeline.check(Sample(sample.department, sample.feed, sample.rows, changed, sample.quarantined))
