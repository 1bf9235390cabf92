"""The problem ledger: what persists becomes an entry by itself and is written off by evidence."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from openpyxl import load_workbook

from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError
from zhengku.review import problem_ledger
from zhengku.review.night import NightReport, NightReports
from zhengku.review.overview import overview

TODAY = datetime.now(tz=CITY_TIME_ZONE).date()


@pytest.fixture
def figures(reviewed):
    with store_connection(reviewed.settings.database_url) as connection:
        return NightReports(reviewed.settings, reviewed.pipeline.catalog).figures(connection, TODAY)


def updated(reviewed, figures, day: date) -> list[tuple[str, str, str]]:
    standing = problem_ledger.update_ledger(reviewed.settings, reviewed.pipeline.catalog, figures, day)
    return [(entry.entry_no, entry.kind, entry.progress) for entry in standing]


def with_idle(figures, days: int | None):
    [feed] = figures.feeds
    return replace(figures, feeds=[replace(feed, idle_working_days=days, last_loaded_at="2026-11-20 01:10")])


def test_stale_feed_becomes_an_entry_and_is_written_off_when_it_is_fresh(reviewed, figures):
    assert updated(reviewed, with_idle(figures, 2), TODAY) == []
    number = f"{TODAY.year}-0001"
    assert updated(reviewed, with_idle(figures, 3), TODAY) == [(number, "stale_feed", "已发现，待通报")]
    with store_connection(reviewed.settings.database_url) as connection:
        problem_ledger.record_notification(connection, number, "zhang", TODAY)
        with pytest.raises(ConfigurationError, match="No entry"):
            problem_ledger.record_notification(connection, "1999-0001", "zhang", TODAY)
    tomorrow = TODAY + timedelta(days=1)
    assert updated(reviewed, with_idle(figures, 4), tomorrow) == [(number, "stale_feed", f"整改中（{TODAY} 通报）")]
    with store_connection(reviewed.settings.database_url) as connection:
        [entry] = problem_ledger.entries(connection)
    assert "连续4个工作日" in entry.description
    assert entry.opened_on == TODAY
    assert updated(reviewed, with_idle(figures, 0), tomorrow) == []
    with store_connection(reviewed.settings.database_url) as connection:
        [entry] = problem_ledger.entries(connection)
        assert problem_ledger.entries(connection, standing=True) == []
    assert (entry.written_off_on, entry.evidence) == (tomorrow, "已恢复归集，最近入库 2026-11-20 01:10")
    assert updated(reviewed, with_idle(figures, 5), tomorrow)[0][0] == f"{TODAY.year}-0002"


def test_departments_share_of_problems_becomes_an_entry(reviewed, make_row, figures):
    rows = [make_row(number, 企业名称="" if number % 10 == 0 else "某公司") for number in range(300)]
    reviewed.deliver_rows("a.csv", *rows)
    assert reviewed.run_one().quarantined == 30
    assert updated(reviewed, figures, TODAY) == [(f"{TODAY.year}-0001", "problem_share", "已发现，待通报")]
    with store_connection(reviewed.settings.database_url) as connection:
        [entry] = problem_ledger.entries(connection)
    assert entry.description == "近7夜提供数据300条，其中问题数据30条，占10.00%，超过5.00%"
    # A week later none of it counts any more.
    assert updated(reviewed, figures, TODAY + timedelta(days=7)) == []


def test_overdue_bad_reviews_become_an_entry(reviewed, figures, monkeypatch):
    class Review:
        handling_department = "鄂州市虚构局"

        def __init__(self, state: str) -> None:
            self.state = state

    states = ["callback_overdue", "rectification_overdue", "rectification_overdue", "open", "done"]
    monkeypatch.setattr(problem_ledger, "bad_reviews", lambda *_: [Review(state) for state in states])
    updated(reviewed, figures, TODAY)
    with store_connection(reviewed.settings.database_url) as connection:
        [entry] = problem_ledger.entries(connection)
    assert (entry.kind, entry.department, entry.description) == (
        "overdue_reviews",
        "鄂州市虚构局",
        "实名差评回访逾期1件、整改逾期2件",
    )


def test_table_of_the_annex(reviewed, figures, tmp_path):
    updated(reviewed, with_idle(figures, 3), TODAY)
    with store_connection(reviewed.settings.database_url) as connection:
        listed = problem_ledger.entries(connection)
    path = tmp_path / "ledger.xlsx"
    problem_ledger.write_ledger(path, reviewed.pipeline.catalog, listed, datetime.now(tz=CITY_TIME_ZONE))
    header, row = load_workbook(path)["问题台账"].iter_rows(values_only=True)
    told = dict(zip(header, row, strict=True))
    assert [name for name in header if name][1:7] == [
        "编号",
        "问题类型",
        "具体描述",
        "责任单位",
        "进展状态",
        "销号时间",
    ]
    assert (told["问题类型"], told["责任单位"]) == ("数据未按时归集", "市市场监督管理局")


def test_overview_tells_the_one_stale_type_from_those_that_are_missing(reviewed, make_row):
    catalog = reviewed.pipeline.catalog
    with store_connection(reviewed.settings.database_url) as connection:
        before = overview(connection, catalog, None)
    assert len([one for one in before.types if one.seq]) == 51
    assert [one.license_type for one in before.in_state("never")] == ["business_license"]
    assert len(before.in_state("missing")) == len(before.types) - 1
    assert before.counted_at is None
    reviewed.deliver_rows("a.csv", make_row(1), make_row(2))
    reviewed.run_one()
    with store_connection(reviewed.settings.database_url) as connection:
        connection.execute(statement("review/store_counts.count_store"))
        figures = NightReports(reviewed.settings, catalog).figures(connection, TODAY)
        report = NightReport(TODAY, 1, datetime.now(tz=CITY_TIME_ZONE), figures, None)
        [good] = overview(connection, catalog, report).in_state("good")
        for state, feeds in {
            "stale": [replace(feed, state="stale") for feed in figures.feeds],
            "poor": [replace(feed, quarantined=1) for feed in figures.feeds],
        }.items():
            changed = replace(report, figures=replace(figures, feeds=feeds))
            found = overview(connection, catalog, changed).in_state(state)
            assert [one.license_type for one in found] == ["business_license"]
    assert (good.license_type, good.standing, good.share) == ("business_license", 2, 0)
