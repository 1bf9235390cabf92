"""The extra fields (扩展字段) of each license type, made up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from simulator.business_licenses import credit_code
from simulator.numbers import identity_number, plate


@dataclass(frozen=True)
class IssuedCertificate:
    """What the extra fields of a certificate are made from; `valid_to` is None for a certificate without an end.

    `other_person` is the name of somebody else than the holder, `number` the certificate's number.
    """

    serial: int
    issued_on: date
    valid_to: date | None
    holder: str
    holder_code: str
    other_person: str
    number: str

    @property
    def issue_date(self) -> str:
        """The day of issue in ISO form."""
        return self.issued_on.isoformat()

    @property
    def end(self) -> str:
        """The last day of validity as a certificate shows it."""
        return self.valid_to.isoformat() if self.valid_to else "长期"

    @property
    def address(self) -> str:
        """An address in a street that does not exist."""
        return f"鄂州市虚构区不存在路{self.serial % 997 + 1}号"

    @property
    def employer(self) -> str:
        """The organisation that the holder works for."""
        return f"鄂州市虚构服务中心{self.serial % 50 + 1:02d}"

    @property
    def real_estate_unit(self) -> str:
        """The number of a real estate unit (不动产单元号)."""
        return f"420704001001GB{self.serial:05d}F{self.serial % 100_000_000:08d}"


_EXTRAS: Mapping[str, Callable[[IssuedCertificate], dict[str, str]]] = {
    "resident_identity_card": lambda of: {
        "民族": ("汉", "土家", "回", "苗")[of.serial % 4], "住址": of.address, "签发机关": "鄂州市公安局虚构分局",
        "有效期限": f"{of.issue_date}至{of.end}",
    },
    "household_register": lambda of: {
        "户别": ("家庭户", "集体户")[of.serial % 2], "户主姓名": of.other_person,
        "与户主关系": ("户主", "配偶")[of.serial % 2], "户号": f"420704{(of.serial + 1) // 2:06d}", "住址": of.address,
    },
    "residence_permit": lambda of: {"居住地址": of.address, "签发日期": of.issue_date},
    "motor_vehicle_driving_license": lambda of: {
        "准驾车型": ("C1", "C2", "B2", "A1A2", "C1D")[of.serial % 5], "档案编号": f"420700{of.serial:06d}",
        "初次领证日期": of.issue_date, "证件状态": "正常",
    },
    "motor_vehicle_license": lambda of: {
        "号牌号码": of.number, "车辆识别代号": f"LSVXN{of.serial:012d}", "发动机号": f"XN{of.serial:06d}",
        "使用性质": ("非营运", "货运", "出租客运")[of.serial % 3],
        "检验有效期": f"{of.issued_on.year + 6}-{of.issued_on.month:02d}",
    },
    "medical_certificate_of_birth": lambda of: {
        "新生儿姓名": of.other_person, "性别": "男女"[of.serial % 2], "出生日期": of.issue_date,
        "父母身份证件号码": f"{of.holder_code}、{identity_number(5_000_000 + of.serial)}",
        "接生机构": "鄂州市虚构妇幼保健院",
    },
    "birth_registration_certificate": lambda of: {
        "夫妻双方信息": f"{of.holder}、{of.other_person}", "孩次": "一二三"[of.serial % 3] + "孩",
        "登记日期": of.issue_date,
    },
    "marriage_certificate": lambda of: {
        "结婚证字号": of.number, "登记日期": of.issue_date, "登记机关": "鄂州市虚构区民政局",
        "双方姓名/证件号": f"{of.holder}、{of.other_person}",
    },
    "divorce_certificate": lambda of: {"离婚证字号": of.number, "登记日期": of.issue_date},
    "minimum_living_allowance_certificate": lambda of: {
        "保障类别": ("城市低保", "农村低保")[of.serial % 2], "保障人数": str(1 + of.serial % 5),
        "月保障金额": f"{300 + of.serial % 700}.00",
    },
    "social_security_card": lambda of: {
        "社会保障号码": of.holder_code, "卡号": of.number, "发卡地区": "鄂州市",
        "有效期": f"{of.issued_on.year + 10}-{of.issued_on.month:02d}",
    },
    "employment_and_entrepreneurship_certificate": lambda of: {
        "证件编号": of.number, "就业状态": ("已就业", "登记失业", "自主创业")[of.serial % 3],
        "登记日期": of.issue_date,
    },
    "disability_certificate": lambda of: {
        "残疾类别": ("视力", "听力", "言语", "肢体", "智力", "精神", "多重")[of.serial % 7],
        "残疾等级": "一二三四"[of.serial % 4] + "级", "监护人": of.other_person,
        "性别": "女男"[int(of.holder_code[16]) % 2],
        "出生日期": f"{of.holder_code[6:10]}-{of.holder_code[10:12]}-{of.holder_code[12:14]}",
    },
    "medical_insurance_e_voucher": lambda of: {
        "参保地": "鄂州市", "参保状态": ("正常参保", "暂停参保")[of.serial % 9 == 0],
        "险种": ("城乡居民基本医疗保险", "职工基本医疗保险")[of.serial % 2],
    },
    "teacher_qualification_certificate": lambda of: {
        "资格种类": ("幼儿园教师资格", "小学教师资格", "高级中学教师资格")[of.serial % 3],
        "任教学科": ("语文", "数学", "英语")[of.serial % 3], "证书号码": of.number, "认定机构": "鄂州市虚构区教育局",
    },
    "physician_practice_certificate": lambda of: {
        "执业类别": ("临床", "口腔", "中医")[of.serial % 3], "执业范围": "内科专业", "主要执业机构": "鄂州市虚构医院",
        "执业证书编码": of.number,
    },
    "nurse_practice_certificate": lambda of: {"执业地点": "鄂州市虚构医院", "编码": of.number},
    "road_transport_practitioner_qualification_certificate": lambda of: {
        "从业资格类别": ("经营性道路旅客运输驾驶员", "道路货物运输驾驶员")[of.serial % 2],
        "准驾车型": ("A1", "A2", "B2")[of.serial % 3], "初领日期": of.issue_date,
    },
    "cruising_taxi_driver_certificate": lambda of: {"服务单位": of.employer, "资格证号": of.number},
    "online_hailed_taxi_driver_certificate": lambda of: {"资格证号": of.number, "初领日期": of.issue_date},
    "construction_safety_manager_competency_certificate": lambda of: {
        "岗位类别代码A/B/C1/C2/C3": ("A", "B", "C1", "C2", "C3")[of.serial % 5], "企业名称": "鄂州市虚构建筑有限公司",
        "统一社会信用代码": credit_code(900_000 + of.serial % 100), "证书状态": "有效",
    },
    "construction_special_operation_qualification_certificate": lambda of: {
        "工种类别代码01-11/99": f"{1 + of.serial % 11:02d}", "初次领证日期": of.issue_date,
        "使用期": f"{of.issue_date}至{of.end}",
    },
    "real_estate_ownership_certificate": lambda of: {
        "不动产单元号": of.real_estate_unit, "坐落": of.address, "权利类型": "国有建设用地使用权/房屋所有权",
        "权利性质": "出让", "用途": "住宅", "面积": f"{60 + of.serial % 90}.50",
        "使用期限": f"{of.issued_on.year + 70}年止", "共有情况": "共同共有",
    },
    "real_estate_registration_certificate": lambda of: {
        "证明权利或事项": ("抵押权", "预告登记")[of.serial % 2], "权利人": "虚构银行", "义务人": of.holder,
        "不动产单元号": of.real_estate_unit, "坐落": of.address,
    },
    "construction_land_planning_permit": lambda of: {
        "用地单位": of.holder, "项目名称": f"虚构项目{of.serial}", "用地位置": of.address, "用地性质": "居住用地",
        "用地面积": f"{5000 + of.serial % 9000}",
    },
    "construction_project_planning_permit": lambda of: {
        "建设单位": of.holder, "项目名称": f"虚构项目{of.serial}", "建设位置": of.address,
        "建设规模": f"{5000 + of.serial % 9000}平方米",
    },
    "building_construction_permit": lambda of: {
        "建设单位": of.holder, "工程名称": f"虚构工程{of.serial}", "合同价格": f"{100 + of.serial % 9000}万元",
        "施工/监理/设计单位": "虚构建筑公司/虚构监理公司/虚构设计院", "合同工期": f"{180 + of.serial % 400}天",
    },
    "commodity_housing_presale_permit": lambda of: {
        "项目名称": f"虚构家园{of.serial}期", "坐落": of.address, "预售面积": f"{5000 + of.serial % 9000}",
        "预售范围": f"{1 + of.serial % 9}号楼",
    },
    "construction_enterprise_qualification_certificate": lambda of: {
        "资质类别及等级": "建筑工程施工总承包三级", "证书编号": of.number, "法定代表人": of.other_person,
    },
    "construction_enterprise_work_safety_permit": lambda of: {
        "许可范围": "建筑施工", "主要负责人": of.other_person, "单位地址": of.address,
    },
    "business_license": lambda of: {
        "类型": ("有限责任公司", "个体工商户", "股份有限公司")[of.serial % 3], "法定代表人/经营者": of.other_person,
        "注册资本": f"{10 + of.serial % 500}万元人民币", "成立日期": of.issue_date,
        "经营范围": (
            "虚构货物的批发、零售", '虚构餐饮服务;食品销售,"外卖"配送。', "虚构水产养殖、销售\n虚构农产品初加工",
        )[of.serial % 3],
        "住所": of.address,
    },
    "food_business_license": lambda of: {
        "主体业态": ("食品销售经营者", "餐饮服务经营者", "单位食堂")[of.serial % 3],
        "经营项目": "预包装食品销售,散装食品销售", "经营场所": of.address,
    },
    "food_production_license": lambda of: {
        "食品类别": ("粮食加工品", "水产制品")[of.serial % 2], "生产地址": of.address,
    },
    "special_equipment_use_registration_certificate": lambda of: {
        "设备种类/类别/品种": "电梯/曳引与强制驱动电梯/曳引驱动乘客电梯", "设备代码": f"3110420700{of.serial:07d}",
        "使用单位": of.holder, "登记机关": "鄂州市市场监督管理局",
    },
    "drug_business_license": lambda of: {
        "经营方式": ("零售", "批发")[of.serial % 2], "经营范围": "中成药,化学药制剂", "质量负责人": of.other_person,
        "仓库地址": of.address,
    },
    "medical_device_business_license": lambda of: {
        "经营方式": ("零售", "批发")[of.serial % 2], "经营范围": "三类医疗器械", "库房地址": of.address,
    },
    "public_place_hygiene_permit": lambda of: {
        "许可项目": ("住宿场所", "理发店")[of.serial % 2], "经营地址": of.address, "负责人": of.other_person,
    },
    "medical_institution_practice_license": lambda of: {
        "诊疗科目": "内科,外科,中医科", "床位": str(of.serial % 300), "主要负责人": of.other_person,
    },
    "road_transport_business_license": lambda of: {
        "经营范围": "道路普通货物运输", "业户名称": of.holder, "地址": of.address,
    },
    "road_transport_vehicle_certificate": lambda of: {
        "车牌号码": plate(of.serial), "车牌颜色": ("黄色", "蓝色", "绿色")[of.serial % 3], "车辆类型": "重型货车",
        "吨(座)位": str(5 + of.serial % 30), "年审状态": "合格", "技术等级": "一级",
    },
    "road_dangerous_goods_transport_license": lambda of: {"经营范围": "道路危险货物运输(第3类)"},
    "online_hailed_taxi_operator_license": lambda of: {"经营区域": "鄂州市", "平台公司": "虚构出行有限公司"},
    "water_abstraction_permit": lambda of: {
        "取水地点": "虚构湖", "取水量": f"{1 + of.serial % 90}万立方米", "取水用途": "工业用水",
        "水源类型": ("地表水", "地下水")[of.serial % 2], "退水地点": "虚构湖",
    },
    "pollutant_discharge_permit": lambda of: {
        "行业类别": ("水泥制造", "水产品加工")[of.serial % 2], "生产经营场所地址": of.address,
    },
    "hazardous_chemicals_business_license": lambda of: {
        "经营方式": "不带储存设施经营", "许可范围": "汽油,柴油", "主要负责人": of.other_person,
    },
    "public_institution_legal_person_certificate": lambda of: {
        "宗旨和业务范围": "虚构服务", "举办单位": "鄂州市虚构局", "开办资金": f"{1 + of.serial % 90}万元",
        "经费来源": "财政补助",
    },
    "social_organisation_registration_certificate": lambda of: {
        "业务范围": "虚构交流", "业务主管单位": "鄂州市虚构局", "注册资金": f"{3 + of.serial % 9}万元",
    },
    "private_non_enterprise_unit_registration_certificate": lambda of: {
        "业务范围": "虚构服务", "业务主管单位": "鄂州市虚构局", "开办资金": f"{3 + of.serial % 9}万元",
    },
    "private_school_operating_permit": lambda of: {
        "学校类型": "民办幼儿园", "办学内容": "学前教育", "举办者": of.other_person, "校长": of.other_person,
    },
    "human_resources_service_permit": lambda of: {"服务范围": "职业介绍", "机构性质": "民营", "住所": of.address},
    "tobacco_retail_license": lambda of: {
        "许可范围": "卷烟零售", "供货单位": "鄂州市虚构烟草公司", "经营场所": of.address,
    },
}  # fmt: skip
"""License type → its extra fields; a type that is not here has none."""


def extra_fields(license_type: str, certificate: IssuedCertificate) -> dict[str, str]:
    """Return the extra fields of a certificate, by name and in the order of the type."""
    return _EXTRAS[license_type](certificate) if license_type in _EXTRAS else {}
