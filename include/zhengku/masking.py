"""Masking of personal data, for everything that is shown outside the store without a role and a recorded reason.

In doubt a value is masked: a public name that is hidden does less harm than a person's name that is shown.
`mask_text` is the one mask of free text; a text that was masked passes it unchanged.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

HolderKind = Literal["person", "organization"]
"""What a holder is, as declared beside its name or by its license type."""

_GAP = r"[\s\u00ad\u200b-\u200d\u2010-\u2015\u2212\ufeff-]{0,2}"
_DIGITS = re.compile(rf"[0-9](?:{_GAP}[0-9]){{5,}}(?:{_GAP}[Xx](?![0-9A-Za-z])|[A-Za-z](?![0-9A-Za-z]))?")
"""Digits with their separators, and the letter that may be the check character of an identity number."""
_GROUP = re.compile(r"[0-9A-Za-z]+")
_BETWEEN_LETTERS = re.compile(r"\A[A-Za-z].*[A-Za-z]\Z", re.DOTALL)

# GB/T 2260: the provinces, in the code of a county. Numbers of permanent residents from abroad have a 9 before it, and
# their country after it.
_PROVINCES: Final = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
_REGION: Final = rf"(?:{_PROVINCES}[0-9]{{4}}|9{_PROVINCES}[0-9]{{3}})"
_MONTH_AND_DAY: Final = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_BIRTHDAY: Final = rf"(?:18|19|20)[0-9]{{2}}{_MONTH_AND_DAY}"
# GB 11643-1999, recognised by region and birthday, since the check character may be what is wrong; also with one digit
# too few or too many, or another letter at the end.
_IDENTITY_NUMBER: Final = re.compile(
    rf"{_REGION}{_BIRTHDAY}[0-9]{{3}}[0-9A-Za-z]?|[0-9]?{_REGION}{_BIRTHDAY}[0-9]{{4}}|{_REGION}{_BIRTHDAY}[0-9]{{5}}"
)
_OLD_IDENTITY_NUMBER: Final = re.compile(rf"{_PROVINCES}[0-9]{{4}}[0-9]{{2}}{_MONTH_AND_DAY}[0-9]{{3}}")
_OLD_GROUPS: Final = ([15], [6, 6, 3], [6, 9], [12, 3])
_MOBILE_NUMBER: Final = re.compile(r"(?:(?:00)?86|0)?1[3-9][0-9]{9}")
_MOBILE_PREFIXES: Final = ("86", "086", "0086", "0")
_UNIONPAY_CARD: Final = re.compile(r"(?:62[0-9]{2}|9559)[0-9]{12,15}")
_OTHER_CARD: Final = re.compile(r"[345][0-9]{15}")
_LONGEST: Final = 19
"""Digits of the longest number of a person: a longer one without separators is of a case, a certificate or a batch."""

_SUBSCRIBER: Final = (
    rf"(?!(?:19|20)[0-9]{{2}}{_GAP}{_MONTH_AND_DAY}(?![0-9]))[2-8][0-9]{{2,3}}{_GAP}[0-9]{{4}}(?![0-9])"
)
_AREA: Final = r"(?:10|2[0-9]|[3-9][0-9]{2})"
_LAND_LINE = re.compile(
    rf"(?<![0-9A-Z])(?:(?:\+|00)86{_GAP})?\(?0{_AREA}\)?{_GAP}{_SUBSCRIBER}"
    rf"|(?<![0-9A-Z])(?:\+|00)86{_GAP}\(?{_AREA}\)?{_GAP}{_SUBSCRIBER}"
    r"|(?<![0-9A-Za-z-])[48]00(?:-[0-9]{3}-[0-9]{4}| [0-9]{3} [0-9]{4}|-[0-9]{4}-[0-9]{3})(?![0-9-])"
)
# Passports of China, and the permits for Hong Kong, Macao and Taiwan; days such as P20240101 are numbers of something.
_PASSPORT: Final = re.compile(
    rf"(?:(?![A-Z]{_BIRTHDAY}$)[CDEGHKLMPSTW][0-9]{{8}}|[HM][0-9]{{10}}|(?:C[A-Z]|E[A-Z]|[DPS]E|M[AB])[0-9]{{7}})",
    re.IGNORECASE,
)
_FOREIGN_PASSPORT: Final = re.compile(r"[A-Za-z]{1,2}[0-9]{6,9}")
_MAYBE_PASSPORT = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{1,2}[0-9]{7,10}(?![0-9A-Za-z])")
_SAID_BEFORE = re.compile(
    r"(?:(?P<document>身份证|护照|通行证|回乡证|台胞证|居住证|居留证|passport)(?:件)?|电话|手机|座机)"
    r"(?:号码?|码|no\.?)?[\s:(\"'“]{0,3}[为是]?[\s:]{0,2}"
    rf"(?P<number>(?(document)[A-Za-z]{{0,3}})[0-9](?:{_GAP}[0-9Xx]){{5,}}[A-Za-z]?)",
    re.IGNORECASE,
)
"""A number whose kind is said before it: foreign passports, mistyped identity numbers, telephones without area code."""
_DAY: Final = re.compile(rf"(?:19|20)[0-9]{{2}}(?:{_MONTH_AND_DAY}(?:[0-9]{{4}}|[0-9]{{6}})?|(?:-[0-9]{{1,2}}){{1,2}})")
_MAY_HAVE_NUMBERS = re.compile(rf"[0-9](?:{_GAP}[0-9]){{5}}")

_CREDIT_CODE = re.compile(
    r"(?![0-9]{17}[0-9X])(?:9[1-3][0-9]{15}|(?=[0-9]{0,16}[A-Z])[0-9A-HJ-NPQRTUWXY]{17})[0-9A-HJ-NPQRTUWXY]"
)
"""Codes of businesses or with a letter before the check character: without one it may be a mistyped identity number."""
_CREDIT_CODE_CHARACTERS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_PEOPLE_SEPARATOR = re.compile(r"([、,;/])")
_PARTS_SEPARATOR = re.compile(r"([、,;:/|()\[\]\s]+)")
_NUMBER = re.compile(r"[0-9]")
_TRAILING_BRACKETS = re.compile(r"\([^()]*\)$")
_ORGANISATION = re.compile(
    r".+(?:公司|合作社|集团|事务所|经营部|工作室|个体工商户|委员会|居委会|村委会|办事处|幼儿园|卫生室|合伙企业)"
    # These also end names of people, which are shorter or, transliterated, have a middle dot.
    r"|[^·•・.]{3,}(?:中心|学校|中学|小学|大学|超市|政府|医院)"
    r"|[^·•・.]{4,}[厂店社院所局部会站行场馆房庄吧屋坊铺堂园室处队]"
)
_LONGEST_NAME: Final = 4
"""Characters of the longest usual name of a person; a declared organisation of no more is taken for its owner."""


def mask_identity(value: str) -> str:
    """Mask all but the first three and the last four characters; of passports and other short numbers all but 1 and 2.

    Credit codes of organisations are public and stay. More characters would identify a person: region, date of birth
    and check digit together leave few candidates. Numbers of at most eight characters are masked completely.
    """
    if _is_credit_code(value):
        return value
    if _PASSPORT.fullmatch(value) or _FOREIGN_PASSPORT.fullmatch(value) or 8 < len(value) <= 10:
        return value[:1] + "*" * (len(value) - 3) + value[-2:]
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


def mask_holder(value: str, kind: HolderKind | None = None) -> str:
    """Mask a holder like a person, except organisations; `kind` is what it is declared to be.

    A declared person is always masked. A declared organisation stays unless it is as short as a person's name: a
    household business is often called like its owner. Of others those stay whose name ends with a word for an
    organisation and optional brackets; whatever is not known is masked.
    """
    if kind == "person":
        return mask_name(value)
    return _mask_each(value, lambda name: name if _is_organisation(name, kind) else _mask_person(name))


def mask_text(value: str) -> str:
    """Mask the numbers of people in a text: identity, passport, permit, telephone and card numbers.

    They are found in full width, with blanks or dashes between their groups, and in file names. Names of people are
    not found. Credit codes, days and times, and numbers longer than 19 digits stay; so do certificate numbers and
    numbers of cases, unless they have the form of an identity number: region, day, and four characters.
    """
    text = value if value.isascii() else unicodedata.normalize("NFKC", value)
    if not _MAY_HAVE_NUMBERS.search(text):
        return value
    masked = _SAID_BEFORE.sub(_mask_said, text)
    masked = _LAND_LINE.sub(lambda found: mask_identity(found.group()), masked)
    masked = _DIGITS.sub(_mask_digits, masked)
    masked = _MAYBE_PASSPORT.sub(
        lambda found: mask_identity(found.group()) if _PASSPORT.fullmatch(found.group()) else found.group(), masked
    )
    return value if masked == text else masked


def mask_texts(value: Any) -> Any:
    """Return a value with every text in it masked by `mask_text`: in mappings, their names too, and in sequences."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {mask_texts(name): mask_texts(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_texts(part) for part in value]
    return value


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


def _mask_said(found: re.Match[str]) -> str:
    number = found["number"]
    if _DAY.fullmatch(number):
        return found.group()
    return found.group()[: found.start("number") - found.start()] + mask_identity(number)


def _mask_digits(found: re.Match[str]) -> str:
    """Mask the numbers of people among groups of digits: a number may have several, and others stand beside it."""
    text = found.group()
    # Digits between letters are those of a digest or of a code.
    is_inside = bool(_BETWEEN_LETTERS.search(found.string[max(found.start() - 1, 0) : found.end() + 1]))
    groups = [(group.start(), group.end()) for group in _GROUP.finditer(text)]
    parts: list[str] = []
    done = place = 0
    while place < len(groups):
        begin = groups[place][0]
        ends = _ends(groups, place)
        last = next((last for last in ends if _is_of_person(text, groups[place : last + 1], is_inside)), None)
        if last is not None:
            end = groups[last][1]
            parts += [text[done:begin], mask_identity(text[begin:end])]
            done, place = end, last
        place += 1
    return "".join([*parts, text[done:]])


def _ends(groups: Sequence[tuple[int, int]], first: int) -> list[int]:
    """Return the groups at which a number that begins with group `first` may end, the longest number first."""
    ends: list[int] = []
    length = 0
    for place in range(first, len(groups)):
        length += groups[place][1] - groups[place][0]
        if length > _LONGEST:
            break
        ends.append(place)
    return ends[::-1]


def _is_of_person(text: str, groups: Sequence[tuple[int, int]], is_inside: bool) -> bool:
    number = "".join(text[begin:end] for begin, end in groups)
    if _CREDIT_CODE.fullmatch(number):
        return False
    if is_inside or _IDENTITY_NUMBER.fullmatch(number):
        return bool(_IDENTITY_NUMBER.fullmatch(number))
    sizes = [end - begin for begin, end in groups]
    if not number[-1].isdigit():
        number, sizes = number[:-1], [*sizes[:-1], sizes[-1] - 1]
    if _OLD_IDENTITY_NUMBER.fullmatch(number):
        return sizes in _OLD_GROUPS
    if _MOBILE_NUMBER.fullmatch(number):
        own = sizes[1:] if len(sizes) > 1 and text[groups[0][0] : groups[0][1]] in _MOBILE_PREFIXES else sizes
        # Smaller groups are those of days and times.
        return min(own) >= 3 or max(own) <= 1
    in_fours = len(sizes) > 1 and set(sizes[:-1]) == {4} and sizes[-1] <= 4
    is_card = _UNIONPAY_CARD.fullmatch(number) if in_fours or len(sizes) == 1 else None
    return bool(is_card or (in_fours and _OTHER_CARD.fullmatch(number))) and _has_card_check_digit(number)


def _has_card_check_digit(number: str) -> bool:
    """Return whether the last digit of a card's number is right: ISO/IEC 7812-1, annex B."""
    doubled = (int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number)))
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def _is_credit_code(value: str) -> bool:
    """Return whether a value is the credit code of an organisation: GB 32100-2015.

    One of digits alone is told from an identity number by the day that it does not have, and by its check character.
    """
    if _CREDIT_CODE.fullmatch(value):
        return True
    if not re.fullmatch(r"[159][0-9]{16}[0-9X]", value) or re.fullmatch(_BIRTHDAY, value[6:14]):
        return False
    weighted = sum(int(digit) * pow(3, place, 31) for place, digit in enumerate(value[:17]))
    return _CREDIT_CODE_CHARACTERS[-weighted % 31] == value[17]


def _is_organisation(name: str, kind: HolderKind | None) -> bool:
    name = "".join(name.split())
    if _ORGANISATION.fullmatch(name) or _ORGANISATION.fullmatch(_TRAILING_BRACKETS.sub("", name)):
        return True
    return kind == "organization" and len(name) > _LONGEST_NAME and not re.search(r"[·•・]", name)
