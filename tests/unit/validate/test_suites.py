import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from zhengku.catalog import load_catalog
from zhengku.catalog.codes import CODES
from zhengku.errors import CatalogError, ConfigurationError
from zhengku.validate.parameters import rule_parameters
from zhengku.validate.suites import BATCH_SUITE, load_suites, reasons

PROJECT = Path(__file__).resolve().parents[3]
SHIPPED = sorted(path.stem for path in (PROJECT / "expectations").glob("*.json"))

ENTRY: dict[str, Any] = {
    "type": "expect_column_values_to_not_be_null",
    "kwargs": {"column": "holder"},
    "severity": "critical",
    "meta": {
        "rule_id": "made_up.holder.present",
        "reason_zh": "缺少持证主体",
        "standard": "虚构",
        "example": "（空）",
        "right_example": "张某某",
        "fields": ["holder"],
    },
}


def write(folder: Path, name: str, *entries: Any, **more: Any) -> None:
    suite = {"name": name, "expectations": list(entries), **more}
    (folder / f"{name}.json").write_text(json.dumps(suite, ensure_ascii=False), encoding="utf-8")


def changed(**changes: Any) -> dict[str, Any]:
    meta = {**ENTRY["meta"], **changes.pop("meta", {})}
    return {**ENTRY, **changes, "meta": meta}


def test_suites_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "base", ENTRY)
    write(tmp_path, "addition", changed(meta={"rule_id": "made_up.holder.again"}))
    suites = load_suites(tmp_path, ["base", "addition", "base"])
    assert [suite.name for suite in suites] == ["base", "addition"]
    assert reasons(suites) == {"made_up.holder.present": "缺少持证主体", "made_up.holder.again": "缺少持证主体"}


def test_missing_suite_is_told_with_those_that_exist(tmp_path: Path) -> None:
    write(tmp_path, "base", ENTRY)
    with pytest.raises(CatalogError, match=r"No suite 'bse'.*suites there: base"):
        load_suites(tmp_path, ["bse"])


def test_broken_json_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text('{"name": "base",\n "expectations": [,]}', encoding="utf-8")
    with pytest.raises(CatalogError, match=r"base\.json:2: not JSON"):
        load_suites(tmp_path, ["base"])


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            changed(severity="fatal"),
            r"entry 2 \(made_up\.holder\.other\): severity: .*'critical', 'warning' or 'info'.*got 'fatal'",
        ),
        ({key: ENTRY[key] for key in ("type", "kwargs", "severity")}, r"entry 2: meta: Field required"),
        (changed(kwarg={}), r"entry 2 .*: kwarg: Extra inputs are not permitted"),
        (changed(meta={"reason_zh": " "}), r"entry 2 .*: meta\.reason_zh: String should have at least 1 character"),
        (changed(meta={"fields": []}), r"entry 2 .*: meta\.fields: .*at least 1 item"),
        (changed(meta={"rule_id": "Holder"}), r"entry 2 \(Holder\): meta\.rule_id: .*pattern"),
        ("expect_nothing", r"entry 2: the content: .*got 'expect_nothing'"),
    ],
    ids=["severity", "no meta", "unknown key", "blank reason", "no fields", "rule id", "no entry"],
)
def test_malformed_entry_is_told_with_file_and_entry(tmp_path: Path, entry: Any, told: str) -> None:
    if isinstance(entry, dict) and entry.get("meta", {}).get("rule_id") == ENTRY["meta"]["rule_id"]:
        entry["meta"]["rule_id"] = "made_up.holder.other"
    write(tmp_path, "base", ENTRY, entry)
    with pytest.raises(CatalogError, match=r"^base\.json, " + told) as raised:
        load_suites(tmp_path, ["base"])
    assert "\n" not in str(raised.value)


def test_suite_that_is_no_object_or_has_no_rules_is_told(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text("[]", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"^base\.json: the content:"):
        load_suites(tmp_path, ["base"])
    write(tmp_path, "empty")
    with pytest.raises(CatalogError, match=r"^empty\.json: expectations:"):
        load_suites(tmp_path, ["empty"])


def test_suite_named_otherwise_than_its_file_is_told(tmp_path: Path) -> None:
    write(tmp_path, "base", ENTRY)
    (tmp_path / "base.json").rename(tmp_path / "other.json")
    with pytest.raises(CatalogError, match=r"other\.json: the name inside is 'base'"):
        load_suites(tmp_path, ["other"])


def test_rule_id_used_twice_is_told_with_both_places(tmp_path: Path) -> None:
    write(tmp_path, "base", ENTRY)
    write(tmp_path, "addition", changed(meta={"rule_id": "made_up.holder.other"}), ENTRY)
    with pytest.raises(
        CatalogError, match=r"addition\.json, entry 2: .*'made_up\.holder\.present'.*base\.json, entry 1"
    ):
        load_suites(tmp_path, ["base", "addition"])


def test_included_suites_come_before_those_that_include_them_and_once(tmp_path: Path) -> None:
    write(tmp_path, "group", ENTRY)
    write(tmp_path, "one", changed(meta={"rule_id": "made_up.holder.one"}), includes=["group"])
    write(tmp_path, "two", changed(meta={"rule_id": "made_up.holder.two"}), includes=["group"])
    assert [suite.name for suite in load_suites(tmp_path, ["one", "two"])] == ["group", "one", "two"]


def test_included_suite_that_includes_others_is_told(tmp_path: Path) -> None:
    write(tmp_path, "group", ENTRY, includes=["further"])
    write(tmp_path, "one", changed(meta={"rule_id": "made_up.holder.one"}), includes=["group"])
    with pytest.raises(CatalogError, match=r"one\.json: includes 'group', which includes further; expected one level"):
        load_suites(tmp_path, ["one"])


def test_the_parameter_that_a_rule_applies_by_is_one_that_it_needs(tmp_path: Path) -> None:
    write(tmp_path, "base", changed(meta={"applies_if": "expires"}))
    [suite] = load_suites(tmp_path, ["base"])
    [rule] = suite.rules
    assert rule.parameters == {"expires"}
    assert rule.arguments({"expires": True}) == ENTRY["kwargs"]
    with pytest.raises(ConfigurationError, match=r"needs parameters expires"):
        rule.arguments({})


def test_parameters_are_filled_in_wherever_they_stand(tmp_path: Path) -> None:
    kwargs = {"column": "holder", "value_set": [{"$PARAMETER": "name"}, "x"], "latest": {"$PARAMETER": "today"}}
    write(tmp_path, "base", changed(kwargs=kwargs))
    [suite] = load_suites(tmp_path, ["base"])
    [rule] = suite.rules
    assert rule.parameters == {"name", "today"}
    assert rule.arguments({"name": "a", "today": "b", "other": "c"}) == {
        "column": "holder",
        "value_set": ["a", "x"],
        "latest": "b",
    }
    with pytest.raises(ConfigurationError, match=r"made_up\.holder\.present needs parameters today; given are name"):
        rule.arguments({"name": "a"})


def test_shipped_rules_say_what_they_mean() -> None:
    datasets = load_catalog(PROJECT / "include" / "catalog").reference.standard_fields
    for suite in load_suites(PROJECT / "expectations", SHIPPED):
        # All others are those of license types.
        fields = set(datasets.get(suite.name, datasets["certificate"]))
        for rule in suite.rules:
            assert re.search("[\u4e00-\u9fff]", rule.reason), rule.rule_id
            assert not rule.reason.endswith("。"), f"{rule.rule_id}: reasons are joined in lists"
            if suite.name != BATCH_SUITE:
                unknown = {f for f in rule.meta.fields if not f.startswith("extension.")} - fields
                assert unknown <= {"record_key"}, rule.rule_id


def test_shipped_rules_accept_the_statuses_of_the_catalogue() -> None:
    [suite] = load_suites(PROJECT / "expectations", ["certificate"])
    [rule] = [rule for rule in suite.rules if rule.rule_id == "certificate.status.known"]
    assert rule.kwargs["value_set"] == list(CODES["certificate"]["status"])


def test_reading_suites_does_not_import_great_expectations() -> None:
    program = (
        "import sys; from zhengku.validate.suites import load_suites; "
        "print([name for name in ('great_expectations', 'pandas', 'sqlalchemy') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_metrics_of_each_rule_are_those_that_great_expectations_names() -> None:
    """`run` names them by itself, since Great Expectations' own way takes a tenth of a validation."""
    from great_expectations.expectations.registry import get_metric_kwargs

    from zhengku.validate import run

    license_types = load_catalog(PROJECT / "include" / "catalog").license_types
    found: dict[str, Any] = {}
    for license_type in (None, *license_types.values()):
        asked = rule_parameters(license_type, date(2024, 2, 29), dated=True)
        found |= {name: value for name, value in asked.items() if value is not None}
    compared = 0
    for suite in load_suites(PROJECT / "expectations", SHIPPED):
        for rule in suite.rules:
            expectation = run.build(suite, rule, found)
            for metric in run.metrics_of(expectation):
                named = get_metric_kwargs(metric.metric_name, configuration=expectation.configuration)
                given = (dict(metric.metric_domain_kwargs), dict(metric.metric_value_kwargs))
                assert given == (named["metric_domain_kwargs"], named["metric_value_kwargs"]), rule.rule_id
                compared += 1
    assert compared > 600
