"""How a department writes a certificate: tidily, untidily or wrongly.

The caller has decided the row's fate before. `write` and `write_untidily` do not change the meaning of the certificate;
`BREAKS` are the ways to make a row that must be quarantined, each with all critical rules that it fails and the changes
of its warnings. The rule ids are written here independently of the suites: they say what a correct pipeline checks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Final

from simulator.business_licenses import credit_code
from simulator.certificates import BODIES, EXPECTED_HOLDER, WITHOUT_END, Certificate
from simulator.model import FilePlace, HttpPlace, SourceSystem, TablePlace, Value
from simulator.numbers import identity_number, in_key
from simulator.oddities import FIXED_NUMBER, odd_number, of_number_mismatch, of_odd_number, of_other_holder_code
from simulator.sources import DIALECTS, OF_THE_HOLDER, SAME_COLUMN, TYPES, DateForm, columns_of

DATES: Final = frozenset({"issue_date", "valid_from", "valid_to"})
_CODES: Final = frozenset(
    {
        "certificate_identifier", "certificate_number", "license_type_code", "issuing_authority_code", "holder_code",
        "service_item_code",
    }
)  # fmt: skip
_NAMES: Final = frozenset({"certificate_name", "license_type_name", "issuing_authority", "holder", "service_item_name"})
WIDE: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
NOTHING: Final = (
    "NULL", "N/A", " ", "null", "-", "\\N", "nan", "NaN", "None", "NaT", "undefined", "<NA>", "——", "***", "/", "无",
    "暂无", "未知", "不详",
)  # fmt: skip
_UNSEEN: Final = "\u00ad\u200b\u200c\u200d\u200e\u202a\u202c\u2060\u2064\u3164\u180e\ufe0f\ufeff\ufffc"
_OTHER_BLANKS: Final = "\u2003\u2009\u2028\u205f"
"""Invisible characters: soft hyphens, joiners, marks of direction; and blanks of other widths, which separate words
in a text of Latin letters."""
_UNREADABLE: Final = ("\ufffd某", "锟斤拷", "????", "\ue5e5某", "é„‚å·ž")
_ENDLESS: Final = (
    "长期",
    "永久",
    "2099-12-31",
    "9999-12-31",
    "长期有效",
    "9999-12-31 23:59:59",
    "9999-12-31T23:59:59Z",
    "infinity",
)
_END_UNKNOWN: Final = (*NOTHING, "0000-00-00", "1970-01-01", "1900/1/1")
_SPREADSHEET_EPOCH: Final = date(1899, 12, 30)
_NUMERALS: Final = "〇一二三四五六七八九"
_EPOCH: Final = date(1970, 1, 1)
TIME_FORM: Final = "%Y-%m-%d %H:%M:%S"


def as_date(day: date, form: DateForm) -> str | int:
    """Return a day in a department's form."""
    match form:
        case "slash":
            return f"{day.year}/{day.month}/{day.day}"
        case "compact":
            return f"{day:%Y%m%d}"
        case "chinese":
            return f"{day.year}年{day.month}月{day.day}日"
        case "serial":
            return (day - _SPREADSHEET_EPOCH).days
        case "iso_time":
            return f"{day} 00:00:00"
        case "epoch_milliseconds":
            # Midnight in Asia/Shanghai.
            return (day - _EPOCH).days * 86_400_000 - 8 * 3_600_000
        case _:
            return day.isoformat()


@dataclass
class Written:
    """A certificate in the department's words: values by source (`holder`, `extension.住址`, `operation`)."""

    values: dict[str, Value]

    def columns(self, system: SourceSystem) -> dict[str, Value]:
        """Return the values by column, in the delivered order."""
        return {column.name: self.values.get(column.source) if column.source else None for column in system.columns}


def write(system: SourceSystem, certificate: Certificate, changed_at: datetime | None) -> Written:
    """Write a certificate tidily, in the department's dialect."""
    dialect = DIALECTS[system.department]
    values: dict[str, Value] = {}
    for name in columns_of(system.department, system.license_type):
        value = certificate.fields.get(name)
        if name == "source_updated_at":
            values[name] = as_stamp(system, changed_at)
        elif name == "district":
            values[name] = certificate.district_form
        elif value is None:
            values[name] = "长期" if name == "valid_to" and WITHOUT_END in certificate.fields else None
        elif name in DATES:
            values[name] = as_date(date.fromisoformat(value), dialect.date_form)
        elif name == "status":
            values[name] = dialect.statuses[value]
        elif name == "holder_code_type":
            # A holder type without a code of the department is sent as it is.
            values[name] = dialect.holder_types.get(value, value)
        else:
            values[name] = value
    for name, text in certificate.extension.items():
        values[f"extension.{name}"] = text
    return Written(values)


def as_stamp(system: SourceSystem, changed_at: datetime | None) -> Value:
    """Return a time of change as the system writes it: a real time in a table, text anywhere else."""
    if changed_at is None:
        return None
    if isinstance(system.place, TablePlace) and not system.place.time_as_text:
        return changed_at
    return changed_at.strftime(TIME_FORM)


def write_untidily(system: SourceSystem, written: Written, certificate: Certificate, chance: Random) -> None:
    """Make a date and two to four other values untidy, as departments do; cleaning gives the same certificate."""
    values = written.values
    untidy = chance.sample(sorted(values), min(len(values), 2 + chance.randrange(3)))
    dates = sorted(DATES & values.keys())
    if dates and (date_name := chance.choice(dates)) not in untidy:
        untidy.append(date_name)
    for name in untidy:
        value = values[name]
        # The register has one column for the day of issue and the extra field 成立日期, which is stored as written.
        if name == "source_updated_at" or (name == "issue_date" and system.license_type == "business_license"):
            continue
        if name == "valid_to" and "valid_to" not in certificate.fields:
            values[name] = chance.choice(_ENDLESS if WITHOUT_END in certificate.fields else _END_UNKNOWN)
        elif value is None:
            if name in ("valid_from", "validity", "certificate_identifier"):
                values[name] = chance.choice(NOTHING)
        elif name in DATES:
            values[name] = _untidy_date(date.fromisoformat(certificate.fields[name]), chance)
        elif name in _CODES and str(value).isdigit() and system.license_type not in SAME_COLUMN:
            # As a column of numbers writes it.
            values[name] = f"{value}.0"
        elif isinstance(value, str):
            values[name] = untidy_text(value, chance, is_code=name in _CODES, is_name=name in _NAMES)


def _untidy_date(day: date, chance: Random) -> str:
    form: DateForm = chance.choice(("iso", "slash", "compact", "chinese", "iso_time"))
    text = str(as_date(day, form))
    how = chance.randrange(7)
    if how == 6 or (form == "chinese" and how in (2, 3)):
        return _in_numerals(day)
    if how == 4:
        # Midnight in Asia/Shanghai as UTC.
        return f"{day - timedelta(days=1)}T16:00:00.000{chance.choice(('Z', '+00:00'))}"
    if how == 5:
        return f"{day.year} 年 {day.month} 月 {day.day} {chance.choice('日号')}"
    if how == 0:
        return f" {text}　"
    if how == 1 and form != "iso_time":
        return text.translate(WIDE)
    return f"{text} 8:30:00" if how == 2 and form == "slash" else text


def _in_numerals(day: date) -> str:
    """Return a day in Chinese numerals: 二〇二一年十一月三十日."""
    year = "".join(_NUMERALS[int(digit)] for digit in str(day.year))

    def below_hundred(number: int) -> str:
        tens, ones = divmod(number, 10)
        return ("" if tens < 2 else _NUMERALS[tens]) + ("十" if tens else "") + (_NUMERALS[ones] if ones else "")

    return f"{year}年{below_hundred(day.month)}月{below_hundred(day.day)}日"


def untidy_text(text: str, chance: Random, *, is_code: bool, is_name: bool) -> str:
    """Write a text untidily.

    In full-width form or small letters where these are cleaned, with invisible characters, or surrounded by blanks.
    """
    how = chance.randrange(4)
    if how == 3:
        place = chance.randrange(len(text) + 1)
        unseen = _UNSEEN + _OTHER_BLANKS if is_code or is_name else _UNSEEN
        return f"{text[:place]}{chance.choice(unseen)}{text[place:]}{chance.choice(unseen)}"
    if how == 1 and (is_code or is_name):
        return text.translate(WIDE)
    if how == 2 and is_code:
        return text.lower()
    return chance.choice((f" {text}", f"{text} ", f"　{text}\t", f"\u00a0{text}"))


@dataclass(frozen=True)
class Broken:
    """What a break did: the critical rules that the row fails and its key; a `torn` row is no record at all.

    `warns` are rules that it fails too and that only warn, `quiets` rules that its certificate failed and it does not.
    """

    rules: tuple[str, ...]
    key: str | None
    torn: bool = False
    warns: frozenset[str] = frozenset()
    quiets: frozenset[str] = frozenset()

    def warnings(self, certificate: Certificate) -> frozenset[str]:
        """Return the rules that only warn and that the row fails."""
        return frozenset() if self.torn else (certificate.warnings - self.quiets) | self.warns


Break = Callable[[SourceSystem, Certificate, Written, Random], Broken | None]
"""Makes a row wrong; returns None, and leaves the row as it was, where the system cannot have this mistake."""


def _key(system: SourceSystem, certificate: Certificate, **changed: str | None) -> str | None:
    values = {**certificate.fields, **changed}
    for other, source in SAME_COLUMN.get(system.license_type, {}).items():
        values[other] = values[source]
    parts = [values[name] for name in TYPES[system.department][system.license_type].key]
    return None if None in parts else "|".join(in_key(str(part)) for part in parts)


def _delivers(system: SourceSystem, *names: str) -> bool:
    columns = columns_of(system.department, system.license_type)
    return all(name in columns for name in names)


_CHECK_RULE = {"001": "certificate.holder_code.credit_code", "111": "certificate.holder_code.identity_number"}
_HOLDER_IS_NUMBER = {
    "resident_identity_card": "resident_identity_card.certificate_number.is_holder_code",
    "motor_vehicle_driving_license": "motor_vehicle_driving_license.certificate_number.is_holder_code",
    "social_security_card": "social_security_card.number.is_holder_code",
}
_REGISTERED = {
    license_type: f"{license_type}.holder_code.registering_authority"
    for license_type in (
        "public_institution_legal_person_certificate",
        "social_organisation_registration_certificate",
        "private_non_enterprise_unit_registration_certificate",
    )
}
_ODD_KIND = frozenset({"certificate.holder_code_type.of_license_type", *(rule for _, rule in EXPECTED_HOLDER.values())})
"""Rules that warn of a kind of holder's code that the type does not provide for."""


def _holder_column(system: SourceSystem) -> str:
    return SAME_COLUMN.get(system.license_type, {}).get("holder_code", "holder_code")


def _of_other_holder(system: SourceSystem) -> frozenset[str]:
    """Return the rule that warns when the holder is no longer the one among the extra fields."""
    holder_repeated = system.license_type == "road_transport_business_license"
    return frozenset({"road_transport_business_license.name.is_holder"} if holder_repeated else ())


def _wrong_check_character(
    system: SourceSystem, certificate: Certificate, written: Written, chance: Random
) -> Broken | None:
    code, kind = certificate.fields["holder_code"], certificate.fields["holder_code_type"]
    if kind not in _CHECK_RULE:
        return None
    last = "0123456789"[(int(code[-1], 36) + 1) % 10]
    wrong = code[:-1] + (last if last != code[-1] else "5")
    column = _holder_column(system)
    written.values[column] = wrong
    rules = [_CHECK_RULE[kind]]
    # Where the holder is a person, the number must be the holder's code; a social security number always.
    if system.license_type in _HOLDER_IS_NUMBER and (kind == "111" or system.license_type == "social_security_card"):
        rules.append(_HOLDER_IS_NUMBER[system.license_type])
    changed = {"holder_code": wrong, **({"certificate_number": wrong} if column == "certificate_number" else {})}
    warns = of_other_holder_code(system.license_type, kind)
    return Broken(tuple(rules), _key(system, certificate, **changed), warns=warns)


def no_holder(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken:
    """Leave out the holder, which every row must have."""
    written.values["holder"] = chance.choice((None, *NOTHING))
    return Broken(("certificate.holder.present",), _key(system, certificate))


def _no_holder_code(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    if not _delivers(system, "holder_code") or system.license_type in _HOLDER_IS_NUMBER:
        return None
    written.values["holder_code"] = None
    key = _key(system, certificate, holder_code=None)
    rules = ("certificate.holder_code.present", *(() if key else ("certificate.record_key.present",)))
    return Broken(rules, key)


def _no_number(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    if system.license_type in _HOLDER_IS_NUMBER:
        return None
    written.values["certificate_number"] = chance.choice((None, *NOTHING))
    rules = ["certificate.record_key.present", "certificate.certificate_number.present"]
    if _holder_column(system) == "certificate_number":
        rules.append("certificate.holder_code.present")
    return Broken(tuple(rules), None, quiets=frozenset({f"{system.license_type}.certificate_number.form"}))


def _value(
    name: str, wrong: str | None, rule: str, *, warns: Mapping[str, str] | None = None, quiets: str | None = None
) -> Break:
    """Return a break that sets one field, which is no part of a key, to a wrong value.

    `warns` gives the fields whose values make the row fail a further rule, one that warns.
    """

    def broken(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
        if not _delivers(system, name):
            return None
        written.values[name] = wrong
        return Broken(
            (rule,),
            _key(system, certificate),
            warns=frozenset(
                warning
                for other, warning in (warns or {}).items()
                if _delivers(system, other) and other in certificate.fields
            ),
            quiets=frozenset({quiets} if quiets else ()),
        )

    return broken


def _end_before_begin(
    system: SourceSystem, certificate: Certificate, written: Written, chance: Random
) -> Broken | None:
    if not _delivers(system, "valid_from", "valid_to"):
        return None
    written.values["valid_to"] = "2000-01-01"
    warns = {"certificate.valid_to.not_before_issue_date"}
    if TYPES[system.department][system.license_type].validity == "permanent":
        warns.add("certificate.valid_to.permanent")
    rules = ("certificate.valid_to.not_before_valid_from",)
    return Broken(rules, _key(system, certificate), warns=frozenset(warns))


def _wrong_identifier(
    system: SourceSystem, certificate: Certificate, written: Written, chance: Random
) -> Broken | None:
    identifier = certificate.fields.get("certificate_identifier")
    if identifier is None:
        return None
    written.values["certificate_identifier"] = identifier[:-1] + ("1" if identifier[-1] != "1" else "2")
    return Broken(("certificate.certificate_identifier.valid",), _key(system, certificate))


def _wrong_type_name(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    if not _delivers(system, "license_type_name") or system.license_type == "other_certificate":
        return None
    # One character of the name differs: a mapping once rejected all rows of a type for it.
    written.values["license_type_name"] = certificate.fields["license_type_name"][:-1] + "証"
    return Broken(("certificate.license_type_name.catalogue",), _key(system, certificate))


def _wrong_type_code(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    code = TYPES[system.department][system.license_type].code
    if code is None or not _delivers(system, "license_type_code"):
        return None
    written.values["license_type_code"] = code[:-1] + ("9" if code[-1] != "9" else "8")
    return Broken(("certificate.license_type_code.catalogue",), _key(system, certificate))


def _unknown_holder_type(
    system: SourceSystem, certificate: Certificate, written: Written, chance: Random
) -> Broken | None:
    own = DIALECTS[system.department].holder_types
    if not _delivers(system, "holder_code_type") or all(theirs == ours for ours, theirs in own.items()):
        return None
    written.values["holder_code_type"] = "Z9"
    warns = frozenset({"certificate.holder_code_type.present"})
    return Broken(("certificate.codes.mapped",), _key(system, certificate), warns=warns, quiets=_ODD_KIND)


def _unreadable_holder(
    system: SourceSystem, certificate: Certificate, written: Written, chance: Random
) -> Broken | None:
    written.values["holder"] = certificate.fields["holder"][:1] + chance.choice(_UNREADABLE)
    return Broken(("certificate.holder.readable",), _key(system, certificate), warns=_of_other_holder(system))


def _code_of_nobody(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    """Write eighteen zeros for the holder's credit code."""
    return _other_credit_code(system, certificate, written, "0" * 18, "certificate.holder_code.not_made_up")


def _registered_by_nobody(
    system: SourceSystem, certificate: Certificate, written: Written, chance: Random
) -> Broken | None:
    """Write a credit code whose first character is no registering authority; its check characters are correct."""
    return _other_credit_code(system, certificate, written, credit_code(650_000_000 + certificate.number, "B1"))


def _other_credit_code(
    system: SourceSystem, certificate: Certificate, written: Written, code: str, *rules: str
) -> Broken | None:
    """Write an invalid credit code, where no other field depends on it."""
    kind = certificate.fields["holder_code_type"]
    if kind != "001" or system.license_type in {*_HOLDER_IS_NUMBER, *_REGISTERED, *SAME_COLUMN}:
        return None
    sheet = TYPES[system.department][system.license_type]
    # Too few certificates of persons have such a holder.
    if "holder_code" in sheet.key or sheet.holder == "person":
        return None
    written.values["holder_code"] = code
    warns = of_other_holder_code(system.license_type, kind)
    return Broken(("certificate.holder_code.credit_code", *rules), _key(system, certificate), warns=warns)


def _other_birthday(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    if "出生日期" not in OF_THE_HOLDER.get(system.license_type, ()):
        return None
    written.values["extension.出生日期"] = "1949-10-01"
    return Broken(("certificate.holder_code.birthday",), _key(system, certificate))


def _error_cell(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    written.values["holder"] = chance.choice(("#N/A", "#REF!", "#VALUE!", "########"))
    return Broken(("certificate.error_cells.none",), _key(system, certificate), warns=_of_other_holder(system))


def _formula(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    if not isinstance(system.place, FilePlace) or system.place.form != "xlsx":
        return None
    # Programs that fill in a sheet leave its formulas to be calculated when it is opened.
    written.values["holder"] = '=CONCATENATE("鄂州市","虚构")'
    return Broken(("row.formula",), None, torn=True)


def _swapped(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    fields = certificate.fields
    column = _holder_column(system)
    if fields["holder_code_type"] not in _CHECK_RULE or system.license_type in _HOLDER_IS_NUMBER:
        return None
    written.values["holder"], written.values[column] = fields["holder_code"], fields["holder"]
    rules = ["certificate.holder.not_a_code", _CHECK_RULE[fields["holder_code_type"]]]
    if system.license_type in _REGISTERED and fields["holder_code_type"] == "001":
        rules.append(_REGISTERED[system.license_type])
    warns = {*_of_other_holder(system), *of_other_holder_code(system.license_type, fields["holder_code_type"])}
    if not any(character.isalpha() for character in fields["holder_code"]):
        warns.add("certificate.holder.undoubted")
    if fields["holder_code_type"] == "111":
        warns.add("certificate.holder_code.identity_number_province")
    if system.license_type == "business_license":
        warns.add("business_license.certificate_number.market_entity")
    changed = {"holder_code": fields["holder"]}
    if column == "certificate_number":
        changed["certificate_number"] = fields["holder"]
    key = _key(system, certificate, **changed)
    if key != _key(system, certificate) and not any(character.isdigit() for character in fields["holder"]):
        # A person's name in a key is no number.
        rules.append("certificate.record_key.number")
        key = None
    return Broken(tuple(rules), key, warns=frozenset(warns))


def _unknown_operation(
    system: SourceSystem, certificate: Certificate, written: Written, chance: Random
) -> Broken | None:
    if system.operation_column is None:
        return None
    written.values["operation"] = "Q"
    return Broken(("certificate.operation.known",), _key(system, certificate))


def _nul(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    if not isinstance(system.place, HttpPlace):
        return None
    written.values["holder"] = certificate.fields["holder"] + "\0"
    return Broken(("row.nul",), None, torn=True)


def _number_too_long(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    if isinstance(system.place, TablePlace):
        return None
    rules = ("certificate.record_key.length",)
    return _odd_number(system, certificate, written, "长" * 201, rules, "certificate.certificate_number.length")


def _unreadable_number(
    system: SourceSystem, certificate: Certificate, written: Written, chance: Random
) -> Broken | None:
    return _odd_number(system, certificate, written, "\ufffd", ("certificate.certificate_number.readable",))


def _rounded_number(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    """Write the number as a spreadsheet that rounded it."""
    if system.license_type in FIXED_NUMBER:
        return None
    written.values["certificate_number"] = chance.choice(("4.20703E+17", "4.2070320200101E+17"))
    warns = of_odd_number(system.license_type, certificate.fields["holder_code_type"])
    return Broken(("certificate.codes.exact",), None, warns=warns | of_number_mismatch(system.license_type))


def _promised_number(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
    """Write that the number will follow: many certificates may share that text."""
    if system.license_type in FIXED_NUMBER:
        return None
    written.values["certificate_number"] = chance.choice(("待办理", "正在制证", "暂未发证"))
    warns = of_odd_number(system.license_type, certificate.fields["holder_code_type"])
    return Broken(("certificate.record_key.number",), None, warns=warns | of_number_mismatch(system.license_type))


def _odd_number(
    system: SourceSystem,
    certificate: Certificate,
    written: Written,
    behind: str,
    rules: tuple[str, ...],
    *warns: str,
) -> Broken | None:
    """Write a number without any form and with something appended, where no form is checked."""
    license_type = system.license_type
    if license_type in FIXED_NUMBER:
        return None
    number = odd_number(certificate) + behind
    written.values["certificate_number"] = number
    of_number = of_odd_number(license_type, certificate.fields["holder_code_type"])
    return Broken(
        rules,
        _key(system, certificate, certificate_number=number),
        warns=of_number | of_number_mismatch(license_type) | set(warns),
    )


def _holder_code_too_long(
    system: SourceSystem, certificate: Certificate, written: Written, chance: Random
) -> Broken | None:
    if system.license_type != "other_certificate":
        return None
    written.values["holder_code_type"] = "099"
    written.values["holder_code"] = "X" * 101
    return Broken(("certificate.holder_code.length",), _key(system, certificate))


def _file_time(wrong: str, rule: str) -> Break:
    """Return a break of the time of change, where no window depends on it."""

    def broken(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
        if not isinstance(system.place, FilePlace) or system.time_column is None:
            return None
        written.values["source_updated_at"] = wrong
        return Broken((rule,), _key(system, certificate))

    return broken


def _number_of(
    license_type: str, rule: str, number: Callable[[Certificate], str], holder_code_type: str | None = None
) -> Break:
    """Return a break of one type's number, with the one critical rule that it fails.

    With `holder_code_type`, the rule applies only where the holder's code is of that kind.
    """

    def broken(system: SourceSystem, certificate: Certificate, written: Written, chance: Random) -> Broken | None:
        kind = certificate.fields["holder_code_type"]
        if system.license_type != license_type or (holder_code_type is not None and kind != holder_code_type):
            return None
        wrong = number(certificate)
        written.values["certificate_number"] = wrong
        warns = of_number_mismatch(license_type)
        if not wrong.startswith(certificate.fields["holder_code"]):
            warns |= of_other_holder_code(license_type, kind)
        rules = (f"{license_type}.{rule}",)
        return Broken(rules, _key(system, certificate, certificate_number=wrong), warns=warns)

    return broken


def _begins(text: str, length: int) -> Callable[[Certificate], str]:
    return lambda certificate: text + certificate.fields["certificate_number"][length:]


def _other_check_digit(certificate: Certificate) -> str:
    number = certificate.fields["certificate_number"]
    return number[:-1] + str((int(number[-1]) + 1) % 10)


def _other_identity_number(certificate: Certificate) -> str:
    return identity_number(8_000_000 + certificate.number)


def _other_social_security_number(
    system: SourceSystem, certificate: Certificate, written: Written, chance: Random
) -> Broken | None:
    if system.license_type != "social_security_card":
        return None
    written.values["extension.社会保障号码"] = _other_identity_number(certificate)
    return Broken(("social_security_card.number.is_holder_code",), _key(system, certificate))


def _other_registering_authority(
    system: SourceSystem, certificate: Certificate, written: Written, chance: Random
) -> Broken | None:
    if system.license_type not in _REGISTERED or certificate.fields["holder_code_type"] != "001":
        return None
    code = credit_code(700_000_000 + certificate.number, "91" if BODIES[system.license_type] != "91" else "12")
    column = _holder_column(system)
    written.values[column] = code
    changed = {"holder_code": code, **({"certificate_number": code} if column == "certificate_number" else {})}
    warns = of_other_holder_code(system.license_type, "001")
    return Broken((_REGISTERED[system.license_type],), _key(system, certificate, **changed), warns=warns)


BREAKS: Sequence[Break] = (
    _wrong_check_character,
    no_holder,
    _no_number,
    _promised_number,
    _rounded_number,
    _value("issue_date", "2021-02-30", "certificate.issue_date.parseable"),
    _number_of("food_business_license", "certificate_number.check_digit", _other_check_digit),
    _number_of("food_production_license", "certificate_number.check_digit", _other_check_digit),
    _number_of("medical_certificate_of_birth", "certificate_number.form", _begins("出证", 2)),
    _number_of("disability_certificate", "certificate_number.form", _begins("残", 1)),
    _number_of("pollutant_discharge_permit", "certificate_number.form", _begins("排污", 0)),
    _number_of("marriage_certificate", "certificate_number.not_divorce", _begins("L", 1)),
    _number_of("divorce_certificate", "certificate_number.not_marriage", _begins("J", 1)),
    _number_of("construction_land_planning_permit", "certificate_number.not_project", _begins("建", 1)),
    _number_of("construction_project_planning_permit", "certificate_number.not_land", _begins("地", 1)),
    _number_of(
        "real_estate_ownership_certificate",
        "certificate_number.not_registration",
        lambda certificate: certificate.fields["certificate_number"].replace("权第", "证明第"),
    ),
    _number_of(
        "real_estate_registration_certificate",
        "certificate_number.not_ownership",
        lambda certificate: certificate.fields["certificate_number"].replace("证明第", "权第"),
    ),
    _number_of(
        "medical_device_business_license",
        "certificate_number.not_filing",
        lambda certificate: certificate.fields["certificate_number"].replace("经营许", "经营备"),
    ),
    _number_of("resident_identity_card", "certificate_number.is_holder_code", _other_identity_number, "111"),
    _number_of("motor_vehicle_driving_license", "certificate_number.is_holder_code", _other_identity_number, "111"),
    _other_social_security_number,
    _other_registering_authority,
    _wrong_identifier,
    _value("status", "88", "certificate.status.mapped"),
    _value("service_item_code", "1.14207E+30", "certificate.codes.exact"),
    _value(
        "issuing_authority_code",
        "1.14207E+17",
        "certificate.codes.exact",
        warns={"issuing_authority_code": "certificate.issuing_authority_code.credit_code"},
    ),
    _wrong_type_name,
    _wrong_type_code,
    _end_before_begin,
    _swapped,
    _unknown_holder_type,
    _unknown_operation,
    _nul,
    _value(
        "issue_date",
        "2098-07-01",
        "certificate.issue_date.not_future",
        warns={"valid_to": "certificate.valid_to.not_before_issue_date"},
    ),
    _no_holder_code,
    _value("valid_to", "二〇二八年底", "certificate.valid_to.parseable", quiets="certificate.valid_to.permanent"),
    _value("issue_date", None, "certificate.issue_date.present"),
    _unreadable_holder,
    _value("valid_from", "2021-13-01", "certificate.valid_from.parseable"),
    _value(
        "issue_date",
        "1949-09-30",
        "certificate.issue_date.not_before_1949",
        warns={"valid_from": "certificate.valid_from.not_long_after_issue_date"},
    ),
    _number_too_long,
    _unreadable_number,
    _holder_code_too_long,
    _file_time("昨天", "certificate.source_updated_at.parseable"),
    _file_time("2098-01-01 00:00:00", "certificate.source_updated_at.not_future"),
    _error_cell,
    _formula,
    _value("issuing_authority", "锟斤拷锟斤拷", "certificate.issuing_authority.readable"),
    _code_of_nobody,
    _registered_by_nobody,
    _other_birthday,
)
"""Every way in which a row is made wrong."""


def applicable(system: SourceSystem, sample: Mapping[str, Certificate]) -> list[Break]:
    """Return the breaks that the system's rows can have; `sample` has one certificate for each kind of holder."""
    return [
        how
        for how in BREAKS
        if any(
            how(system, certificate, write(system, certificate, None), Random(0)) is not None
            for certificate in sample.values()
        )
    ]
