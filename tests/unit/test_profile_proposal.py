"""The proposed mapping: by names in three tongues, by content, with a question mark where it is a guess."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from simulator.business_licenses import credit_code
from simulator.numbers import identity_number
from zhengku.catalog import Feed, load_catalog
from zhengku.profile.looks import look_at
from zhengku.profile.proposal import proposal_yaml, propose
from zhengku.profile.synonyms import field_of, read_synonyms

CATALOG = load_catalog(Path(__file__).resolve().parents[2] / "include" / "catalog")
STANDARD = CATALOG.standard_fields("certificate")
SYNONYMS = read_synonyms(CATALOG.folder, {name: row.name_zh for name, row in STANDARD.items()})
ROWS = 40


def feed(license_type: str = "building_construction_permit", **more: object) -> Feed:
    return Feed.model_validate(
        {
            "title": "虚构",
            "dataset": "certificate",
            "license_type": license_type,
            "transport": {"kind": "file_drop", "connection": "drop"},
            "key": ["certificate_name"],
            "fields": {"certificate_name": {"constant": "虚构"}},
            **more,
        }
    )


def proposed(columns: Mapping[str, Sequence[str | None]], of: Feed | None = None) -> str:
    of = of or feed()
    looks = [look_at(name, values, CATALOG.district_aliases) for name, values in columns.items()]
    proposal = propose(of, CATALOG.license_type(of.license_type or ""), STANDARD, SYNONYMS, looks)
    return proposal_yaml(of, proposal, STANDARD, ["certificate"])


def line(text: str, name: str) -> str:
    [found] = [line.strip() for line in text.splitlines() if line.strip().removeprefix("# ? ").startswith(f"{name}:")]
    return found


NUMBERS = [f"XN{number:06d}" for number in range(ROWS)]
CODES = [credit_code(number) for number in range(1, ROWS + 1)]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("ZZBS", "certificate_identifier"),
        ("zzhm", "certificate_number"),
        ("CZZTDMLX", "holder_code_type"),
        ("YXQJZRQ", "valid_to"),
        ("cd_operation", "operation"),
        ("cd_time", "source_updated_at"),
        ("issueDate", "issue_date"),
        ("issue_date", "issue_date"),
        ("ISSUE-DATE", "issue_date"),
        ("发证日期（必填）", "issue_date"),
        ("持证主体/代码", "holder_code"),
        ("基本信息/证照编号", "certificate_number"),
        ("虚构的列", None),
    ],
)
def test_name_speaks_of_a_field_in_chinese_english_and_pinyin(name: str, field: str | None) -> None:
    assert field_of(name, SYNONYMS) == field


def test_content_finds_what_no_name_tells() -> None:
    text = proposed({"A1": NUMBERS, "B2": CODES, "C3": ["鄂城区"] * ROWS, "D4": ["https://example.invalid/x"] * ROWS})
    assert line(text, "holder_code").startswith("holder_code: {column: B2}")
    assert line(text, "holder_code_type").startswith('holder_code_type: {constant: "001"}')
    assert line(text, "district").startswith("district: {column: C3}")
    assert line(text, "file_url").startswith("file_url: {column: D4}")


def test_name_that_the_content_contradicts_is_only_a_guess() -> None:
    text = proposed({"证照编号": NUMBERS, "发证日期": ["不详"] * ROWS})
    assert line(text, "issue_date").startswith("# ? issue_date: {column: 发证日期}")
    assert "- issue_date  # ? see the guess above" in text
    assert "- 发证日期  # ? perhaps issue_date, see above" in text


def test_status_numbers_are_asked_for_and_never_guessed() -> None:
    text = proposed({"证照编号": NUMBERS, "状态": ["10", "02"] * 20})
    assert line(text, "status").startswith('# ? status: {column: 状态, codes: {"10": ?, "02": ?}}')
    assert "ask the department what they mean" in line(text, "status")


def test_status_words_are_mapped_and_a_strange_one_is_told() -> None:
    text = proposed({"证照编号": NUMBERS, "状态": ["有效", "注销", "待定", "有效"] * 20})
    assert 'codes: {"有效": valid, "注销": cancelled}' in line(text, "status")
    assert "? not known: 1 more that are not shown" in line(text, "status")


def test_spreadsheet_days_are_said_and_asked() -> None:
    text = proposed({"证照编号": NUMBERS, "发证日期": ["43466"] * 39 + ["2019-01-01"]})
    assert "date_forms: [spreadsheet_serial, iso, slash, compact, chinese]" in line(text, "issue_date")


def test_number_that_no_column_is_named_for_is_a_question_and_still_loads() -> None:
    text = proposed({"统一社会信用代码": CODES, "企业名称": [f"虚构{number}公司" for number in range(ROWS)]})
    assert "certificate_number: {column: 统一社会信用代码}  # ? no column is named so" in text
    assert "key: [certificate_number]" in text


def test_extra_field_of_the_type_becomes_extension_and_a_person_in_it_is_masked() -> None:
    text = proposed(
        {"证照编号": NUMBERS, "质量负责人": ["张某某", "李某某"] * 20, "经营方式": ["批发"] * ROWS},
        feed("drug_business_license"),
    )
    assert line(text, "质量负责人").startswith("质量负责人: {column: 质量负责人, personal: name}")
    assert line(text, "经营方式").startswith("经营方式: {column: 经营方式}")


def test_no_value_of_a_person_stands_in_a_proposal() -> None:
    names = ["赵某甲", "钱某乙", "孙某丙", "李某丁"] * 10
    numbers = [identity_number(number) for number in range(1, 5)] * 10
    text = proposed(
        {"姓名": names, "身份证号": numbers, "备注": names, "状态": names, "操作类型": names, "证号": NUMBERS}
    )
    assert [value for value in {*names, *numbers, *NUMBERS} if value in text] == []


def test_column_names_that_yaml_would_misread_are_quoted() -> None:
    names = ["证照编号", "a: b", "on", "123", "{x}", "# y", "换\n行", 'q"', " "]
    text = proposed({name: [f"v{place}"] * ROWS if place else NUMBERS for place, name in enumerate(names)})
    loaded = YAML(typ="safe").load(text)
    assert set(loaded["ignored_columns"]) == set(names[1:])


def test_row_id_and_the_windows_column_are_not_ignored() -> None:
    of = feed(
        transport={"kind": "exchange_database", "connection": "x", "table": "t", "row_id": ["id"]},
        window={"kind": "watermark", "column": "stamp"},
    )
    text = proposed({"id": NUMBERS, "ZZHM": NUMBERS, "stamp": ["2024-01-01 08:00:00"] * ROWS}, of)
    assert "ignored_columns" not in text
    assert line(text, "source_updated_at").startswith("source_updated_at: {column: stamp}  # the window's column")
    assert line(text, "version").startswith("version: source_updated_at")


def test_number_of_the_holder_is_told_from_that_of_the_certificate_where_both_are_named_so() -> None:
    persons = [identity_number(number) for number in range(1, ROWS + 1)]
    text = proposed({"证件号": persons, "许可证编号": NUMBERS})
    assert line(text, "certificate_number").startswith("certificate_number: {column: 许可证编号}  # named so")
    assert line(text, "holder_code").startswith(
        "holder_code: {column: 证件号}  # not named so, but 100% are identity numbers"
    )
    assert line(text, "holder_code_type").startswith('holder_code_type: {constant: "111"}')


def test_extra_field_that_is_named_nearly_so_is_a_guess_and_the_mapping_still_loads() -> None:
    text = proposed({"证照编号": NUMBERS, "许可经营方式": ["批发"] * ROWS}, feed("drug_business_license"))
    assert line(text, "经营方式").startswith("# ? 经营方式: {column: 许可经营方式}")
    assert "- 许可经营方式  # ? perhaps 经营方式, see above" in text
    loaded = YAML(typ="safe").load(text)
    assert "extension" not in loaded
    assert loaded["ignored_columns"] == ["许可经营方式"]
