"""What the steps would refuse for its configuration, `catalog check` finds by their own code."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from zhengku.check.configuration import check_catalog
from zhengku.errors import CatalogError

HOME = Path(__file__).resolve().parents[3]

TABLE = """\
department: office
name: 市某某局
owner: big-data-section
schedule: "0 1 * * *"
feeds:
  permit:
    title: 虚构许可证
    dataset: certificate
    license_type: building_construction_permit
    transport:
      kind: exchange_database
      connection: office
      table: permit
      row_id: [id]
    window: {kind: watermark, column: cd_time}
    operation: {column: cd_operation}
    key: [certificate_number]
    version: source_updated_at
    suites: [certificate, building_construction_permit]
    fields:
      certificate_number: {column: ZZHM}
      certificate_name: {constant: 建筑工程施工许可证}
      license_type_name: {constant: 建筑工程施工许可证}
      holder: {column: CZZT}
      holder_code: {column: CZZTDM}
      holder_code_type: {constant: "001"}
      issue_date: {column: FZRQ}
      issuing_authority: {constant: 市某某局}
      district: {constant: "420700"}
      status: {constant: valid}
      valid_from: {column: YXQQ}
      valid_to: {column: YXQZ}
      source_updated_at: {column: cd_time}
    absent:
      - certificate_identifier
      - certificate_version
      - license_type_code
      - issuing_authority_code
      - file_url
      - defining_authority
      - defining_authority_code
      - validity
      - service_item_name
      - service_item_code
      - file_digest
    ignored_columns: [cd_batch]
"""
HTTP = TABLE.replace(
    "      kind: exchange_database\n      connection: office\n      table: permit\n",
    "      kind: http\n      connection: office\n      path: api/permit\n      signature: {kind: md5}\n"
    "      paging: {kind: number}\n      since_parameter: since\n",
)
FILES = TABLE.replace(
    "      kind: exchange_database\n      connection: office\n      table: permit\n      row_id: [id]\n"
    "    window: {kind: watermark, column: cd_time}\n",
    "      kind: file_drop\n      connection: office\n",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(HOME / "include" / "catalog", tmp_path / "catalog", ignore=shutil.ignore_patterns("departments"))
    (tmp_path / "catalog" / "departments").mkdir()
    shutil.copytree(HOME / "expectations", tmp_path / "expectations")
    return tmp_path


def told(folder: Path, text: str, environment: dict[str, str] | None = None, only: str | None = None) -> list[str]:
    (folder / "catalog" / "departments" / "office.yaml").write_text(text, encoding="utf-8")
    problems = check_catalog(folder / "catalog", folder / "expectations", None, environment, only)
    return [str(problem) for problem in problems if problem.severity == "error"]


@pytest.mark.parametrize("text", [TABLE, HTTP, FILES], ids=["table", "http", "files"])
def test_a_file_that_is_right_is_right(folder: Path, text: str) -> None:
    assert told(folder, text) == []


@pytest.mark.parametrize(
    ("ignored", "named"),
    [
        ("id", "row_id"),
        ("ID", "row_id as 'id'"),
        ("cd_time", "fields.source_updated_at"),
        ("cd_operation", "the operation"),
        ("ＣＺＺＴ", "fields.holder as 'CZZT'"),
        ("zz hm", "fields.certificate_number as 'ZZHM'"),
    ],
)
def test_a_column_that_is_used_and_ignored(folder: Path, ignored: str, named: str) -> None:
    [problem] = told(folder, TABLE.replace("[cd_batch]", f"[cd_batch, {ignored}]"))
    assert f"column '{ignored}' is ignored and also used by {named}. Remove it" in problem
    assert "office.yaml:46: " in problem


def test_a_window_that_is_used_for_nothing_else_and_ignored(folder: Path) -> None:
    text = TABLE.replace("column: cd_time}\n    operation", "column: stamp}\n    operation").replace(
        "[cd_batch]", "[stamp]"
    )
    [problem] = told(folder, text)
    assert "column 'stamp' is ignored and also used by the window" in problem


def test_a_row_id_that_is_named_twice(folder: Path) -> None:
    [problem] = told(folder, TABLE.replace("row_id: [id]", "row_id: [id, id]"))
    assert "row_id names 'id' twice" in problem


def test_texts_of_times_that_do_not_sort(folder: Path) -> None:
    [problem] = told(folder, TABLE.replace("      row_id", '      time_format: "%d.%m.%Y"\n      row_id'))
    assert "office.yaml:10: office/permit: expected a time_format from the year down to the second" in problem


@pytest.mark.parametrize("name", ["签名", "x sign", "x:sign", ""])
def test_a_header_that_http_cannot_carry(folder: Path, name: str) -> None:
    [problem] = told(folder, HTTP.replace("{kind: md5}", f'{{kind: md5, signature_header: "{name}"}}'))
    assert "signature_header" in problem
    assert "office.yaml:14: " in problem


@pytest.mark.parametrize(
    ("text", "address", "expected"),
    [
        (TABLE, "no address", "ZHENGKU_CONN_OFFICE cannot be read. Expected <kind>://"),
        (TABLE, "sqlite:///x.db", "ZHENGKU_CONN_OFFICE cannot be read"),
        (HTTP, "mysql://u:p@host/db", "expected an address like https://id:secret@host/base"),
        (HTTP, "https://host/base", "signature md5 needs an id and a secret"),
        (HTTP, "https://id:secret@host:port/base", "expected an address like https://id:secret@host/base"),
        (HTTP, "https://%E8%AF%81:secret@host/base", "holds characters that HTTP cannot carry"),
        (FILES, "https://id:secret@host/base", "expected a folder's path or sftp://…, got https://"),
        (FILES, "sftp://host/drop", "it has no user"),
        (FILES, "sftp://user:p@ss@host/drop", "it has an @ or a # where none belongs"),
        (FILES, "sftp://user@host/drop?identity=/no/such/key", "the key /no/such/key cannot be read"),
    ],
)
def test_an_address_of_the_environment_that_cannot_be_one(folder: Path, text: str, address: str, expected: str) -> None:
    [problem] = told(folder, text, {"ZHENGKU_CONN_OFFICE": address})
    assert expected in problem
    assert "office.yaml:12" in problem
    assert "p@ss" not in problem


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (TABLE, "mysql://u:p%40ss@host/db"),
        (HTTP, "https://id:secret@host/base"),
        (FILES, "/some/folder"),
        (FILES, "sftp://user:password@host/drop"),
        (FILES, ""),
    ],
)
def test_an_address_that_can_be_one_is_not_connected_to(folder: Path, text: str, address: str) -> None:
    assert told(folder, text, {"ZHENGKU_CONN_OFFICE": address}) == []


def change_suite(folder: Path, name: str, **changed: Any) -> None:
    path = folder / "expectations" / f"{name}.json"
    suite = json.loads(path.read_text("utf-8"))
    suite["expectations"][0] |= changed
    path.write_text(json.dumps(suite, ensure_ascii=False), encoding="utf-8")


@pytest.mark.parametrize(
    ("suite", "changed", "expected"),
    [
        ("certificate", {"type": "expect_column_values_to_be_good"}, "expect_column_values_to_be_good"),
        ("certificate", {"kwargs": {"colunm": "holder"}}, "entry 1"),
        (
            "certificate",
            {"kwargs": {"column": "holdre", "unusable_columns": []}},
            "looks at holdre, which no row of office/permit has",
        ),
        ("certificate", {"kwargs": {"column": "holder", "mostly": 0.9}}, "expected no `mostly`"),
        ("certificate", {"kwargs": {"column": "holder", "x": {"$PARAMETER": "tomorrow"}}}, "tomorrow"),
        ("certificate", {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 1}}, "entry 1"),
        ("certificate", {"severity": "bad"}, "severity"),
        ("batch", {"kwargs": {"column": "quarantined_share", "max_value": "much"}}, "batch.json"),
        ("batch", {"type": "expect_nothing"}, "expect_nothing"),
    ],
)
def test_a_suite_that_validate_would_refuse(folder: Path, suite: str, changed: dict[str, Any], expected: str) -> None:
    change_suite(folder, suite, **changed)
    problems = told(folder, TABLE)
    assert len(problems) == 1
    assert expected in problems[0]
    assert "`zhengku collect` would refuse" in problems[0]


@pytest.mark.parametrize("field", ["holder", "holder_code", "issue_date"])
def test_a_field_that_rows_cannot_do_without_is_absent(folder: Path, field: str) -> None:
    kept = "".join(line for line in FILES.splitlines(keepends=True) if not line.startswith(f"      {field}: "))
    text = kept.replace("    absent:\n", f"    absent:\n      - {field}\n")
    [problem] = told(folder, text)
    line = text[: text.index(f"- {field}\n")].count("\n") + 1
    assert f"office.yaml:{line}: '{field}' is absent, but rule certificate.{field}.present requires it" in problem
    assert f"absent_because: {{{field}: …}}" in problem
    because = text.replace("    ignored_", f"    absent_because: {{{field}: 该局系统不登记}}\n    ignored_")
    assert told(folder, because) == []


def test_a_time_of_change_is_needed_by_rows_that_delete_alone(folder: Path) -> None:
    text = FILES.replace("version: source_updated_at", "version: delivery").replace(
        "      source_updated_at: {column: cd_time}\n    absent:\n", "    absent:\n      - source_updated_at\n"
    )
    [problem] = told(folder, text)
    assert "rule certificate.source_updated_at.of_delete requires it" in problem
    assert told(folder, text.replace("    operation: {column: cd_operation}\n", "")) == []


@pytest.mark.parametrize(
    ("because", "expected"),
    [
        ("{holder: 不登记}", "absent_because gives a reason for 'holder', which is not absent"),
        ('{validity: ""}', "absent_because.validity: expected text, got an empty one"),
    ],
)
def test_a_reason_for_what_is_not_absent_or_none(folder: Path, because: str, expected: str) -> None:
    [problem] = told(folder, TABLE.replace("    ignored_", f"    absent_because: {because}\n    ignored_"))
    assert expected in problem


def test_a_reason_does_not_change_what_a_batch_was_read_with(folder: Path) -> None:
    from zhengku.catalog import load_department

    digests = []
    for text in (TABLE, TABLE.replace("    ignored_", "    absent_because: {validity: 不登记}\n    ignored_")):
        assert told(folder, text) == []
        digests.append(load_department(folder / "catalog", "office").feeds["permit"].config_digest)
    assert digests[0] == digests[1]


def test_one_department_is_asked_for(folder: Path) -> None:
    other = TABLE.replace("department: office", "department: bureau").replace("table: permit", "table: other")
    (folder / "catalog" / "departments" / "bureau.yaml").write_text(other.replace("title", "titel"), encoding="utf-8")
    assert told(folder, TABLE, only="office") == []
    assert len(told(folder, TABLE, only="bureau")) == len(told(folder, TABLE)) > 0
    change_suite(folder, "batch", type="expect_nothing")
    assert len(told(folder, TABLE, only="office")) == 1
    with pytest.raises(CatalogError, match=r"No departments/ofice\.yaml\. Did you mean 'office'"):
        told(folder, TABLE, only="ofice")
