"""A table of a real MariaDB through the whole pipeline into the license store."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from zhengku.catalog import load_catalog
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import DeliveryUnavailable, SourceRefused
from zhengku.review.returns import Returns

if TYPE_CHECKING:
    pass


MORNING = datetime(2024, 5, 1, 8)


def test_inserts_updates_and_deletes_reach_the_store(exchange_pipeline):
    exchange_pipeline.write("I", 1, MORNING)
    exchange_pipeline.write("I", 2, MORNING)
    first = exchange_pipeline.run()
    assert (first.status, first.fetched, first.inserted, first.quarantined) == ("loaded", 2, 2, 0)
    exchange_pipeline.write("U", 1, MORNING + timedelta(hours=2), "鄂州市虚构改名有限公司")
    exchange_pipeline.write("D", 2, MORNING + timedelta(hours=3))
    second = exchange_pipeline.run()
    assert (second.updated, second.deleted) == (1, 1)
    assert exchange_pipeline.certificates() == [
        ("鄂州市虚构改名有限公司", None, None),
        ("鄂州市虚构第2号商贸有限公司", "deleted", "05-01 11:00"),
    ]


def test_only_the_load_moves_the_watermark(exchange_pipeline):
    exchange_pipeline.write("I", 1, MORNING)
    batch = exchange_pipeline.collect()
    exchange_pipeline.installation.pipeline.validate(batch.batch_id)
    assert exchange_pipeline.watermark() == []
    exchange_pipeline.installation.pipeline.load(batch.batch_id)
    assert exchange_pipeline.watermark() == [("2024-05-01 08:00", ["1"])]


def test_row_committed_late_with_an_older_time_is_loaded_by_the_next_run(exchange_pipeline):
    exchange_pipeline.write("I", 1, MORNING)
    exchange_pipeline.run()
    exchange_pipeline.write("I", 2, MORNING - timedelta(minutes=30))
    late = exchange_pipeline.run()
    assert (late.inserted, late.unchanged) == (1, 1)
    assert exchange_pipeline.watermark() == [("2024-05-01 08:00", ["1"])]


@pytest.mark.slow
def test_row_from_the_future_opens_no_hole_for_rows_that_come_after_it(exchange_pipeline):
    exchange_pipeline.write("I", 1, MORNING)
    exchange_pipeline.write("I", 2, datetime(2062, 1, 1))
    first = exchange_pipeline.run()
    assert (first.inserted, first.quarantined) == (1, 1)
    assert exchange_pipeline.watermark() == [("2024-05-01 08:00", ["1"])]
    exchange_pipeline.write("I", 3, MORNING + timedelta(hours=2))
    assert exchange_pipeline.run().inserted == 1


def test_column_that_is_gone_rejects_the_batch_and_leaves_the_watermark(exchange_pipeline):
    exchange_pipeline.write("I", 1, MORNING)
    exchange_pipeline.run()
    exchange_pipeline.server.run("alter table license rename column 企业名称 to 名称")
    batch = exchange_pipeline.collect()
    assert (batch.status, batch.rule_id) == ("rejected", "file.missing_column")
    assert exchange_pipeline.watermark() == [("2024-05-01 08:00", ["1"])]


@pytest.mark.slow
def test_database_that_is_down_leaves_no_batch_and_the_next_run_catches_up(exchange_pipeline):
    exchange_pipeline.write("I", 1, MORNING)
    address = exchange_pipeline.installation.settings.environment["ZHENGKU_CONN_MARKET_FRONT"]
    environment = exchange_pipeline.installation.settings.environment
    environment["ZHENGKU_CONN_MARKET_FRONT"] = "mysql://root@127.0.0.1:1/front"
    with pytest.raises(DeliveryUnavailable):
        exchange_pipeline.collect()
    assert exchange_pipeline.installation.query("select count(*) from ledger.batch") == [(0,)]
    environment["ZHENGKU_CONN_MARKET_FRONT"] = address
    assert exchange_pipeline.run().inserted == 1


def test_row_that_postgresql_cannot_hold_is_quarantined_and_its_neighbour_loads(exchange_pipeline):
    exchange_pipeline.write("I", 1, MORNING)
    exchange_pipeline.write("I", 2, MORNING, "鄂州市虚构\0有限公司")
    batch = exchange_pipeline.run()
    assert (batch.fetched, batch.inserted, batch.quarantined) == (2, 1, 1)


def test_returned_records_are_written_into_the_departments_database(exchange_pipeline):
    path = exchange_pipeline.installation.settings.catalog_folder / "departments" / "market_supervision.yaml"
    text = path.read_text(encoding="utf-8")
    told = text.replace("      page_rows: 100\n", "      page_rows: 100\n      return_table: problem_return\n")
    path.write_text(told, encoding="utf-8")
    exchange_pipeline.write("I", 1, MORNING, " N/A ")
    exchange_pipeline.write("I", 2, MORNING)
    exchange_pipeline.write("I", 3, MORNING, "-")
    assert exchange_pipeline.run().quarantined == 2
    settings = exchange_pipeline.installation.settings
    returned = Returns(settings, load_catalog(settings.catalog_folder))
    now = datetime(2026, 11, 24, 10, tzinfo=CITY_TIME_ZONE)
    with pytest.raises(SourceRefused, match="table problem_return"):
        returned.make("market_supervision", "zhang", now)
    # The files lie there; the table is made up for once the department gives it.
    assert exchange_pipeline.installation.query("select channel from quarantine.hand_over") == [
        ("folder",),
        ("folder",),
    ]
    exchange_pipeline.server.run(
        "create table problem_return (return_id bigint, problem_id bigint, feed varchar(63), row_key varchar(1000),"
        " wrong_columns text, wrong_values text, reason text, expected text, example text, due_on date,"
        " returned_at timestamp, primary key (return_id, problem_id))"
    )
    for _ in range(2):
        # Written anew, it is the same.
        assert len(returned.write(1).files) == 2
        rows = exchange_pipeline.server.run(
            "select row_key, wrong_columns, wrong_values, reason, expected, due_on from problem_return order by 1"
        )
        assert [row[0] for row in rows] == ["id=1", "id=3"]
        assert [tuple(row[1:5]) for row in rows] == [
            ("企业名称", " N/A ", "缺少持证主体", "必填"),
            ("企业名称", "-", "缺少持证主体", "必填"),
        ]
    assert returned.finish() == []
    assert exchange_pipeline.installation.query(
        "select channel, item from quarantine.hand_over order by 1 limit 1"
    ) == [("exchange_table", "problem_return")]


def test_a_time_beyond_all_days_and_columns_that_nobody_maps_cost_no_neighbour(exchange_pipeline):
    exchange_pipeline.server.run(
        "alter table license modify 注册日期 datetime(6), modify cd_time datetime(6),"
        " add column 照片 blob, add column 已核 bit(1), add column 附注 varchar(9) default 'a\0b'"
    )
    for number in (1, 2, 3):
        exchange_pipeline.write("I", number, MORNING)
    exchange_pipeline.server.run(
        "update license set 照片 = x'FFD8FF00', 已核 = b'1'",
        "update license set 注册日期 = '9999-12-31 23:59:59.999999' where id = 2",
        "update license set cd_time = '9999-12-31 23:59:59.999999' where id = 3",
    )
    batch = exchange_pipeline.run()
    assert (batch.fetched, batch.inserted + batch.quarantined) == (3, 3)
    names = [holder for holder, _, _ in exchange_pipeline.certificates()]
    assert "鄂州市虚构第1号商贸有限公司" in names
    assert exchange_pipeline.installation.query("select count(*) from quarantine.problem_row") == [(batch.quarantined,)]
    assert exchange_pipeline.watermark() == [("2024-05-01 08:00", ["2"])]
