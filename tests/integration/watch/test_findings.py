"""What the store tells: waiting batches, late lists and reports, stale feeds, days that run out."""

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.installation import Installation, license_row

from zhengku import clock
from zhengku.catalog import load_catalog
from zhengku.catalog.clearance_config import load_clearance
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.review.night import NightReports
from zhengku.settings import Settings, project_home
from zhengku.watch.certificates import record_last_days
from zhengku.watch.late import due_lists, find_late
from zhengku.watch.store import find_in_store


def found(installation, now: datetime | None = None) -> dict[str, str]:
    catalog = load_catalog(installation.settings.catalog_folder)
    with store_connection(installation.settings.database_url) as connection:
        return {one.finding_key: one.text for one in find_in_store(connection, catalog, now or clock.now())}


def late(installation, now: datetime, moment: datetime | None = None) -> set[str]:
    with store_connection(installation.settings.database_url) as connection:
        return {one.finding_key for one in find_late(connection, installation.settings, now, moment)}


def test_held_batch_stands_until_it_is_decided_about(watched):
    assert found(watched) == {}
    rows = (license_row(number, 企业名称="" if number % 3 else "某公司") for number in range(300))
    watched.deliver_rows("a.csv", *rows)
    batch = watched.run_one()
    assert batch.status == "held"
    [(key, text)] = found(watched).items()
    assert key == f"batch_held:{batch.batch_id}"
    assert f"批次 {batch.batch_id}（a.csv）" in text
    assert text.startswith(
        load_catalog(watched.settings.catalog_folder).feed_title("market_supervision", "business_license")
    )
    watched.pipeline.release(batch.batch_id, "李某某", "已核对")
    assert found(watched) == {}


def test_rejected_batch_stands_until_the_feed_delivers_again(watched):
    watched.deliver("a.csv", b"\x00\x01\x02 no table at all")
    first = watched.run_one()
    watched.deliver("b.csv", b"\x00\x01\x02 another")
    second = watched.run_one()
    assert (first.status, second.status) == ("rejected", "rejected")
    # One line for a feed: the newest.
    assert list(found(watched)) == [f"batch_rejected:{second.batch_id}"]
    # Nobody is told of it for ever.
    assert found(watched, clock.now() + timedelta(days=8)) == {}
    watched.deliver_rows("c.csv", license_row(1))
    assert watched.run_one().status == "loaded"
    assert found(watched) == {}


def test_feed_that_was_not_loaded_for_long_stands_as_the_report_says(watched):
    watched.deliver_rows("a.csv", license_row(1))
    watched.run_one()
    watched.rewrite(
        "update ledger.batch set recorded_at = recorded_at - interval '20 days',"
        " landed_at = landed_at - interval '20 days', finished_at = finished_at - interval '20 days'"
    )
    NightReports(watched.settings).publish(clock.today())
    [(key, text)] = found(watched).items()
    assert key == "feed_stale:market_supervision/business_license"
    assert "无数据送达，上次入库" in text
    # A report of last week says nothing about today.
    assert found(watched, clock.now() + timedelta(days=4)) == {}


def test_backups_that_were_never_set_up_are_a_problem_and_one_that_is_old_is_urgent(watched):
    file = Path(watched.settings.catalog_folder) / "notices.yaml"
    file.write_text(file.read_text("utf-8").replace("watch_backups: false", "watch_backups: true"), encoding="utf-8")
    catalog = load_catalog(watched.settings.catalog_folder)

    def seen() -> list[tuple[str, str]]:
        with store_connection(watched.settings.database_url) as connection:
            return [(one.how_urgent, one.text) for one in find_in_store(connection, catalog, clock.now())]

    [(urgency, text)] = seen()
    assert urgency == "problem"
    assert "数据库没有归档 WAL" in text
    assert "数据库还没有基础备份" in text
    watched.query(
        "insert into ledger.base_backup (label, kind, finished_at)"
        " values ('made-up', 'full', now() - interval '3 days')"
    )
    [(urgency, text)] = seen()
    assert urgency == "urgent"
    assert "数据库基础备份已超过 36 小时" in text


def test_working_days_that_run_out_are_a_reminder_and_then_a_problem(installation):
    today = date(clock.today().year + 3, 6, 1)
    seen = found(installation, datetime.combine(today, datetime.min.time(), CITY_TIME_ZONE))
    assert seen["calendar:working_days"].startswith("工作日安排仅确知至")


def test_certificate_is_told_of_before_its_last_day_and_urgently_after_it(watched):
    today = clock.today()
    with store_connection(watched.settings.database_url) as connection:
        record_last_days(connection, ["a.example:443"], {"a.example:443": today + timedelta(days=20)})
    at = datetime.combine(today, datetime.min.time(), CITY_TIME_ZONE) + timedelta(hours=3)
    catalog = load_catalog(watched.settings.catalog_folder)
    urgencies = []
    for days in (-20, 0, 18, 21):
        with store_connection(watched.settings.database_url) as connection:
            seen = find_in_store(connection, catalog, at + timedelta(days=days))
        urgencies.append([one.how_urgent for one in seen])
    assert urgencies == [[], ["reminder"], ["problem"], ["urgent"]]
    with store_connection(watched.settings.database_url) as connection:
        record_last_days(connection, ["b.example:443"], {})
    assert found(watched, at + timedelta(days=21)) == {}


# ---- late lists and reports


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-03 16:50", (date(2026, 3, 3), "working")),
        ("2026-03-03 16:49", (date(2026, 3, 2), "final")),
        ("2026-03-03 06:00", (date(2026, 3, 2), "final")),
        ("2026-03-03 05:59", (date(2026, 3, 2), "working")),
        ("2028-02-29 16:50", (date(2028, 2, 29), "working")),
        ("2028-03-01 06:00", (date(2028, 2, 29), "final")),
    ],
)
def test_list_that_is_due_at_a_moment(moment, expected):
    config = load_clearance(project_home() / "include" / "catalog")
    *_, newest = due_lists(config, datetime.fromisoformat(moment).replace(tzinfo=CITY_TIME_ZONE))
    assert newest == expected


@pytest.fixture
def whole(installation) -> Installation:
    """An installation with the shipped catalogue: the lists name their sources."""
    catalog = project_home() / "include" / "catalog"
    environment = {**installation.settings.environment, "ZHENGKU_CATALOG_DIR": str(catalog)}
    return Installation(Settings(installation.settings.home, environment), installation.drop)


def test_lists_and_report_are_late_after_their_minutes_and_no_more_once_they_are_out(whole):
    installation = whole
    day = date(2026, 3, 3)
    at = datetime(2026, 3, 4, 7, 31, tzinfo=CITY_TIME_ZONE)
    # Nothing was ever published: only the newest of each is due.
    assert late(installation, at) == {f"list_late:{day}/final", "report_late:2026-03-04"}
    assert late(installation, at - timedelta(minutes=5)) == {f"list_late:{day}/final", "report_late:2026-03-03"}
    publish(installation, day - timedelta(days=1), "working")
    assert late(installation, at) >= {
        f"list_late:{day}/final",
        f"list_late:{day}/working",
        f"list_late:{day - timedelta(days=1)}/final",
    }
    for each, kind in ((day - timedelta(days=1), "final"), (day, "working"), (day, "final")):
        publish(installation, each, kind)
    installation.rewrite("insert into review.night_report (night, version, figures) values ('2026-03-04', 1, '{}')")
    assert late(installation, at) == set()
    # The run whose deadline passed names its own list, too.
    moment = datetime(2026, 1, 5, 16, 50, tzinfo=CITY_TIME_ZONE)
    assert late(installation, at, moment) == {"list_late:2026-01-05/working"}


def test_what_is_paused_on_purpose_is_not_late(installation, tmp_path):
    folder = tmp_path / "paused"
    shutil.copytree(project_home() / "include" / "catalog", folder)
    file = folder / "notices.yaml"
    text = file.read_text("utf-8")
    paused = "may_be_paused: [daily_clearance_cutoff, validation_report]"
    file.write_text(text.replace("may_be_paused: []", paused), encoding="utf-8")
    settings = Settings(
        installation.settings.home, {**installation.settings.environment, "ZHENGKU_CATALOG_DIR": str(folder)}
    )
    with store_connection(settings.database_url) as connection:
        assert find_late(connection, settings, datetime(2026, 3, 4, 12, tzinfo=CITY_TIME_ZONE)) == []


def publish(installation, day: date, kind: str) -> None:
    installation.rewrite(
        "insert into clearance.list (list_id, day, kind, version, cutoff_at, published_at, is_trunk, corrections,"
        " oldest_finish, last_shown, calendar_id, archive_after_working_days, deadline_working_days, stale)"
        " select coalesce(max(list_id), 0) + 1, %s, %s, 1, now(), now(), true, '{}', now(), 0, 1, 60, 5, '[]'"
        " from clearance.list",
        day,
        kind,
    )
