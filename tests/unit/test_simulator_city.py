"""The made-up city: deterministic, whole, formally right where it is clean, and true about what it makes wrong."""

import ast
import csv
import json
import re
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_2, mod_37_36

from simulator.certificates import DISTRICTS, Office
from simulator.city import City, write_truth
from simulator.dirt import BREAKS, applicable
from simulator.model import FilePlace, HttpPlace, Night, SourceSystem, TablePlace
from simulator.sources import SYSTEMS, TYPES

HOME = Path(__file__).resolve().parents[2]
ROWS = 40


@pytest.fixture(scope="module")
def nights() -> list[Night]:
    return list(City(seed=7, rows_per_feed=ROWS, nights=5).nights())


def test_simulator_imports_nothing_of_the_pipeline() -> None:
    for path in sorted((HOME / "include" / "simulator").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.split(".")[0] == "zhengku"], path.name


def test_all_51_types_and_the_others_are_there_under_the_names_of_the_plan() -> None:
    with (HOME / "include" / "catalog" / "license_types.csv").open(encoding="utf-8", newline="") as file:
        catalogue = {row["license_type"]: row for row in csv.DictReader(file) if row["seq"]}
    ours = {name: sheet for types in TYPES.values() for name, sheet in types.items()}
    assert len(SYSTEMS) == len(ours) == 52
    assert ours.keys() - catalogue.keys() == {"other_certificate"}
    for name, row in catalogue.items():
        sheet = ours[name]
        assert (sheet.name, sheet.holder, sheet.validity) == (row["name_zh"], row["holder_type"], row["validity"])
        assert (sheet.years or "", sheet.code or "") == (
            int(row["validity_years"] or 0) or "",
            row["license_type_code"],
        )
        # The register of business licenses does not tell how long a business may run.
        missing = {"营业期限"} if name == "business_license" else set()
        assert set(sheet.extras) == set(row["extra_fields"].split("|")) - missing, name


def test_every_way_of_handing_over_is_there() -> None:
    http = [system.place for system in SYSTEMS if isinstance(system.place, HttpPlace)]
    files = [system.place for system in SYSTEMS if isinstance(system.place, FilePlace)]
    tables = [system.place for system in SYSTEMS if isinstance(system.place, TablePlace)]
    assert {place.signature for place in http} == {"hmac_sha256", "md5", "token"}
    assert {place.paging for place in http} == {"number", "cursor", "time"}
    assert {place.form for place in files} == {"csv_utf8", "csv_bom", "csv_gb18030", "xlsx"}
    assert {place.over_sftp for place in files} == {place.manifest for place in files} == {True, False}
    assert {place.time_as_text for place in tables} == {place.whole for place in tables} == {True, False}
    assert len({system.department for system in SYSTEMS}) == 17


def test_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    systems = [system for system in SYSTEMS if system.department in ("transport", "water", "ecology")]
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        for night in City(seed, ROWS, nights=2, systems=systems).nights():
            write_truth(night, tmp_path / name)
    contents = {
        name: {path.name: path.read_bytes() for path in sorted((tmp_path / name).rglob("night-0002/*.jsonl"))}
        for name in ("one", "two", "three")
    }
    assert contents["one"] == contents["two"]
    assert contents["one"] != contents["three"]
    assert len(contents["one"]) == 2 * len(systems) + 1


def test_one_feed_is_the_same_whatever_other_feeds_there_are(nights: list[Night]) -> None:
    [system] = [system for system in SYSTEMS if system.license_type == "tobacco_retail_license"]
    alone = list(City(seed=7, rows_per_feed=ROWS, nights=5, systems=[system]).nights())
    for night, lonely in zip(nights, alone, strict=True):
        [delivery] = [delivery for delivery in night.deliveries if delivery.system == system]
        assert delivery == lonely.deliveries[0]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_clean_certificates_are_formally_right(system: SourceSystem) -> None:
    office = Office(system.department, system.license_type, Random(1), date(2026, 1, 1))
    keys = set()
    for _ in range(60):
        certificate = office.issue()
        fields = certificate.fields
        keys.add(certificate.key(office.sheet.key))
        if fields["holder_code_type"] == "111":
            assert mod_11_2.is_valid(fields["holder_code"])
            assert date.fromisoformat(re.sub(r"(....)(..)(..)", r"\1-\2-\3", fields["holder_code"][6:14])).year < 2008
        elif fields["holder_code_type"] == "001":
            assert uscc.is_valid(fields["holder_code"])
        elif fields["holder_code_type"] == "516":
            assert re.fullmatch(r"H[0-9]{8}", fields["holder_code"])
        else:
            assert fields["holder_code_type"] == "099"
            assert re.fullmatch(r"XN[0-9]{8}", fields["holder_code"])
        if "certificate_identifier" in fields:
            root, parts = fields["certificate_identifier"][:15], fields["certificate_identifier"][15:].split(".")
            assert root == "1.2.156.3005.2."
            assert [len(parts[0]), len(parts[1]), len(parts[3])] == [21, 18, 3]
            assert mod_37_36.is_valid("".join(parts))
        assert "2019-01-01" <= fields["issue_date"] < "2026-01-01"
        assert fields["district"] in DISTRICTS
        if "valid_to" in fields:
            assert fields["valid_to"] > fields["issue_date"]
        assert set(certificate.extension) == set(office.sheet.extras)
        assert all(certificate.extension.values())
    assert len(keys) == 60


def test_every_fate_and_every_break_occurs(nights: list[Night]) -> None:
    fates = Counter(row.fate for night in nights for delivery in night.deliveries for row in delivery.rows)
    assert set(fates) == {
        "inserted", "updated", "unchanged", "deleted", "superseded", "duplicate", "quarantined",
    }  # fmt: skip
    rules = {rule for night in nights for delivery in night.deliveries for row in delivery.rows for rule in row.rules}
    assert rules >= {
        "certificate.record_key.present", "certificate.certificate_number.present", "certificate.holder.present",
        "certificate.holder_code.present", "certificate.issue_date.present", "certificate.holder_code.credit_code",
        "certificate.holder_code.identity_number", "certificate.certificate_identifier.valid",
        "certificate.license_type_name.catalogue", "certificate.license_type_code.catalogue",
        "certificate.issue_date.parseable", "certificate.valid_from.parseable", "certificate.valid_to.parseable",
        "certificate.source_updated_at.parseable", "certificate.source_updated_at.not_future",
        "certificate.issue_date.not_before_1949", "certificate.issue_date.not_future",
        "certificate.valid_to.not_before_valid_from", "certificate.status.mapped", "certificate.codes.mapped",
        "certificate.operation.known", "certificate.holder.readable", "certificate.certificate_number.readable",
        "certificate.record_key.length", "certificate.holder_code.length", "certificate.holder.not_a_code",
        "row.nul", "food_business_license.certificate_number.check_digit",
        "disability_certificate.certificate_number.form", "social_security_card.number.is_holder_code",
        "private_non_enterprise_unit_registration_certificate.holder_code.registering_authority",
    }  # fmt: skip


def test_every_break_has_a_system_that_it_fits() -> None:
    fitting = set()
    for system in SYSTEMS:
        office = Office(system.department, system.license_type, Random(2), date(2026, 1, 1))
        samples = {}
        for _ in range(30):
            certificate = office.issue()
            samples[certificate.fields["holder_code_type"]] = certificate
        fitting.update(applicable(system, samples))
    assert [BREAKS.index(how) for how in BREAKS if how not in fitting] == []


def test_rows_are_quarantined_for_rules_that_the_suites_know(nights: list[Night]) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((HOME / "expectations").glob("*.json")))
    known = set(re.findall(r'"rule_id": "([^"]+)"', text)) | {"row.nul"}
    rules = {rule for night in nights for delivery in night.deliveries for row in delivery.rows for rule in row.rules}
    assert rules - known == set()


def test_fates_add_up_to_what_is_stored_over_five_nights(nights: list[Night]) -> None:
    before: dict[str, dict[str, str | None]] = {system.name: {} for system in SYSTEMS}
    for night in nights:
        for delivery in night.deliveries:
            now: dict[str, str | None] = {row.record_key: row.removal for row in delivery.stored}
            then = before[delivery.system.name]
            fates = Counter(row.fate for row in delivery.rows)
            new = now.keys() - then.keys()
            born_deleted = {key for key in new if now[key] == "deleted"}
            assert then.keys() <= now.keys()
            assert len(new) == fates["inserted"] + len(born_deleted)
            assert {row.record_key for row in delivery.rows if row.fate == "deleted"} <= {
                key for key, removal in now.items() if removal == "deleted"
            }
            gone = {key for key, removal in now.items() if removal == "disappeared" and then.get(key) != "disappeared"}
            assert bool(gone) == (delivery.system.place.whole and night.number > 1 and delivery.compared)
            assert not gone & {row.record_key for row in delivery.rows}
            before[delivery.system.name] = now


def test_a_night_reads_from_the_watermark_less_the_overlap(nights: list[Night]) -> None:
    for night, following in pairwise(nights):
        for delivery, later in zip(night.deliveries, following.deliveries, strict=True):
            if delivery.watermark is None:
                continue
            start = delivery.watermark - timedelta(minutes=delivery.system.overlap_minutes)
            read = {row.row_id for row in later.rows}
            assert read == {row.row_id for row in later.rows_now if row.changed_at and row.changed_at >= start}
            late = [row for row in later.added if row.changed_at and row.changed_at < delivery.watermark]
            assert late, f"{delivery.system.name}: nothing was committed late"
            assert later.watermark is not None
            assert later.watermark > delivery.watermark


def test_repaired_certificates_come_right_later(nights: list[Night]) -> None:
    wrong: set[tuple[str, str]] = set()
    mended: set[str] = set()
    for night in nights:
        for delivery in night.deliveries:
            name = delivery.system.name
            mended |= {name for row in delivery.rows if row.fate == "inserted" and (name, row.record_key) in wrong}
            wrong |= {(name, row.record_key or "") for row in delivery.rows if row.fate == "quarantined"}
    assert mended == {system.name for system in SYSTEMS}


def test_too_small_a_city_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 40 rows"):
        City(rows_per_feed=39)


def test_command_line_shows_the_systems_and_writes_the_truth(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "nights", "--folder", str(tmp_path), "--rows", str(ROWS)]
    subprocess.run([*command, "--nights", "1"], check=True, capture_output=True)
    feeds = [json.loads(line) for line in (tmp_path / "truth" / "night-0001" / "feeds.jsonl").read_text().splitlines()]
    # Tables wait for a database.
    assert len(feeds) == sum(not isinstance(system.place, TablePlace) for system in SYSTEMS)
    assert all(feed["fetched"] == sum(feed["fates"].values()) > 0 for feed in feeds)
    [tobacco] = [feed for feed in feeds if feed["department"] == "tobacco"]
    assert list((tmp_path / "drop" / "tobacco").rglob(tobacco["file_name"]))
    assert (tmp_path / "systems" / "health.nurse_practice_certificate.jsonl").stat().st_size > 0
