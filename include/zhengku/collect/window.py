"""Which part of a feed a run reads."""

from datetime import datetime, time, timedelta

from zhengku import clock
from zhengku.catalog import Feed
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import ConfigurationError
from zhengku.transports.source import Position, Window
from zhengku.transports.window import Watermark


def window_after(feed: Feed, reached: Position | None) -> Window:
    """Return the window of the next run of a feed whose watermark stands at `reached`.

    A feed with a watermark is read from there, less its overlap, or from its very start; any other as a whole. The end
    is the present: what bears a later time is read by a later run, or by one that knows no end.
    """
    window = feed.window
    if not isinstance(window, Watermark):
        return Window()
    now = clock.now()
    if reached is None:
        return Window(start=datetime.combine(window.start, time(), tzinfo=CITY_TIME_ZONE), end=now)
    if window.overlap_minutes:
        return Window(start=reached.at - timedelta(minutes=window.overlap_minutes), end=now)
    return Window(start=reached.at, end=now, after=reached.key)


def interval_of(since: str | None, until: str | None) -> Window | None:
    """Return the interval that a person asked for, in Asia/Shanghai unless a zone is written; None for none.

    A day without a time is meant whole: `until` a day goes to its end. Raises `ConfigurationError` for what is no ISO
    date or time, or an interval that ends before it begins.
    """
    if not since and not until:
        return None
    window = Window(start=_moment(since, time()), end=_moment(until, time.max))
    if window.start and window.end and window.end < window.start:
        raise ConfigurationError(f"The interval ends before it begins: {since} to {until}. Exchange the two.")
    return window


def _moment(text: str | None, of_day: time) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"Expected a day or a time like 2024-01-31 or 2024-01-31T18:00, got {text!r:.40}."
        ) from None
    if len(text) <= len("2024-01-31"):
        moment = datetime.combine(moment, of_day)
    return moment if moment.tzinfo else moment.replace(tzinfo=CITY_TIME_ZONE)
