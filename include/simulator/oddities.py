"""Certificates that are not quite as they should be: they fail a rule that only warns, and are loaded.

The caller has decided that a certificate is to be odd; each of `ODDITIES` makes it so, and returns the rules that it
fails then. The rule ids are written here independently of the suites: they say what a correct pipeline checks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from simulator.business_licenses import credit_code
from simulator.certificates import EXPECTED_HOLDER, IDENTITY_ONLY, WITHOUT_END, Certificate
from simulator.model import SourceSystem
from simulator.numbers import check_digit, identity_check, identity_number
from simulator.sources import DIALECTS, OF_THE_HOLDER, TYPES, LicenseType, columns_of

Odd = Callable[[SourceSystem, Certificate], Certificate | None]
"""Makes a certificate without warnings odd; returns None where it cannot be odd in this way."""

_INCLUDED: Final[Mapping[str, str]] = {
    "construction_land_planning_permit": "planning_permit",
    "construction_project_planning_permit": "planning_permit",
    "real_estate_ownership_certificate": "real_estate",
    "real_estate_registration_certificate": "real_estate",
    "cruising_taxi_driver_certificate": "taxi_driver",
    "online_hailed_taxi_driver_certificate": "taxi_driver",
    "road_transport_business_license": "road_transport_number",
    "road_transport_vehicle_certificate": "road_transport_number",
    "road_dangerous_goods_transport_license": "road_transport_number",
    "online_hailed_taxi_operator_license": "road_transport_number",
}
"""Types that share rules with others, and the suite of these."""

_NOT_A_DAY: Final = "2019年春"

_EXTRAS: Final[Mapping[str, Mapping[str, Mapping[str, str | None]]]] = {
    "resident_identity_card": {
        "民族": {"ethnic_group.known": "火星"},
        "签发机关": {"issuing_authority.police": "虚构街道办事处"},
        "住址": {"address.present": None},
        "有效期限": {"validity.present": None},
    },
    "household_register": {
        "户别": {"kind.known": "未知"},
        "户主姓名": {"head.present": None},
        "与户主关系": {"relation.form": "-relation-"},
        "户号": {"number.form": "待编"},
        "住址": {"address.present": None},
    },
    "residence_permit": {"居住地址": {"address.present": None}, "签发日期": {"signed.day": _NOT_A_DAY}},
    "motor_vehicle_driving_license": {
        "准驾车型": {"vehicle_class.known": "Z9"},
        "档案编号": {"file_number.form": "4207"},
        "初次领证日期": {"first_issued.day": _NOT_A_DAY},
        "证件状态": {"state.present": None},
    },
    "motor_vehicle_license": {
        "号牌号码": {"plate.form": "鄂I00000"},
        "车辆识别代号": {"vehicle_identification.form": "LSVIOQ00000000001"},
        "使用性质": {"use.known": "观赏"},
        "发动机号": {"engine_number.present": None},
        "检验有效期": {"inspection.present": None},
    },
    "medical_certificate_of_birth": {
        "性别": {"sex.known": "甲"},
        "出生日期": {"born.day": _NOT_A_DAY},
        "父母身份证件号码": {"parents.present": None},
        "接生机构": {"institution.present": None},
        "新生儿姓名": {"name.present": None},
    },
    "birth_registration_certificate": {
        "孩次": {"order.known": "多"},
        "登记日期": {"registered.day": _NOT_A_DAY},
        "夫妻双方信息": {"couple.present": None},
    },
    "marriage_certificate": {
        "结婚证字号": {"number.same": "J420704-1999-000009"},
        "登记日期": {"registered.day": _NOT_A_DAY},
        "登记机关": {"authority.present": None},
        "双方姓名/证件号": {"couple.present": None},
    },
    "divorce_certificate": {
        "离婚证字号": {"number.same": "L420704-1999-000009"},
        "登记日期": {"registered.day": _NOT_A_DAY},
    },
    "minimum_living_allowance_certificate": {
        "保障类别": {"kind.known": "其它"},
        "保障人数": {"people.number": "0"},
        "月保障金额": {"monthly.number": "若干"},
    },
    "social_security_card": {"卡号": {"card_number.form": "123"}, "发卡地区": {"area.present": None}},
    "employment_and_entrepreneurship_certificate": {
        "证件编号": {"number.same": "4207001999000009"},
        "就业状态": {"state.known": "其他"},
        "登记日期": {"registered.day": _NOT_A_DAY},
    },
    "disability_certificate": {"残疾类别": {"kind.known": "其他"}, "残疾等级": {"level.known": "五级"}},
    "medical_insurance_e_voucher": {
        "参保地": {"place.present": None},
        "参保状态": {"state.known": "其他"},
        "险种": {"insurance.known": "车险"},
    },
    "teacher_qualification_certificate": {
        "证书号码": {"number.same": "19994200000000009"},
        "资格种类": {"kind.known": "驾校教师"},
        "认定机构": {"authority.present": None},
    },
    "physician_practice_certificate": {
        "执业证书编码": {"number.same": "199420700000009"},
        "执业类别": {"kind.known": "兽医"},
        "执业范围": {"scope.present": None},
        "主要执业机构": {"institution.present": None},
    },
    "nurse_practice_certificate": {"编码": {"number.same": "199942000009"}, "执业地点": {"place.present": None}},
    "road_transport_practitioner_qualification_certificate": {
        "从业资格类别": {"kind.known": "其他"},
        "准驾车型": {"vehicle_class.known": "Z9"},
        "初领日期": {"first_issued.day": _NOT_A_DAY},
    },
    "taxi_driver": {"资格证号": {"qualification_number.present": None, "qualification_number.form": "待补"}},
    "cruising_taxi_driver_certificate": {"服务单位": {"employer.present": None}},
    "online_hailed_taxi_driver_certificate": {"初领日期": {"first_issued.day": _NOT_A_DAY}},
    "construction_safety_manager_competency_certificate": {
        "岗位类别代码A/B/C1/C2/C3": {"post.known": "D"},
        "统一社会信用代码": {"employer_code.credit_code": "91420700XN00000120"},
        "企业名称": {"employer.present": None},
        "证书状态": {"state.present": None},
    },
    "construction_special_operation_qualification_certificate": {
        "工种类别代码01-11/99": {"trade.known": "12"},
        "初次领证日期": {"first_issued.day": _NOT_A_DAY},
        "使用期": {"term.present": None},
    },
    "real_estate": {
        "不动产单元号": {"unit_number.form": "420704001001GB00001"},
        "坐落": {"location.present": None},
    },
    "real_estate_ownership_certificate": {
        "权利类型": {"right.present": None},
        "用途": {"use.present": None},
        "面积": {"area.number": "若干"},
        "共有情况": {"shares.known": "不详"},
    },
    "real_estate_registration_certificate": {
        "证明权利或事项": {"right.known": "其他"},
        "权利人": {"right_holder.present": None},
    },
    "planning_permit": {"项目名称": {"project_name.present": None}},
    "construction_land_planning_permit": {
        "用地单位": {"land_user.present": None},
        "用地面积": {"area.number": "若干"},
        "用地位置": {"location.present": None},
    },
    "construction_project_planning_permit": {
        "建设单位": {"builder.present": None},
        "建设规模": {"scale.present": None},
        "建设位置": {"location.present": None},
    },
    "building_construction_permit": {
        "建设单位": {"builder.present": None},
        "工程名称": {"project.present": None},
        "合同价格": {"price.number": "若干"},
        "合同工期": {"term.present": None},
    },
    "commodity_housing_presale_permit": {
        "项目名称": {"project.present": None},
        "坐落": {"location.present": None},
        "预售面积": {"area.number": "若干"},
        "预售范围": {"scope.present": None},
    },
    "construction_enterprise_qualification_certificate": {
        "证书编号": {"number.same": "D342999999"},
        "资质类别及等级": {"grade.known": "其他"},
        "法定代表人": {"legal_representative.present": None},
    },
    "construction_enterprise_work_safety_permit": {
        "许可范围": {"scope.known": "餐饮"},
        "主要负责人": {"manager.present": None},
        "单位地址": {"address.present": None},
    },
    "business_license": {
        "经营范围": {"business_scope.present": None},
        "住所": {"address.present": None},
        "法定代表人/经营者": {"legal_representative.present": None},
        "类型": {"entity_type.present": None},
    },
    "food_business_license": {
        "主体业态": {"kind.known": "驾校"},
        "经营项目": {"items.present": None},
        "经营场所": {"place.present": None},
    },
    "food_production_license": {"食品类别": {"category.present": None}, "生产地址": {"place.present": None}},
    "special_equipment_use_registration_certificate": {
        "设备种类/类别/品种": {"kind.known": "水泵"},
        "设备代码": {"equipment_code.form": "无"},
        "使用单位": {"user.present": None},
    },
    "drug_business_license": {
        "经营方式": {"way.known": "生产"},
        "经营范围": {"scope.present": None},
        "质量负责人": {"quality_manager.present": None},
    },
    "medical_device_business_license": {"经营方式": {"way.known": "生产"}, "经营范围": {"scope.present": None}},
    "public_place_hygiene_permit": {
        "许可项目": {"items.present": None},
        "经营地址": {"place.present": None},
        "负责人": {"manager.present": None},
    },
    "medical_institution_practice_license": {
        "诊疗科目": {"departments.present": None},
        "床位": {"beds.number": "若干"},
        "主要负责人": {"manager.present": None},
    },
    "road_transport_business_license": {
        "经营范围": {"scope.known": "餐饮"},
        "业户名称": {"name.is_holder": "另一家虚构公司"},
        "地址": {"address.present": None},
    },
    "road_transport_vehicle_certificate": {
        "车牌号码": {"plate.form": "鄂I00000"},
        "车牌颜色": {"plate_colour.known": "花"},
        "技术等级": {"technical_grade.known": "特级"},
        "吨(座)位": {"capacity.number": "若干"},
        "年审状态": {"inspection.present": None},
    },
    "road_dangerous_goods_transport_license": {
        "经营范围": {"scope.present": None, "scope.dangerous_goods": "普通货运"}
    },
    "online_hailed_taxi_operator_license": {"经营区域": {"area.present": None}, "平台公司": {"platform.present": None}},
    "water_abstraction_permit": {
        "取水量": {"volume.number": "若干"},
        "水源类型": {"source.known": "空气"},
        "取水地点": {"place.present": None},
        "取水用途": {"use.present": None},
    },
    "pollutant_discharge_permit": {"行业类别": {"industry.present": None}, "生产经营场所地址": {"place.present": None}},
    "hazardous_chemicals_business_license": {
        "经营方式": {"way.present": None},
        "许可范围": {"scope.present": None},
        "主要负责人": {"manager.present": None},
    },
    "public_institution_legal_person_certificate": {
        "宗旨和业务范围": {"purpose.present": None},
        "举办单位": {"sponsor.present": None},
        "开办资金": {"funds.number": "若干"},
    },
    "social_organisation_registration_certificate": {
        "业务范围": {"scope.present": None},
        "注册资金": {"funds.number": "若干"},
    },
    "private_non_enterprise_unit_registration_certificate": {
        "业务范围": {"scope.present": None},
        "开办资金": {"funds.number": "若干"},
    },
    "private_school_operating_permit": {
        "学校类型": {"kind.present": None},
        "举办者": {"sponsor.present": None},
        "校长": {"head.present": None},
    },
    "human_resources_service_permit": {
        "服务范围": {"scope.present": None},
        "机构性质": {"kind.present": None},
        "住所": {"address.present": None},
    },
    "tobacco_retail_license": {
        "许可范围": {"scope.retail": "餐饮"},
        "供货单位": {"supplier.tobacco": "虚构商贸"},
        "经营场所": {"place.present": None},
    },
}
"""Suite → extra field → rule → the value that fails only this rule; None where the field is left out."""

_NUMBER_HAS_FORM: Final = frozenset(
    {
        "building_construction_permit", "commodity_housing_presale_permit",
        "construction_enterprise_qualification_certificate", "construction_enterprise_work_safety_permit",
        "construction_land_planning_permit", "construction_project_planning_permit",
        "construction_safety_manager_competency_certificate",
        "construction_special_operation_qualification_certificate", "divorce_certificate", "drug_business_license",
        "employment_and_entrepreneurship_certificate", "hazardous_chemicals_business_license",
        "human_resources_service_permit", "marriage_certificate", "medical_device_business_license",
        "medical_institution_practice_license", "nurse_practice_certificate", "physician_practice_certificate",
        "private_school_operating_permit", "public_place_hygiene_permit", "real_estate_ownership_certificate",
        "real_estate_registration_certificate", "road_transport_number",
        "special_equipment_use_registration_certificate", "teacher_qualification_certificate",
        "tobacco_retail_license", "water_abstraction_permit",
    }
)  # fmt: skip
"""Suites that warn of a certificate number of another form than the usual one."""

_NUMBER_HAS_HOLDER_CODE: Final[Mapping[str, tuple[str, str]]] = {
    "road_transport_practitioner_qualification_certificate": (
        "111",
        "road_transport_practitioner_qualification_certificate.certificate_number.is_holder_code",
    ),
    "social_organisation_registration_certificate": (
        "001",
        "legal_person_registration.certificate_number.is_holder_code",
    ),
    "private_non_enterprise_unit_registration_certificate": (
        "001",
        "legal_person_registration.certificate_number.is_holder_code",
    ),
    "disability_certificate": ("111", "disability_certificate.certificate_number.of_holder"),
    "pollutant_discharge_permit": ("001", "pollutant_discharge_permit.certificate_number.of_holder"),
}
"""Types whose number is the holder's code or starts with it where that is of this kind, and the rule that warns."""

FIXED_NUMBER: Final = frozenset(
    {
        "resident_identity_card", "motor_vehicle_driving_license", "medical_certificate_of_birth",
        "disability_certificate", "pollutant_discharge_permit", "food_business_license", "food_production_license",
        "business_license", "public_institution_legal_person_certificate",
    }
)  # fmt: skip
"""Types whose number must have a form: a row with another one is quarantined."""


def suites_of(license_type: str) -> tuple[str, ...]:
    """Return the names of the suites that a type has in addition to the one for all types."""
    included = _INCLUDED.get(license_type)
    return (license_type,) if included is None else (included, license_type)


def of_odd_number(license_type: str, holder_code_type: str) -> frozenset[str]:
    """Return the rules that warn of `odd_number`, except those that compare it with a second field.

    Raises `ValueError` for a type of `FIXED_NUMBER`.
    """
    if license_type in FIXED_NUMBER:
        raise ValueError(f"{license_type}: expected a type whose number may have any form")
    forms = {f"{suite}.certificate_number.form" for suite in suites_of(license_type) if suite in _NUMBER_HAS_FORM}
    return frozenset(forms) | of_other_holder_code(license_type, holder_code_type)


def of_number_mismatch(license_type: str) -> frozenset[str]:
    """Return the rule that warns when the certificate number differs from the one among the extra fields."""
    return frozenset(f"{license_type}.number.same" for _ in _repeated_number(license_type))


def _repeated_number(license_type: str) -> list[str]:
    return [name for name, rules in _EXTRAS.get(license_type, {}).items() if "number.same" in rules]


def of_other_holder_code(license_type: str, holder_code_type: str) -> frozenset[str]:
    """Return the rule that warns when number and holder's code no longer match."""
    kind, rule = _NUMBER_HAS_HOLDER_CODE.get(license_type, (None, ""))
    return frozenset({rule} if kind == holder_code_type else ())


def odd_number(certificate: Certificate) -> str:
    """Return a certificate number of a form that no type has, and that no other certificate has."""
    return f"无字第{certificate.number:06d}"


def renamed(certificate: Certificate) -> Certificate:
    """Return the certificate as it was when its holder had another name."""
    holder = certificate.fields["holder"]
    repeated = {name: f"原{holder}" for name, value in certificate.extension.items() if value == holder}
    return replace(
        certificate,
        fields={**certificate.fields, "holder": f"原{holder}"},
        extension={**certificate.extension, **repeated},
    )


def numbered_as(certificate: Certificate, other: Certificate, key: tuple[str, ...]) -> Certificate | None:
    """Return the certificate under the number of another; None where its key has more than a number of any form."""
    if key != ("certificate_number",) or certificate.license_type in FIXED_NUMBER:
        return None
    rules = of_other_holder_code(certificate.license_type, certificate.fields["holder_code_type"])
    return _numbered(certificate, other.fields["certificate_number"], *certificate.warnings, *rules)


def _odd(
    certificate: Certificate,
    *rules: str,
    fields: Mapping[str, str | None] | None = None,
    extension: Mapping[str, str | None] | None = None,
) -> Certificate:
    """Return the certificate with other values, None for values to leave out; it fails `rules` then."""
    return replace(
        certificate,
        fields=_with(certificate.fields, fields or {}),
        extension=_with(certificate.extension, extension or {}),
        warnings=frozenset(rules),
    )


def _with(values: Mapping[str, str], changed: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in {**values, **changed}.items() if value is not None}


def _numbered(certificate: Certificate, number: str, *rules: str, **fields: str) -> Certificate:
    """Return the certificate with another number, also in the extra field that repeats it."""
    repeated = dict.fromkeys(_repeated_number(certificate.license_type), number)
    return _odd(certificate, *rules, fields={"certificate_number": number, **fields}, extension=repeated)


def _sheet(system: SourceSystem) -> LicenseType:
    return TYPES[system.department][system.license_type]


def _delivers(system: SourceSystem, *names: str) -> bool:
    columns = columns_of(system.department, system.license_type)
    return all(name in columns for name in names)


def _extra(suite: str, name: str, rule: str, value: str | None) -> Odd:
    def odd(system: SourceSystem, certificate: Certificate) -> Certificate | None:
        if suite not in suites_of(system.license_type):
            return None
        return _odd(certificate, f"{suite}.{rule}", extension={name: value})

    return odd


def _other_form(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    if system.license_type in FIXED_NUMBER:
        return None
    rules = of_odd_number(system.license_type, certificate.fields["holder_code_type"])
    return _numbered(certificate, odd_number(certificate), *rules) if rules else None


def _other_food_kind(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    if system.license_type not in ("food_business_license", "food_production_license"):
        return None
    number = certificate.fields["certificate_number"]
    digits = f"9{number[3:-1]}"
    rule = f"{system.license_type}.certificate_number.kind"
    return _numbered(certificate, f"{number[:2]}{digits}{check_digit(digits)}", rule)


def _no_market_entity(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    if system.license_type != "business_license":
        return None
    code = credit_code(500_000_000 + certificate.number, "11")
    rule = "business_license.certificate_number.market_entity"
    return _numbered(certificate, code, rule, holder_code=code)


def _number_of_another(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    rules = of_other_holder_code(system.license_type, certificate.fields["holder_code_type"])
    if system.license_type == "disability_certificate":
        number = identity_number(6_000_000 + certificate.number) + certificate.fields["certificate_number"][18:]
        return _numbered(certificate, number, *rules)
    if system.license_type == "pollutant_discharge_permit" and rules:
        return _numbered(certificate, f"{credit_code(600_000_000 + certificate.number)}001V", *rules)
    return None


def _of_no_category(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    """Return the certificate of a holder whose credit code has a category that its department does not register."""
    kind = certificate.fields["holder_code_type"]
    if kind != "001" or system.license_type in IDENTITY_ONLY or of_other_holder_code(system.license_type, kind):
        return None
    code = credit_code(660_000_000 + certificate.number, "98")
    return _odd(certificate, "certificate.holder_code.credit_code_category", fields={"holder_code": code})


def _other_sex(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    if "性别" not in OF_THE_HOLDER.get(system.license_type, ()):
        return None
    other = {"男": "女", "女": "男"}[certificate.extension["性别"]]
    return _odd(certificate, "certificate.holder_code.sex", extension={"性别": other})


def _left_out(field: str) -> Odd:
    def odd(system: SourceSystem, certificate: Certificate) -> Certificate | None:
        if not _delivers(system, field) or field not in certificate.fields or field in _sheet(system).key:
            return None
        return _odd(certificate, f"certificate.{field}.present", fields={field: None})

    return odd


def _valued(field: str, value: str, rule: str) -> Odd:
    def odd(system: SourceSystem, certificate: Certificate) -> Certificate | None:
        if not _delivers(system, field):
            return None
        return _odd(certificate, f"certificate.{field}.{rule}", fields={field: value})

    return odd


def _error_in_extra(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    # Of an extra field that no other rule checks.
    if system.license_type != "water_abstraction_permit":
        return None
    return _odd(certificate, "certificate.extension.no_error_cells", extension={"退水地点": "#REF!"})


def _no_district(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    return replace(_odd(certificate, "certificate.district.present", fields={"district": None}), district_form=None)


def _unknown_district(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    return replace(_odd(certificate, "certificate.district.known", fields={"district": None}), district_form="火星区")


def _wrong_authority_code(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    if not _delivers(system, "issuing_authority_code"):
        return None
    code = certificate.fields["issuing_authority_code"]
    wrong = code[:-1] + ("1" if code[-1] != "1" else "2")
    rule = "certificate.issuing_authority_code.credit_code"
    return _odd(certificate, rule, fields={"issuing_authority_code": wrong})


def _unknown_kind_of_holder(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    # Where a department's own codes are translated, an unknown one is no warning.
    translated = any(theirs != ours for ours, theirs in DIALECTS[system.department].holder_types.items())
    if not _delivers(system, "holder_code_type") or translated or system.license_type in EXPECTED_HOLDER:
        return None
    return _odd(certificate, "certificate.holder_code_type.known", fields={"holder_code_type": "998"})


def _of_person(rule: str, code: Callable[[Certificate], str]) -> Odd:
    """Return an oddity of the holder's identity number, where no other field contains it too."""

    def odd(system: SourceSystem, certificate: Certificate) -> Certificate | None:
        if certificate.fields["holder_code_type"] != "111" or system.license_type in IDENTITY_ONLY:
            return None
        return _odd(certificate, rule, fields={"holder_code": code(certificate)})

    return odd


def _of_no_province(certificate: Certificate) -> str:
    digits = f"99{certificate.fields['holder_code'][2:17]}"
    return digits + identity_check(digits)


def _of_15_digits(certificate: Certificate) -> str:
    return f"{certificate.fields['holder_code'][:6]}480101{certificate.number % 1000:03d}"


def _short_holder(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    holder = certificate.fields["holder"]
    repeated = {name: holder[:1] for name, value in certificate.extension.items() if value == holder}
    return _odd(certificate, "certificate.holder.length", fields={"holder": holder[:1]}, extension=repeated)


def _hidden_holder(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    # As a department masks it that must not show its people.
    holder = certificate.fields["holder"]
    hidden = holder[:1] + ("**", "?某", "□某")[certificate.number % 3]
    repeated = {name: hidden for name, value in certificate.extension.items() if value == holder}
    return _odd(certificate, "certificate.holder.undoubted", fields={"holder": hidden}, extension=repeated)


def _long_number(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    kind = certificate.fields["holder_code_type"]
    if system.license_type in FIXED_NUMBER or of_odd_number(system.license_type, kind):
        return None
    return _numbered(certificate, odd_number(certificate) + "续" * 95, "certificate.certificate_number.length")


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def _never_expires(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    if _sheet(system).validity != "fixed" or not _delivers(system, "valid_to"):
        return None
    return _odd(certificate, "certificate.valid_to.expires", fields={"valid_to": None})


def _valid_too_long(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    sheet = _sheet(system)
    if sheet.validity != "fixed" or sheet.years is None or not _delivers(system, "valid_from", "valid_to"):
        return None
    end = _later(certificate.fields["valid_to"], 60)
    return _odd(certificate, "certificate.valid_to.within_validity_years", fields={"valid_to": end})


def _ended_before_issue(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    if _sheet(system).validity == "permanent" or not _delivers(system, "valid_to"):
        return None
    issued = certificate.fields["issue_date"]
    fields: dict[str, str | None] = {"valid_to": _later(issued, -30), WITHOUT_END: None}
    if _delivers(system, "valid_from"):
        fields["valid_from"] = _later(issued, -400)
    return _odd(certificate, "certificate.valid_to.not_before_issue_date", fields=fields)


def _begins_late(system: SourceSystem, certificate: Certificate) -> Certificate | None:
    if not _delivers(system, "valid_from"):
        return None
    fields = {
        name: _later(certificate.fields[name], 400) for name in ("valid_from", "valid_to") if name in certificate.fields
    }
    return _odd(certificate, "certificate.valid_from.not_long_after_issue_date", fields=fields)


ODDITIES: Final[Sequence[Odd]] = (
    *(
        _extra(suite, name, rule, value)
        for suite, fields in _EXTRAS.items()
        for name, rules in fields.items()
        for rule, value in rules.items()
    ),
    _other_form,
    _other_food_kind,
    _no_market_entity,
    _number_of_another,
    _error_in_extra,
    *(
        _left_out(field)
        for field in (
            "certificate_identifier", "certificate_name", "certificate_version", "license_type_code",
            "license_type_name", "issuing_authority", "issuing_authority_code", "holder_code_type", "file_url",
            "status",
        )
    ),
    _no_district,
    _unknown_district,
    _valued("certificate_version", "1", "form"),
    _valued("file_url", "附件1.ofd", "form"),
    _wrong_authority_code,
    _unknown_kind_of_holder,
    _of_person("certificate.holder_code.identity_number_province", _of_no_province),
    _of_person("certificate.holder_code.identity_number_18", _of_15_digits),
    _short_holder,
    _long_number,
    _never_expires,
    _valid_too_long,
    _ended_before_issue,
    _begins_late,
    _hidden_holder,
    _valued("issuing_authority", "鄂州市?局", "undoubted"),
    _of_no_category,
    _other_sex,
)  # fmt: skip
"""Every way in which a certificate is odd: first those of one type."""
