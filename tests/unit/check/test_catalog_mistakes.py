# ruff: noqa: E501  (the tables of cases read best with one case a line)
"""Every mistake in the catalogue is told with its file, its line and its fix, and none hides another."""

import json
import shutil
from copy import deepcopy
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from zhengku.catalog import Problem
from zhengku.catalog.cron import cron_mistake
from zhengku.catalog.department_file import read_department
from zhengku.catalog.reference import read_reference
from zhengku.check.configuration import check_catalog

SHIPPED = Path(__file__).resolve().parents[3] / "include" / "catalog"

GOOD = """\
department: housing
name: 市住建局
owner: big-data-section
schedule: "0 2 * * *"
pool: {name: housing, slots: 1}
feeds:
  safety_manager:
    title: 安全生产管理人员证
    dataset: certificate
    license_type: construction_safety_manager_competency_certificate
    transport:
      kind: file_drop
      connection: housing_drop
      folder: safety_manager
      pattern: "*.csv"
      manifest: required
      format:
        kind: csv
        encodings: [gb18030]
        delimiter: "|"
    key: [certificate_number]
    version: source_updated_at
    suites: [certificate]
    fields:
      certificate_number: {column: 证书编号}
      holder: {column: 姓名}
      holder_code: {column: 身份证号}
      holder_code_type: {constant: "111"}
      license_type_code: {constant: 11100000000013338W011}
      license_type_name: {constant: 建筑施工企业安全生产管理人员考核合格证书}
      issue_date: {column: 发证日期, date_forms: [iso, compact]}
      valid_to: {column: 有效期至}
      status: {column: 状态, codes: {"03": withdrawn, "04": cancelled}}
      source_updated_at: {column: 更新时间}
    extension:
      企业名称: {column: 企业名称}
    absent: [certificate_identifier, certificate_name, certificate_version, issuing_authority, issuing_authority_code,
             district, file_url, defining_authority, defining_authority_code, valid_from, validity,
             service_item_name, service_item_code, file_digest]
    ignored_columns: [序号]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "catalog"
    shutil.copytree(SHIPPED, copy)
    for path in (copy / "departments").iterdir():
        path.unlink()
    (tmp_path / "expectations").mkdir()
    for suite in ("certificate.json", "batch.json"):
        shutil.copy(SHIPPED.parents[1] / "expectations" / suite, tmp_path / "expectations")
    write(copy, GOOD)
    return copy


def write(folder: Path, text: str, name: str = "housing.yaml") -> None:
    (folder / "departments" / name).write_text(text, encoding="utf-8")


def check(folder: Path, *, info: bool = False) -> list[Problem]:
    problems = check_catalog(folder, folder.parent / "expectations")
    return [problem for problem in problems if info or problem.severity != "info"]


def line_of(text: str, snippet: str) -> int:
    assert snippet in text
    return text[: text.index(snippet)].count("\n") + 1


def test_the_good_file_is_good(folder: Path) -> None:
    assert [str(problem) for problem in check(folder)] == []


def test_required_fields_that_a_feed_lacks_are_told_once(folder: Path) -> None:
    told = [problem for problem in check(folder, info=True) if problem.file.name == "housing.yaml"]
    assert [(problem.severity, problem.line) for problem in told] == [("info", line_of(GOOD, "    absent:"))]
    assert "certificate_identifier" in told[0].message
    assert "defining_authority" not in told[0].message


# what is replaced, by what, a snippet on the line to be named, what came, the fix
MISTAKES = [
    ("    fields:", "    feilds:", "    feilds:", "unknown key 'feilds' in feeds.safety_manager", "Did you mean 'fields'?"),
    ("{column: 姓名}", "{colunm: 姓名}", "{colunm", "unknown key 'colunm' in feeds.safety_manager.fields.holder", "Did you mean 'column'?"),
    ("{column: 企业名称}", "{colunm: 企业名称}", "{colunm", "unknown key 'colunm'", "Did you mean 'column'?"),
    ("        delimiter:", "        seperator:", "seperator", "unknown key 'seperator' in feeds.safety_manager.transport.format", "Allowed: allow_empty, delimiter"),
    ("slots: 1}", "slotz: 1}", "slotz", "unknown key 'slotz' in pool", "Did you mean 'slots'?"),
    ("{column: 姓名}", "姓名", "holder: 姓名", "expected a mapping, got '姓名'", "Write {column: …} or {constant"),
    ("{column: 姓名}", '{column: 姓名, constant: "某"}', "holder:", "expected either column or constant, got both", "Write {column"),
    ("{column: 姓名}", "{}", "holder:", "expected either column or constant, got neither", "Write {column"),
    ('{constant: "111"}', "{constant: 001}", "holder_code_type", "expected text, got the number 001", 'Put it into quotes: "001".'),
    ("{column: 姓名}", '{column: " 姓名"}', "holder:", "has blanks around it", "as in the header"),
    ("title: 安全生产管理人员证", "title: [a]", "title:", "expected text, got a list", "Chinese name"),
    ("title: 安全生产管理人员证", 'title: ""', "title:", "expected text, got an empty one", "Fill it in"),
    ("slots: 1}", "slots: many}", "slots", "pool.slots: expected a whole number, got 'many'", "See"),
    ("slots: 1}", "slots: true}", "slots", "pool.slots: expected a whole number, got True", "See"),
    ("slots: 1}", "slots: 0}", "slots", "pool.slots: expected at least 1, got the number 0", "See"),
    ("slots: 1}", "slots: 1000}", "slots", "pool.slots: expected at most 64, got the number 1000", "See"),
    ("    key: [certificate_number]", "    key: certificate_number", "    key:", "expected a list, got 'certificate_number'", "[a, b]"),
    ("    key: [certificate_number]", "    key: []", "    key:", "key is empty", "Name at least one"),
    ("    key: [certificate_number]\n", "", "  safety_manager:", "key 'key' is missing", "identify a record"),
    ("owner: big-data-section\n", "", "department:", "key 'owner' is missing in the file", "Who is called"),
    ("manifest: required", "manifest: require", "manifest:", "expected 'required', 'optional' or 'none', got 'require'", "Did you mean 'required'?"),
    ("kind: file_drop", "kind: file_dorp", "kind: file_dorp", "unknown kind 'file_dorp'", "Did you mean 'file_drop'?"),
    ("kind: csv", "kind: csv\n        allow_empty: maybe", "allow_empty", "expected true or false, got 'maybe'", "no row"),
    ("      holder: {", "      holdr: {", "holdr", "unknown standard field 'holdr' of data set certificate", "Did you mean 'holder'?"),
    ("      holder: {", "      持证主体: {", "      持证主体", "unknown standard field '持证主体'", "Write 'holder'."),
    ("valid_from, validity,", "valid_form, validity,", "valid_form", "unknown standard field 'valid_form'", "Did you mean 'valid_from'?"),
    ("[iso, compact]", "[iso, us]", "[iso, us]", "date_forms.1: expected 'iso', 'slash', 'compact', 'chinese', 'chinese_numerals', 'spreadsheet_serial', 'epoch_seconds' or 'epoch_milliseconds', got 'us'", "Allowed: chinese"),
    ("[iso, compact]", "[iso, iso]", "[iso, iso]", "date_forms names 'iso' twice", "Remove one"),
    ("{column: 有效期至}", "{column: 有效期至, date_only: true}", "date_only: true", "date_only at 'valid_to', which is of kind end_date", "Remove it"),
    ("{column: 更新时间}", "{column: 更新时间, date_only: true}", "date_only: true", "date_only at 'source_updated_at', which orders the versions of a record", "Remove it"),
    ("{column: 更新时间}", "{column: 更新时间, date_only: 1}", "date_only: 1", "date_only: ", ""),
    ("{column: 姓名}", "{column: 姓名, date_forms: [iso]}", "      holder:", "date_forms at 'holder', which is of kind name", "Remove it"),
    ("{column: 姓名}", "{column: 姓名, codes: {a: b}}", "      holder:", "codes at 'holder', which is of kind name", "Remove it"),
    ("dataset: certificate", "dataset: certificat", "dataset:", "unknown dataset 'certificat'", "Did you mean 'certificate'?"),
    ("license_type: construction_safety", "license_type: construction_safty", "license_type:", "unknown license type 'construction_safty", "Did you mean 'construction_safety_manager"),
    ("    license_type: construction_safety_manager_competency_certificate\n", "", "  safety_manager:", "key 'license_type' is missing", "license_types.csv"),
    ("license_type: construction_safety_manager_competency_certificate", "license_type:", "  safety_manager:", "key 'license_type' is missing", "license_types.csv"),
    ("suites: [certificate]", "suites: [certificat]", "suites:", "unknown suite 'certificat': no expectations/certificat.json", "Did you mean 'certificate'?"),
    ("district, file_url", "district, holder, file_url", "district, holder", "standard field 'holder' is absent and also mapped at line 26", "Remove it"),
    ("             district, file_url", "             file_url", "    absent:", "neither mapped nor absent in feeds.safety_manager: district", "list them under absent"),
    ("district, file_url", "district, district, file_url", "district, district", "absent names 'district' twice", "Remove one"),
    ("    key: [certificate_number]", "    key: [district]", "    key:", "key field 'district' does not come with the feed", "Map it"),
    ("    key: [certificate_number]", "    key: [holder_code_type]", "    key:", "every key field is a constant", "Add a field"),
    ("    key: [certificate_number]", "    key: [certificate_number, issue_date]", "    key:", "key field 'issue_date' is of kind date", "Choose a number or a code"),
    ("    key: [certificate_number]", "    key: [valid_to]", "    key:", "key field 'valid_to' is of kind end_date", "Choose a number or a code"),
    ("    key: [certificate_number]", "    key: [source_updated_at]", "    key:", "key field 'source_updated_at' is of kind timestamp", "Choose a number or a code"),
    ("valid_to: {column: 有效期至}", "valid_to: {constant: 长期}", "valid_to:", "constant '长期' of 'valid_to', which is of kind end_date, is no date", "year-month-day"),
    ("valid_to: {column: 有效期至}", 'valid_to: {constant: "2023-02-29"}', "valid_to:", "is no date", "year-month-day"),
    ("valid_to: {column: 有效期至}", 'valid_to: {constant: "20230228"}', "valid_to:", "is no date", "year-month-day"),
    ("valid_to: {column: 有效期至}", "valid_to: {column: 有效期至}\n      district: {constant: 武汉市}", "      district: {", "constant '武汉市' of 'district' is no district", "Allowed"),
    ("source_updated_at: {column: 更新时间}", 'source_updated_at: {constant: "x"}', "    version:", "version 'source_updated_at' does not come from a column", "version: delivery"),
    ("version: source_updated_at", "version: newest", "version:", "expected 'delivery' or 'source_updated_at', got 'newest'", "Allowed"),
    ("    ignored_columns: [序号]", "    ignored_columns: [序号, 姓名]", "ignored_columns", "column '姓名' is ignored and also used by fields.holder", "Remove it"),
    ('"04": cancelled', '"04": canceled', "status:", "unknown status 'canceled'", "Did you mean 'cancelled'?"),
    ('{column: 状态, codes: {"03": withdrawn, "04": cancelled}}', "{column: 状态}", "status:", "status has no codes", "Add codes"),
    ('{"03": withdrawn, "04": cancelled}', "", "status:", "status has no codes", "Add codes"),
    ('{column: 状态, codes: {"03": withdrawn, "04": cancelled}}', "{constant: ok}", "status:", "unknown status 'ok'", "Allowed: cancelled"),
    ("[gb18030]", "[gb18031]", "encodings", "encoding 'gb18031' is unknown", "Use utf-8 or gb18030"),
    ("[gb18030]", "[utf-16]", "encodings", "encoding 'utf-16' is unknown or cannot be cut", "Use utf-8 or gb18030"),
    ("[gb18030]", "[big5]", "encodings", "encoding 'big5' is unknown or cannot be cut", "Use utf-8 or gb18030"),
    ("[gb18030]", "[hex]", "encodings", "encoding 'hex' is unknown", "Use utf-8 or gb18030"),
    ('delimiter: "|"', 'delimiter: "||"', "delimiter", "is not one ASCII punctuation mark or a tab", 'Use ","'),
    ('delimiter: "|"', 'delimiter: "，"', "delimiter", "is not one ASCII punctuation mark or a tab", 'Use ","'),
    ("folder: safety_manager", "folder: ../other", "folder:", "is not below the connection's address", "relative path"),
    ("folder: safety_manager", "folder: /data/drop", "folder:", "is not below the connection's address", "relative path"),
    ('pattern: "*.csv"', 'pattern: "in/*.csv"', "pattern:", "is not a file name pattern", "as folder"),
    ("connection: housing_drop", "connection: Housing Drop", "connection:", "expected small letters, digits and _, got 'Housing Drop'", "Use an id"),
    ("  safety_manager:\n", "  Safety-Manager:\n", "  Safety-Manager", "expected small letters, digits and _, got 'Safety-Manager'", "Use an id"),
    ('schedule: "0 2 * * *"', 'schedule: "61 2 * * *"', "schedule", "minute '61' is not within 0-59", "minute hour day month weekday"),
    ("department: housing", "department: houses", "department", "department 'houses' is not the file's name", "Write 'housing', or rename the file to houses.yaml"),
    ("11100000000013338W011", "11100000000013338W032", "license_type_code", "is not that of license type 'construction_safety", "Write '11100000000013338W011' as in license_types.csv"),
    ("考核合格证书}", "考核合格证}", "license_type_name", "is not that of license type 'construction_safety", "Write '建筑施工企业安全生产管理人员考核合格证书'"),
    ("      holder: {column: 姓名}\n", "      holder: {column: 姓名}\n      holder: {column: 名}\n", "      holder: {column: 名}", "key 'holder' is repeated, first at line 26", "Remove or rename"),
    ("    ignored_columns: [序号]\n", "    ignored_columns: [序号]\n  safety_manager: {}\n", "  safety_manager: {}", "feed 'safety_manager' is described a second time, first at line 7", "Remove or rename"),
    ("    suites: [certificate]", "    suites: [certificate", "    fields:", "is not YAML", "close every quote and bracket"),
    ("owner: big", "owner：big", "owner：", "a full-width colon '：' follows the key", "Write ': '."),
    ("    title: 安全", "\ttitle: 安全", "\ttitle: 安全", "is not YAML: found character '\\t'", "Indent with blanks"),
    ("pool: {name: housing, slots: 1}", "pool: &a {name: *a, slots: 1}", "pool:", "the alias refers to the mapping that contains it", "Write it out"),
    ("department: housing", "? [a]\n: b\ndepartment: housing", "? [a]", "a list or a mapping is used as a key", "Write a name"),
]  # fmt: skip


def test_suites_without_that_of_the_license_type(folder: Path) -> None:
    own = "construction_safety_manager_competency_certificate"
    shutil.copy(SHIPPED.parents[1] / "expectations" / f"{own}.json", folder.parent / "expectations")
    [told] = check(folder)
    assert f"suites leave out '{own}', the license type's own" in told.message
    assert (told.line, told.fix) == (line_of(GOOD, "suites:"), f"Add it: […, {own}].")
    text = GOOD.replace("    suites: [certificate]\n", "")
    write(folder, text)
    [told] = check(folder)
    assert told.line == line_of(text, "    license_type:")
    write(folder, GOOD.replace("suites: [certificate]", f"suites: [certificate, {own}]"))
    assert check(folder) == []


def test_suites_without_that_of_the_data_set(folder: Path) -> None:
    extra = (SHIPPED.parents[1] / "expectations" / "social_security_card.json").read_text("utf-8")
    extra = extra.replace('"name": "social_security_card"', '"name": "extra"')
    (folder.parent / "expectations" / "extra.json").write_text(extra, encoding="utf-8")
    text = GOOD.replace("suites: [certificate]", "suites: [extra]")
    write(folder, text)
    [told] = [problem for problem in check(folder) if problem.severity == "error"]
    assert "suites leave out 'certificate', the data set's own" in told.message
    assert (told.line, told.fix) == (line_of(text, "suites:"), "Add it: [certificate, …].")
    write(folder, GOOD.replace("suites: [certificate]", "suites: [extra, certificate]"))
    assert not [problem for problem in check(folder) if problem.severity == "error"]


@pytest.mark.parametrize("constant", ["echeng", "鄂城区", '"420704"'])
def test_district_or_alias_as_constant_is_right(folder: Path, constant: str) -> None:
    text = GOOD.replace("    extension:", f"      district: {{constant: {constant}}}\n    extension:")
    write(folder, text.replace("district, file_url", "file_url"))
    assert not [problem for problem in check(folder) if problem.severity == "error"]


@pytest.mark.parametrize(("old", "new", "at", "message", "fix"), MISTAKES, ids=[case[3][:60] for case in MISTAKES])
def test_mistake_is_told_with_line_and_fix(folder: Path, old: str, new: str, at: str, message: str, fix: str) -> None:
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    write(folder, text)
    told = [problem for problem in check(folder) if message in problem.message]
    assert [(problem.file.name, problem.line, problem.severity) for problem in told] == [
        ("housing.yaml", line_of(text, at), "error")
    ]
    assert fix in told[0].fix
    assert "\n" not in str(told[0])


@pytest.mark.parametrize(
    ("old", "new", "at", "message", "fix"),
    [
        (
            "name: 市住建局",
            "name: 市住房和城乡建设局",
            "name:",
            "is no department of license_types.csv",
            "as catalog_name",
        ),
        ("name: 市住建局", "name: 市公安局", "    license_type:", "is one of 市住建局 in license_types.csv", "Check"),
        (
            "      企业名称: {",
            "      企业名: {",
            "      企业名:",
            "extension field '企业名' is none of",
            "Did you mean '企业名称'?",
        ),
    ],
)
def test_likely_slip_is_a_warning(folder: Path, old: str, new: str, at: str, message: str, fix: str) -> None:
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    write(folder, text)
    problems = check(folder)
    assert [(problem.line, problem.severity) for problem in problems] == [(line_of(text, at), "warning")]
    assert message in problems[0].message
    assert fix in problems[0].fix


GOOD_DATA = YAML(typ="safe", pure=True).load(GOOD)
REFERENCE = read_reference(SHIPPED)


def places(data: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    below = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place for key, value in below for place in ((*here, key), *places(value, (*here, key)))]


@settings(max_examples=80, deadline=None)
@given(
    place=st.sampled_from(places(GOOD_DATA)),
    value=st.sampled_from([None, True, 1, -1, 1.5, 10**30, "", "x", "[key]", [], [None], {}, {"a": [{}]}, {"": None}]),
)
def test_anything_in_any_place_is_taken_or_told_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str | int, ...], value: object
) -> None:
    data = deepcopy(GOOD_DATA)
    around = reduce(lambda outer, key: outer[key], place[:-1], data)
    around[place[-1]] = value
    path = tmp_path_factory.mktemp("any") / "housing.yaml"
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    department, problems = read_department(path, REFERENCE)
    assert (department is None) == any(problem.severity == "error" for problem in problems)
    assert not any("\n" in str(problem) for problem in problems)


SECRETS = [
    ("connection: housing_drop", "connection: sftp://drop.example/in"),
    ("connection: housing_drop", "connection: reader:Fictional1@drop.example"),
    ("connection: housing_drop", 'connection: "\\\\\\\\drop\\\\in"'),
    ("folder: safety_manager", "folder: 192.0.2.7/in"),
    ("title: 安全生产管理人员证", "title: 口令：Fictional1"),
    ('{constant: "111"}', "{constant: FictionalFictional0123456789}"),
    ('{constant: "111"}', "{constant: 0123456789abcdef0123456789abcdef}"),
]


@pytest.mark.parametrize(("old", "new"), SECRETS, ids=[new for _, new in SECRETS])
def test_address_or_secret_is_refused_and_not_repeated(folder: Path, old: str, new: str) -> None:
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    write(folder, text)
    problems = check(folder)
    assert [problem.line for problem in problems] == [line_of(text, new)]
    assert "looks like an address or a secret" in problems[0].message
    assert "ZHENGKU_CONN_<ID>" in problems[0].fix
    assert not any(part in str(problems[0]) for part in ("Fictional", "192.0", "drop.example", "0123456789"))


def test_key_that_announces_a_secret_is_refused_and_its_value_not_shown(folder: Path) -> None:
    text = GOOD.replace("manifest: required", "manifest: required\n      password: fictional")
    write(folder, text)
    problems = check(folder)
    assert [problem.line for problem in problems] == [line_of(text, "password")]
    assert "key 'password' in feeds.safety_manager.transport names a secret" in problems[0].message
    assert "change it" in problems[0].fix
    assert "fictional" not in str(problems[0])


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(folder: Path) -> None:
    text = (
        GOOD.replace('"0 2 * * *"', '"0 25 * * *"')
        .replace("{column: 姓名}", "{colunm: 姓名}")
        .replace("key: [certificate_number]", "key: [district]")
        .replace("district, file_url", "district, holder_code, file_url")
        .replace("suites: [certificate]", "suites: [nothing]")
        .replace('"04": cancelled', '"04": gone')
    )
    write(folder, text)
    write(folder, "department: [\n", "second.yaml")
    lines = [(problem.file.name, problem.line) for problem in check(folder)]
    expected = [line_of(text, part) for part in ("25", "key:", "suites:", "colunm", "gone", "holder_code, file")]
    assert lines == [
        *[("housing.yaml", line) for line in expected],
        ("second.yaml", 2),
    ]


def test_two_feeds_on_the_same_files_are_told(folder: Path) -> None:
    feed = GOOD[GOOD.index("  safety_manager:\n") :]
    text = GOOD + feed.replace("  safety_manager:\n", "  other_feed:\n")
    write(folder, text)
    problems = check(folder)
    assert len(problems) == 1
    assert problems[0].line == text[: text.rindex("pattern:")].count("\n") + 1
    assert "feed 'other_feed' collects the same as feed 'safety_manager'" in problems[0].message


def test_pool_of_two_sizes_is_told(folder: Path) -> None:
    text = GOOD.replace("department: housing", "department: zoning").replace("slots: 1", "slots: 3")
    write(folder, text, "zoning.yaml")
    problems = check(folder)
    assert [(problem.file.name, problem.line) for problem in problems] == [("zoning.yaml", line_of(text, "slots"))]
    assert "pool 'housing' has 3 slots here and 1 in housing.yaml" in problems[0].message


def test_file_that_would_not_be_read_is_told(folder: Path) -> None:
    write(folder, GOOD, "other.yml")
    assert [(problem.file.name, problem.fix) for problem in check(folder)] == [
        ("other.yml", "Rename it to other.yaml.")
    ]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", None, "the file is empty"),
        (b"# only a remark\n", None, "the file is empty"),
        (b"- a\n- b\n", 1, "the file: expected a mapping, got a list"),
        ("a: 1\nname: 市住建局\n".encode("gb18030"), 2, "the text is not UTF-8"),
        (b"a: 1\n---\nb: 2\n", 2, "is not YAML"),
        (b"a: 1\nb: \x00\n", 2, "is not YAML"),
    ],
)
def test_file_that_holds_no_department_is_told(folder: Path, content: bytes, line: int | None, message: str) -> None:
    (folder / "departments" / "housing.yaml").write_bytes(content)
    problems = check(folder)
    assert [problem.line for problem in problems] == [line]
    assert message in problems[0].message


def test_catalogue_without_departments_is_told(folder: Path) -> None:
    (folder / "departments" / "housing.yaml").unlink()
    assert [problem.message for problem in check(folder)] == ["no department's file *.yaml is here"]


# file, what is replaced, by what, the line, what came, the fix
TABLE_MISTAKES = [
    ("license_types.csv", "license_type,seq", "license_typ,seq", 1, "unknown column 'license_typ'", "Did you mean 'license_type'?"),
    ("license_types.csv", ",any_type\n", "\n", 1, "column any_type is missing", "The header is license_type,seq"),
    ("license_types.csv", "household_register,2", "resident_identity_card,2", 3, "license_type 'resident_identity_card' is repeated, first at line 2", "Keep one"),
    ("license_types.csv", "居民户口簿", "居民身份证", 3, "name_zh '居民身份证' is repeated", "Keep one"),
    ("license_types.csv", "household_register,2,", "household_register,1,", 3, "seq 1 is repeated", "Keep one"),
    ("license_types.csv", "11100000000013338W032,", "11100000000013338W011,", 23, "license_type_code '11100000000013338W011' is repeated, first at line 22", "Keep one"),
    ("license_types.csv", "11100000MB0143028R001", "11100000MB0143028I001", 32, "expected 18 characters of a credit code and 3 digits", "Leave it blank"),
    ("license_types.csv", "11100000MB0143028R001,seen in public systems under this name", "11100000MB0143028R001,", 32, "license_type_code has no code_basis", "Say where"),
    ("license_types.csv", "residence_permit,3,居住证", "residence_permit,3,", 4, "name_zh is blank", "Fill it in"),
    ("license_types.csv", "residence_permit,3", "Residence Permit,3", 4, "license_type: expected small letters, digits and _", "Use a key"),
    ("license_types.csv", "residence_permit,3", "residence_permit,three", 4, "seq: ", "Correct the cell"),
    ("license_types.csv", "市公安局,person,permanent,,户别", "市公安局,people,permanent,,户别", 3, "holder_type: expected 'person', 'organization' or 'both', got 'people'", "Use one of these"),
    ("license_types.csv", "签发日期,no", "签发日期,nein", 4, "multi_holder: expected yes or no, got 'nein'", "Use one of these"),
    ("license_types.csv", "居住地址|签发日期", "居住地址||签发日期", 4, "extra_fields has a blank part", "Remove the bar"),
    ("license_types.csv", "市公安局,person,permanent,,户别", "市公安局,person,permanent,5,户别", 3, "validity_years is given with validity permanent", "Leave one"),
    ("license_types.csv", "居住地址|签发日期,no", "居住地址|签发日期,no,no", 4, "expected 15 cells as in the header, got 16", "into quotes"),
    ("license_types.csv", "居民户口簿", '"居民户口簿', 3, "is not CSV", "Close every quote"),
    ("districts.csv", "liangzihu,梁子湖区,ezhou", "liangzihu,梁子湖区,ezhu", 3, "parent 'ezhu' is no district", "Did you mean 'ezhou'?"),
    ("districts.csv", "ezhou,鄂州市,,city", "ezhou,鄂州市,gedian,city", 2, "district 'ezhou' is its own ancestor", "Correct the parents"),
    ("districts.csv", "linkong,临空经济区", "linkong,临空新区", 7, "name '临空新区' is no alias", "district_aliases.csv"),
    ("districts.csv", "ezhou,development_zone\nlinkong", "ezhou,zone\nlinkong", 6, "kind: expected 'city', 'county' or 'development_zone', got 'zone'", "Use one"),
    ("district_aliases.csv", "420702,liangzihu,seen", "420702,lianzihu,seen", 4, "alias '420702' leads to an unknown district 'lianzihu'", "Did you mean 'liangzihu'?"),
    ("district_aliases.csv", "420702,liangzihu,seen", "420700,liangzihu,seen", 4, "alias '420700' is repeated, first at line 2", "Keep one"),
    ("district_aliases.csv", "420702,liangzihu,seen", "４２０７０２,liangzihu,seen", 4, "is in full-width form and never matches", "Write '420702'."),
    ("district_aliases.csv", "420702,liangzihu,seen", "420702,liangzihu,heard", 4, "basis: expected 'seen' or 'assumed', got 'heard'", "Use one"),
    ("standard_fields.csv", "certificate,certificate_name,", "certificate,certificate_number,", 4, "field 'certificate.certificate_number' is repeated, first at line 3", "Keep one"),
    ("standard_fields.csv", "certificate_number,证照编号,code", "certificate_number,证照编号,number", 3, "kind: expected 'identifier', 'code'", "Use one"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "old", "new", "line", "message", "fix"), TABLE_MISTAKES, ids=[case[4][:60] for case in TABLE_MISTAKES]
)
def test_mistake_in_a_table_is_told_with_line_and_fix(
    folder: Path, table: str, old: str, new: str, line: int, message: str, fix: str
) -> None:
    path = folder / table
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    told = [problem for problem in check(folder) if message in problem.message]
    assert [(problem.file.name, problem.line, problem.severity) for problem in told] == [(table, line, "error")]
    assert fix in told[0].fix


def test_table_with_a_wrong_row_does_not_make_right_names_look_unknown(folder: Path) -> None:
    for table, old in (
        ("standard_fields.csv", "holder,持证主体,name"),
        ("license_types.csv", "manager_competency_certificate,21"),
    ):
        path = folder / table
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, old + "!", 1), encoding="utf-8")
    assert {problem.file.name for problem in check(folder)} == {"standard_fields.csv", "license_types.csv"}


def test_table_in_another_encoding_or_missing_is_told(folder: Path) -> None:
    path = folder / "districts.csv"
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    (folder / "license_types.csv").unlink()
    told = {problem.file.name: problem for problem in check(folder) if problem.file.suffix == ".csv"}
    assert (told["districts.csv"].line, told["districts.csv"].message) == (2, "the text is not UTF-8")
    assert "cannot be read" in told["license_types.csv"].message


def test_table_saved_with_byte_order_mark_and_crlf_is_read(folder: Path) -> None:
    path = folder / "license_types.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert check(folder) == []


@pytest.mark.parametrize(
    "line", ["0 1 * * *", "*/15 8-18 * * mon-fri", "0 0 1,15 jan-jun/2 *", "59 23 31 12 7", "0 0 31 2 1", "5 4 29 2 *"]
)
def test_cron_line_that_comes_true_is_right(line: str) -> None:
    assert cron_mistake(line) is None


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("", "expected 5 fields, got 0"),
        ("0 0 1 * * *", "expected 5 fields, got 6"),
        ("@daily", "expected 5 fields, got 1"),
        ("0 24 * * *", "hour '24' is not within 0-23"),
        ("0 0 0 * *", "day '0'"),
        ("0 0 * jany *", "month 'jany'"),
        ("0 0 * * 8", "weekday '8'"),
        ("*/0 * * * *", "minute '*/0'"),
        ("10-5 * * * *", "minute '10-5'"),
        ("5/10 * * * *", "minute '5/10'"),
        ("1,,2 * * * *", "minute ''"),
        ("０ 1 * * *", "minute '０'"),
        ("0 0 30 2 *", "this day is in none of these months"),
        ("0 0 31 4,6,9,11 *", "this day is in none of these months"),
    ],
)
def test_cron_line_that_cannot_be_is_told(line: str, mistake: str) -> None:
    assert mistake in (cron_mistake(line) or "")
