"""Which part of a feed a run reads."""

from datetime import datetime, timedelta

import pytest

from zhengku.catalog import load_catalog
from zhengku.clock import CITY_TIME_ZONE
from zhengku.collect.window import interval_of, window_after
from zhengku.errors import ConfigurationError
from zhengku.settings import project_home
from zhengku.transports.source import Position, Window
from zhengku.transports.window import NewFiles, Watermark


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CITY_TIME_ZONE)


def feed_with(**window: object):
    feed = load_catalog(project_home() / "include" / "catalog").feed("market_supervision", "business_license")
    return feed.model_copy(update={"window": Watermark(kind="watermark", column="更新时间", **window)})


def test_first_run_reads_from_the_start_of_the_feed():
    window = window_after(feed_with(start="2020-02-01"), None)
    assert window.start == at("2020-02-01")
    assert window.end is not None
    assert datetime.now(tz=CITY_TIME_ZONE) - window.end < timedelta(minutes=1)


def test_later_run_begins_before_the_watermark_by_the_overlap():
    reached = Position(at("2024-05-01T08:00"), ("7",))
    assert window_after(feed_with(overlap_minutes=90), reached).start == at("2024-05-01T06:30")
    assert window_after(feed_with(overlap_minutes=90), reached).after == ()


def test_without_overlap_a_run_begins_behind_the_newest_row():
    reached = Position(at("2024-05-01T08:00"), ("7",))
    window = window_after(feed_with(overlap_minutes=0), reached)
    assert (window.start, window.after) == (reached.at, ("7",))


def test_feed_without_watermark_is_read_as_a_whole():
    feed = feed_with().model_copy(update={"window": NewFiles()})
    assert window_after(feed, Position(at("2024-05-01"))) == Window()
    assert str(Window()) == "whole"


def test_interval_takes_days_whole_and_times_as_they_are():
    window = interval_of("2024-01-30", "2024-01-31")
    assert window is not None
    assert (window.start, window.end) == (at("2024-01-30"), at("2024-01-31T23:59:59.999999"))
    assert str(window) == "2024-01-30 00:00:00 to 2024-01-31 23:59:59"
    assert interval_of("2024-01-30T10:00+00:00", None) == Window(start=at("2024-01-30T18:00"))
    assert interval_of(None, None) is None
    assert interval_of("", "") is None


@pytest.mark.parametrize(("since", "until"), [("30.1.2024", None), ("2024-02-30", None), ("2024-02-02", "2024-02-01")])
def test_wrong_interval_is_told(since, until):
    with pytest.raises(ConfigurationError, match=r"Expected a day|ends before"):
        interval_of(since, until)
