"""One department of each transport: sample rows in its own words, on the whole road with the shipped catalogue."""

import pytest
from tests.departments.harness import DepartmentRoad, Sample, samples

DEPARTMENTS = {
    "tobacco": "file_drop csv",
    "disabled_persons": "file_drop xlsx",
    "transport": "http",
    "housing": "exchange_database",
}
SAMPLES = [sample for department in DEPARTMENTS for sample in samples(department)]


@pytest.mark.parametrize("sample", SAMPLES, ids=Sample.title)
def test_sample_rows_reach_the_store_as_their_file_says(sample: Sample, department_road: DepartmentRoad) -> None:
    department_road.check(sample)


def test_the_departments_are_of_the_transports_they_stand_for(department_road: DepartmentRoad) -> None:
    for sample in SAMPLES:
        transport = department_road.road.catalog.feed(sample.department, sample.feed).transport
        form = f" {transport.format.kind}" if transport.kind == "file_drop" else ""
        assert f"{transport.kind}{form}" == DEPARTMENTS[sample.department]


def test_a_row_that_is_not_as_the_sample_says_fails_the_check(department_road: DepartmentRoad) -> None:
    [sample] = samples("tobacco")
    changed = [{**sample.store[0], "holder": "另一家虚构公司"}, *sample.store[1:]]
    with pytest.raises(AssertionError):
        department_road.check(Sample(sample.department, sample.feed, sample.rows, changed, sample.quarantined))
