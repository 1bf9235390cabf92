"""The catalogue in the repository is right, whole, and completed by editors from a schema that is up to date."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from zhengku.catalog import CODES, Problem, department_schema, load_catalog, load_department
from zhengku.catalog.reference import DISTRICT_ALIASES_FILE
from zhengku.check.configuration import check_catalog
from zhengku.errors import CatalogError

HOME = Path(__file__).resolve().parents[3]
CATALOG = HOME / "include" / "catalog"
SUITES = HOME / "expectations"


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return check_catalog(CATALOG, SUITES)


def test_shipped_catalogue_has_no_error(problems: list[Problem]) -> None:
    assert [str(problem) for problem in problems if problem.severity != "info"] == []


def test_blank_type_codes_are_told_once(problems: list[Problem]) -> None:
    told = [problem for problem in problems if "have no license_type_code" in problem.message]
    assert [problem.severity for problem in told] == ["info"]
    assert "36 of 51" in told[0].message


def test_the_51_license_types_are_there() -> None:
    types = load_catalog(CATALOG).license_types
    assert sorted(row.seq or 0 for row in types.values() if row.seq) == list(range(1, 52))
    assert [row.license_type for row in types.values() if not row.seq] == ["other_certificate"]
    assert [row.license_type for row in types.values() if row.any_type] == ["other_certificate"]
    assert types["business_license"].license_type_code == "11100000MB0143028R001"
    assert types["residence_permit"].license_type_code is None
    assert types["marriage_certificate"].code_basis == "inferred, confirm before use"
    assert types["disability_certificate"].validity_years == 10
    assert types["real_estate_ownership_certificate"].multi_holder is True
    assert "法定代表人/经营者" in types["business_license"].extra_fields


@pytest.mark.parametrize(
    ("delivered", "district"),
    [
        ("420700", "ezhou"),
        ("鄂州", "ezhou"),
        ("420702000000", "liangzihu"),
        ("华容区", "huarong"),
        ("420704", "echeng"),
        ("420703400", "gedian"),
        ("420740", "gedian"),
        ("420751", "gedian"),
        ("葛店经济技术开发区", "gedian"),
        ("420704401", "linkong"),
        ("临空", "linkong"),
    ],
)
def test_district_is_found_under_its_codes_and_names(delivered: str, district: str) -> None:
    assert load_catalog(CATALOG).district_aliases[delivered] == district


def test_a_place_outside_the_city_is_no_alias() -> None:
    aliases = load_catalog(CATALOG).district_aliases
    assert not {"武汉", "武汉市", "420100", "420701", ""} & aliases.keys()


def test_every_alias_says_whether_it_was_seen() -> None:
    with (CATALOG / DISTRICT_ALIASES_FILE).open(encoding="utf-8", newline="") as file:
        assert {row["basis"] for row in csv.DictReader(file)} == {"seen", "assumed"}


def test_every_type_is_fed_by_the_department_that_issues_it() -> None:
    types = load_catalog(CATALOG).license_types
    fed: dict[str, str] = {}
    for path in sorted((CATALOG / "departments").glob("*.yaml")):
        department = load_department(CATALOG, path.stem)
        for feed in department.feeds.values():
            assert (feed.license_type is not None) == (feed.dataset == "certificate")
            if feed.license_type is not None:
                fed[feed.license_type] = department.catalog_name
    assert fed.keys() == types.keys()
    assert {key: fed[key] for key, row in types.items() if row.seq} == {
        key: row.department for key, row in types.items() if row.seq
    }


def test_every_feed_asks_the_rules_of_its_type() -> None:
    for path in sorted((CATALOG / "departments").glob("*.yaml")):
        for feed in load_department(CATALOG, path.stem).feeds.values():
            if (SUITES / f"{feed.license_type}.json").is_file():
                assert feed.license_type in feed.suites, feed.name


def test_every_department_has_its_dag() -> None:
    for path in sorted((CATALOG / "departments").glob("*.yaml")):
        text = (HOME / "dags" / f"{path.stem}.py").read_text(encoding="utf-8")
        assert f'dag = department_dag("{path.stem}")' in text


def test_market_supervision_maps_the_register() -> None:
    feed = load_department(CATALOG, "market_supervision").feeds["business_license"]
    assert feed.name == "market_supervision/business_license"
    assert feed.required_columns == (
        "统一社会信用代码", "企业名称", "注册日期", "地区", "企业类型", "法人代表", "注册资金", "经营范围", "注册地址",
    )  # fmt: skip
    assert feed.unexpected_columns((*feed.required_columns, "所在省份")) == ()
    assert feed.unexpected_columns((*feed.required_columns, "联系电话")) == ("联系电话",)
    assert feed.delivered_fields["issue_date"].column == feed.extension["成立日期"].column == "注册日期"
    assert feed.constants["holder_code_type"] == "001"
    assert "status" in feed.absent_fields
    assert feed.extension["法定代表人/经营者"].personal == "name"


def test_schema_of_a_broken_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "standard_fields.csv").write_text("dataset,field\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"standard_fields\.csv:1: column name_zh, kind.* is missing"):
        department_schema(tmp_path)


def test_committed_schema_is_the_generated_one() -> None:
    committed = json.loads((CATALOG / "department.schema.json").read_text(encoding="utf-8"))
    assert committed == department_schema(CATALOG), "run `zhengku catalog schema`"


@pytest.mark.parametrize("path", sorted((CATALOG / "departments").glob("*.yaml")), ids=lambda path: path.stem)
def test_schema_accepts_the_shipped_file_and_refuses_a_wrong_one(path: Path) -> None:
    schema = department_schema(CATALOG)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    # Through JSON, as an editor sees it: the round-trip loader's own types are of no matter here.
    data = json.loads(json.dumps(YAML(typ="safe", pure=True).load(path)))
    assert [error.message for error in validator.iter_errors(data)] == []
    for feed in data["feeds"].values():
        field = next(iter(feed["fields"]))
        feed["fields"][field] = {"column": "甲", "constant": "乙"}
        feed["fields"]["no_such_field"] = {"column": "丙"}
        feed["fields"]["status"] = {"column": "丁", "codes": {"10": "no_such_status"}}
        feed.setdefault("absent", []).append("no_such_field")
        feed["surprise"] = 1
    places = {"/".join(map(str, error.absolute_path)).split("/", 2)[-1] for error in validator.iter_errors(data)}
    assert f"fields/{field}" in places
    assert "fields" in places
    assert "fields/status/codes/10" in places
    assert any(place.startswith("absent/") for place in places)
    assert any("surprise" in error.message for error in validator.iter_errors(data))


def test_suite_and_catalogue_know_the_same_statuses() -> None:
    suite = SUITES / "certificate.json"
    if not suite.is_file():
        pytest.skip("expectations/certificate.json does not exist")
    entries = json.loads(suite.read_text(encoding="utf-8"))["expectations"]
    sets = [
        set(entry["kwargs"]["value_set"])
        for entry in entries
        if entry["kwargs"].get("column") == "status" and "value_set" in entry["kwargs"]
    ]
    assert sets == [set(CODES["certificate"]["status"])]


def test_reading_a_department_needs_neither_expectations_nor_a_database() -> None:
    program = (
        "import sys; from pathlib import Path; from zhengku.catalog import load_department;"
        "load_department(Path(sys.argv[1]), 'market_supervision');"
        "print(sorted({'great_expectations', 'pandas', 'sqlalchemy', 'psycopg', 'fsspec', 'airflow'}"
        " & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", program, str(CATALOG)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_check_before_a_department_is_collected_does_not_wait_for_expectations() -> None:
    program = (
        "import sys; from pathlib import Path; from zhengku.check.configuration import check_department;"
        "check_department(Path(sys.argv[1]), Path(sys.argv[2]), 'market_supervision');"
        "print('great_expectations' in sys.modules)"
    )
    folders = [str(CATALOG), str(HOME / "expectations")]
    run = subprocess.run([sys.executable, "-c", program, *folders], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
