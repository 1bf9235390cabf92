"""The made-up city: deterministic, whole, formally right where it is clean, and true about what it makes wrong."""

import ast
import csv
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import get_args

import pytest
from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_2, mod_37_36

from local_stack.city import ALL_SYSTEMS
from simulator.certificates import DISTRICTS, Certificate, Office
from simulator.city import MISHAPS, NIGHTS_FOR_ALL, City, write_truth
from simulator.dirt import BREAKS, applicable, write
from simulator.model import (
    IMPOSSIBLE_TIME,
    Fate,
    FilePlace,
    HttpPlace,
    Night,
    NightDelivery,
    Raw,
    SourceSystem,
    TablePlace,
)
from simulator.oddities import ODDITIES
from simulator.sources import SYSTEMS, TYPES
from zhengku.catalog import load_catalog
from zhengku.validate.suites import BATCH_SUITE, Severity, load_suites

HOME = Path(__file__).resolve().parents[3]
ROWS = 40

UNBREAKABLE = {
    "certificate.status.known": (
        "The catalogue takes no feed whose codes give a status that is not ours, and a code without a translation"
        " breaks certificate.status.mapped."
    ),
    "certificate.defining_authority_code.credit_code": "No department delivers the defining authority.",
    "business_license.certificate_number.credit_code": (
        "The register has one column for number and holder's code: a wrong one is told of once, by"
        " certificate.holder_code.credit_code."
    ),
    "business_license.holder_code.is_certificate_number": "The register has one column for both.",
}
"""Rules that no row of the city can break, each with the reason."""


@pytest.fixture(scope="module")
def nights() -> list[Night]:
    return list(City(seed=7, rows_per_feed=ROWS, nights=5).nights())


@pytest.fixture(scope="module")
def five_nights() -> list[Night]:
    """Those of tests/nights/test_nights.py."""
    return list(City(51, 60, nights=NIGHTS_FOR_ALL).nights())


@pytest.fixture(scope="module")
def rules() -> dict[str, Severity]:
    """The rules that the city's rows and deliveries meet, by their ids."""
    catalog = load_catalog(HOME / "include" / "catalog")
    names = {name for system in SYSTEMS for name in catalog.feed(system.department, system.feed).suites}
    suites = load_suites(HOME / "expectations", [*sorted(names), BATCH_SUITE])
    return {rule.rule_id: rule.severity for suite in suites for rule in suite.rules}


def deliveries_of(nights: list[Night], system: SourceSystem) -> list[NightDelivery]:
    return [delivery for night in nights for delivery in night.deliveries if delivery.system == system]


def samples_of(system: SourceSystem) -> Iterator[Certificate]:
    office = Office(system.department, system.license_type, Random(2), date(2026, 1, 1))
    return (office.issue() for _ in range(30))


def by_kind(system: SourceSystem) -> dict[str, Certificate]:
    """One certificate for each kind of holder."""
    return {certificate.fields["holder_code_type"]: certificate for certificate in samples_of(system)}


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


def test_every_fate_occurs(nights: list[Night]) -> None:
    fates = {row.fate for night in nights for delivery in night.deliveries for row in delivery.rows}
    assert fates == set(get_args(Fate))


def test_every_rule_is_broken_within_five_nights(five_nights: list[Night], rules: dict[str, Severity]) -> None:
    deliveries = [delivery for night in five_nights for delivery in night.deliveries]
    broken = {rule for delivery in deliveries for rule in delivery.batch_rules}
    broken |= {rule for delivery in deliveries for row in delivery.rows for rule in (*row.rules, *row.warnings)}
    assert rules.keys() - broken == UNBREAKABLE.keys()
    # A row that is no record meets no suite.
    assert broken - rules.keys() == {"row.nul", "row.formula", "row.quote"}


def test_rows_that_load_break_rules_that_warn_and_no_others(
    five_nights: list[Night], rules: dict[str, Severity]
) -> None:
    rows = [row for night in five_nights for delivery in night.deliveries for row in delivery.rows]
    assert {rules.get(rule, "critical") for row in rows for rule in row.rules} == {"critical"}
    assert {rules[rule] for row in rows for rule in row.warnings} == {"warning", "info"}
    wrong = {row.fate for row in rows if row.rules}
    assert wrong == {"quarantined", "superseded", "held"}
    assert {row.fate for row in rows if row.warnings and not row.rules} >= {"inserted", "updated", "unchanged"}
    assert [row for row in rows if row.fate == "quarantined" and not row.rules] == []


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_every_feed_has_every_kind_of_wrong_and_of_odd_row_within_five_nights(
    five_nights: list[Night], system: SourceSystem
) -> None:
    rows = [row for delivery in deliveries_of(five_nights, system) for row in delivery.rows]
    broken = {row.rules for row in rows}
    samples = by_kind(system)
    for how in applicable(system, samples):
        ways = [how(system, one, write(system, one, None), Random(0)) for one in samples.values()]
        assert broken & {way.rules for way in ways if way}, [way for way in ways if way]
    odd = {row.warnings for row in rows if row.fate == "inserted"}
    plain = [certificate for certificate in samples_of(system) if not certificate.warnings]
    for oddity in ODDITIES:
        made = [certificate for certificate in (oddity(system, one) for one in plain) if certificate]
        assert not made or odd & {tuple(sorted(certificate.warnings)) for certificate in made}, made[0].warnings


UNSEEN = re.compile("[\u00ad\u180e\u200b-\u200f\u2003\u2009\u2028-\u202e\u205f-\u2064\u3164\ufe0f\ufeff\ufffc]")
HABITS_OF_VALUES: dict[str, tuple[str, Callable[[object], bool]]] = {
    "what nobody sees in a number": ("certificate_number", lambda value: bool(UNSEEN.search(str(value)))),
    "what nobody sees in a name": ("holder", lambda value: bool(UNSEEN.search(str(value)))),
    "what nobody sees in an extra field": ("extension.住址", lambda value: bool(UNSEEN.search(str(value)))),
    "days in numerals": (
        "issue_date",
        lambda value: bool(re.fullmatch("[〇一二三四五六七八九]{4}年.{1,2}月.{1,3}日", str(value))),
    ),
    "days as milliseconds": ("issue_date", lambda value: isinstance(value, int) and value > 10**12),
    "days of another clock": ("issue_date", lambda value: "T16:00:00.000" in str(value)),
    "words for nothing of other programs": (
        "holder",
        lambda value: value in ("\\N", "NaN", "undefined", "<NA>", "None"),
    ),
    "words for nothing of clerks": ("holder", lambda value: value in ("无", "暂无", "未知", "——", "***")),
    "numbers for codes": ("certificate_number", lambda value: str(value).endswith(".0")),
    "rounded numbers": ("certificate_number", lambda value: "E+17" in str(value)),
    "numbers to come": ("certificate_number", lambda value: value == "待办理"),
    "codes of nobody": ("holder_code", lambda value: value == "0" * 18),
    "error cells": ("holder", lambda value: value == "#N/A"),
    "names in another encoding": ("holder", lambda value: "锟斤拷" in str(value)),
    "names of question marks": ("holder", lambda value: "????" in str(value)),
    "names that are hidden": ("holder", lambda value: bool(re.fullmatch(r".\*\*", str(value)))),
    "quotes that stand alone": ("holder", lambda value: isinstance(value, Raw) and value.count('"') == 1),
    "bits": ("cd_valid", lambda value: value == "1"),
    "bytes": ("cd_scan", lambda value: bytes.fromhex(str(value)).startswith(b"\x89PNG")),
    "times beyond all days": ("source_updated_at", lambda value: value == IMPOSSIBLE_TIME),
}
"""What a value looks like that departments, spreadsheets and drivers really send, and where: a source or a column."""


@pytest.mark.parametrize("habit", HABITS_OF_VALUES)
def test_values_are_written_as_departments_spreadsheets_and_drivers_do(five_nights: list[Night], habit: str) -> None:
    where, is_so = HABITS_OF_VALUES[habit]
    values = (
        row.values[column.name]
        for night in five_nights
        for delivery in night.deliveries
        for column in delivery.system.columns
        if where in (column.source, column.name)
        for row in delivery.rows_now
    )
    assert any(map(is_so, values))


def test_one_number_comes_in_two_writings_and_is_one_certificate(five_nights: list[Night]) -> None:
    other_brackets = Counter[str]()
    for night in five_nights:
        for delivery in night.deliveries:
            keys = [stored.record_key for stored in delivery.stored]
            assert len(keys) == len(set(keys))
            # As stored, which is as delivered; the key has one form.
            other_brackets.update(
                stored.removal or "valid"
                for stored in delivery.stored
                if re.search("[〔【]", stored.fields.get("certificate_number", ""))
                and not re.search("[〔【]", stored.record_key)
            )
    assert other_brackets.keys() >= {"valid", "deleted"}


def test_a_source_holds_one_row_twice(five_nights: list[Night]) -> None:
    doubled = [system for system in SYSTEMS if isinstance(system.place, HttpPlace) and system.place.doubled_rows]
    for system in doubled:
        delivery = deliveries_of(five_nights, system)[0]
        ids = Counter(row.row_id for row in delivery.rows)
        [twice] = [row_id for row_id, count in ids.items() if count == 2]
        assert [row.fate for row in delivery.rows if row.row_id == twice] == ["duplicate", "inserted"]
    assert doubled


def test_rows_without_a_key_are_put_right_in_their_place(five_nights: list[Night]) -> None:
    corrected = 0
    for before, after in pairwise(five_nights):
        for then, now in zip(before.deliveries, after.deliveries, strict=True):
            for row_id in now.corrected:
                assert not [row for row in then.rows if row.row_id == row_id and row.record_key]
                assert {row.fate for row in now.rows if row.row_id == row_id} == {"inserted"}
                corrected += 1
    assert corrected > len(SYSTEMS)


def test_every_break_and_every_oddity_has_a_system_that_it_fits() -> None:
    fitting = {how for system in SYSTEMS for how in applicable(system, by_kind(system))}
    assert [BREAKS.index(how) for how in BREAKS if how not in fitting] == []
    plain = [(system, one) for system in SYSTEMS for one in samples_of(system) if not one.warnings]
    assert [ODDITIES.index(odd) for odd in ODDITIES if not any(odd(*sample) for sample in plain)] == []


def test_held_delivery_changes_nothing_and_the_next_night_is_normal_again(nights: list[Night]) -> None:
    held = {(delivery.system.name, night.number) for night in nights for delivery in night.deliveries if delivery.held}
    assert held == {place for place, mishap in MISHAPS.items() if mishap not in ("swollen", "broken_off")}
    for name, number in held:
        [system] = [system for system in SYSTEMS if system.name == name]
        before, wrong, after = deliveries_of(nights, system)[number - 2 : number + 1]
        assert {row.fate for row in wrong.rows} == {"held"}
        assert (wrong.stored, wrong.watermark) == (before.stored, before.watermark)
        assert not after.held
        # What was to be read is read now, unless the next night's register took its place.
        assert system.place.whole or {row.row_id for row in wrong.rows} <= {row.row_id for row in after.rows}
        assert len(after.stored) > len(before.stored)
    [swollen] = [place for place, mishap in MISHAPS.items() if mishap == "swollen"]
    [delivery] = [d for d in nights[swollen[1] - 1].deliveries if d.system.name == swollen[0]]
    assert "batch.volume.not_swollen" in delivery.batch_rules


def test_city_without_mishaps_has_no_delivery_that_is_wrong_as_a_whole() -> None:
    systems = [system for system in SYSTEMS if system.name in {name for name, _ in MISHAPS}]
    for night in City(7, ROWS, nights=5, systems=systems, mishaps=False).nights():
        assert {delivery.batch_rules for delivery in night.deliveries} == {()}


def test_rows_of_a_table_without_a_time_are_read_every_night(nights: list[Night]) -> None:
    tables = [s for s in SYSTEMS if isinstance(s.place, TablePlace) and not s.place.whole]
    for system in tables:
        first, *later = deliveries_of(nights, system)
        undated = {
            str(row.values[system.operation_column or ""]).strip(): row.row_id
            for row in later[0].rows_now
            if row.changed_at is None
        }
        assert undated.keys() == {"I", "D"}
        fates = [{row.row_id: row.fate for row in delivery.rows} for delivery in later]
        assert fates[0][undated["I"]] == "inserted"
        assert {fate[undated["D"]] for fate in fates} == {"quarantined"}
        assert "inserted" not in {fate[undated["I"]] for fate in fates[1:]}
        [deletion] = [row for row in later[0].rows if row.row_id == undated["D"]]
        assert deletion.rules == ("certificate.source_updated_at.of_delete",)
        # It deletes nothing.
        assert {
            stored.removal
            for delivery in (first, later[0])
            for stored in delivery.stored
            if stored.record_key == deletion.record_key
        } == {None}


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
            assert read == {row.row_id for row in later.rows_now if not row.changed_at or row.changed_at >= start}
            late = [row for row in later.added if row.changed_at and row.changed_at < delivery.watermark]
            assert late, f"{delivery.system.name}: nothing was committed late"
            assert later.watermark is not None
            assert later.held or later.watermark > delivery.watermark


def test_repaired_certificates_come_right_later(nights: list[Night]) -> None:
    wrong: set[tuple[str, str]] = set()
    fixed: set[str] = set()
    for night in nights:
        for delivery in night.deliveries:
            name = delivery.system.name
            fixed |= {name for row in delivery.rows if row.fate == "inserted" and (name, row.record_key) in wrong}
            wrong |= {(name, row.record_key or "") for row in delivery.rows if row.fate == "quarantined"}
    assert fixed == {system.name for system in SYSTEMS}


def test_too_small_a_city_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 40 rows"):
        City(rows_per_feed=39)


def test_command_line_shows_the_systems_and_writes_the_truth(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "nights", "--folder", str(tmp_path), "--rows", str(ROWS)]
    subprocess.run([*command, "--nights", "1"], check=True, capture_output=True)
    feeds = [json.loads(line) for line in (tmp_path / "truth" / "night-0001" / "feeds.jsonl").read_text().splitlines()]
    # Tables wait for a database.
    assert len(feeds) == sum(not isinstance(system.place, TablePlace) for system in ALL_SYSTEMS)
    assert all(feed["fetched"] == sum(feed["fates"].values()) > 0 for feed in feeds)
    [tobacco] = [feed for feed in feeds if feed["department"] == "tobacco"]
    assert list((tmp_path / "drop" / "tobacco").rglob(tobacco["file_name"]))
    assert (tmp_path / "systems" / "health.nurse_practice_certificate.jsonl").stat().st_size > 0
