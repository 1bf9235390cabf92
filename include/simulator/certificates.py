"""Certificates as their departments mean them: complete, formally right, and canonical in every value.

People are 某某, bodies and places are 虚构; no name, number or address belongs to anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from simulator.business_licenses import credit_code
from simulator.numbers import certificate_identifier, check_digit, identity_number, in_key, permit_number, plate
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
"""First characters of the holder's credit code where it is no enterprise."""

NUMBER_IS_HOLDER_CODE = frozenset(
    {
        "resident_identity_card",
        "motor_vehicle_driving_license",
        "road_transport_practitioner_qualification_certificate",
        "business_license",
        "public_institution_legal_person_certificate",
        "social_organisation_registration_certificate",
        "private_non_enterprise_unit_registration_certificate",
    }
)
"""Types whose certificate number is the holder's code."""

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
"""Types with a rule that warns of a number which lacks the brackets or dashes of the printed certificate."""

IDENTITY_ONLY = NUMBER_IS_HOLDER_CODE | {"disability_certificate", "social_security_card"}
"""Types whose holders' codes are identity numbers or credit codes and nothing else."""

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
"""Types whose holders can have no other kind of code than this, and the rule that warns of one."""

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
"""Among the fields of a certificate that its department says to be valid for good."""


@dataclass(frozen=True)
class Certificate:
    """A certificate in canonical words: standard fields (dates in ISO form), extra fields, and its district in words.

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
        # No public source names the codes of most types; the identifiers of those bear a made-up one.
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
        # Several holders of one certificate have a row each.
        shared = (serial + 1) // 2 if "holder_code" in self.sheet.key else serial
        year = 2019 + shared % 7 if shared != serial else day.year
        number = _number(self.license_type, shared, year, code)
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
        # Of every other one the department leaves the end blank, and nothing else tells that there is none.
        if valid_to is None and ("validity" in self.known or ("valid_to" in self.known and serial % 2 == 0)):
            fields[WITHOUT_END] = "true"
        warnings = self._warnings(code_type, ends=valid_to is not None, without_code=without_code)
        extension = _extras(self.license_type, serial, day, valid_to, holder, code, number)
        return Certificate(self.license_type, serial, fields, extension, form, warnings)

    def _warnings(self, code_type: str, *, ends: bool, without_code: bool) -> frozenset[str]:
        """Return the rules that warn of what the type does not provide for, where the feed tells of it."""
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
        # Some departments have no word for what has expired, and leave such certificates as they were.
        expired = valid_to is not None and valid_to <= self.last_issue and "expired" in self.dialect.statuses
        # Every status occurs early on: each is a code that a mapping may get wrong.
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

        Now and then a type that has none bears one all the same.
        """
        if (self.sheet.validity == "permanent" and self.issued % 11 != 7) or (
            self.sheet.validity == "either" and self.chance.random() < 0.5
        ):
            return None
        years = self.sheet.years or 6
        return date(day.year + years, day.month, min(day.day, 28)) - timedelta(days=1)


def _number(license_type: str, serial: int, year: int, holder_code: str) -> str:
    """Return the certificate number, in the form that this type bears."""
    if license_type in NUMBER_IS_HOLDER_CODE:
        return holder_code
    twelve, six = f"420704{serial:06d}", f"{serial:06d}"
    match license_type:
        case "motor_vehicle_license":
            return plate(serial)
        case "medical_certificate_of_birth":
            return f"X42{serial:07d}"
        case "marriage_certificate":
            return f"J420704-{year}-{six}"
        case "divorce_certificate":
            return f"L420704-{year}-{six}"
        case "social_security_card":
            return f"X{serial:08d}"
        case "disability_certificate":
            return f"{holder_code}{1 + serial % 7}{1 + serial % 4}"
        case "teacher_qualification_certificate":
            return f"{year}42{serial:011d}"
        case "physician_practice_certificate":
            return f"110{twelve}"
        case "nurse_practice_certificate":
            return f"{year}42{six}"
        case "employment_and_entrepreneurship_certificate":
            return f"420700{serial:010d}"
        case "construction_safety_manager_competency_certificate":
            return f"鄂建安{('A', 'B', 'C1', 'C2', 'C3')[serial % 5]}({year}){serial:07d}"
        case "construction_special_operation_qualification_certificate":
            return f"鄂A04{year}{six}"
        case "real_estate_ownership_certificate":
            return f"鄂({year})鄂州市不动产权第{serial:07d}号"
        case "real_estate_registration_certificate":
            return f"鄂({year})鄂州市不动产证明第{serial:07d}号"
        case "construction_land_planning_permit":
            return f"地字第420704{year}{six}号"
        case "construction_project_planning_permit":
            return f"建字第420704{year}{six}号"
        case "building_construction_permit":
            return f"420704{year}{serial:08d}"
        case "commodity_housing_presale_permit":
            return f"鄂州房预售证第{year}{six}号"
        case "construction_enterprise_qualification_certificate":
            return f"D342{six}"
        case "construction_enterprise_work_safety_permit":
            return f"(鄂)JZ安许证字[{year}]{six}"
        case "food_business_license":
            digits = f"{1 + serial % 3}{twelve}"
            return f"JY{digits}{check_digit(digits)}"
        case "food_production_license":
            digits = f"{101 + serial // 10_000 % 32}420704{serial % 10_000:04d}"
            return f"SC{digits}{check_digit(digits)}"
        case "special_equipment_use_registration_certificate":
            return f"梯11鄂G{serial % 1_000_000:06d}({year % 100:02d})"
        case "drug_business_license":
            return f"鄂CA711{six}"
        case "medical_device_business_license":
            return f"鄂鄂州食药监械经营许{year}{serial:05d}号"
        case "public_place_hygiene_permit":
            return f"鄂州卫公证字[{year}]第{six}号"
        case "medical_institution_practice_license":
            return f"PDY{serial:06d}42070411D1102"
        case "road_transport_business_license" | "road_dangerous_goods_transport_license":
            return f"鄂交运管许可鄂州字{twelve}号"
        case "water_abstraction_permit":
            return f"D420704S{2019 + serial // 10_000 % 80}-{serial % 10_000:04d}"
        case "pollutant_discharge_permit":
            # It begins with a code of 18 characters, whoever holds it.
            return f"{holder_code if len(holder_code) == 18 else credit_code(800_000_000 + serial)}001V"
        case "hazardous_chemicals_business_license":
            return f"鄂G危化经字[{year}]{six}"
        case "private_school_operating_permit":
            return f"教民142070470{six}"
        case "human_resources_service_permit":
            return f"鄂人服证字[{year}]第07{serial:08d}号"
        case "minimum_living_allowance_certificate" | "birth_registration_certificate":
            return f"鄂州{license_type[0].upper()}{year}{six}"
        case "residence_permit" | "medical_insurance_e_voucher":
            return f"420704{serial:012d}"
        case "other_certificate":
            return f"鄂州许字[{year}]第{six}号"
        case _:
            return twelve


def _extras(
    license_type: str, serial: int, day: date, valid_to: date | None, holder: str, holder_code: str, number: str
) -> dict[str, str]:
    """Return the extra fields of a type."""
    road = f"鄂州市虚构区不存在路{serial % 997 + 1}号"
    written, end = day.isoformat(), valid_to.isoformat() if valid_to else "长期"
    somebody = f"{_SURNAMES[serial % len(_SURNAMES)]}某某"
    body = f"鄂州市虚构服务中心{serial % 50 + 1:02d}"
    unit = f"420704001001GB{serial:05d}F{serial % 100_000_000:08d}"
    match license_type:
        case "resident_identity_card":
            return {"民族": ("汉", "土家", "回", "苗")[serial % 4], "住址": road, "签发机关": "鄂州市公安局虚构分局",
                    "有效期限": f"{written}至{end}"}  # fmt: skip
        case "household_register":
            return {"户别": ("家庭户", "集体户")[serial % 2], "户主姓名": somebody,
                    "与户主关系": ("户主", "配偶")[serial % 2], "户号": f"420704{(serial + 1) // 2:06d}",
                    "住址": road}  # fmt: skip
        case "residence_permit":
            return {"居住地址": road, "签发日期": written}
        case "motor_vehicle_driving_license":
            return {"准驾车型": ("C1", "C2", "B2", "A1A2", "C1D")[serial % 5], "档案编号": f"420700{serial:06d}",
                    "初次领证日期": written, "证件状态": "正常"}  # fmt: skip
        case "motor_vehicle_license":
            return {"号牌号码": number, "车辆识别代号": f"LSVXN{serial:012d}", "发动机号": f"XN{serial:06d}",
                    "使用性质": ("非营运", "货运", "出租客运")[serial % 3],
                    "检验有效期": f"{day.year + 6}-{day.month:02d}"}  # fmt: skip
        case "medical_certificate_of_birth":
            return {"新生儿姓名": somebody, "性别": "男女"[serial % 2], "出生日期": written,
                    "父母身份证件号码": f"{holder_code}、{identity_number(5_000_000 + serial)}",
                    "接生机构": "鄂州市虚构妇幼保健院"}  # fmt: skip
        case "birth_registration_certificate":
            return {"夫妻双方信息": f"{holder}、{somebody}", "孩次": "一二三"[serial % 3] + "孩", "登记日期": written}
        case "marriage_certificate":
            return {"结婚证字号": number, "登记日期": written, "登记机关": "鄂州市虚构区民政局",
                    "双方姓名/证件号": f"{holder}、{somebody}"}  # fmt: skip
        case "divorce_certificate":
            return {"离婚证字号": number, "登记日期": written}
        case "minimum_living_allowance_certificate":
            return {"保障类别": ("城市低保", "农村低保")[serial % 2], "保障人数": str(1 + serial % 5),
                    "月保障金额": f"{300 + serial % 700}.00"}  # fmt: skip
        case "social_security_card":
            return {"社会保障号码": holder_code, "卡号": number, "发卡地区": "鄂州市",
                    "有效期": f"{day.year + 10}-{day.month:02d}"}  # fmt: skip
        case "employment_and_entrepreneurship_certificate":
            return {"证件编号": number, "就业状态": ("已就业", "登记失业", "自主创业")[serial % 3], "登记日期": written}
        case "disability_certificate":
            return {"残疾类别": ("视力", "听力", "言语", "肢体", "智力", "精神", "多重")[serial % 7],
                    "残疾等级": "一二三四"[serial % 4] + "级", "监护人": somebody,
                    "性别": "女男"[int(holder_code[16]) % 2],
                    "出生日期": f"{holder_code[6:10]}-{holder_code[10:12]}-{holder_code[12:14]}"}  # fmt: skip
        case "medical_insurance_e_voucher":
            return {"参保地": "鄂州市", "参保状态": ("正常参保", "暂停参保")[serial % 9 == 0],
                    "险种": ("城乡居民基本医疗保险", "职工基本医疗保险")[serial % 2]}  # fmt: skip
        case "teacher_qualification_certificate":
            return {"资格种类": ("幼儿园教师资格", "小学教师资格", "高级中学教师资格")[serial % 3],
                    "任教学科": ("语文", "数学", "英语")[serial % 3], "证书号码": number,
                    "认定机构": "鄂州市虚构区教育局"}  # fmt: skip
        case "physician_practice_certificate":
            return {"执业类别": ("临床", "口腔", "中医")[serial % 3], "执业范围": "内科专业",
                    "主要执业机构": "鄂州市虚构医院", "执业证书编码": number}  # fmt: skip
        case "nurse_practice_certificate":
            return {"执业地点": "鄂州市虚构医院", "编码": number}
        case "road_transport_practitioner_qualification_certificate":
            return {"从业资格类别": ("经营性道路旅客运输驾驶员", "道路货物运输驾驶员")[serial % 2],
                    "准驾车型": ("A1", "A2", "B2")[serial % 3], "初领日期": written}  # fmt: skip
        case "cruising_taxi_driver_certificate":
            return {"服务单位": body, "资格证号": number}
        case "online_hailed_taxi_driver_certificate":
            return {"资格证号": number, "初领日期": written}
        case "construction_safety_manager_competency_certificate":
            return {"岗位类别代码A/B/C1/C2/C3": ("A", "B", "C1", "C2", "C3")[serial % 5],
                    "企业名称": "鄂州市虚构建筑有限公司", "统一社会信用代码": credit_code(900_000 + serial % 100),
                    "证书状态": "有效"}  # fmt: skip
        case "construction_special_operation_qualification_certificate":
            return {"工种类别代码01-11/99": f"{1 + serial % 11:02d}", "初次领证日期": written,
                    "使用期": f"{written}至{end}"}  # fmt: skip
        case "real_estate_ownership_certificate":
            return {"不动产单元号": unit, "坐落": road, "权利类型": "国有建设用地使用权/房屋所有权", "权利性质": "出让",
                    "用途": "住宅", "面积": f"{60 + serial % 90}.50", "使用期限": f"{day.year + 70}年止",
                    "共有情况": "共同共有"}  # fmt: skip
        case "real_estate_registration_certificate":
            return {"证明权利或事项": ("抵押权", "预告登记")[serial % 2], "权利人": "虚构银行", "义务人": holder,
                    "不动产单元号": unit, "坐落": road}  # fmt: skip
        case "construction_land_planning_permit":
            return {"用地单位": holder, "项目名称": f"虚构项目{serial}", "用地位置": road, "用地性质": "居住用地",
                    "用地面积": f"{5000 + serial % 9000}"}  # fmt: skip
        case "construction_project_planning_permit":
            return {"建设单位": holder, "项目名称": f"虚构项目{serial}", "建设位置": road,
                    "建设规模": f"{5000 + serial % 9000}平方米"}  # fmt: skip
        case "building_construction_permit":
            return {"建设单位": holder, "工程名称": f"虚构工程{serial}", "合同价格": f"{100 + serial % 9000}万元",
                    "施工/监理/设计单位": "虚构建筑公司/虚构监理公司/虚构设计院",
                    "合同工期": f"{180 + serial % 400}天"}  # fmt: skip
        case "commodity_housing_presale_permit":
            return {"项目名称": f"虚构家园{serial}期", "坐落": road, "预售面积": f"{5000 + serial % 9000}",
                    "预售范围": f"{1 + serial % 9}号楼"}  # fmt: skip
        case "construction_enterprise_qualification_certificate":
            return {"资质类别及等级": "建筑工程施工总承包三级", "证书编号": number, "法定代表人": somebody}
        case "construction_enterprise_work_safety_permit":
            return {"许可范围": "建筑施工", "主要负责人": somebody, "单位地址": road}
        case "business_license":
            return {"类型": ("有限责任公司", "个体工商户", "股份有限公司")[serial % 3], "法定代表人/经营者": somebody,
                    "注册资本": f"{10 + serial % 500}万元人民币", "成立日期": written,
                    "经营范围": ("虚构货物的批发、零售", '虚构餐饮服务;食品销售,"外卖"配送。',
                             "虚构水产养殖、销售\n虚构农产品初加工")[serial % 3],
                    "住所": road}  # fmt: skip
        case "food_business_license":
            return {"主体业态": ("食品销售经营者", "餐饮服务经营者", "单位食堂")[serial % 3],
                    "经营项目": "预包装食品销售,散装食品销售", "经营场所": road}  # fmt: skip
        case "food_production_license":
            return {"食品类别": ("粮食加工品", "水产制品")[serial % 2], "生产地址": road}
        case "special_equipment_use_registration_certificate":
            return {"设备种类/类别/品种": "电梯/曳引与强制驱动电梯/曳引驱动乘客电梯",
                    "设备代码": f"3110420700{serial:07d}",
                    "使用单位": holder, "登记机关": "鄂州市市场监督管理局"}  # fmt: skip
        case "drug_business_license":
            return {"经营方式": ("零售", "批发")[serial % 2], "经营范围": "中成药,化学药制剂", "质量负责人": somebody,
                    "仓库地址": road}  # fmt: skip
        case "medical_device_business_license":
            return {"经营方式": ("零售", "批发")[serial % 2], "经营范围": "三类医疗器械", "库房地址": road}
        case "public_place_hygiene_permit":
            return {"许可项目": ("住宿场所", "理发店")[serial % 2], "经营地址": road, "负责人": somebody}
        case "medical_institution_practice_license":
            return {"诊疗科目": "内科,外科,中医科", "床位": str(serial % 300), "主要负责人": somebody}
        case "road_transport_business_license":
            return {"经营范围": "道路普通货物运输", "业户名称": holder, "地址": road}
        case "road_transport_vehicle_certificate":
            return {"车牌号码": plate(serial), "车牌颜色": ("黄色", "蓝色", "绿色")[serial % 3],
                    "车辆类型": "重型货车", "吨(座)位": str(5 + serial % 30), "年审状态": "合格",
                    "技术等级": "一级"}  # fmt: skip
        case "road_dangerous_goods_transport_license":
            return {"经营范围": "道路危险货物运输(第3类)"}
        case "online_hailed_taxi_operator_license":
            return {"经营区域": "鄂州市", "平台公司": "虚构出行有限公司"}
        case "water_abstraction_permit":
            return {"取水地点": "虚构湖", "取水量": f"{1 + serial % 90}万立方米", "取水用途": "工业用水",
                    "水源类型": ("地表水", "地下水")[serial % 2], "退水地点": "虚构湖"}  # fmt: skip
        case "pollutant_discharge_permit":
            return {"行业类别": ("水泥制造", "水产品加工")[serial % 2], "生产经营场所地址": road}
        case "hazardous_chemicals_business_license":
            return {"经营方式": "不带储存设施经营", "许可范围": "汽油,柴油", "主要负责人": somebody}
        case "public_institution_legal_person_certificate":
            return {"宗旨和业务范围": "虚构服务", "举办单位": "鄂州市虚构局", "开办资金": f"{1 + serial % 90}万元",
                    "经费来源": "财政补助"}  # fmt: skip
        case "social_organisation_registration_certificate":
            return {"业务范围": "虚构交流", "业务主管单位": "鄂州市虚构局", "注册资金": f"{3 + serial % 9}万元"}
        case "private_non_enterprise_unit_registration_certificate":
            return {"业务范围": "虚构服务", "业务主管单位": "鄂州市虚构局", "开办资金": f"{3 + serial % 9}万元"}
        case "private_school_operating_permit":
            return {"学校类型": "民办幼儿园", "办学内容": "学前教育", "举办者": somebody, "校长": somebody}
        case "human_resources_service_permit":
            return {"服务范围": "职业介绍", "机构性质": "民营", "住所": road}
        case "tobacco_retail_license":
            return {"许可范围": "卷烟零售", "供货单位": "鄂州市虚构烟草公司", "经营场所": road}
    return {}
