"""What people see of delivered rows: no name, no identity number, no mobile number, in whatever form it came."""

from pathlib import Path

import pytest

from simulator.business_licenses import credit_code
from zhengku.catalog import load_catalog
from zhengku.catalog.record_masks import holder_kind, mask_key, mask_payload
from zhengku.errors import ConfigurationError, DeliveryRejected
from zhengku.masking import HolderKind, mask_holder, mask_identity, mask_name, mask_people, mask_text, mask_texts
from zhengku.report.templates import templates

CATALOG = load_catalog(Path(__file__).resolve().parents[3] / "include" / "catalog")
FEED = CATALOG.feed("market_supervision", "business_license")


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张某某", "张**"),
        ("欧阳某某某某", "欧*****"),
        ("张　某", "张*"),
        ("某某·某某某", "某*****"),
        ("某某•某某", "某****"),
        ("某某・某某", "某****"),
        ("ZHANG MOUMOU", "Z**********"),
        ("张某某、李某某", "张**、李**"),
        ("张某，李某；王某/赵某", "张*,李*;王*/赵*"),
        ("鄂州市虚构商贸有限公司", "鄂**********"),
        ("张", "*"),
        ("", ""),
    ],
)
def test_names_of_people_keep_one_character_each(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("张某某/420704199001011234；李某/420704199101011235", "张**/420***********1234;李*/420***********1235"),
        ("张某某、李某", "张**、李*"),
        ("420704199001011234、42070419910101123X", "420***********1234、420***********123X"),
        ("张某某(420704199001011234)", "张**(420***********1234)"),
        ("张某某420704199001011234", "张**420***********1234"),
        ("张某", "张*"),
        ("", ""),
    ],
)
def test_names_and_numbers_in_one_text_are_each_masked(text: str, masked: str) -> None:
    assert mask_people(text) == masked


@pytest.mark.parametrize(
    "name",
    [
        "鄂州市虚构商贸有限公司",
        "虚构公司",
        "鄂州市虚构小吃店",
        "鄂州市虚构种植专业合作社",
        "鄂州市虚构超市(个体工商户)",
        "鄂州市虚构中心",
        "鄂州市虚构人民医院",
        "鄂州市虚构局",
    ],
)
def test_organisations_that_hold_a_certificate_stay(name: str) -> None:
    assert mask_holder(name) == name


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张某某", "张**"),
        ("某知行", "某**"),
        ("某某会", "某**"),
        ("某中心", "某**"),
        ("某某某·某某行", "某******"),
        ("买买提某某", "买****"),
        ("张某、李某、王会", "张*、李*、王*"),
        ("张某某(虚构公司)", "张********"),
        ("张某、鄂州市虚构公司", "张*、鄂州市虚构公司"),
    ],
)
def test_people_that_hold_a_certificate_are_masked(name: str, masked: str) -> None:
    assert mask_holder(name) == masked


@pytest.mark.parametrize(
    "number",
    [
        "420704198001011234",
        "42070419800101123X",
        "42070419800101123x",
        "420704800101123",
        "420704 19800101 1234",
        "420704-19800101-1234",
        "420704－19800101－123Ｘ",
        "４２０７０４１９８００１０１１２３４",
        "420704\u200b19800101\u200b1234",
        "ID420704198001011234",
        "13800138000",
        "+8613800138000",
        "008613800138000",
        "013800138000",
        "138-0013-8000",
        "138 0013 8000",
        "１３８００１３８０００",
        "tel13800138000",
        "13800138000X",
        "1 3 8 0 0 1 3 8 0 0 0",
        "42070419800101123A",
        "4207041980010112345",
        "42070419800101123",
        "420704-800101-123",
        "81000019800101123X",
        "911840198001011234",
    ],
)
@pytest.mark.parametrize("around", ["{}", "电话{}转", "某某 {}, 某某"])
def test_numbers_of_people_are_masked_in_every_form(number: str, around: str) -> None:
    masked = mask_text(around.format(number))
    assert masked != around.format(number)
    assert "0198001" not in masked
    assert "19800101" not in masked
    assert "*" * 4 in masked
    assert sum(character.isdigit() for character in masked) <= 7


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("1234 420704 19800101 1234", "1234 420*************1234"),
        ("13800138000 13900139000", "138****8000 139****9000"),
        ("2024-01-01 13800138000", "2024-01-01 138****8000"),
        ("张某某_420704198001011234_第2稿.xlsx", "张某某_420***********1234_第2稿.xlsx"),
        ("0711-3356789", "071*****6789"),
        ("(0711)3356789", "(07******6789"),
        ("（０７１１）３３５６７８９", "(07******6789"),
        ("071133567890转801", "071*****7890转801"),
        ("+86 711 3356789", "+86********6789"),
        ("010-8235 6789", "010******6789"),
        ("400-123-4567", "400*****4567"),
        ("电话：3356789", "电话:*******"),
        ("手机号为 3356 7890", "手机号为 3******90"),
        ("E12345678", "E******78"),
        ("护照号ea1234567。", "护照号e******67。"),
        ("H12345678、M1234567801", "H******78、M********01"),
        ("K12345678 MA1234567", "K******78 M******67"),
        ("护照号码：X1234567", "护照号码:X*****67"),
        ("台胞证号：12345678", "台胞证号:********"),
        ("台胞证号：1234567890", "台胞证号:1*******90"),
        ("身份证42070419801301123", "身份证420**********1123"),
        ("6222021234567890128", "622************0128"),
        ("6222 0212 3456 7890 128", "622**************** 128"),
        ("4111 1111 1111 1111", "411************1111"),
    ],
)
def test_numbers_of_every_kind_are_masked_and_what_stands_beside_them_stays(text: str, masked: str) -> None:
    assert mask_text(text) == masked
    assert mask_text(masked) == masked, "a masked text is not masked again"


@pytest.mark.parametrize(
    "text",
    [
        "鄂州市鄂城区虚构路1号（某楼）",
        "91420700178119634K",
        "914207001000000092",
        "114207000000000XX1",
        "鄂(2020)鄂州市不动产权第0001234号",
        "建字第420704202000001号",
        "JY14207040012345",
        "鄂建安许字20240101000123",
        "202401010001234567",
        "420700202401010000123",
        "XN2024000000123",
        "PJ202401010000123",
        "P20240101",
        "护照 2024-01-01 到期，电话20240101",
        "2021-1-30 2021-12-10",
        "2024-01-01 2024-12-31",
        "2026-11-24T16:30:00.123456+08:00",
        "manual__2026-11-24T16:30:00+00:00",
        "1588262400000",
        "第 12345678901 批，共 1,380,013,800 元，合 138.0013 万",
        "010-20240101",
        "4001234567",
        "6222021234567890123",
        "ab13800138000cd13800138000ef",
        "192.168.100.100:15432",
        "2020-05-01 12:30:00",
        "20200501123000",
        "100万元人民币",
        credit_code(1),
        "11100000000013338W011",
        "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.0",
    ],
)
def test_text_without_such_numbers_stays_as_it_came(text: str) -> None:
    assert mask_text(text) == text


def test_identity_numbers_are_masked_and_credit_codes_stay() -> None:
    assert mask_identity(credit_code(1)) == credit_code(1)
    assert mask_identity("91420700178119634K") == "91420700178119634K"
    assert mask_identity("420704198001011234") == "420***********1234"
    assert mask_identity("91420719800101123X") == "914***********123X"
    assert mask_identity("42070419800101123A") == "420***********123A", "a mistyped identity number is no credit code"
    assert mask_identity("1234567") == "*******"
    assert mask_identity("914207001000000092") == "914207001000000092", "digits alone, and its check character right"
    assert mask_identity("914207001000000093") == "914***********0093"


@pytest.mark.parametrize("number", ["E12345678", "EA1234567", "G1234567", "H1234567801", "AB123456", "123456789"])
def test_passports_and_permits_keep_one_and_two_characters(number: str) -> None:
    assert mask_identity(number) == f"{number[0]}{'*' * (len(number) - 3)}{number[-2:]}"


@pytest.mark.parametrize(
    ("kind", "name", "masked"),
    [
        ("person", "鄂州市虚构公司", "鄂******"),
        ("person", "张某某", "张**"),
        ("organization", "鄂州市虚构某某摊点", "鄂州市虚构某某摊点"),
        ("organization", "张某某", "张**"),
        ("organization", "某某·某某某某", "某******"),
        (None, "鄂州市虚构某某摊点", "鄂********"),
        (None, "某某·某某某某", "某******"),
    ],
)
def test_what_a_holder_is_declared_to_be_decides(kind: HolderKind | None, name: str, masked: str) -> None:
    assert mask_holder(name, kind) == masked


@pytest.mark.parametrize(
    ("license_type", "code_type", "kind"),
    [
        ("resident_identity_card", None, "person"),
        ("resident_identity_card", "001", "person"),
        ("building_construction_permit", None, "organization"),
        ("building_construction_permit", "111", "person"),
        ("construction_project_planning_permit", None, None),
        ("construction_project_planning_permit", "099", "organization"),
        ("construction_project_planning_permit", "411", "person"),
        (None, None, None),
    ],
)
def test_license_type_and_type_of_the_code_say_what_a_holder_is(
    license_type: str | None, code_type: str | None, kind: HolderKind | None
) -> None:
    assert holder_kind(CATALOG, license_type, code_type) == kind


def test_builder_may_be_a_person_whatever_the_holder_is() -> None:
    feed = CATALOG.feed("natural_resources", "construction_project_planning_permit")
    row = {"CZZT": "鄂州市虚构某某", "CZZTDMLX": "7", "JSDW": "张某某"}
    assert mask_payload(row, feed, CATALOG) == {"CZZT": "鄂州市虚构某某", "CZZTDMLX": "7", "JSDW": "张**"}
    row = {"CZZT": "鄂州市虚构某某", "CZZTDMLX": "1", "JSDW": "鄂州市虚构公司"}
    assert mask_payload(row, feed, CATALOG) == {"CZZT": "鄂******", "CZZTDMLX": "1", "JSDW": "鄂州市虚构公司"}


def test_applicant_that_is_an_organisation_stays() -> None:
    feed = CATALOG.feed("unified_acceptance", "service_cases")
    column = feed.fields["applicant"].column
    assert column is not None
    assert mask_payload({column: "鄂州市虚构公司"}, feed, CATALOG) == {column: "鄂州市虚构公司"}
    assert mask_payload({column: "张某某"}, feed, CATALOG) == {column: "张**"}


def test_key_is_masked_part_by_part() -> None:
    feed = CATALOG.feed("unified_acceptance", "service_cases")
    assert mask_key("420700202401010000123|1", feed.department, feed.id, CATALOG) == "420700202401010000123|1"
    removed = mask_key("420704198001011234|E12345678|1", "removed", "removed", CATALOG)
    assert removed == "420***********1234|E******78|*"


def test_texts_within_a_value_are_masked() -> None:
    value = {"13800138000": ["13800138000", 13800138000, None, ("张某某 13800138000",)], "day": "2024-01-01"}
    assert mask_texts(value) == {
        "138****8000": ["138****8000", 13800138000, None, ["张某某 138****8000"]],
        "day": "2024-01-01",
    }


def test_templates_mask_what_they_write_unless_they_say_so() -> None:
    template = templates().from_string("{{ name }}<{{ name | unmasked }}>{{ names | join('；') }} {{ 3 }} {{ '<' }}")
    written = template.render(name="13800138000.csv", names=["13800138000", "b"])
    assert written == "138****8000.csv<13800138000.csv>138****8000;b 3 &lt;"


def test_errors_name_files_masked() -> None:
    assert str(ConfigurationError("Expected a CSV file, got 13800138000.pdf.")) == (
        "Expected a CSV file, got 138****8000.pdf."
    )
    rejected = DeliveryRejected("file.empty", "13800138000.csv is empty.", "13800138000.csv 为空文件")
    assert (str(rejected), rejected.reason) == ("138****8000.csv is empty.", "138****8000.csv 为空文件")


def test_only_columns_that_are_declared_not_personal_are_shown() -> None:
    shown = mask_payload(
        {
            "企业名称": "张某某",
            "统一社会信用代码": credit_code(1),
            "法人代表": "鄂州市虚构投资公司",
            "注册地址": "虚构路1号 138-0013-8000",
            "经营范围": None,
            "所在省份": "湖北",
            "联系人": "李某某",
            "备注": "",
        },
        FEED,
        CATALOG,
    )
    assert shown == {
        "企业名称": "张**",
        "统一社会信用代码": credit_code(1),
        "法人代表": "鄂********",
        "注册地址": "虚构路1号 138******8000",
        "经营范围": None,
        "所在省份": "＊（2字）",
        "联系人": "＊（3字）",
        "备注": "",
    }


def test_of_several_masks_of_a_column_the_strictest_holds() -> None:
    legal = FEED.extension["法定代表人/经营者"].model_copy(update={"column": "企业名称"})
    feed = FEED.model_copy(update={"extension": {"法定代表人/经营者": legal}})
    assert mask_payload({"企业名称": "鄂州市虚构公司"}, feed, CATALOG) == {"企业名称": "鄂******"}


def test_number_of_a_person_in_the_name_of_a_column_is_masked() -> None:
    assert mask_payload({"成员.42070419900101123X": "户主"}, FEED, CATALOG) == {"成员.420***********123X": "＊（2字）"}
