import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stdnum.cn import uscc

from simulator.business_licenses import COLUMNS, FileTruth, Truth, credit_code, write_file_drop, write_register
from zhengku.errors import DeliveryRejected
from zhengku.readers.records import open_records

SUITES = Path(__file__).parents[3] / "expectations"


def laid_out(folder: Path, **options: object) -> Truth:
    return write_file_drop(folder, **options)  # type: ignore[arg-type]


def content_of(folder: Path, truth: FileTruth) -> bytes:
    return (folder / "business_license" / truth.name).read_bytes()


def test_simulator_runs_without_the_pipeline() -> None:
    script = "import sys, simulator.business_licenses; sys.exit('zhengku' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_made_up_credit_codes_are_valid_and_differ() -> None:
    codes = [credit_code(number) for number in [*range(2000), 31**6 - 1]]
    assert all(uscc.is_valid(code) for code in codes)
    assert len(set(codes)) == len(codes)
    with pytest.raises(ValueError, match="below"):
        credit_code(31**6)


def test_same_seed_gives_the_same_files_and_another_gives_others(tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    truth = laid_out(one, seed=3)
    assert laid_out(two, seed=3) == truth
    different = laid_out(other, seed=4)
    for file, its_other in zip(truth.files, different.files, strict=True):
        assert content_of(one, file) == content_of(two, file)
        assert content_of(one, file) != content_of(other, its_other)


@pytest.mark.parametrize("rows", [20, 400, 1000])
def test_one_row_in_ten_is_to_be_quarantined_and_every_row_has_a_fate(tmp_path: Path, rows: int) -> None:
    first, second = laid_out(tmp_path, rows=rows).files
    assert first.fetched == rows
    assert first.fates["quarantined"] == rows // 10
    assert sum(first.fates.values()) == rows
    assert second.fates["quarantined"] * 10 <= second.fetched
    if rows >= 400:
        assert set(first.fates) == {"inserted", "duplicate", "quarantined"}
        assert set(second.fates) == {"inserted", "updated", "unchanged", "quarantined"}


@pytest.mark.parametrize("seed", range(5))
def test_reader_finds_the_rows_where_the_truth_has_them(tmp_path: Path, seed: int) -> None:
    for truth in laid_out(tmp_path, seed=seed).files:
        reader = open_records(io.BytesIO(content_of(tmp_path, truth)), required_columns=COLUMNS)
        good, bad = [], []
        for block in reader:
            good += [int(line.split(b"\t")[0]) for line in block.copy_text.splitlines()]
            bad += block.bad
        torn = {row.line: row.rules for row in truth.rows if any(rule.startswith("row.") for rule in row.rules)}
        assert {row.row_no: (row.rule_id,) for row in bad} == torn
        assert good == [row.line for row in truth.rows if row.line not in torn]
        assert reader.encoding == truth.encoding
        assert reader.fetched == truth.fetched


def test_every_kind_of_torn_row_is_there(tmp_path: Path) -> None:
    rules = {rule for file in laid_out(tmp_path).files for row in file.rows for rule in row.rules}
    assert {"row.ragged", "row.nul", "row.encoding", "row.quote"} <= rules


def test_rules_of_the_truth_are_rules_of_the_suites_with_their_severity(tmp_path: Path) -> None:
    entries = [
        entry
        for name in ("certificate", "business_license")
        for entry in json.loads((SUITES / f"{name}.json").read_text(encoding="utf-8"))["expectations"]
    ]
    critical = {entry["meta"]["rule_id"] for entry in entries if entry["severity"] == "critical"}
    lenient = {entry["meta"]["rule_id"] for entry in entries if entry["severity"] != "critical"}
    rows = [row for file in laid_out(tmp_path, rows=1000).files for row in file.rows]
    assert {rule for row in rows for rule in row.rules if not rule.startswith("row.")} <= critical
    assert {rule for row in rows for rule in row.warnings} <= lenient
    assert all(bool(row.rules) == (row.fate == "quarantined") for row in rows)


def test_manifest_beside_each_file_tells_its_rows_and_digest(tmp_path: Path) -> None:
    for truth in laid_out(tmp_path).files:
        path = tmp_path / "business_license" / f"{truth.name}.manifest.json"
        digest = hashlib.sha256(content_of(tmp_path, truth)).hexdigest()
        assert json.loads(path.read_text()) == {"rows": truth.fetched, "sha256": digest}


def test_files_are_settled_and_their_times_give_their_order(tmp_path: Path) -> None:
    truth = laid_out(tmp_path, with_rejected=True)
    times = [(tmp_path / "business_license" / file.name).stat().st_mtime for file in truth.files]
    assert times == sorted(times)
    assert len(set(times)) == 3
    assert max(times) < time.time() - 60


def test_rejected_file_lacks_a_column(tmp_path: Path) -> None:
    *_, last = laid_out(tmp_path, with_rejected=True).files
    with pytest.raises(DeliveryRejected) as caught:
        open_records(io.BytesIO(content_of(tmp_path, last)), required_columns=COLUMNS)
    assert caught.value.rule == last.rejected_by


def test_truth_is_written_outside_the_drop(tmp_path: Path) -> None:
    truth = laid_out(tmp_path / "drop", truth_folder=tmp_path / "aside")
    written = json.loads((tmp_path / "aside" / "truth.json").read_text(encoding="utf-8"))
    assert [file["fates"] for file in written["files"]] == [file.fates for file in truth.files]
    assert not list((tmp_path / "drop").rglob("truth.json"))


def test_dirt_is_there_in_every_form(tmp_path: Path) -> None:
    first, second = laid_out(tmp_path).files
    text = content_of(tmp_path, first).decode(errors="replace")
    for form in (
        r",20\d\d/\d{1,2}/\d{1,2},",
        r",20\d{6},",
        r",20\d\d年\d{1,2}月\d{1,2}日,",
        r",20\d\d-\d\d-\d\d 00:00:00,",
        r",９１４２０７００ＸＮ",
        r",91420700xn",
        r"（虚构）",
        r",N/A,",
        r",NULL,",
        r"\n　鄂州市",
        r"[^\r\n]\n虚构农产品",
    ):
        assert re.search(form, text), form
    assert content_of(tmp_path, second).count(b"\r\n") == second.fetched + 1


def test_register_is_clean_and_its_codes_are_those_of_the_numbers(tmp_path: Path) -> None:
    write_register(tmp_path / "register.csv", 31_000, seed=2)
    with (tmp_path / "register.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert tuple(rows[0]) == COLUMNS
    assert [row["统一社会信用代码"] for row in rows] == [credit_code(8_000_000 + i) for i in range(31_000)]
    assert len({row["企业名称"] for row in rows}) == 31_000
    assert all(None not in row and None not in row.values() for row in rows)


def test_register_takes_scopes_from_a_template_and_nobodys_name(tmp_path: Path) -> None:
    template = tmp_path / "template.csv"
    with template.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerow(
            [
                "模板公司",
                "模板代码",
                "2015-01-01",
                "类型\n甲",
                "模板人",
                "一万元",
                '范围,"引"',
                "湖北",
                "鄂州",
                "模板地址",
            ]
        )
    write_register(tmp_path / "register.csv", 3, seed=1, template_csv=template)
    with (tmp_path / "register.csv").open(encoding="utf-8", newline="") as file:
        text = file.read()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(row["企业类型"], row["经营范围"], row["注册地址"]) for row in rows] == [
        ("类型\n甲", '范围,"引"', "模板地址")
    ] * 3
    assert not any(word in text for word in ("模板公司", "模板代码", "模板人"))
