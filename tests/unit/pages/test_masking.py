"""What people see of delivered rows: no name, no identity number, no mobile number, in whatever form it came."""

from pathlib import Path

import pytest

from simulator.business_licenses import credit_code
from zhengku.catalog import load_catalog
from zhengku.catalog.record_masks import mask_payload
from zhengku.masking import mask_holder, mask_identity, mask_name, mask_people, mask_text

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
        "1234 420704 19800101 1234",
        "13800138000",
        "+8613800138000",
        "008613800138000",
        "013800138000",
        "138-0013-8000",
        "138 0013 8000",
        "１３８００１３８０００",
        "tel13800138000",
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
    "text",
    [
        "鄂州市鄂城区虚构路1号（某楼）",
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
