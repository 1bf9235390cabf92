"""Certificates before they are written: complete, formally valid, and canonical in every value.

People are 某某, bodies and places are 虚构; no name, number or address belongs to anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from simulator.business_licenses import credit_code
from simulator.certificate_extras import IssuedCertificate, extra_fields
from simulator.certificate_numbers import NUMBER_IS_HOLDER_CODE, certificate_number
from simulator.numbers import certificate_identifier, identity_number, in_key, permit_number
from simulator.sources import DIALECTS, TYPES, DistrictForm, LicenseType, constants_of, fields_of

FIRST_ISSUE = date(2019, 1, 1)
"""Certificates that approvals produced since this day are collected."""

_SURNAMES = "张王李赵陈杨黄周吴徐孙胡朱高林何郭马罗梁"
_TRADES = ("商贸", "建材", "餐饮管理", "信息技术", "农业发展", "物流", "渔业", "装饰工程")

DISTRICTS: Mapping[str, Mapping[DistrictForm, str]] = {
    "ezhou": {
        "code6": "420700", "code9": "420700001", "code12": "420700000000", "short_name": "鄂州",
        "long_name": "湖北省鄂州市",
    },
    "liangzihu": {
        "code6": "420702", "code9": "420702101", "code12": "420702000000", "short_name": "梁子湖区",
        "long_name": "鄂州市梁子湖区",
    },
    "huarong": {
        "code6": "420703", "code9": "420703102", "code12": "420703000000", "short_name": "华容区",
        "long_name": "鄂州市华容区",
    },
    "echeng": {
        "code6": "420704", "code9": "420704004", "code12": "420704000000", "short_name": "鄂城区",
        "long_name": "鄂州市鄂城区",
    },
    # The two zones have no code of a county: every system writes another one.
    "gedian": {
        "code6": "420740", "code9": "420703400", "code12": "420751000000", "short_name": "葛店",
        "long_name": "鄂州市葛店开发区",
    },
    "linkong": {
        "code6": "420704401", "code9": "420704401", "code12": "420704401000", "short_name": "临空经济区",
        "long_name": "鄂州市临空经济区",
    },
}  # fmt: skip
"""Our districts, and how systems write them."""

BODIES = {
    "public_institution_legal_person_certificate": "12",
    "social_organisation_registration_certificate": "51",
    "private_non_enterprise_unit_registration_certificate": "52",
    "private_school_operating_permit": "52",
}
"""First characters of the holder's credit code where the holder is no enterprise."""

MARKS_IN_FORM = frozenset(
    {
        "construction_safety_manager_competency_certificate",
        "construction_enterprise_work_safety_permit",
        "real_estate_ownership_certificate",
        "real_estate_registration_certificate",
        "special_equipment_use_registration_certificate",
        "marriage_certificate",
        "divorce_certificate",
        "water_abstraction_permit",
    }
)
"""Types with a rule that warns of a number without the brackets or dashes of the printed certificate."""

IDENTITY_ONLY = NUMBER_IS_HOLDER_CODE | {"disability_certificate", "social_security_card"}
"""Types whose holders' codes are only identity numbers or credit codes."""

EXPECTED_HOLDER: Mapping[str, tuple[str, str]] = {
    "resident_identity_card": ("111", "resident_identity_card.holder_code_type.expected"),
    **dict.fromkeys(
        (
            "public_institution_legal_person_certificate",
            "social_organisation_registration_certificate",
            "private_non_enterprise_unit_registration_certificate",
        ),
        ("001", "legal_person_registration.holder_code_type.expected"),
    ),
}
"""Types whose holders must have this kind of code, and the rule that warns of another one."""

_FOREIGN = {"person": ("001", "099"), "organization": ("111", "516")}
"""Kinds of codes that holders of such types cannot have."""

_OTHER_TYPES = (
    ("城镇污水排入排水管网许可证", "organization"),
    ("户外广告设置许可证", "organization"),
    ("兽药经营许可证", "organization"),
    ("林木采伐许可证", "person"),
    ("渔业捕捞许可证", "person"),
)


WITHOUT_END: str = "valid_without_end"
"""Marks, among the fields of a certificate, that its department says it is valid without an end."""


@dataclass(frozen=True)
class Certificate:
    """A certificate in canonical values: standard fields (dates in ISO form), extra fields, and its district.

    `number` is its serial in the department; `district_form` is what the department writes for the district.
    `warnings` are the rules that it breaks and that only warn: it was issued so.
    """

    license_type: str
    number: int
    fields: Mapping[str, str]
    extension: Mapping[str, str]
    district_form: str | None
    warnings: frozenset[str] = frozenset()

    def key(self, names: tuple[str, ...]) -> str:
        """Return the certificate's key: the values of `names` in the form of keys, joined by a bar."""
        return "|".join(in_key(self.fields[name]) for name in names)


class Office:
    """Issues the certificates of one type in one department, each with its own serial."""

    def __init__(self, department: str, license_type: str, chance: Random, last_issue: date) -> None:
        self.department = department
        self.license_type = license_type
        self.sheet: LicenseType = TYPES[department][license_type]
        self.dialect = DIALECTS[department]
        self.chance = chance
        self.last_issue = last_issue
        self.issued = 0
        self.authority_code = credit_code(int(self.dialect.credit_code_of), "11")
        # No public source has the codes of most types; the identifiers of these have a made-up one.
        self.type_code = self.sheet.code or f"{self.authority_code}001"
        self.constants = constants_of(department, license_type)
        self.known = fields_of(department, license_type)
        self.forms = [(key, forms[self.dialect.district_form]) for key, forms in DISTRICTS.items()]

    def issue(self) -> Certificate:
        """Return a new certificate, of another holder than all before it."""
        self.issued += 1
        serial = self.issued
        chance = self.chance
        holders = self.sheet.holder
        type_name, type_code = self.sheet.name, self.type_code
        if self.license_type == "other_certificate":
            place = serial % len(_OTHER_TYPES)
            type_name, holders = _OTHER_TYPES[place]  # type: ignore[assignment]
            type_code = f"{self.authority_code}{place + 1:03d}"
        as_person = holders == "person" or (
            holders == "both" and self.license_type != "business_license" and chance.random() < 0.4
        )
        if serial % 9 == 4 and "holder_code_type" not in self.constants:
            holder, code, code_type = self._any_holder(serial)
        else:
            holder, code, code_type = self._person(serial) if as_person else self._body(serial)
        day = FIRST_ISSUE + timedelta(days=chance.randrange((self.last_issue - FIRST_ISSUE).days))
        valid_to = self._end(day)
        # A certificate with several holders has a row for each.
        shared = (serial + 1) // 2 if "holder_code" in self.sheet.key else serial
        year = 2019 + shared % 7 if shared != serial else day.year
        number = certificate_number(self.license_type, shared, year, code)
        district, form = chance.choice(self.forms)
        fields = {
            "certificate_identifier": certificate_identifier(type_code, self.authority_code, f"{serial:020d}"),
            "certificate_number": number,
            "certificate_name": type_name,
            "certificate_version": "001",
            "license_type_name": type_name,
            "license_type_code": type_code,
            "issue_date": day.isoformat(),
            "issuing_authority": self.dialect.name,
            "issuing_authority_code": self.authority_code,
            "district": district,
            "holder": holder,
            "holder_code": code,
            "holder_code_type": code_type,
            "file_url": f"https://certificates.invalid/{self.department}/{self.license_type}/{serial:08d}.ofd",
            "status": self._status(serial, valid_to),
            "valid_from": day.isoformat(),
            "validity": f"{valid_to.year - day.year}年" if valid_to else "长期",
            "service_item_name": f"{type_name}核发",
            "service_item_code": f"11420700XN{serial % 1000:03d}4420111007000",
        }
        if valid_to is not None:
            fields["valid_to"] = valid_to.isoformat()
        without_code = self.sheet.code is None and self.license_type != "other_certificate" and serial % 2 == 1
        if without_code:
            del fields["license_type_code"]
        fields = {name: value for name, value in fields.items() if name in self.known} | self.constants
        # For every second of these the department leaves the end blank, and no other column says that there is none.
        if valid_to is None and ("validity" in self.known or ("valid_to" in self.known and serial % 2 == 0)):
            fields[WITHOUT_END] = "true"
        warnings = self._warnings(code_type, ends=valid_to is not None, without_code=without_code)
        other_person = f"{_SURNAMES[serial % len(_SURNAMES)]}某某"
        made_of = IssuedCertificate(serial, day, valid_to, holder, code, other_person, number)
        extension = extra_fields(self.license_type, made_of)
        return Certificate(self.license_type, serial, fields, extension, form, warnings)

    def _warnings(self, code_type: str, *, ends: bool, without_code: bool) -> frozenset[str]:
        """Return the rules that warn of what the type does not provide for, where the feed delivers it."""
        warnings = set()
        if code_type in _FOREIGN.get(self.sheet.holder, ()):
            warnings.add("certificate.holder_code_type.of_license_type")
        if self.license_type in EXPECTED_HOLDER and code_type != EXPECTED_HOLDER[self.license_type][0]:
            warnings.add(EXPECTED_HOLDER[self.license_type][1])
        if self.sheet.validity == "permanent" and ends and "valid_to" in self.known:
            warnings.add("certificate.valid_to.permanent")
        if without_code and "license_type_code" in self.known:
            warnings.add("certificate.license_type_code.present")
        return frozenset(warnings)

    def amended(self, certificate: Certificate) -> Certificate:
        """Return the certificate after a change that its department made: another district, or cancelled."""
        chance = self.chance
        others = [(key, form) for key, form in self.forms if key != certificate.fields.get("district")]
        district, form = chance.choice(others)
        fields = {**certificate.fields, "district": district}
        if "status" in fields and chance.random() < 0.3:
            fields["status"] = "cancelled" if fields["status"] != "cancelled" else "valid"
        warnings = certificate.warnings - {"certificate.district.present", "certificate.district.known"}
        amended = replace(certificate, fields=fields, district_form=form, warnings=warnings)
        return self.rewritten(amended) if chance.random() < 0.3 else amended

    def rewritten(self, certificate: Certificate) -> Certificate:
        """Return the certificate with other brackets and dashes in its number, as another clerk writes them."""
        number = certificate.fields["certificate_number"]
        opening, closing = self.chance.choice(("()", "[]", "〔〕", "【】"))
        other = in_key(number).replace("(", opening).replace(")", closing)
        other = other.replace("-", self.chance.choice("-—–‐"))
        if self.license_type in NUMBER_IS_HOLDER_CODE or other == number:
            return certificate
        warnings = certificate.warnings
        if self.license_type in MARKS_IN_FORM:
            form = f"{self.license_type}.certificate_number.form"
            warnings = warnings - {form} if other == in_key(other) else warnings | {form}
        return replace(
            certificate,
            warnings=warnings,
            fields={**certificate.fields, "certificate_number": other},
            extension={name: other if text == number else text for name, text in certificate.extension.items()},
        )

    def _status(self, serial: int, valid_to: date | None) -> str:
        # Some departments have no status for expired certificates, and leave them as they were.
        expired = valid_to is not None and valid_to <= self.last_issue and "expired" in self.dialect.statuses
        # Every status occurs early: each is a code that a mapping may get wrong.
        others = [status for status in self.dialect.statuses if status != "valid"]
        if serial % 5 == 0:
            return others[serial // 5 % len(others)]
        return "expired" if expired else "valid"

    def _person(self, serial: int) -> tuple[str, str, str]:
        if (
            "516" in self.dialect.holder_types
            and self.license_type not in IDENTITY_ONLY
            and self.chance.random() < 0.03
        ):
            return self._name(), permit_number(serial), "516"
        return self._name(), self._identity_number(serial), "111"

    def _name(self) -> str:
        return f"{self.chance.choice(_SURNAMES)}某某"

    def _identity_number(self, serial: int) -> str:
        return identity_number(serial * 3 + int(self.dialect.credit_code_of))

    def _any_holder(self, serial: int) -> tuple[str, str, str]:
        """Return a holder of any kind that the department knows, also one that the type does not provide for."""
        kinds = sorted(self.dialect.holder_types)
        match kinds[serial // 9 % len(kinds)]:
            case "001":
                return self._body(serial)
            case "111":
                return self._name(), self._identity_number(serial), "111"
            case "516":
                return self._name(), permit_number(serial), "516"
            case other:
                return f"鄂州市虚构组织第{serial:06d}号", f"XN{serial:08d}", other

    def _body(self, serial: int) -> tuple[str, str, str]:
        kind = BODIES.get(self.license_type, "91")
        name = f"鄂州市虚构{self.chance.choice(_TRADES)}有限公司第{serial:06d}号"
        if kind != "91":
            name = f"鄂州市虚构中心第{serial:06d}号"
        return name, credit_code(serial + 1000 * int(self.dialect.credit_code_of), kind), "001"

    def _end(self, day: date) -> date | None:
        """Return the last day of a certificate issued on a day, None without end.

        Some certificates of a type without an end have one nevertheless.
        """
        if (self.sheet.validity == "permanent" and self.issued % 11 != 7) or (
            self.sheet.validity == "either" and self.chance.random() < 0.5
        ):
            return None
        years = self.sheet.years or 6
        return date(day.year + years, day.month, min(day.day, 28)) - timedelta(days=1)
