"""The nightly report: its figures, its versions, and its files read back."""

import stat
from datetime import datetime

import pytest
from openpyxl import load_workbook

from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.review.night import NightReports, report_of
from zhengku.review.night_files import write_night


@pytest.fixture
def reports(reviewed) -> NightReports:
    return NightReports(reviewed.settings, reviewed.pipeline.catalog)


def shift(reviewed, days: int) -> None:
    """Let everything that is there have happened some days earlier."""
    for table, columns in {
        "ledger.batch": ("recorded_at", "landed_at", "finished_at"),
        "quarantine.problem_row": ("opened_at", "first_opened_at", "updated_at"),
    }.items():
        moved = ", ".join(f"{column} = {column} - interval '{days} days'" for column in columns)
        reviewed.rewrite(f"update {table} set {moved}")  # noqa: S608 - the names stand above


@pytest.fixture
def night(reviewed):
    return datetime.now(tz=CITY_TIME_ZONE).date()


def test_figures_tell_a_night_beside_those_before(reviewed, reports, make_row, night):
    reviewed.deliver_rows("a.csv", make_row(1), make_row(2, 企业名称=""), make_row(3), make_row(4))
    reviewed.run_one()
    shift(reviewed, 5)
    reviewed.deliver_rows(
        "b.csv", make_row(5), make_row(2, 企业名称=""), make_row(6, 注册日期="2020-02-30"), minutes_ago=30
    )
    reviewed.run_one()
    with store_connection(reviewed.settings.database_url) as connection:
        figures = reports.figures(connection, night)
    [feed] = figures.feeds
    assert (feed.state, feed.fetched, feed.loaded, feed.quarantined) == ("good", 3, 1, 2)
    assert (feed.share, feed.share_7, feed.share_30) == (pytest.approx(2 / 3, abs=1e-6), 0.25, 0.25)
    told = {
        rule.rule_id: (rule.failed, rule.share_7, rule.is_new) for rule in figures.rules if rule.severity == "critical"
    }
    assert told == {
        "certificate.holder.present": (1, 0.25, False),
        "certificate.issue_date.parseable": (1, 0.0, True),
    }
    assert [rule.rule_id for rule in figures.new_rules if rule.severity == "critical"] == [
        "certificate.issue_date.parseable"
    ]
    [one] = figures.problems
    assert (one.open, one.returned, one.corrected) == (2, 0, 0)
    quiet = {rule.rule_id: rule.was_asked for rule in figures.quiet_rules}
    assert quiet["certificate.issue_date.not_future"] is True
    # The register has no such field: nobody was asked.
    assert quiet["certificate.certificate_identifier.valid"] is False
    assert "certificate.holder.present" not in quiet


def test_the_same_night_is_the_same_report_until_something_came(reviewed, reports, make_row, night):
    reviewed.deliver_rows("a.csv", make_row(1), make_row(2, 企业名称=""))
    reviewed.run_one()
    first = reports.publish(night)
    assert (first.version, reports.publish(night)) == (1, first)
    with store_connection(reviewed.settings.database_url) as connection:
        assert report_of(connection, night) == first
    reviewed.deliver_rows("b.csv", make_row(3), minutes_ago=30)
    reviewed.run_one()
    second = reports.publish(night)
    assert (second.version, second.figures.total("fetched")) == (2, 3)
    with store_connection(reviewed.settings.database_url) as connection:
        assert report_of(connection, night, 1) == first
        assert report_of(connection) == second


@pytest.mark.slow
def test_feeds_that_are_silent_stale_held_or_small_are_told(reviewed, reports, make_row, night):
    def state() -> str:
        with store_connection(reviewed.settings.database_url) as connection:
            return reports.figures(connection, night).feeds[0].state

    assert state() == "never"
    # Of fourteen nights at least three are like this one: a feed is compared on working days with working days.
    nights = 14
    for back in range(nights):
        reviewed.deliver_rows(
            f"{back}.csv", *(make_row(100 * back + number) for number in range(60)), minutes_ago=900 - back
        )
        reviewed.run_one()
        shift(reviewed, 1)
    shift(reviewed, 6)
    assert state() == "silent"
    # Nothing new lies in the drop: the newest file is looked at once more.
    reviewed.run_one()
    assert state() == "stale"
    reviewed.query("delete from ledger.rule_result where batch_id > %s", nights)
    reviewed.rewrite("delete from ledger.batch where batch_id > %s", nights)
    shift(reviewed, -6)
    reviewed.deliver_rows("few.csv", make_row(1900), minutes_ago=30)
    reviewed.run_one()
    assert state() == "small"
    reviewed.deliver_rows("held.csv", *(make_row(2000 + number, 企业名称="") for number in range(300)), minutes_ago=20)
    assert reviewed.run()[-1].status == "held"
    assert state() == "held"
    with store_connection(reviewed.settings.database_url) as connection:
        [waiting] = reports.figures(connection, night).waiting
    assert (waiting.status, waiting.rule_id, waiting.fetched) == (
        "held",
        "batch.quarantined_share.at_most_a_fifth",
        300,
    )


def test_columns_that_come_go_or_change_are_told(reviewed, reports, make_row, header, night):
    rows = [make_row(number) for number in range(1, 31)]
    reviewed.deliver_rows("a.csv", *rows)
    reviewed.run_one()
    changed = [row.replace("湖北,", "").replace("100万元人民币", "1000000") + ",无" for row in rows]
    wide = "\n".join([header.replace("所在省份,", "") + ",备注", *changed])
    reviewed.deliver("b.csv", wide + "\n", minutes_ago=30)
    reviewed.run_one()
    with store_connection(reviewed.settings.database_url) as connection:
        drift = reports.figures(connection, night).drift
    told = {(one.column_name, one.change, one.is_unknown): one.detail for one in drift}
    assert told.keys() == {("备注", "came", True), ("所在省份", "went", False), ("注册资金", "changed", False)}
    assert told["注册资金", "changed", False] == "纯数字 0% → 100%；含汉字 100% → 0%"


def test_files_hold_every_problem_and_nothing_of_a_person(reviewed, reports, make_row, night):
    reviewed.deliver_rows(
        "a.csv",
        make_row(1),
        make_row(2, 企业名称="", 法人代表="张三丰"),
        *(
            make_row(10 + number, 企业名称="李四喜", 统一社会信用代码=f"4207001990010{number:04d}")
            for number in range(8)
        ),
        "王五福,420700199001010014",
        *(make_row(number) for number in range(30, 34)),
    )
    assert reviewed.run_one().quarantined == 10
    report = reports.publish(night)
    page, workbook = write_night(reviewed.settings, reviewed.pipeline.catalog, report)
    text = page.read_text(encoding="utf-8")
    assert text.count('<h3 id="rows-') >= 3
    for secret in ("三丰", "四喜", "五福", "1990010"):
        assert secret not in text
    assert "http" not in text.replace("http-equiv", "")
    book = load_workbook(workbook)
    assert book.sheetnames[:3] == ["封面", "按来源", "按规则"]
    assert book.sheetnames[-1] == "问题数据"
    rows = list(book["问题数据"].iter_rows(min_row=2, values_only=True))
    assert len(rows) == 10
    everything = str([list(sheet.iter_rows(values_only=True)) for sheet in book])
    for secret in ("三丰", "四喜", "五福", "1990010"):
        assert secret not in everything
    assert {stat.S_IMODE(path.stat().st_mode) for path in (page, workbook)} == {0o600}
    assert {path.parent for path in (page, workbook)} == {
        reviewed.settings.report_folder / "nights" / f"{night}" / "v1"
    }
