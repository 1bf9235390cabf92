"""The window of time of a feed that a run reads."""

from datetime import datetime, time, timedelta

from zhengku import clock
from zhengku.catalog import Feed
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import ConfigurationError
from zhengku.transports.source import Position, Window
from zhengku.transports.window import Watermark


def window_after(feed: Feed, reached: Position | None) -> Window:
    """Return the window of the next run of a feed with the watermark `reached`, None before its first run.

    A feed with a watermark is read from there, less its overlap, or from its configured start; any other completely.
    The end is the present: rows with a later time are read by a later run, or by one whose window has no end.
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
    """Return the interval that a person requested, in Asia/Shanghai unless a zone is written; None for none.

    A day without a time is the complete day: `until` a day is its end. Raises `ConfigurationError` for text that is no
    ISO date or time, or an interval that ends before it starts.
    """
    if not since and not until:
        return None
    window = Window(start=_moment(since, time()), end=_moment(until, time.max))
    if window.start and window.end and window.end < window.start:
        raise ConfigurationError(f"The interval ends before it starts: {since} to {until}. Exchange the two.")
    return window


def _moment(text: str | None, of_day: time) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        clock.usable(moment.date())
    except ValueError:
        raise ConfigurationError(
            f"Expected a day or a time like 2024-01-31 or 2024-01-31T18:00, from {clock.FIRST_DAY} to "
            f"{clock.LAST_DAY}; got {text!r:.40}."
        ) from None
    if len(text) <= len("2024-01-31"):
        moment = datetime.combine(moment, of_day)
    return moment if moment.tzinfo else moment.replace(tzinfo=CITY_TIME_ZONE)
