"""The check of a cron line, so that a mistake is found before the scheduler reads it.

Five fields with numbers, names, ranges, steps and lists: the syntax that all implementations of cron read alike.
"""

import re

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("weekday", 0, 7, {name: number for number, name in enumerate(_WEEKDAYS)}),
)
_PART = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?", re.ASCII)
_LONGEST_DAY = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def cron_mistake(line: str) -> str | None:
    """Return what is wrong with a cron line, None when it is right and matches at least one day."""
    texts = line.split()
    if len(texts) != len(_FIELDS):
        return f"expected 5 fields, got {len(texts)}"
    chosen: list[set[int]] = []
    for text, (name, low, high, names) in zip(texts, _FIELDS, strict=True):
        numbers: set[int] = set()
        for part in text.split(","):
            span = _span(part, low, high, names)
            if span is None:
                return f"{name} {part!r} is not within {low}-{high}"
            numbers.update(span)
        chosen.append(numbers)
    days, months = chosen[2], chosen[3]
    if texts[4] == "*" and not any(min(days) <= _LONGEST_DAY[month - 1] for month in months):
        return "this day is in none of these months"
    return None


def _span(part: str, low: int, high: int, names: dict[str, int]) -> range | None:
    match = _PART.fullmatch(part)
    if match is None:
        return None
    step = int(match["step"] or 1)
    if match["all"]:
        first, last = low, high
    else:
        ends = [_number(text, names) for text in (match["first"], match["last"] or match["first"])]
        if ends[0] is None or ends[1] is None or (match["step"] and not match["last"]):
            return None
        first, last = ends[0], ends[1]
    if step < 1 or not low <= first <= last <= high:
        return None
    return range(first, last + 1, step)


def _number(text: str, names: dict[str, int]) -> int | None:
    return int(text) if text.isdecimal() else names.get(text.lower())
