"""What a rule expects, in the words of each department of the shipped catalogue."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zhengku.catalog import Feed, load_catalog
from zhengku.catalog.codes import CODES
from zhengku.errors import CatalogError
from zhengku.readers.row_rules import ROW_RULES
from zhengku.validate.guidance import expected, field_names, right_example, wrong_columns
from zhengku.validate.suites import BATCH_SUITE, Rule, RuleMeta, load_suites, suite_names

PROJECT = Path(__file__).resolve().parents[3]
SUITES = PROJECT / "expectations"
CATALOG = load_catalog(PROJECT / "include" / "catalog")
FEEDS = [feed for department in CATALOG.departments.values() for feed in department.feeds.values()]
RULES = {rule.rule_id: rule for suite in load_suites(SUITES, suite_names(SUITES)) for rule in suite.rules}
ASKED = [
    (feed, {rule.rule_id: rule for suite in load_suites(SUITES, [*feed.suites, BATCH_SUITE]) for rule in suite.rules})
    for feed in FEEDS
]
OURS = {
    "record_key",
    "extension",
    "batch_summary",
    "fetched",
    "quarantined_share",
    "new_problem_share",
    "share_of_previous",
    *(field for fields in CATALOG.reference.standard_fields.values() for field in fields),
    *(code for fields in CODES.values() for codes in fields.values() for code in codes),
}


def english(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text))


def own_words(feed: Feed) -> set[str]:
    codes = [mapping.codes or {} for mapping in feed.fields.values()] + [feed.operation.codes if feed.operation else {}]
    return english(" ".join([*feed.required_columns, *(code for each in codes for code in each)]))


def words_of_every_rule() -> Iterator[tuple[str, Rule, Feed | None]]:
    for rule in RULES.values():
        yield f"no feed {rule.rule_id}", rule, None
    for feed, rules in ASKED:
        for rule in rules.values():
            yield f"{feed.name} {rule.rule_id}", rule, feed


def test_every_rule_of_every_feed_has_words_without_our_identifiers() -> None:
    ours: dict[str, set[str]] = {}
    empty: list[str] = []
    asked = 0
    for name, rule, feed in words_of_every_rule():
        words = f"{expected(rule, feed, CATALOG)} {right_example(rule, feed)}"
        asked += 1
        empty += [name] if not expected(rule, feed, CATALOG) or not right_example(rule, feed) else []
        if found := english(words) & OURS - (own_words(feed) if feed else set()):
            ours[name] = found
        if re.search(r"_un(mapped|parsed)|\$PARAMETER|None", words):
            ours[name] = {"inner column"}
    assert (ours, empty) == ({}, [])
    assert asked > len(FEEDS) * 50


def test_wrong_columns_are_columns_of_the_feed() -> None:
    foreign = {
        (feed.name, rule_id, column)
        for feed, rules in ASKED
        for rule_id in rules
        for column in wrong_columns(rule_id, feed, rules)
        if column not in feed.required_columns
    }
    assert foreign == set()


def test_every_delivered_field_that_a_rule_names_is_one_of_its_wrong_columns() -> None:
    left_out = {
        (feed.name, rule_id)
        for feed, rules in ASKED
        for rule_id, rule in rules.items()
        if not wrong_columns(rule_id, feed, rules)
        and any(field in feed.delivered_fields or field == "record_key" for field in rule.meta.fields)
    }
    # Feeds that map no codes but those of the state, or have no operation.
    assert {rule_id.split(".", 1)[1] for _, rule_id in left_out} <= {
        "codes.mapped",
        "operation.known",
        # A feed may have no extra field.
        "extension.no_error_cells",
    }


def test_the_right_example_of_a_coded_field_is_a_code_of_the_department() -> None:
    foreign = {}
    asked = 0
    for feed, rules in ASKED:
        for rule in rules.values():
            [field, *others] = rule.meta.fields
            codes = feed.fields[field].codes if field in feed.fields else None
            if others or not codes or rule.type == "expect_column_values_to_not_be_in_set":
                continue
            asked += 1
            if right_example(rule, feed) not in codes:
                foreign[feed.name, rule.rule_id] = right_example(rule, feed)
    assert foreign == {}
    assert asked > len(FEEDS)


def feed_of(department: str, feed: str) -> Feed:
    return CATALOG.feed(department, feed)


FOOD = feed_of("market_supervision", "food_business_license")
REGISTER = feed_of("market_supervision", "business_license")
CASES = feed_of("unified_acceptance", "self_built_cases")
SAFETY = feed_of("housing", "construction_safety_manager_competency_certificate")


@pytest.mark.parametrize(
    ("rule_id", "feed", "words", "columns", "right"),
    [
        ("certificate.holder.present", FOOD, "必填", ("持证单位或个人",), "鄂州市虚构有限公司"),
        (
            "certificate.record_key.present",
            REGISTER,
            "“统一社会信用代码”必填",
            ("统一社会信用代码",),
            "91420700XN0000012Q",
        ),
        (
            "service_case.record_key.present",
            CASES,
            "“BJBH”、“FWXH”必填",
            ("BJBH", "FWXH"),
            "XN20260501000001",
        ),
        (
            "certificate.status.known",
            FOOD,
            "应为以下之一：有效、过期、已注销、已撤销、已吊销",
            ("证照状态",),
            "有效",
        ),
        (
            "certificate.status.mapped",
            SAFETY,
            "应为以下之一：01（有效）、02（已换发）、03（撤销）、04（注销）、05（过期）、06（转出）、07（吊销）",
            ("ZZZT",),
            "01",
        ),
        (
            "certificate.codes.mapped",
            FOOD,
            "“证件类型”应为以下之一：统一社会信用代码、身份证",
            ("证件类型",),
            "证件类型：统一社会信用代码",
        ),
        ("certificate.codes.mapped", SAFETY, "代码应在约定的代码表内", (), "持证主体代码类型：001"),
        ("certificate.operation.known", SAFETY, "应为以下之一：I、U、D", ("cd_operation",), "I"),
        (
            "certificate.holder_code.credit_code",
            FOOD,
            "“证件类型”为“统一社会信用代码”时，“证件号码”应为18位统一社会信用代码，末位校验正确（GB 32100-2015）",
            ("证件号码", "证件类型"),
            "91420700XN0000012Q",
        ),
        (
            "certificate.holder_code.credit_code",
            REGISTER,
            "“统一社会信用代码”应为18位统一社会信用代码，末位校验正确（GB 32100-2015）",
            ("统一社会信用代码",),
            "91420700XN0000012Q",
        ),
        (
            "certificate.valid_to.parseable",
            FOOD,
            "应为真实存在的日期，写作2020-05-01、2020/5/1、20200501或2020年5月1日；没有截止日期的填“长期”",
            ("有效期止",),
            "2025-04-30",
        ),
        (
            "certificate.valid_to.not_before_valid_from",
            FOOD,
            "“有效期止”应不早于“有效期起”",
            ("有效期起", "有效期止"),
            "2023-01-01 至 2024-01-01",
        ),
        (
            "certificate.valid_to.within_validity_years",
            FOOD,
            "“有效期止”应不晚于“有效期起”之后5年又31天",
            ("有效期起", "有效期止"),
            "应为5年，填为2020-05-01 至 2025-04-30",
        ),
        ("certificate.source_updated_at.not_future", FOOD, "应不晚于明天", ("更新时间",), "2020-05-01 08:30:00"),
        ("certificate.holder.length", FOOD, "应为2至200个字符", ("持证单位或个人",), "鄂州市虚构有限公司"),
        (
            "certificate.license_type_name.catalogue",
            FOOD,
            "应为“食品经营许可证”",
            (),
            "与目录登记的名称相同，如营业执照",
        ),
        ("certificate.holder_code_type.of_license_type", SAFETY, "不能为以下之一：001、099", ("CZZTDMLX",), None),
        ("food_business_license.items.present", FOOD, "必填", ("经营项目",), "预包装食品销售"),
        (
            "construction_safety_manager_competency_certificate.post.known",
            SAFETY,
            "应形如“A”",
            ("GWLBDM",),
            "A",
        ),
        (
            "service_case.finished_at.present_if_finished",
            CASES,
            "“BJZT”为“1（办结）”时，“BJSJ”必填",
            ("BJZT", "BJSJ"),
            "办件状态：办结，办结时间：2026-05-02 09:00",
        ),
        (
            "batch.volume.not_shrunk",
            FOOD,
            "本次数据量与上次之比应不低于50%",
            (),
            "上次5000条，本次4900条",
        ),
    ],
)
def test_words_are_those_of_the_department(
    rule_id: str, feed: Feed, words: str, columns: tuple[str, ...], right: str | None
) -> None:
    assert expected(RULES[rule_id], feed, CATALOG) == words
    assert wrong_columns(rule_id, feed, RULES) == columns
    assert right_example(RULES[rule_id], feed) == (right or RULES[rule_id].meta.right_example)


def test_dates_are_told_in_the_forms_that_the_feed_takes() -> None:
    mapping = FOOD.fields["issue_date"].model_copy(update={"date_forms": ("compact",)})
    compact = FOOD.model_copy(update={"fields": {**FOOD.fields, "issue_date": mapping}})
    rule = RULES["certificate.issue_date.parseable"]
    assert expected(rule, compact, CATALOG) == "应为真实存在的日期，写作20200501"
    assert right_example(rule, compact) == "20200501"


def test_rules_about_a_row_as_it_came_name_no_column() -> None:
    assert {rule_id: wrong_columns(rule_id, FOOD, RULES) for rule_id in ROW_RULES} == dict.fromkeys(ROW_RULES, ())


def test_fields_have_their_chinese_names() -> None:
    assert field_names(RULES["certificate.holder_code.credit_code"], CATALOG) == ("持证主体代码", "持证主体代码类型")
    assert field_names(RULES["certificate.codes.mapped"], CATALOG) == ("各代码字段",)
    assert field_names(RULES["service_case.phone.form"], CATALOG) == ("联系电话",)
    unnamed = {
        rule_id: names
        for rule_id, rule in RULES.items()
        if english(" ".join(names := field_names(rule, CATALOG))) & OURS
    }
    assert unnamed == {}


def made_up(**changes: Any) -> Rule:
    meta = RuleMeta(
        rule_id="made_up.holder.form",
        reason_zh="虚构",
        standard="虚构",
        example="虚构",
        right_example="虚构",
        fields=("holder",),
    )
    entry = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "holder"}, **changes}
    return Rule(**entry, severity="critical", meta=meta)


def test_a_type_without_words_is_told() -> None:
    with pytest.raises(CatalogError, match=r"made_up\.holder\.form: expected .* got expect_column_values_to_be_good"):
        expected(made_up(type="expect_column_values_to_be_good"), FOOD, CATALOG)


def test_a_row_condition_without_words_is_told() -> None:
    condition = {"type": "comparison", "column": {"name": "status"}, "operator": "!=", "parameter": "valid"}
    with pytest.raises(CatalogError, match=r"made_up\.holder\.form: expected a row_condition with .* got '!='"):
        expected(made_up(kwargs={"column": "holder", "row_condition": condition}), FOOD, CATALOG)


def test_example_of_a_holder_is_a_person_where_persons_hold_the_license() -> None:
    of = {feed.license_type: feed for feed in FEEDS if feed.license_type}
    person = of["construction_safety_manager_competency_certificate"]
    assert CATALOG.license_type(str(person.license_type)).holder_type == "person"
    assert right_example(RULES["certificate.holder.present"], person, CATALOG) == "张某某"
    assert right_example(RULES["certificate.holder_code.present"], person, CATALOG) == "420700199001010014"
    firm = of["drug_business_license"]
    assert right_example(RULES["certificate.holder.present"], firm, CATALOG) == "鄂州市虚构有限公司"
    both = of["real_estate_ownership_certificate"]
    assert right_example(RULES["certificate.holder.present"], both, CATALOG) == "鄂州市虚构有限公司，或张某某"
    # A rule that is about firms alone keeps its own.
    assert right_example(RULES["certificate.holder_code.credit_code"], person, CATALOG) == "91420700XN0000012Q"
