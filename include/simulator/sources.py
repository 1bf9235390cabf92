"""The city's departments and the 51 license types: who has what, under which names, and how it is delivered.

This is written independently of the catalogue and not read from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from simulator.model import Column, FileHabit, FilePlace, HttpPlace, SourceSystem, TablePlace

DateForm = Literal["iso", "slash", "compact", "chinese", "serial", "iso_time", "epoch_milliseconds"]
DistrictForm = Literal["code6", "code9", "code12", "short_name", "long_name"]


@dataclass(frozen=True)
class LicenseType:
    """One license type: `key` are the standard fields that identify a certificate.

    `holder` says whether persons, organisations or both hold it, `years` how long it is valid where that is known.
    `extras` are the extra fields, each with its column in the department's words.
    """

    name: str
    holder: Literal["person", "organization", "both"]
    validity: Literal["fixed", "permanent", "either"]
    extras: Mapping[str, str]
    years: int | None = None
    code: str | None = None
    key: tuple[str, ...] = ("certificate_number",)


@dataclass(frozen=True)
class Dialect:
    """How one department writes.

    `columns` maps standard fields to its columns, in the delivered order; `statuses` our statuses to its codes, None
    where it sends none; `holder_types` the national codes of holders' numbers to its own.
    """

    name: str
    credit_code_of: str  # serial of the made-up credit code of the authority
    columns: Mapping[str, str]
    statuses: Mapping[str, str]
    date_form: DateForm
    district_form: DistrictForm
    holder_types: Mapping[str, str]
    operations: Mapping[Literal["insert", "update", "delete"], str] = field(default_factory=dict)
    unwanted: tuple[str, ...] = ()


_NATIONAL_HOLDER_TYPES = {"001": "001", "099": "099", "111": "111", "516": "516"}


def _extend(*names: str) -> dict[str, str]:
    return {name: f"extend.{name}" for name in names}


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


BY_HOLDER = ("certificate_number", "holder_code")

TYPES: Mapping[str, Mapping[str, LicenseType]] = {
    "public_security": {
        "resident_identity_card": LicenseType(
            "居民身份证", "person", "either", _extend("民族", "住址", "签发机关", "有效期限"),
            code="11100000000013127D001",
        ),
        "household_register": LicenseType(
            "居民户口簿", "person", "permanent", _extend("户别", "户主姓名", "与户主关系", "户号", "住址"),
            key=BY_HOLDER,
        ),
        "residence_permit": LicenseType("居住证", "person", "fixed", _extend("居住地址", "签发日期")),
        "motor_vehicle_driving_license": LicenseType(
            "机动车驾驶证", "person", "either", _extend("准驾车型", "档案编号", "初次领证日期", "证件状态")
        ),
        "motor_vehicle_license": LicenseType(
            "机动车行驶证", "both", "either", _extend("号牌号码", "车辆识别代号", "发动机号", "使用性质", "检验有效期")
        ),
    },
    "health": {
        "medical_certificate_of_birth": LicenseType(
            "出生医学证明", "person", "permanent",
            {"新生儿姓名": "newborn_name", "性别": "sex", "出生日期": "born_on", "父母身份证件号码": "parents_id_no",
             "接生机构": "delivered_at"},
        ),
        "birth_registration_certificate": LicenseType(
            "生育登记证明", "person", "either",
            {"夫妻双方信息": "couple", "孩次": "child_order", "登记日期": "registered_on"},
        ),
        "physician_practice_certificate": LicenseType(
            "医师执业证书", "person", "permanent",
            {"执业类别": "category", "执业范围": "practice_scope", "主要执业机构": "main_institution",
             "执业证书编码": "practice_code"},
        ),
        "nurse_practice_certificate": LicenseType(
            "护士执业证书", "person", "fixed", {"执业地点": "practice_place", "编码": "practice_code"}, 5
        ),
        "public_place_hygiene_permit": LicenseType(
            "公共场所卫生许可证", "both", "fixed",
            {"许可项目": "permitted_items", "经营地址": "business_address", "负责人": "person_in_charge"}, 4,
        ),
        "medical_institution_practice_license": LicenseType(
            "医疗机构执业许可证", "organization", "fixed",
            {"诊疗科目": "clinical_departments", "床位": "beds", "主要负责人": "principal"},
        ),
    },
    "transport": {
        "road_transport_practitioner_qualification_certificate": LicenseType(
            "道路运输从业人员从业资格证", "person", "fixed",
            {"从业资格类别": "qualificationType", "准驾车型": "vehicleClass", "初领日期": "firstIssued"}, 6,
            "11100000000019713D071",
        ),
        "cruising_taxi_driver_certificate": LicenseType(
            "巡游出租汽车驾驶员证", "person", "fixed",
            {"服务单位": "serviceCompany", "资格证号": "qualificationNo"}, code="11100000000019713D075",
        ),
        "online_hailed_taxi_driver_certificate": LicenseType(
            "网络预约出租汽车驾驶员证", "person", "fixed",
            {"资格证号": "qualificationNo", "初领日期": "firstIssued"}, code="11100000000019713D072",
        ),
        "road_transport_business_license": LicenseType(
            "道路运输经营许可证", "both", "fixed",
            {"经营范围": "businessScope", "业户名称": "operatorName", "地址": "address"}, 4, "11100000000019713D008",
        ),
        "road_transport_vehicle_certificate": LicenseType(
            "道路运输证", "both", "either",
            {"车牌号码": "plateNo", "车牌颜色": "plateColor", "车辆类型": "vehicleType", "吨(座)位": "tonnageOrSeats",
             "年审状态": "annualReview", "技术等级": "technicalGrade"},
            code="11100000000019713D013",
        ),
        "road_dangerous_goods_transport_license": LicenseType(
            "道路危险货物运输许可证", "organization", "fixed", {"经营范围": "businessScope"},
            code="11100000000019713D016",
        ),
        "online_hailed_taxi_operator_license": LicenseType(
            "网络预约出租汽车经营许可证", "organization", "fixed",
            {"经营区域": "operatingArea", "平台公司": "platformCompany"}, code="11100000000019713D074",
        ),
    },
    "human_resources": {
        "social_security_card": LicenseType(
            "社会保障卡", "person", "either",
            {"社会保障号码": "ssNo", "卡号": "cardNo", "发卡地区": "issueArea", "有效期": "cardExpiry"},
        ),
        "employment_and_entrepreneurship_certificate": LicenseType(
            "就业创业证", "person", "permanent",
            {"证件编号": "docNo", "就业状态": "employmentState", "登记日期": "registeredOn"},
        ),
        "human_resources_service_permit": LicenseType(
            "人力资源服务许可证", "organization", "permanent",
            {"服务范围": "serviceScope", "机构性质": "orgNature", "住所": "orgAddress"},
        ),
    },
    "medical_insurance": {
        "medical_insurance_e_voucher": LicenseType(
            "医保电子凭证", "person", "permanent",
            {"参保地": "INSUPLC", "参保状态": "PSN_INSU_STAS", "险种": "INSUTYPE"},
        ),
    },
    "civil_affairs": {
        "marriage_certificate": LicenseType(
            "结婚证", "person", "permanent",
            {"结婚证字号": "JHZZH", "登记日期": "DJRQ", "登记机关": "DJJG", "双方姓名/证件号": "SFXX"},
            code="111000000000131433001", key=BY_HOLDER,
        ),
        "divorce_certificate": LicenseType(
            "离婚证", "person", "permanent", {"离婚证字号": "LHZZH", "登记日期": "DJRQ"}, key=BY_HOLDER
        ),
        "minimum_living_allowance_certificate": LicenseType(
            "城乡居民最低生活保障证", "person", "fixed", {"保障类别": "BZLB", "保障人数": "BZRS", "月保障金额": "YBZJE"}
        ),
        "social_organisation_registration_certificate": LicenseType(
            "社会团体法人登记证书", "organization", "fixed",
            {"业务范围": "YWFW", "业务主管单位": "YWZGDW", "注册资金": "ZCZJ"},
        ),
        "private_non_enterprise_unit_registration_certificate": LicenseType(
            "民办非企业单位登记证书", "organization", "fixed",
            {"业务范围": "YWFW", "业务主管单位": "YWZGDW", "开办资金": "KBZJ"},
        ),
    },
    "housing": {
        "construction_safety_manager_competency_certificate": LicenseType(
            "建筑施工企业安全生产管理人员考核合格证书", "person", "fixed",
            {"岗位类别代码A/B/C1/C2/C3": "GWLBDM", "企业名称": "QYMC", "统一社会信用代码": "TYSHXYDM",
             "证书状态": "ZSZTMS"},
            3, "11100000000013338W011",
        ),
        "construction_special_operation_qualification_certificate": LicenseType(
            "建筑施工特种作业人员操作资格证书", "person", "fixed",
            {"工种类别代码01-11/99": "GZLBDM", "初次领证日期": "CCLZRQ", "使用期": "SYQ"}, 2, "11100000000013338W032",
        ),
        "building_construction_permit": LicenseType(
            "建筑工程施工许可证", "organization", "permanent",
            {"建设单位": "JSDW", "工程名称": "GCMC", "合同价格": "HTJG", "施工/监理/设计单位": "CJDW",
             "合同工期": "HTGQ"},
        ),
        "commodity_housing_presale_permit": LicenseType(
            "商品房预售许可证", "organization", "either",
            {"项目名称": "XMMC", "坐落": "ZL", "预售面积": "YSMJ", "预售范围": "YSFW"},
        ),
        "construction_enterprise_qualification_certificate": LicenseType(
            "建筑业企业资质证书", "organization", "fixed",
            {"资质类别及等级": "ZZLBDJ", "证书编号": "ZSBH", "法定代表人": "FDDBR"}, 5,
        ),
        "construction_enterprise_work_safety_permit": LicenseType(
            "建筑施工企业安全生产许可证", "organization", "fixed",
            {"许可范围": "XKFW", "主要负责人": "ZYFZR", "单位地址": "DWDZ"}, 3, "11100000000013338W050",
        ),
    },
    "natural_resources": {
        "real_estate_ownership_certificate": LicenseType(
            "不动产权证书", "both", "either",
            {"不动产单元号": "BDCDYH", "坐落": "ZL", "权利类型": "QLLX", "权利性质": "QLXZ", "用途": "YT",
             "面积": "MJ", "使用期限": "SYQX", "共有情况": "GYQK"},
            code="11100000MB03271699001", key=BY_HOLDER,
        ),
        "real_estate_registration_certificate": LicenseType(
            "不动产登记证明", "both", "permanent",
            {"证明权利或事项": "ZMQLSX", "权利人": "QLR", "义务人": "YWR", "不动产单元号": "BDCDYH", "坐落": "ZL"},
            code="11100000MB03271699022",
        ),
        "construction_land_planning_permit": LicenseType(
            "建设用地规划许可证", "organization", "either",
            {"用地单位": "YDDW", "项目名称": "XMMC", "用地位置": "YDWZ", "用地性质": "YDXZ", "用地面积": "YDMJ"},
        ),
        "construction_project_planning_permit": LicenseType(
            "建设工程规划许可证", "both", "either",
            {"建设单位": "JSDW", "项目名称": "XMMC", "建设位置": "JSWZ", "建设规模": "JSGM"},
        ),
    },
    "education": {
        "teacher_qualification_certificate": LicenseType(
            "教师资格证书", "person", "permanent",
            {"资格种类": "ZGZL", "任教学科": "RJXK", "证书号码": "ZSHM", "认定机构": "RDJG"},
        ),
        "private_school_operating_permit": LicenseType(
            "民办学校办学许可证", "organization", "fixed",
            {"学校类型": "XXLX", "办学内容": "BXNR", "举办者": "JBZ", "校长": "XZ"},
        ),
    },
    "ecology": {
        "pollutant_discharge_permit": LicenseType(
            "排污许可证", "organization", "fixed", {"行业类别": "HYLB", "生产经营场所地址": "SCJYCSDZ"}, 5
        ),
    },
    "emergency": {
        "hazardous_chemicals_business_license": LicenseType(
            "危险化学品经营许可证", "organization", "fixed",
            {"经营方式": "JYFS", "许可范围": "XKFW", "主要负责人": "ZYFZR"}, 3,
        ),
    },
    "market_supervision": {
        "business_license": LicenseType(
            "营业执照", "both", "either",
            {"类型": "企业类型", "法定代表人/经营者": "法人代表", "注册资本": "注册资金", "成立日期": "注册日期",
             "经营范围": "经营范围", "住所": "注册地址"},
            code="11100000MB0143028R001",
        ),
        "food_business_license": LicenseType(
            "食品经营许可证", "both", "fixed", _same("主体业态", "经营项目", "经营场所"), 5
        ),
        "food_production_license": LicenseType(
            "食品生产许可证", "organization", "fixed", _same("食品类别", "生产地址"), 5
        ),
        "special_equipment_use_registration_certificate": LicenseType(
            "特种设备使用登记证", "both", "permanent",
            {"设备种类/类别/品种": "设备种类", "设备代码": "设备代码", "使用单位": "使用单位", "登记机关": "登记机关"},
        ),
        "drug_business_license": LicenseType(
            "药品经营许可证", "organization", "fixed", _same("经营方式", "经营范围", "质量负责人", "仓库地址"), 5
        ),
        "medical_device_business_license": LicenseType(
            "医疗器械经营许可证", "organization", "fixed", _same("经营方式", "经营范围", "库房地址"), 5
        ),
    },
    "disabled_persons": {
        "disability_certificate": LicenseType(
            "残疾人证", "person", "fixed",
            {"残疾类别": "残疾情况/类别", "残疾等级": "残疾情况/等级", "监护人": "监护人", "性别": "性别",
             "出生日期": "出生日期"},
            10,
        ),
    },
    "water": {
        "water_abstraction_permit": LicenseType(
            "取水许可证", "both", "fixed",
            {"取水地点": "取水/地点", "取水量": "取水/年取水量", "取水用途": "取水/用途", "水源类型": "取水/水源类型",
             "退水地点": "退水地点"},
            5,
        ),
    },
    "establishment": {
        "public_institution_legal_person_certificate": LicenseType(
            "事业单位法人证书", "organization", "fixed", _same("宗旨和业务范围", "举办单位", "开办资金", "经费来源"), 5
        ),
    },
    "tobacco": {
        "tobacco_retail_license": LicenseType(
            "烟草专卖零售许可证", "both", "fixed", _same("许可范围", "供货单位", "经营场所"), 5
        ),
    },
    "government_services": {
        "other_certificate": LicenseType(
            "其他审批证照", "both", "either", {}, key=("license_type_name", "certificate_number")
        ),
    },
}  # fmt: skip
"""Department → license type → what it is; the feed has the type's name."""

OF_THE_HOLDER: Mapping[str, frozenset[str]] = {"disability_certificate": frozenset({"性别", "出生日期"})}
"""Extra fields that repeat the holder's number."""

_CAMEL = {
    "certificate_identifier": "certIdentifier",
    "certificate_number": "certNo",
    "certificate_name": "certName",
    "certificate_version": "certVersion",
    "license_type_name": "certTypeName",
    "issue_date": "issueDate",
    "issuing_authority": "issueOrgName",
    "issuing_authority_code": "issueOrgCode",
    "district": "areaCode",
    "holder": "holderName",
    "holder_code": "holderCode",
    "holder_code_type": "holderCodeType",
    "valid_from": "validBegin",
    "valid_to": "validEnd",
    "status": "certStatus",
    "file_url": "fileUrl",
    "source_updated_at": "updateTime",
}
_SNAKE = {
    "certificate_number": "license_no",
    "certificate_identifier": "license_oid",
    "license_type_name": "license_kind",
    "holder": "owner_name",
    "holder_code_type": "owner_id_kind",
    "holder_code": "owner_id_no",
    "issue_date": "issued_on",
    "valid_from": "effective_on",
    "valid_to": "expires_on",
    "issuing_authority": "issuer",
    "issuing_authority_code": "issuer_code",
    "district": "region",
    "status": "state",
    "file_url": "file_address",
    "source_updated_at": "modified_at",
}
_NATIONAL = {
    "certificate_identifier": "ZZBS",
    "certificate_name": "ZZMC",
    "certificate_number": "ZZHM",
    "certificate_version": "ZZBB",
    "license_type_name": "ZZLXMC",
    "license_type_code": "ZZLXDM",
    "issue_date": "FZRQ",
    "valid_from": "YXQQSRQ",
    "valid_to": "YXQJZRQ",
    "validity": "YXQX",
    "issuing_authority": "FZJG",
    "issuing_authority_code": "FZJGDM",
    "district": "GXDSDM",
    "holder": "CZZT",
    "holder_code": "CZZTDM",
    "holder_code_type": "CZZTDMLX",
    "status": "ZZZT",
    "service_item_name": "SXMC",
    "service_item_code": "SXBM",
    "file_url": "ZZWJDZ",
    "source_updated_at": "cd_time",
}
_CHINESE = {
    "certificate_number": "许可证编号",
    "certificate_identifier": "电子证照标识",
    "certificate_name": "证照名称",
    "holder": "持证单位或个人",
    "holder_code_type": "证件类型",
    "holder_code": "证件号码",
    "issue_date": "发证日期",
    "valid_from": "有效期起",
    "valid_to": "有效期止",
    "issuing_authority": "发证机关",
    "district": "所属区划",
    "status": "证照状态",
    "source_updated_at": "更新时间",
}


def _without(columns: Mapping[str, str], *fields: str) -> dict[str, str]:
    return {field: column for field, column in columns.items() if field not in fields}


_TABLE_OPERATIONS: Mapping[Literal["insert", "update", "delete"], str] = {"insert": "I", "update": "U", "delete": "D"}

DIALECTS: Mapping[str, Dialect] = {
    "public_security": Dialect(
        "鄂州市公安局", "00001", _CAMEL,
        {"valid": "1", "replaced": "2", "expired": "3", "cancelled": "4", "withdrawn": "5", "revoked": "6"},
        "iso", "code6", _NATIONAL_HOLDER_TYPES, {"insert": "0", "update": "0", "delete": "1"}, ("pushNo",),
    ),
    "health": Dialect(
        "鄂州市卫生健康委员会", "00002", _SNAKE,
        {"valid": "有效", "expired": "过期", "cancelled": "注销", "revoked": "吊销", "replaced": "变更作废"},
        "slash", "long_name", {"001": "USCC", "111": "ID", "516": "HMT", "099": "ORG"},
        {"insert": "UPSERT", "update": "UPSERT", "delete": "DELETE"},
    ),
    "transport": Dialect(
        "鄂州市交通运输局", "00003",
        {"license_type_code": "certTypeCode", **_without(_CAMEL, "certificate_name")},
        {"valid": "10", "replaced": "01", "expired": "02", "cancelled": "03", "withdrawn": "04", "revoked": "05"},
        "compact", "code12", {"111": "1", "001": "2", "516": "3"},
        {"insert": "A", "update": "M", "delete": "R"}, ("syncFlag",),
    ),
    "human_resources": Dialect(
        "鄂州市人力资源和社会保障局", "00004", _without(_CAMEL, "certificate_version"),
        {"valid": "0", "expired": "1", "cancelled": "2", "replaced": "3", "revoked": "9"},
        "iso_time", "code6", {"111": "111", "001": "001", "516": "516"},
    ),
    "medical_insurance": Dialect(
        "鄂州市医疗保障局", "00005",
        {
            "certificate_number": "EC_TOKEN_NO", "holder": "PSN_NAME", "holder_code_type": "PSN_CERT_TYPE",
            "holder_code": "CERTNO", "issue_date": "OPEN_DATE", "issuing_authority": "ADMDVS_NAME",
            "district": "ADMDVS", "status": "ECTOKEN_STAS",
        },
        {"valid": "1", "cancelled": "2", "replaced": "3"},
        "iso", "code6", {"111": "01", "516": "04"},
    ),
    "government_services": Dialect(
        "鄂州市政务服务和大数据管理局", "00006",
        {
            "license_type_name": "证照类型名称", "license_type_code": "证照类型代码", "certificate_name": "证照名称",
            "certificate_number": "证照编号", "certificate_identifier": "电子证照标识", "holder": "持证主体",
            "holder_code_type": "持证主体代码类型", "holder_code": "持证主体代码", "issue_date": "颁发日期",
            "valid_from": "有效期起始日期", "valid_to": "有效期截止日期", "issuing_authority": "颁发机构",
            "issuing_authority_code": "颁发机构代码", "district": "管辖属地", "service_item_name": "事项名称",
            "service_item_code": "事项编码", "status": "证照状态", "file_url": "文件地址",
            "source_updated_at": "更新时间",
        },
        {"valid": "正常", "expired": "过期", "cancelled": "注销", "withdrawn": "撤销", "revoked": "吊销"},
        "iso", "long_name", _NATIONAL_HOLDER_TYPES,
    ),
    "civil_affairs": Dialect(
        "鄂州市民政局", "00007", _NATIONAL,
        {"valid": "1", "cancelled": "2", "withdrawn": "3", "expired": "4", "replaced": "5"},
        "iso", "code6", {"001": "统一社会信用代码", "111": "居民身份证", "516": "港澳居民来往内地通行证"},
        _TABLE_OPERATIONS, ("cd_batch",),
    ),
    "housing": Dialect(
        "鄂州市住房和城乡建设局", "00008", _NATIONAL,
        {"valid": "01", "replaced": "02", "withdrawn": "03", "cancelled": "04", "expired": "05",
         "transferred_out": "06", "revoked": "07"},
        "iso", "code12", _NATIONAL_HOLDER_TYPES, _TABLE_OPERATIONS, ("cd_batch",),
    ),
    "natural_resources": Dialect(
        "鄂州市自然资源和规划局", "00009", _NATIONAL,
        {"valid": "现势", "replaced": "历史", "cancelled": "注销", "withdrawn": "撤销"},
        "chinese", "code9", {"111": "1", "516": "3", "001": "7", "099": "99"}, _TABLE_OPERATIONS, ("cd_batch",),
    ),
    "education": Dialect(
        "鄂州市教育局", "00010", _without(_NATIONAL, "license_type_code", "validity"),
        {"valid": "Y", "cancelled": "N", "withdrawn": "C", "expired": "G"},
        "compact", "short_name", {"111": "111", "001": "001", "516": "516"}, _TABLE_OPERATIONS,
        ("cd_batch", "cd_valid", "cd_scan"),
    ),
    "ecology": Dialect(
        "鄂州市生态环境局", "00011", _without(_NATIONAL, "license_type_code", "validity"),
        {"valid": "有效", "cancelled": "注销", "expired": "失效", "revoked": "吊销", "withdrawn": "撤销"},
        "epoch_milliseconds", "long_name", _NATIONAL_HOLDER_TYPES, _TABLE_OPERATIONS, ("cd_batch",),
    ),
    "emergency": Dialect(
        "鄂州市应急管理局", "00012", _without(_NATIONAL, "license_type_code", "certificate_version"),
        {"valid": "1", "expired": "0", "cancelled": "2", "revoked": "3", "withdrawn": "4"},
        "slash", "code6", _NATIONAL_HOLDER_TYPES, {}, ("cd_valid", "cd_scan"),
    ),
    "market_supervision": Dialect(
        "鄂州市市场监督管理局", "00013", _CHINESE,
        {"valid": "有效", "expired": "过期", "cancelled": "已注销", "withdrawn": "已撤销", "revoked": "已吊销"},
        "iso", "short_name", {"001": "统一社会信用代码", "111": "身份证"}, {}, ("序号",),
    ),
    "disabled_persons": Dialect(
        "鄂州市残疾人联合会", "00014",
        {
            "certificate_number": "证号", "holder": "持证人/姓名", "holder_code": "持证人/身份证号",
            "issue_date": "发证/日期", "issuing_authority": "发证/机关", "valid_to": "有效期至",
            "district": "所在区", "status": "状态", "source_updated_at": "更新时间",
        },
        {"valid": "正常", "cancelled": "注销", "expired": "过期", "transferred_out": "迁出"},
        "serial", "short_name", {"111": "111"}, {}, ("序号",),
    ),
    "water": Dialect(
        "鄂州市水利和湖泊局", "00015",
        {
            "certificate_number": "许可证编号", "certificate_identifier": "电子证照标识", "holder": "取水权人/名称",
            "holder_code_type": "取水权人/证件类型", "holder_code": "取水权人/证件号码",
            "issue_date": "有效期/发证日期",
            "valid_from": "有效期/起", "valid_to": "有效期/止", "issuing_authority": "审批机关",
            "district": "行政区", "status": "状态", "source_updated_at": "更新时间",
        },
        {"valid": "有效", "cancelled": "注销", "expired": "到期", "revoked": "吊销"},
        "iso", "short_name", {"001": "统一社会信用代码", "111": "身份证"},
    ),
    "establishment": Dialect(
        "中共鄂州市委机构编制委员会办公室", "00016",
        {
            "certificate_number": "统一社会信用代码", "holder": "单位名称", "issue_date": "颁发日期",
            "valid_from": "有效期自", "valid_to": "有效期至", "issuing_authority": "登记管理机关", "district": "区划",
            "status": "登记状态",
        },
        {"valid": "正常", "cancelled": "注销", "withdrawn": "撤销", "expired": "废止"},
        "chinese", "long_name", {"001": "001"}, {}, ("法定代表人",),
    ),
    "tobacco": Dialect(
        "鄂州市烟草专卖局", "00017",
        {
            "certificate_number": "许可证号", "holder": "企业(字号)名称", "holder_code_type": "证件类别",
            "holder_code": "证件号", "issue_date": "发证日期", "valid_from": "有效期限起", "valid_to": "有效期限止",
            "issuing_authority": "发证机关", "district": "辖区", "status": "许可证状态",
        },
        {"valid": "在用", "expired": "到期", "cancelled": "歇业注销", "revoked": "收回"},
        "slash", "short_name", {"001": "营业执照", "111": "身份证"}, {}, ("客户编码",),
    ),
}  # fmt: skip
"""Department → how it writes; credit codes of authorities are made up."""

REGISTER_COLUMNS: Mapping[str, str] = {
    "holder": "企业名称",
    "certificate_number": "统一社会信用代码",
    "issue_date": "注册日期",
    "district": "地区",
}
"""The business license uses the names of the register (登记簿), which has fewer fields."""

SAME_COLUMN = {"business_license": {"holder_code": "certificate_number"},
               "public_institution_legal_person_certificate": {"holder_code": "certificate_number"}}  # fmt: skip
"""Fields that are determined by the column of another one."""

CONSTANTS: Mapping[str, Mapping[str, str]] = {
    "business_license": {
        "certificate_name": "营业执照",
        "license_type_code": "11100000MB0143028R001",
        "license_type_name": "营业执照",
        "holder_code_type": "001",
    },
    "public_institution_legal_person_certificate": {"holder_code_type": "001"},
    "disability_certificate": {"holder_code_type": "111"},
}
"""What is the same for all rows of a feed and so is not delivered, in addition to the name of the type."""


def constants_of(department: str, license_type: str) -> dict[str, str]:
    """Return the standard fields that are the same for all certificates of a feed and in no column."""
    sheet = TYPES[department][license_type]
    delivered = columns_of(department, license_type)
    constants = dict(CONSTANTS.get(license_type, {}))
    for name, value in (("certificate_name", sheet.name), ("license_type_name", sheet.name)):
        if name not in delivered:
            constants.setdefault(name, value)
    if sheet.code is not None and "license_type_code" not in delivered:
        constants.setdefault("license_type_code", sheet.code)
    return constants


def columns_of(department: str, license_type: str) -> Mapping[str, str]:
    """Return the standard fields that a feed delivers, each with its column."""
    return REGISTER_COLUMNS if license_type == "business_license" else DIALECTS[department].columns


def fields_of(department: str, license_type: str) -> frozenset[str]:
    """Return the standard fields that the store can have of a feed's certificates."""
    return frozenset(
        {
            *columns_of(department, license_type),
            *constants_of(department, license_type),
            *SAME_COLUMN.get(license_type, {}),
        }
    )


def _http(department: str, license_type: str) -> HttpPlace:
    path = "".join(part.capitalize() if place else part for place, part in enumerate(license_type.split("_")))
    match department:
        case "public_security":
            # One of its interfaces returns no total, and repeats its last page for every later number.
            repeats = license_type == "household_register"
            return HttpPlace(
                f"certs/{license_type}", "hmac_sha256", "number", since_parameter="beginTime",
                until_parameter="endTime", page_parameter="pageNo", size_parameter="pageSize",
                total_at=None if repeats else "data.total", repeats_last_page=repeats,
            )  # fmt: skip
        case "health":
            return HttpPlace(
                f"share/{license_type}", "token", "cursor", has_until=False, since_parameter="modified_since",
                size_parameter="limit", rows_at="result.list", total_at=None, next_at="result.next_cursor",
                code_at="errcode", message_at="errmsg", ok_code=0, retry_code=45009, token_code=40001,
                refusal_code=40003, omits_empty=True,
            )  # fmt: skip
        case "transport":
            return HttpPlace(
                f"api/{path}", "md5", "time", has_until=False, since_parameter="startTime", size_parameter="rows",
                rows_at="data", total_at=None, code_at="status", message_at="msg", ok_code="success",
                retry_code="busy", token_code="expired", refusal_code="denied", method="post",
                id_header="appkey", time_header="rtime", signature_header="sign",
            )  # fmt: skip
        case "human_resources":
            return HttpPlace(
                f"gateway/{license_type}/query", "hmac_sha256", "cursor", since_parameter="updatedFrom",
                until_parameter="updatedTo", cursor_parameter="nextToken", size_parameter="maxResults",
                total_at="data.count", next_at="data.nextToken", method="post", time_unit="seconds", encoding="base64",
                id_header="X-App-Key", time_header="X-Time", signature_header="X-Sign",
            )  # fmt: skip
        case "medical_insurance":
            return HttpPlace(
                "fsi/api/ectoken/list", "token", "number", has_until=False, whole=True, page_parameter="page_num",
                size_parameter="page_size", rows_at="output.data", total_at="output.recordCounts",
                code_at="infcode", message_at="err_msg", ok_code=0, retry_code=-1, token_code=1001, refusal_code=1002,
            )  # fmt: skip
        case _:
            return HttpPlace(
                "dzzz/certificates", "md5", "number", since_parameter="begin", until_parameter="end",
                page_parameter="pageIndex", size_parameter="pageSize", first_page=0, doubled_rows=True,
                id_header="appkey", time_header="rtime", signature_header="sign",
            )  # fmt: skip


_HTTP = ("public_security", "health", "transport", "human_resources", "medical_insurance", "government_services")
_TABLES = ("civil_affairs", "housing", "natural_resources", "education", "ecology", "emergency")
_HTTP_WORDS: Mapping[str, tuple[str, str | None]] = {
    "public_security": ("rid", "delFlag"),
    "health": ("record_id", "action"),
    "transport": ("seqNo", "opType"),
    "human_resources": ("recordId", None),
    "medical_insurance": ("EC_ID", None),
    "government_services": ("记录号", None),
}


def _file(department: str, license_type: str) -> FilePlace:
    match department:
        case "disabled_persons":
            return FilePlace(license_type, "xlsx", manifest=False, titles=2, cover=True, habits=frozenset({"footers"}))
        case "water":
            return FilePlace(license_type, "xlsx", over_sftp=True, titles=1, sheets=2)
        case "establishment":
            habits = frozenset[FileHabit]({"delimiter_line", "blanks_beside_quotes", "footers", "end_of_text"})
            return FilePlace(license_type, "csv_utf8", over_sftp=True, whole=True, habits=habits)
        case "tobacco":
            habits = frozenset[FileHabit]({"title", "empty_columns", "utf8_lines", "text_marks", "footers", "strays"})
            return FilePlace(license_type, "csv_gb18030", whole=True, habits=habits)
    forms: Mapping[str, Literal["csv_bom", "csv_gb18030"]] = {
        "food_business_license": "csv_bom",
        "drug_business_license": "csv_gb18030",
    }
    habits_of = {
        "food_business_license": frozenset[FileHabit]({"two_marks"}),
        "food_production_license": frozenset[FileHabit]({"open_quotes"}),
        "medical_device_business_license": frozenset[FileHabit]({"open_quotes"}),
    }
    return FilePlace(
        license_type, forms.get(license_type, "csv_utf8"), habits=habits_of.get(license_type, frozenset[FileHabit]())
    )


_UNWANTED_KINDS: Mapping[str, Literal["text", "bit", "bytes"]] = {"cd_valid": "bit", "cd_scan": "bytes"}


def _system(department: str, license_type: str) -> SourceSystem:
    dialect = DIALECTS[department]
    columns = [Column(column, name) for name, column in columns_of(department, license_type).items()]
    columns += [
        Column(column, f"extension.{name}")
        for name, column in TYPES[department][license_type].extras.items()
        if column not in {known.name for known in columns}
    ]
    feed = "other_certificates" if license_type == "other_certificate" else license_type
    row_id = operation = None
    time_column = dialect.columns.get("source_updated_at")
    place: HttpPlace | TablePlace | FilePlace
    if department in _HTTP:
        place = _http(department, license_type)
        row_id, operation = _HTTP_WORDS[department]
        connection = f"{department}_api"
    elif department in _TABLES:
        whole = department == "emergency"
        place = TablePlace(department, f"ex_{license_type}"[:60], whole, time_as_text=department == "ecology")
        row_id, operation = "id", None if whole else "cd_operation"
        connection = f"{department}_exchange"
    else:
        place = _file(department, license_type)
        connection = f"{department}_drop"
        if license_type == "business_license":
            time_column = None
    if row_id is not None:
        columns.insert(0, Column(row_id, "row_id"))
    if operation is not None:
        columns.append(Column(operation, "operation"))
    unwanted = ("所在省份",) if license_type == "business_license" else dialect.unwanted
    columns += [Column(name, None, _UNWANTED_KINDS.get(name, "text")) for name in unwanted]
    return SourceSystem(
        department=department,
        feed=feed,
        license_type=license_type,
        connection=connection,
        place=place,
        columns=tuple(columns),
        row_id=row_id,
        time_column=time_column,
        operation_column=operation,
        overlap_minutes=120 if department in _TABLES else 60,
    )


SYSTEMS: tuple[SourceSystem, ...] = tuple(
    _system(department, license_type) for department, types in TYPES.items() for license_type in types
)
"""All feeds of the city: the 51 types, and the certificates of other types that approvals produced."""
