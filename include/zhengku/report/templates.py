"""The templates of reports and pages, and the formats of numbers, days and times in them."""

from datetime import date, datetime, time
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from zhengku.clock import CITY_TIME_ZONE
from zhengku.masking import mask_text

_WEEKDAYS = "一二三四五六日"


@cache
def templates() -> Environment:
    """Return the environment of all templates; pages and reports share style and macros.

    Every value is masked by `mask_text` when it is written, except by the filter `unmasked`: for the telephone number
    that is shown after it was recorded, and for numbers that must be sent back as they are.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("zhengku.pages", "templates"), PackageLoader("zhengku.report", ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=mask_output,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=lambda value: f"{value:,}", day=day_text, moment=moment_text, percent=percent)
    environment.filters["unmasked"] = escape
    return environment


def mask_output(value: Any) -> Any:
    """Return what a template writes for a value: text is masked, unless it is markup already."""
    return mask_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def day_text(value: date) -> str:
    """Return a day with its weekday."""
    return f"{value.year}年{value.month}月{value.day}日（星期{_WEEKDAYS[value.weekday()]}）"


def moment_text(value: datetime, day: date | None = None, *, seconds: bool = False) -> str:
    """Return a moment in Asia/Shanghai time; the midnight that ends `day` as its 24:00."""
    local = value.astimezone(CITY_TIME_ZONE)
    if day is not None and local.time() == time() and (local.date() - day).days == 1:
        return f"{day:%Y-%m-%d} 24:00"
    return f"{local:%Y-%m-%d %H:%M:%S}" if seconds else f"{local:%Y-%m-%d %H:%M}"


def percent(share: float | None) -> str:
    """Return a share (0 to 1) in per cent; only 0 is shown as 0.00%, and only 1 as 100.00%."""
    if share is None:
        return "—"
    if 0 < share < 0.0001:
        return "<0.01%"
    if 0.9999 < share < 1:
        return ">99.99%"
    return f"{100 * share:.2f}%"
