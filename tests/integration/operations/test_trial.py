"""A changed suite, tried on what was loaded: what it would do is shown, and nothing is changed by it."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support import command_line
from tests.support.installation import Installation

from zhengku.operations import trial as trial_module
from zhengku.operations.trial import SCHEMA, RuleComparison, Trial, try_suite
from zhengku.settings import project_home

pytestmark = pytest.mark.slow_except(
    "test_a_changed_threshold_is_told_by_feed_and_rule_and_changes_nothing",
    "test_a_wrong_suite_or_file_is_one_clear_line",
)

SUITES = project_home() / "expectations"
Entry = dict[str, Any]


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Path]:
    """Return the maker of a changed suite: `changed(suite, rule_id, change)`."""

    def write(suite: str, rule_id: str, change: Callable[[Entry], None]) -> Path:
        content = json.loads((SUITES / f"{suite}.json").read_text(encoding="utf-8"))
        [entry] = [entry for entry in content["expectations"] if entry["meta"]["rule_id"] == rule_id]
        change(entry)
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return path

    return write


def longer_names(severity: str) -> Callable[[Entry], None]:
    def change(entry: Entry) -> None:
        entry["kwargs"]["least"] = 12
        entry["severity"] = severity

    return change


def state(installation: Installation) -> list[Any]:
    """Everything that a trial must leave alone: ledger, quarantine, store, and the schemas that there are."""
    return [
        installation.query("select b.*, b.xmin::text from ledger.batch as b order by 1"),
        installation.query("select r.*, r.xmin::text from ledger.rule_result as r order by 1, 2"),
        installation.query("select problem_id, xmin::text from quarantine.problem_row order by 1"),
        installation.store(),
        installation.query("select nspname from pg_namespace where nspname !~ '^pg_(toast_)?temp_' order by 1"),
    ]


def run(installation: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command_line.zhengku(installation.settings.environment, "rules", "try", *arguments)


def rule_of(trial: Trial, rule_id: str) -> RuleComparison:
    [feed] = trial.feeds
    [rule] = [rule for rule in feed.rules if rule.rule_id == rule_id]
    return rule


LENGTH = "certificate.holder.length"


def test_a_changed_threshold_is_told_by_feed_and_rule_and_changes_nothing(
    installation: Installation, make_row: Callable[..., str], changed: Callable[..., Path]
) -> None:
    installation.deliver_rows(
        "1.csv",
        make_row(1),
        make_row(2, 企业名称="虚构小店"),
        make_row(3, 企业名称="虚"),
        make_row(4, 企业名称="虚构二店", 注册日期="2019-02-30"),
    )
    installation.run_one()
    before = state(installation)

    trial = try_suite(installation.settings, "certificate", changed("certificate", LENGTH, longer_names("critical")), 7)

    assert state(installation) == before
    [batch] = trial.batches
    assert (batch.feed, batch.rows) == ("market_supervision/business_license", 4)
    # Row 4 is quarantined either way.
    assert (batch.newly_quarantined, batch.newly_passing, batch.newly_warned) == (2, 0, 0)
    assert (batch.held_now, batch.held_changed, trial.not_tried) == ((), (), ())
    assert rule_of(trial, LENGTH) == RuleComparison(LENGTH, "warning", "critical", 1, 3)
    parseable = "certificate.issue_date.parseable"
    assert rule_of(trial, parseable) == RuleComparison(parseable, "critical", "critical", 1, 1)


def test_rows_that_would_pass_or_be_warned_are_counted(
    installation: Installation, make_row: Callable[..., str], changed: Callable[..., Path]
) -> None:
    installation.deliver_rows("1.csv", make_row(1, 企业名称="虚构小店"), make_row(2, 注册日期="2019-02-30"))
    installation.run_one()
    warned = try_suite(installation.settings, "certificate", changed("certificate", LENGTH, longer_names("warning")), 1)
    assert [(b.newly_quarantined, b.newly_passing, b.newly_warned) for b in warned.batches] == [(0, 0, 1)]

    def only_told(entry: Entry) -> None:
        entry["severity"] = "info"

    passing = try_suite(
        installation.settings, "certificate", changed("certificate", "certificate.issue_date.parseable", only_told), 1
    )
    # It loads with what the rule now tells, which is no row that is newly warned.
    assert [(b.newly_quarantined, b.newly_passing, b.newly_warned) for b in passing.batches] == [(0, 1, 0)]


def test_a_batch_rule_tells_which_batches_it_would_hold(
    installation: Installation, make_row: Callable[..., str], changed: Callable[..., Path]
) -> None:
    installation.deliver_rows("1.csv", *(make_row(number) for number in range(1, 9)), make_row(9, 企业名称=""))
    installation.run_one()

    def stricter(entry: Entry) -> None:
        entry["kwargs"]["max_value"] = 0.1
        entry["kwargs"]["row_condition"]["parameter"] = 5

    share = "batch.quarantined_share.at_most_a_fifth"
    path = changed("batch", share, stricter)
    shown = run(installation, "batch", "--file", str(path), "--nights", "1", "--json")
    assert (shown.returncode, shown.stderr) == (0, "")
    told = json.loads(shown.stdout)
    assert (told["suite"], told["nights"], told["not_tried"]) == ("batch", 1, [])
    [batch] = told["batches"]
    assert (batch["held_now"], batch["held_changed"], batch["newly_quarantined"]) == ([], [share], 0)
    [feed] = told["feeds"]
    assert (feed["held_now"], feed["held_changed"]) == (0, 1)
    [rule] = [rule for rule in feed["rules"] if rule["rule_id"] == share]
    assert (rule["failing_now"], rule["failing_changed"]) == (0, 1)


def test_a_lost_file_is_told_and_the_others_are_tried(
    installation: Installation, make_row: Callable[..., str], changed: Callable[..., Path]
) -> None:
    installation.deliver_rows("1.csv", make_row(1), minutes_ago=120)
    installation.deliver_rows("2.csv", make_row(2, 企业名称="虚构小店"), minutes_ago=60)
    first, _ = installation.run()
    assert first.landing_path is not None
    landing = Path(installation.settings.landing_url)
    (landing / first.landing_path).unlink()
    path = str(changed("certificate", LENGTH, longer_names("critical")))
    shown = run(installation, "certificate", "--file", path)
    assert shown.returncode == 0
    assert f"Batch {first.batch_id} of market_supervision/business_license was not tried:" in shown.stderr
    assert "they are not there" in shown.stderr
    [row] = [line for line in shown.stdout.splitlines() if LENGTH in line]
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        "market_supervision/business_license",
        LENGTH,
        "warning → critical",
        "0",
        "1",
    ]
    [other] = [file for file in landing.rglob("*2.csv")]
    other.unlink()
    failed = run(installation, "certificate", "--file", path)
    assert failed.returncode == 1
    [line] = failed.stderr.splitlines()
    assert line.startswith("zhengku: ")


def test_what_only_repeats_another_batch_or_is_older_is_not_tried(
    installation: Installation, make_row: Callable[..., str], changed: Callable[..., Path]
) -> None:
    installation.deliver_rows("1.csv", make_row(1))
    first = installation.run_one()
    repeated = installation.run_one()
    assert repeated.repeats_batch_id == first.batch_id
    path = changed("certificate", LENGTH, longer_names("critical"))
    assert [b.batch_id for b in try_suite(installation.settings, "certificate", path, 1).batches] == [first.batch_id]
    installation.rewrite("update ledger.batch set recorded_at = recorded_at - interval '2 days'")
    shown = run(installation, "certificate", "--file", str(path), "--nights", "2")
    assert (shown.returncode, shown.stderr) == (
        1,
        "zhengku: Expected a batch that was loaded in the last 2 nights and is checked by certificate; there is none. "
        "Look further back: --nights.\n",
    )
    assert len(try_suite(installation.settings, "certificate", path, 3).batches) == 1


def test_a_failure_leaves_no_scratch_schema(
    installation: Installation,
    make_row: Callable[..., str],
    changed: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installation.deliver_rows("1.csv", make_row(1))
    installation.run_one()

    def unknown(entry: Entry) -> None:
        entry["type"] = "expect_column_values_to_be_good"

    shown = run(installation, "certificate", "--file", str(changed("certificate", LENGTH, unknown)))
    assert shown.returncode == 1
    [line] = shown.stderr.splitlines()
    assert "changed.json, entry" in line
    assert "expect_column_values_to_be_good not found" in line
    scratch = "select count(*) from pg_namespace where nspname = %s"
    assert installation.query(scratch, SCHEMA) == [(0,)]

    def interrupted(*_: object) -> None:
        assert installation.query(scratch, SCHEMA) == [(1,)]
        raise KeyboardInterrupt

    monkeypatch.setattr(trial_module, "_compare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        try_suite(installation.settings, "certificate", SUITES / "certificate.json", 1)
    assert installation.query(scratch, SCHEMA) == [(0,)]


@pytest.mark.parametrize(
    ("suite", "content", "told"),
    [
        ("certificat", "{}", r"No suite 'certificat'\. There is: batch, birth_registration_certificate, "),
        ("certificate", None, r"--file: expected a changed certificate\.json, there is no file .*changed\.json"),
        ("certificate", "{,}", r"changed\.json:1: not JSON"),
        ("certificate", '{"name": "batch", "expectations": []}', r"changed\.json: expectations: "),
        ("certificate", (SUITES / "batch.json").read_text("utf-8"), r"changed\.json: the name inside is 'batch'"),
    ],
    ids=["suite", "file", "JSON", "no rules", "another suite"],
)
def test_a_wrong_suite_or_file_is_one_clear_line(
    installation: Installation, tmp_path: Path, suite: str, content: str | None, told: str
) -> None:
    path = tmp_path / "changed.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    shown = run(installation, suite, "--file", str(path))
    assert shown.returncode == 1
    [line] = shown.stderr.splitlines()
    assert re.match(f"zhengku: .*{told}", line)
