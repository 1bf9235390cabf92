"""Counting patterns in the values of a column.

The result has counts, and of the values only codes that cannot be personal data.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from zhengku.catalog.department import DateForm
from zhengku.catalog.reference import HALF_WIDTH
from zhengku.profile.code_words import KNOWN_WORDS

SURE: Final = 0.8
"""Share of values that must match a pattern before a field is proposed without a question mark."""

MAX_CODES: Final = 12
"""A column with more distinct values is no list of codes."""

_BLANKS: Final = " \t\n\r\u3000\u00a0\ufeff\u200b"
# The words of `clean.is_without_end`.
_ENDLESS: Final = frozenset({"长期", "永久", "长期有效", "永久有效", "无期限", "无固定期限"})

_CREDIT_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_CODE: Final = re.compile(rf"[{_CREDIT_ALPHABET}]{{2}}[0-9]{{6}}[{_CREDIT_ALPHABET}]{{10}}")
_IDENTITY_NUMBER: Final = re.compile(r"[0-9]{17}[0-9X]")
_IDENTITY_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2, 1)
_IDENTIFIER: Final = re.compile(
    rf"1\.2\.156\.3005\.2\.([{_CREDIT_ALPHABET}]{{18}}[0-9]{{3}})\.([{_CREDIT_ALPHABET}]{{18}})\.([0-9A-Z]{{1,54}})"
    r"\.([0-9]{3})\.([0-9A-Z])"
)
_TIME: Final = r"(?:[ T]?[0-9]{1,2}[:时点][0-9]{1,2}.*)?"
_DATES: Final = {
    DateForm.ISO: re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})" + _TIME),
    DateForm.SLASH: re.compile(r"([0-9]{4})[/.]([0-9]{1,2})[/.]([0-9]{1,2})" + _TIME),
    DateForm.COMPACT: re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[0-9]{6}|" + _TIME + ")"),
    DateForm.CHINESE: re.compile(r"([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})日" + _TIME),
}
_SERIAL: Final = re.compile(r"([1-7][0-9]{4})(?:\.[0-9]+)?")
_AT_MIDNIGHT: Final = re.compile(r"(?:[ T日号]0?|(?<![0-9])[0-9]{8}0)0:?00(?::?00(?:[.,]0+)?)?(?:\+08:?00)?$")
_WITH_TIME: Final = re.compile(r"[0-9][:时点][0-9]|[0-9]{14}|[0-9]{5}\.[0-9]")
_ORGANISATION: Final = re.compile(r".{2,}(?:公司|中心|学校|医院|厂|店|社|所|部|局|院|站|会|行|超市|政府|办事处|工作室)")
_AUTHORITY: Final = re.compile(r".{2,}(?:局|厅|委员会|政府|部|委|大队|支队)")
_PERSON: Final = re.compile(r"[\u4e00-\u9fff]{2,4}")


def cleaned(value: str | None, null_words: Collection[str]) -> str | None:
    """Return a value cleaned as in the staging: half-width, without blanks around.

    None for a blank and for `null_words`: those of the catalogue for a text, in lower case.
    """
    if value is None:
        return None
    text = value.translate(HALF_WIDTH).strip(_BLANKS)
    return None if not text or text.lower() in null_words else text


def as_code(value: str) -> str:
    """Return a cleaned value as a code: without blanks inside, in capitals."""
    return re.sub(rf"[{_BLANKS}]", "", value).upper()


def is_credit_code(code: str) -> bool:
    """Check a unified social credit code by GB 32100-2015."""
    if not _CREDIT_CODE.fullmatch(code):
        return False
    terms = (_CREDIT_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(code[:17]))
    return (sum(terms) + _CREDIT_ALPHABET.index(code[17])) % 31 == 0


def is_identity_number(code: str) -> bool:
    """Check a resident identity number of 18 characters by GB 11643-1999, with a day of birth that exists."""
    if not _IDENTITY_NUMBER.fullmatch(code) or not _is_day(code[6:10], code[10:12], code[12:14]):
        return False
    values = (10 if char == "X" else int(char) for char in code)
    return sum(value * weight for value, weight in zip(values, _IDENTITY_WEIGHTS, strict=True)) % 11 == 1


def is_certificate_identifier(code: str) -> bool:
    """Check a certificate identifier by GB/T 36904-2018 with its check character (ISO 7064 MOD 37,36)."""
    found = _IDENTIFIER.fullmatch(code)
    if not found:
        return False
    carry = 36
    for char in "".join(found.groups()[:4]):
        carry = ((carry + int(char, 36)) % 36 or 36) * 2 % 37
    return (carry + int(found.group(5), 36)) % 36 == 1


def date_form(value: str) -> DateForm | None:
    """Return the form of a value that is a day that exists; None for other values."""
    for form, pattern in _DATES.items():
        found = pattern.fullmatch(value)
        if found and _is_day(*found.groups()[:3]):
            return form
    serial = _SERIAL.fullmatch(value)
    if serial and 1980 <= (date(1899, 12, 30) + timedelta(days=int(serial.group(1)))).year <= 2060:
        return DateForm.SPREADSHEET_SERIAL
    return None


def _is_day(year: str, month: str, day: str) -> bool:
    try:
        return 1800 <= date(int(year), int(month), int(day)).year <= 9999
    except ValueError:
        return False


_PATTERNS: Final[Mapping[str, Callable[[str], object]]] = {
    "credit code": lambda value: is_credit_code(as_code(value)),
    "identity number": lambda value: is_identity_number(as_code(value)),
    "certificate identifier": lambda value: is_certificate_identifier(as_code(value)),
    "license type code": lambda value: len(value) == 21 and is_credit_code(value[:18]) and value[18:].isdecimal(),
    "url": re.compile(r"(?:https?|s3|obs|oss|ftps?|sftp)://\S+", re.IGNORECASE).fullmatch,
    "digest": re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})", re.IGNORECASE).fullmatch,
    "version": re.compile(r"[0-9]{3}").fullmatch,
    "phone": re.compile(r"1[3-9][0-9]{9}").fullmatch,
    "authority": _AUTHORITY.fullmatch,
    "organisation": _ORGANISATION.fullmatch,
    "person": _PERSON.fullmatch,
}


@dataclass(frozen=True)
class ColumnProfile:
    """One column of a sample: the number of its rows, of its filled values and of its distinct values.

    `patterns` counts the filled values by pattern, `date_forms` by the form of a date; `endless` counts those that say
    that there is no end, `timed` the dates with a time other than 00:00. `codes` are the distinct values, the most
    frequent first, if there are at most `MAX_CODES` of them, without those that may be personal data.
    """

    name: str
    rows: int
    filled: int
    distinct: int
    patterns: Mapping[str, int]
    date_forms: Mapping[DateForm, int]
    timed: int
    endless: int
    codes: tuple[str, ...] = field(repr=False)

    def share(self, pattern: str) -> float:
        """Return the share of the filled values that match a pattern, 0 to 1; `date` is any form of a date."""
        if not self.filled:
            return 0.0
        if pattern == "date":
            return (sum(self.date_forms.values()) + self.endless) / self.filled
        return self.patterns.get(pattern, 0) / self.filled

    @property
    def is_distinct(self) -> bool:
        """Whether nearly every row has a value of its own; some certificates are delivered twice."""
        return self.filled > 0 and self.filled >= 0.95 * self.rows and self.distinct >= 0.9 * self.filled


def profile_column(
    name: str, values: Iterable[str | None], known_districts: Mapping[str, str], null_words: Collection[str]
) -> ColumnProfile:
    """Profile one column; `known_districts` are the district aliases of the catalogue, `null_words` those of a text."""
    rows = 0
    counts: Counter[str] = Counter()
    for value in values:
        rows += 1
        text = cleaned(value, null_words)
        if text is not None:
            counts[text] += 1
    patterns: Counter[str] = Counter()
    forms: Counter[DateForm] = Counter()
    timed = endless = 0
    for text, count in counts.items():
        for pattern, matches in _PATTERNS.items():
            if matches(text):
                patterns[pattern] += count
        if any(alias in known_districts for alias in _district_aliases(text)):
            patterns["district"] += count
        if text in _ENDLESS:
            endless += count
        elif form := date_form(text):
            forms[form] += count
            timed += count if _WITH_TIME.search(text) and not _AT_MIDNIGHT.search(text) else 0
    filled = counts.total()
    return ColumnProfile(name, rows, filled, len(counts), patterns, forms, timed, endless, _codes(counts, patterns))


def _district_aliases(text: str) -> list[str]:
    return [text, text[:9], text[:6]] if text.isdecimal() and 9 <= len(text) <= 12 else [text]


def _codes(counts: Counter[str], patterns: Counter[str]) -> tuple[str, ...]:
    """Return the values of a short list that may be shown: short codes and known words."""
    if not 0 < len(counts) <= MAX_CODES or patterns["identity number"] or patterns["credit code"] or patterns["phone"]:
        return ()
    # Any other word may be a name: columns may be swapped, and a few people may hold many certificates.
    return tuple(text for text, _ in counts.most_common() if as_code(text) in KNOWN_WORDS or _is_short_code(text))


def _is_short_code(text: str) -> bool:
    return text.isascii() and text.isprintable() and len(text) <= 4
