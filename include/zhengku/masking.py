"""Masking of personal data, for everything that is shown outside the store without a role and a recorded reason.

In doubt a value is masked: a public name that is hidden does less harm than a person's name that is shown.
"""

import re
import unicodedata
from collections.abc import Callable

_GAP = r"[\s\u00ad\u200b-\u200d\u2010-\u2015\u2212\ufeff-]{0,2}"
# Complete runs of digits, so that a number after another one is not cut in the middle. A letter after 15 to 17 digits
# makes it a credit code or a code made of one, except an X, which ends an identity number.
_IDENTITY_NUMBER = re.compile(
    rf"(?<![0-9])[0-9](?:{_GAP}[0-9]){{16}}{_GAP}[Xx](?![0-9A-Za-z])"
    rf"|(?<![0-9])[0-9](?:{_GAP}[0-9]){{17,}}"
    rf"|(?<![0-9])[0-9](?:{_GAP}[0-9]){{14,16}}(?![0-9A-Za-z])"
)
_MOBILE_NUMBER = re.compile(rf"(?<![0-9])(?:(?:00)?86{_GAP}|0)?1{_GAP}[3-9](?:{_GAP}[0-9]){{9}}(?![0-9])")
# Only codes of businesses or with a letter before the check character: 17 digits and a check character may also be a
# mistyped identity number.
_CREDIT_CODE = re.compile(
    r"(?![0-9]{17}[0-9X])(?:9[1-3][0-9]{15}|(?=[0-9]{0,16}[A-Z])[0-9A-HJ-NPQRTUWXY]{17})[0-9A-HJ-NPQRTUWXY]"
)
_PEOPLE_SEPARATOR = re.compile(r"([、,;/])")
_PARTS_SEPARATOR = re.compile(r"([、,;:/|()\[\]\s]+)")
_NUMBER = re.compile(r"[0-9]")
_TRAILING_BRACKETS = re.compile(r"\([^()]*\)$")
_ORGANISATION = re.compile(
    r".+(?:公司|合作社|集团|事务所|经营部|工作室|个体工商户|委员会|办事处)"
    # These also end names of people, which are shorter or, transliterated, have a middle dot.
    r"|[^·•・.]{3,}(?:中心|学校|中学|小学|大学|超市|政府)"
    r"|[^·•・.]{4,}[厂店社院所局部会站行场]"
)


def mask_identity(value: str) -> str:
    """Mask all but the first three and the last four characters; credit codes of organisations are public and stay.

    More characters would identify a person: region, date of birth and check digit together leave few candidates.
    """
    if _CREDIT_CODE.fullmatch(value):
        return value
    if len(value) <= 8:
        return "*" * len(value)
    return value[:3] + "*" * (len(value) - 7) + value[-4:]


def mask_name(value: str) -> str:
    """Mask all but the first character of each person's name, without its blanks; a single character is masked."""
    return _mask_each(value, _mask_person)


def mask_people(value: str) -> str:
    """Mask names and numbers that are together in one text, each part by its kind: `张**/420***…1234`."""
    text = unicodedata.normalize("NFKC", value)
    return "".join(
        part if _PARTS_SEPARATOR.fullmatch(part) else _mask_number(part) if _NUMBER.search(part) else _mask_person(part)
        for part in _PARTS_SEPARATOR.split(text)
        if part
    )


def mask_holder(value: str) -> str:
    """Mask a holder like a person, except organisations: names that end with a word for one and optional brackets."""
    return _mask_each(value, lambda name: name if _is_organisation(name) else _mask_person(name))


def mask_text(value: str) -> str:
    """Mask every identity and mobile number in a text, also in full-width form or with blanks or dashes."""
    text = unicodedata.normalize("NFKC", value)
    masked = _IDENTITY_NUMBER.sub(lambda found: mask_identity(found.group()), text)
    masked = _MOBILE_NUMBER.sub(lambda found: mask_identity(found.group()), masked)
    return value if masked == text else masked


def mask_unknown(value: str) -> str:
    """Return only the length of a value whose meaning is not known."""
    return f"＊（{len(value)}字）" if value else value


def _mask_each(value: str, mask: Callable[[str], str]) -> str:
    return "".join(
        part if _PEOPLE_SEPARATOR.fullmatch(part) else mask(part)
        for part in _PEOPLE_SEPARATOR.split(unicodedata.normalize("NFKC", value))
    )


def _mask_person(name: str) -> str:
    name = "".join(name.split())
    return "*" if len(name) == 1 else name[:1] + "*" * (len(name) - 1)


def _mask_number(part: str) -> str:
    """Mask a number, and the name before it where no separator is between them."""
    name = re.match(r"[^0-9A-Za-z*]*", part)
    front = name.group() if name else ""
    return (_mask_person(front) if front else "") + mask_identity(part[len(front) :])


def _is_organisation(name: str) -> bool:
    name = "".join(name.split())
    return bool(_ORGANISATION.fullmatch(name) or _ORGANISATION.fullmatch(_TRAILING_BRACKETS.sub("", name)))
