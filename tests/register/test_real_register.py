"""The real registers, found by `ZHENGKU_REGISTER_DIR`: what the rules find equals the committed table of verdicts.

The registers are not part of this project (CC BY-NC-SA); `verdicts.csv` has lines and rules, no personal values.
"""

import csv
import os
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook
from psycopg import sql

from zhengku.clock import CITY_TIME_ZONE
from zhengku.review.night import NightReports
from zhengku.review.night_files import write_night

FOLDER = os.environ.get("ZHENGKU_REGISTER_DIR", "")
VERDICTS = Path(__file__).with_name("verdicts.csv")

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="ZHENGKU_REGISTER_DIR names no folder: the real registers are not part of this project"
)


def deliver(installation, year: int, minutes_ago: float) -> None:
    name = f"business_licences_hubei_{year}.csv"
    installation.deliver(name, (Path(FOLDER) / name).read_bytes(), minutes_ago=minutes_ago)


def test_register_of_2019_loads_whole_and_a_second_run_writes_nothing(installation):
    deliver(installation, 2019, 60)
    first = installation.run_one()
    assert (first.fetched, first.inserted) == (5687, 5687)
    before = installation.store()
    for again in (False, True):
        second = installation.run_one(again=again)
        assert (second.fetched, second.unchanged, second.written) == (5687, 5687, 0)
    assert installation.store() == before


def test_register_of_2015_has_seventeen_wrong_credit_codes(installation):
    deliver(installation, 2015, 60)
    batch = installation.run_one()
    assert (batch.fetched, batch.quarantined, batch.inserted) == (6296, 17, 6279)
    rules = installation.query("select distinct unnest(rules) from quarantine.problem_row")
    assert rules == [("certificate.holder_code.credit_code",)]


@pytest.mark.parametrize("year", [2015, 2019])
def test_whatever_the_rules_find_has_a_verdict(installation, year):
    """Rows that fail a rule, by line; rules that more than a hundred rows fail, by count."""
    deliver(installation, year, 60)
    [batch] = installation.pipeline.collect("market_supervision", "business_license", "verdicts")
    installation.pipeline.validate(batch.batch_id)
    marks = installation.query(
        sql.SQL("select row_no, unnest(critical || warning) as rule_id from {} order by 1, 2").format(
            sql.Identifier(f"batch_{batch.batch_id}", "mark")
        )
    )
    lines: dict[str, list[int]] = {}
    for row_no, rule in marks:
        lines.setdefault(rule, []).append(row_no)
    found = set()
    for rule, numbers in lines.items():
        if len(numbers) > 100:
            found.add((rule, f"{len(numbers)} rows"))
        else:
            found.update((rule, str(number)) for number in numbers)
    with VERDICTS.open(encoding="utf-8") as file:
        expected = {(row["rule"], row["line"]) for row in csv.DictReader(file) if row["register"] == str(year)}
    assert found == expected


@pytest.mark.parametrize("year", [2015, 2019])
def test_report_of_the_night_has_the_problems_of_the_verdicts(installation, year):
    deliver(installation, year, 60)
    installation.run_one()
    catalog = installation.pipeline.catalog
    report = NightReports(installation.settings, catalog).publish(datetime.now(tz=CITY_TIME_ZONE).date())
    expected: Counter[str] = Counter()
    lines: dict[str, set[int]] = {}
    with VERDICTS.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["register"] == str(year):
                count, _, many = row["line"].partition(" ")
                expected[row["rule"]] += int(count) if many else 1
                if not many:
                    lines.setdefault(row["rule"], set()).add(int(count))
    assert {rule.rule_id: rule.failed for rule in report.figures.rules} == expected
    _, workbook = write_night(installation.settings, catalog, report)
    header, *rows = load_workbook(workbook, read_only=True)["问题数据"].iter_rows(values_only=True)
    shown = {row[header.index("行")] for row in rows if row[header.index("行")] is not None}
    critical = {rule.rule_id for rule in report.figures.rules if rule.severity == "critical"}
    assert shown == {line for rule in critical for line in lines[rule]}
