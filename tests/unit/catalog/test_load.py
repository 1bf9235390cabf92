"""Loading a catalogue: what exists is handed out, what does not is named with the nearest that does."""

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from zhengku.catalog import DateForm, load_catalog, load_department
from zhengku.catalog.problem import Problem
from zhengku.check.configuration import check_catalog
from zhengku.errors import CatalogError
from zhengku.transports.file_drop.model import CsvFormat

SHIPPED = Path(__file__).resolve().parents[3] / "include" / "catalog"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped tables with the file of one department."""
    copy = tmp_path / "catalog"
    shutil.copytree(SHIPPED, copy)
    for path in (copy / "departments").iterdir():
        if path.name != department_file(copy).name:
            path.unlink()
    return copy


def department_file(folder: Path) -> Path:
    return folder / "departments" / "market_supervision.yaml"


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_unknown_names_are_answered_with_the_nearest(folder: Path) -> None:
    catalog = load_catalog(folder)
    with pytest.raises(CatalogError, match=r"'market_supervison'.*Did you mean 'market_supervision'.*There is: market"):
        catalog.department("market_supervison")
    with pytest.raises(CatalogError, match=r"No feed 'licence'.*Allowed: business_license"):
        catalog.feed("market_supervision", "licence")
    with pytest.raises(CatalogError, match=r"'busines_license'.*Did you mean 'business_license'"):
        catalog.license_type("busines_license")
    with pytest.raises(CatalogError, match=r"'certificates'.*Did you mean 'certificate'"):
        catalog.standard_fields("certificates")


def test_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"nowhere is no folder.*ZHENGKU_CATALOG_DIR"):
        load_catalog(tmp_path / "nowhere")


def test_what_exists_is_handed_out(folder: Path) -> None:
    catalog = load_catalog(folder)
    assert list(catalog.departments) == ["market_supervision"]
    assert catalog.feed("market_supervision", "business_license").license_type == "business_license"
    assert catalog.license_type("business_license").name_zh == "营业执照"
    assert catalog.districts["gedian"].parent == "ezhou"
    assert next(iter(catalog.standard_fields("certificate"))) == "certificate_identifier"


def test_broken_file_stops_only_its_own_department(folder: Path) -> None:
    (folder / "departments" / "broken.yaml").write_text("department: broken\nnmae: 某局\n", encoding="utf-8")
    catalog = load_catalog(folder)
    assert catalog.department("market_supervision").department == "market_supervision"
    with pytest.raises(
        CatalogError, match=r"broken\.yaml:1: key 'name' is missing.*\(4 more: run `zhengku catalog check`"
    ):
        catalog.department("broken")


def test_a_new_license_type_is_one_row_with_key_and_name(folder: Path, tmp_path: Path) -> None:
    with (folder / "license_types.csv").open("a", encoding="utf-8") as file:
        file.write("fireworks_permit,,烟花爆竹经营许可证" + "," * 12 + "\n")
    path = department_file(folder)
    rewrite(path, "license_type: business_license", "license_type: fireworks_permit")
    rewrite(path, "license_type_code: {constant: 11100000MB0143028R001}", "license_type_code: {column: 类型代码}")
    rewrite(path, "license_type_name: {constant: 营业执照}", "license_type_name: {constant: 烟花爆竹经营许可证}")
    for feed in load_department(SHIPPED, "market_supervision").feeds.values():
        for suite in feed.suites:
            shutil.copy(SHIPPED.parents[1] / "expectations" / f"{suite}.json", tmp_path)
    shutil.copy(SHIPPED.parents[1] / "expectations" / "batch.json", tmp_path)
    assert [str(p) for p in check_catalog(folder, tmp_path) if p.severity != "info"] == []
    assert load_catalog(folder).license_type("fireworks_permit").extra_fields == ()


def test_defaults_are_filled_in(folder: Path) -> None:
    path = department_file(folder)
    rewrite(path, "pool: {name: market_supervision, slots: 1}\n", "")
    rewrite(path, "    suites: [certificate, business_license]\n", "")
    department = load_department(folder, "market_supervision")
    feed = department.feeds["business_license"]
    assert (department.pool.name, department.pool.slots) == ("market_supervision", 1)
    assert feed.suites == ("certificate",)
    assert DateForm.SPREADSHEET_SERIAL not in feed.fields["issue_date"].date_forms
    assert DateForm.CHINESE in feed.fields["issue_date"].date_forms
    assert (department.retries, feed.transport.format.max_record_bytes) == (2, 1_048_576)


def test_digest_follows_the_meaning_and_not_the_wording(folder: Path) -> None:
    path = department_file(folder)
    before = load_department(folder, "market_supervision").feeds["business_license"].config_digest
    rewrite(path, "      settle_seconds: 5\n", "      # a remark\n      settle_seconds: 5\n")
    assert load_department(folder, "market_supervision").feeds["business_license"].config_digest == before
    rewrite(path, "settle_seconds: 5", "settle_seconds: 6")
    assert load_department(folder, "market_supervision").feeds["business_license"].config_digest != before


def test_unquoted_codes_keep_their_leading_zeros(folder: Path) -> None:
    path = department_file(folder)
    rewrite(path, "      - status # the", "      # the")
    rewrite(path, "    fields:\n", "    fields:\n      status: {column: 状态, codes: {10: valid, 01: replaced}}\n")
    feed = load_department(folder, "market_supervision").feeds["business_license"]
    assert feed.fields["status"].codes == {"10": "valid", "01": "replaced"}


def test_loaded_catalogue_does_not_change(folder: Path) -> None:
    department = load_department(folder, "market_supervision")
    with pytest.raises(ValidationError, match="frozen"):
        department.name = "另一个局"


def test_problem_is_one_line_seen_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    problem = Problem(tmp_path / "a" / "x.yaml", 17, "unknown key 'colunm'\nin fields", "Did you mean 'column'?")
    assert str(problem) == f"{Path('a') / 'x.yaml'}:17: unknown key 'colunm' in fields. Did you mean 'column'?"


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\\", "n", "，", "\n", " "])
def test_delimiter_that_cannot_be_told_apart_is_refused(delimiter: str) -> None:
    with pytest.raises(ValidationError, match=r"delimiter .* is not one ASCII punctuation mark or a tab"):
        CsvFormat(delimiter=delimiter)


@pytest.mark.parametrize("encoding", ["utf-16", "hz", "no-such-encoding"])
def test_encoding_that_cannot_be_cut_at_line_feeds_is_refused(encoding: str) -> None:
    with pytest.raises(ValidationError, match=r"encoding .* is unknown or cannot be cut at line ends"):
        CsvFormat(encodings=(encoding,))
