"""The proposed mapping: by names in three tongues, by content, with a question mark where it is a guess."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from simulator.business_licenses import credit_code
from simulator.numbers import identity_number
from zhengku.catalog import Feed, load_catalog
from zhengku.profile.column_profile import profile_column
from zhengku.profile.keys import propose_key
from zhengku.profile.proposal_builder import propose
from zhengku.profile.proposal_yaml import proposal_yaml
from zhengku.profile.synonyms import field_of, read_synonyms
from zhengku.validate.presence import needed_fields
from zhengku.validate.suites import load_suites

HOME = Path(__file__).resolve().parents[3]
CATALOG = load_catalog(HOME / "include" / "catalog")
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
    nothing = CATALOG.null_words(of, "text")
    looks = [profile_column(name, values, CATALOG.district_aliases, nothing) for name, values in columns.items()]
    license_type = CATALOG.license_type(of.license_type or "")
    proposal = propose(of, license_type, STANDARD, SYNONYMS, looks)
    rows = list(zip(*columns.values(), strict=True))
    key = propose_key(of, license_type, STANDARD, proposal, list(columns), rows, nothing)
    needed = needed_fields(load_suites(HOME / "expectations", ["certificate"]), with_deletes=False)
    return proposal_yaml(of, proposal, STANDARD, ["certificate"], str(key), needed)


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
    text = proposed({"证照编号": NUMBERS, "发证日期": ["详见批文"] * ROWS})
    assert line(text, "issue_date").startswith("# ? issue_date: {column: 发证日期}")
    assert "# ? - issue_date  # see the guess above: rule certificate.issue_date.present requires it" in text
    assert "- 发证日期  # ? perhaps issue_date, see above" in text


def test_status_numbers_are_asked_for_and_never_guessed() -> None:
    text = proposed({"证照编号": NUMBERS, "状态": ["10", "02"] * 20})
    assert line(text, "status").startswith('# ? status: {column: 状态, codes: {"10": ?, "02": ?}}')
    assert "ask the department what they mean" in line(text, "status")


def test_status_words_are_mapped_and_a_strange_one_is_told() -> None:
    text = proposed({"证照编号": NUMBERS, "状态": ["有效", "注销", "待定", "有效"] * 10})
    assert 'codes: {"有效": valid, "注销": cancelled}' in line(text, "status")
    assert "? not known: 1 more that are not shown" in line(text, "status")


def test_spreadsheet_days_are_said_and_asked() -> None:
    text = proposed({"证照编号": NUMBERS, "发证日期": ["43466"] * 39 + ["2019-01-01"]})
    forms = "date_forms: [spreadsheet_serial, iso, slash, compact, chinese, chinese_numerals]"
    assert forms in line(text, "issue_date")


def test_number_that_no_column_is_named_for_is_a_question_and_still_loads() -> None:
    text = proposed({"统一社会信用代码": CODES, "企业名称": [f"虚构{number}公司" for number in range(ROWS)]})
    assert "certificate_number: {column: 统一社会信用代码}  # ? no column has this name" in text
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
    assert line(text, "certificate_number").startswith("certificate_number: {column: 许可证编号}  # by name")
    assert line(text, "holder_code").startswith(
        "holder_code: {column: 证件号}  # not by name, but 100% are identity numbers"
    )
    assert line(text, "holder_code_type").startswith('holder_code_type: {constant: "111"}')


def test_extra_field_that_is_named_nearly_so_is_a_guess_and_the_mapping_still_loads() -> None:
    text = proposed({"证照编号": NUMBERS, "许可经营方式": ["批发"] * ROWS}, feed("drug_business_license"))
    assert line(text, "经营方式").startswith("# ? 经营方式: {column: 许可经营方式}")
    assert "- 许可经营方式  # ? perhaps 经营方式, see above" in text
    loaded = YAML(typ="safe").load(text)
    assert "extension" not in loaded
    assert loaded["ignored_columns"] == ["许可经营方式"]


def test_key_is_tried_on_the_sample_and_told() -> None:
    text = proposed({"证照编号": NUMBERS, "持证主体": [f"虚构{number}公司" for number in range(ROWS)]})
    assert line(text, "key") == "key: [certificate_number]  # 40 different in 40 rows"


def test_key_that_would_make_one_record_of_several_is_a_question() -> None:
    holders = [f"虚构{number}公司" for number in range(ROWS)]
    text = proposed({"证照编号": [NUMBERS[number // 2] for number in range(ROWS)], "持证主体": holders})
    assert line(text, "key").startswith(
        "key: [certificate_number]  # ? 20 different in 40 rows; 40 rows share their key"
    )
    again = proposed({"证照编号": [NUMBERS[number // 2] for number in range(ROWS)], "持证主体": ["某公司"] * ROWS})
    assert "# ? 20 different in 40 rows; 20 rows repeat one: right if they are later states" in line(again, "key")


def test_rows_without_a_number_are_told() -> None:
    text = proposed({"证照编号": [*NUMBERS[:39], ""]})
    assert "39 different in 39 rows; 1 rows have none" in line(text, "key")


def test_certificates_of_several_types_are_told_apart_by_their_type() -> None:
    numbers, names = [NUMBERS[number // 2] for number in range(ROWS)], ["甲证", "乙证"] * (ROWS // 2)
    columns = {"证照编号": numbers, "证照类型名称": names, "持证主体": ["某公司"] * ROWS}
    any_type = proposed(columns, feed("other_certificate"))
    assert line(any_type, "key") == "key: [license_type_name, certificate_number]  # 40 different in 40 rows"
    of_one = proposed(columns)
    assert line(of_one, "key").startswith(
        "key: [license_type_name, certificate_number]  # ? 40 different in 40 rows; ["
    )
    assert "[certificate_number] by itself has 20 in 40 rows" in of_one
    untold = proposed({"证照编号": NUMBERS}, feed("other_certificate"))
    assert "# ? 40 different in 40 rows; certificates of any type come here, and no column says which" in untold


def test_type_with_several_holders_is_asked_about() -> None:
    of = feed("real_estate_ownership_certificate")
    text = proposed({"证照编号": NUMBERS, "权利人代码": CODES, "持证主体": ["甲"] * ROWS}, of)
    assert line(text, "key").startswith("key: [certificate_number]  # ? 40 different in 40 rows; a certificate of this")
    numbers = [NUMBERS[number // 2] for number in range(ROWS)]
    text = proposed({"证照编号": numbers, "持证主体代码": CODES, "持证主体": ["甲", "乙"] * 20}, of)
    assert line(text, "key").startswith("key: [certificate_number, holder_code]  # ? 40 different in 40 rows; [")


def test_field_that_rows_cannot_do_without_is_never_absent_as_it_stands() -> None:
    loaded = YAML(typ="safe").load(proposed({"证照编号": NUMBERS}))
    assert not {"holder", "holder_code", "issue_date"} & set(loaded["absent"])
    assert "valid_to" in loaded["absent"]
    for field in ("holder", "holder_code", "issue_date"):
        assert f"# ? - {field}  # " in proposed({"证照编号": NUMBERS})


@pytest.mark.parametrize("name", ["delFlag", "is_deleted", "IS_DEL", "deleted", "SCBZ", "删除标志", "是否删除"])
@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (("0", "1"), '{"0": upsert, "1": delete}'),
        (("0",), '{"0": upsert, "1": delete}'),
        (("N", "Y"), '{"N": upsert, "Y": delete}'),
        (("否", "是"), '{"否": upsert, "是": delete}'),
    ],
)
def test_delete_flag_is_proposed_as_such(name: str, values: Sequence[str], codes: str) -> None:
    text = proposed({"证照编号": NUMBERS, name: [values[number % len(values)] for number in range(ROWS)]})
    assert line(text, "operation").startswith(f"operation: {{column: {name}, codes: {codes}}}  # named like a delete")
    assert "ignored_columns" not in text


def test_delete_flag_with_a_strange_code_or_none_is_a_question() -> None:
    strange = proposed({"证照编号": NUMBERS, "delFlag": ["0", "2"] * 20})
    assert line(strange, "operation").startswith('# ? operation: {column: delFlag, codes: {"0": upsert, "1": delete}}')
    assert "? not known: 2, ask what they mean" in strange
    empty = proposed({"证照编号": NUMBERS, "delFlag": [*["0"] * 39, None]})
    assert "? 1 rows have none, and would be quarantined" in line(empty, "operation")


@pytest.mark.parametrize("name", ["delivery", "delete_time", "有效标志", "deletedBy"])
def test_name_that_only_begins_so_is_no_delete_flag(name: str) -> None:
    assert "operation:" not in proposed({"证照编号": NUMBERS, name: ["0", "1"] * 20})
