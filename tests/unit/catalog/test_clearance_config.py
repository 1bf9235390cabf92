# ruff: noqa: E501  (the tables of cases read best with one case a line)
"""The numbers of the daily clearance: what they give, and every mistake in their file with line and fix."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from zhengku.catalog import Problem
from zhengku.catalog.clearance_config import DUE_DAYS, ClearanceConfig, check_clearance, load_clearance
from zhengku.catalog.yaml_file import read_yaml
from zhengku.check.configuration import check_catalog
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import CatalogError

SHIPPED = Path(__file__).resolve().parents[3] / "include" / "catalog"
SOURCES = {
    "unified_acceptance": {"service_cases": "service_case", "self_built_cases": "service_case"},
    "service_evaluation": {"evaluations": "evaluation", "terminal_evaluations": "evaluation"},
}


def department(feeds: dict[str, str]) -> str:
    """As much of a department's file as the numbers are measured by."""
    return "feeds:\n" + "".join(f"  {feed}:\n    dataset: {dataset}\n" for feed, dataset in feeds.items())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "departments").mkdir()
    shutil.copy(SHIPPED / "clearance.yaml", tmp_path)
    for name, feeds in {**SOURCES, "housing": {"licenses": "certificate"}}.items():
        (tmp_path / "departments" / f"{name}.yaml").write_text(department(feeds), encoding="utf-8")
    return tmp_path


@pytest.fixture
def config(folder: Path) -> ClearanceConfig:
    return load_clearance(folder)


def told(folder: Path) -> list[Problem]:
    problems = check_clearance(folder, {path.stem: read_yaml(path) for path in (folder / "departments").iterdir()})
    return [problem for problem in problems if problem.severity == "error"]


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=CITY_TIME_ZONE)  # type: ignore[arg-type, misc]


def test_shipped_numbers_are_those_of_the_specification(config: ClearanceConfig) -> None:
    assert config.model_dump(mode="json") == {
        "working_cutoff": "16:30:00",
        "working_latest": "16:50:00",
        "final_latest": "06:00:00",
        "archive_after_working_days": 60,
        "deadline_working_days": 5,
        "correction_days": 7,
        "suspicious_seconds": 10,
        "burst_ratings": 10,
        "burst_minutes": 5,
        "callback_working_days": 1,
        "rectification_working_days": 15,
        "reveals_per_hour": 60,
        "sources": [f"{name}/{feed}" for name, feeds in SOURCES.items() for feed in feeds],
    }
    assert config.longest_term_working_days == 15


def test_every_shipped_number_says_that_it_is_assumed() -> None:
    lines = (SHIPPED / "clearance.yaml").read_text(encoding="utf-8").splitlines()
    numbers = [number for number, line in enumerate(lines) if line and line[0].isalpha()]
    assert len(numbers) == len(ClearanceConfig.model_fields)
    assert all("# assumed" in lines[number] or "# assumed" in lines[number - 1] for number in numbers)


def test_nothing_changes_after_loading(config: ClearanceConfig) -> None:
    with pytest.raises(ValidationError):
        config.correction_days = 8  # type: ignore[misc]


def test_cutoffs_and_latest_times(config: ClearanceConfig) -> None:
    day = date(2026, 12, 31)
    assert config.cutoff(day, "working").isoformat() == "2026-12-31T16:30:00+08:00"
    assert config.latest(day, "working").isoformat() == "2026-12-31T16:50:00+08:00"
    assert config.cutoff(day, "final").isoformat() == "2027-01-01T00:00:00+08:00"
    assert config.latest(day, "final").isoformat() == "2027-01-01T06:00:00+08:00"


@pytest.mark.parametrize(
    ("now", "last"),
    [
        (moment(2026, 11, 24, 16, 29, 59), (date(2026, 11, 23), "final")),
        (moment(2026, 11, 24, 16, 30), (date(2026, 11, 24), "working")),
        (moment(2026, 11, 24, 23, 59, 59), (date(2026, 11, 24), "working")),
        (moment(2026, 11, 25), (date(2026, 11, 24), "final")),
        (datetime(2026, 11, 24, 8, 30, tzinfo=UTC), (date(2026, 11, 24), "working")),
        (datetime(2026, 11, 24, 16, tzinfo=UTC), (date(2026, 11, 24), "final")),
    ],
)
def test_due_lists_end_with_the_last_cutoff(config: ClearanceConfig, now: datetime, last: tuple[date, str]) -> None:
    assert config.due(now)[-1] == last


def test_due_lists_are_those_of_a_week_oldest_first(config: ClearanceConfig) -> None:
    due = config.due(moment(2026, 11, 24, 18))
    days = [date(2026, 11, 24) - timedelta(days=back) for back in range(DUE_DAYS, -1, -1)]
    assert due == [(day, kind) for day in days for kind in ("working", "final")][:-1]
    cutoffs = [config.cutoff(day, kind) for day, kind in due]
    assert cutoffs == sorted(cutoffs)


def test_a_time_without_a_zone_is_refused(config: ClearanceConfig) -> None:
    with pytest.raises(ValueError, match="zone"):
        config.due(datetime(2026, 11, 24, 18))


# what is replaced, by what, what came, the fix
MISTAKES = [
    ("correction_days: 7", "corection_days: 7", "unknown key 'corection_days' in the file", "Did you mean 'correction_days'?"),
    ("correction_days: 7", "correction_days: week", "correction_days: expected a whole number, got 'week'", "1 to 31"),
    ("correction_days: 7", "correction_days: 7.5", "expected a whole number, got the number 7.5", "1 to 31"),
    ("correction_days: 7", "correction_days: true", "expected a whole number, got True", "1 to 31"),
    ("correction_days: 7", "correction_days: 0", "expected at least 1, got the number 0", "1 to 31"),
    ("correction_days: 7", "correction_days: 90", "expected at most 31, got the number 90", "1 to 31"),
    ("correction_days: 7", "correction_days: 7\ncorrection_days: 8", "is repeated, first at line", "Remove or rename"),
    ("burst_ratings: 10", "burst_ratings: 1", "expected at least 2, got the number 1", "2 to 1000"),
    ('working_cutoff: "16:30"', 'working_cutoff: "24:00"', "working_cutoff: expected a time from 00:00 to 23:59, got '24:00'", '"16:30"'),
    ('working_cutoff: "16:30"', "working_cutoff: 16.5", "expected a time from 00:00 to 23:59, got 16.5", '"16:30"'),
    ('working_cutoff: "16:30"', 'working_cutoff: "16：30"', "expected a time from 00:00 to 23:59", '"16:30"'),
    ('working_latest: "16:50"', 'working_latest: "16:30"', "working_latest: 16:30 is not later than working_cutoff 16:30", "later time"),
    ('final_latest: "06:00"', 'final_latest: "17:00"', "final_latest: 17:00 is not earlier than working_cutoff 16:30", "earlier time"),
    ("archive_after_working_days: 60", "archive_after_working_days: 5", "5 is not more than deadline_working_days 5", "before its deadline"),
    ("callback_working_days: 1", "callback_working_days: 20", "15 is less than callback_working_days 20", "called back before"),
    ("  - unified_acceptance/service_cases", "  - service_cases", "sources.0: expected <department>/<feed>, got 'service_cases'", "Write it like"),
    ("  - unified_acceptance/service_cases", "  - 7", "sources.0: expected text, got the number 7", "quotes"),
    ("/self_built_cases", "/service_cases", "sources names 'unified_acceptance/service_cases' twice", "Remove one"),
    ("unified_acceptance/service", "unified_acceptence/service", "no departments/unified_acceptence.yaml", "Did you mean 'unified_acceptance'?"),
    ("/evaluations", "/evaluation", "'service_evaluation' has no feed 'evaluation'", "Did you mean 'evaluations'?"),
    ("service_evaluation/evaluations", "housing/licenses", "delivers 'certificate' and neither service_case nor evaluation", "made of"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message", "fix"), MISTAKES)
def test_mistakes_are_told_with_line_and_fix(folder: Path, old: str, new: str, message: str, fix: str) -> None:
    path = folder / "clearance.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    changed = text.replace(old, new)
    path.write_text(changed, encoding="utf-8")
    # A key misspelt is also one that is missing.
    [problem] = [problem for problem in told(folder) if "is missing" not in problem.message]
    assert message in problem.message
    assert fix in problem.fix
    # A relation is told where the number stands that has to change.
    place = "rectification_working_days:" if "callback" in old else new.splitlines()[-1]
    assert problem.line == changed[: changed.rindex(place)].count("\n") + 1
    with pytest.raises(CatalogError, match=r"clearance\.yaml:\d+: .+\. .+"):
        load_clearance(folder)


def test_several_mistakes_are_told_at_once(folder: Path) -> None:
    path = folder / "clearance.yaml"
    text = path.read_text(encoding="utf-8")
    for old, new in (("burst_minutes: 5", "burst_minutes: 0"), ("correction_days: 7", ""), ("06:00", "6:00")):
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    assert len(told(folder)) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "the file is empty"), ("[a]", "expected a mapping"), ("a: [", "is not YAML"), (None, "cannot be read")],
)
def test_a_file_that_is_none_is_told(folder: Path, text: str | None, message: str) -> None:
    path = folder / "clearance.yaml"
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")
    [problem] = told(folder)
    assert message in problem.message
    with pytest.raises(CatalogError, match=r"clearance\.yaml"):
        load_clearance(folder)


def test_a_missing_key_is_told_with_its_meaning(folder: Path) -> None:
    path = folder / "clearance.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("burst_minutes: 5", ""), encoding="utf-8")
    [problem] = told(folder)
    assert "key 'burst_minutes' is missing" in problem.message
    assert "Minutes within which" in problem.fix


def test_no_source_at_all_is_told(folder: Path) -> None:
    path = folder / "clearance.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("sources:")] + "sources: []\n", encoding="utf-8")
    assert [problem.message for problem in told(folder)] == ["sources is empty"]


def test_a_feed_of_cases_that_is_no_source_is_warned_of(folder: Path) -> None:
    feeds = {**SOURCES["unified_acceptance"], "more_cases": "service_case"}
    path = folder / "departments" / "unified_acceptance.yaml"
    path.write_text(department(feeds), encoding="utf-8")
    problems = check_clearance(folder, {path.stem: read_yaml(path)})
    [warning] = [problem for problem in problems if problem.file == path]
    assert (warning.file, warning.severity, warning.line) == (path, "warning", 6)
    assert "no source" in warning.message
    assert "unified_acceptance/more_cases" in warning.fix
    assert load_clearance(folder).sources


def test_without_feeds_of_cases_nobody_is_asked_for_sources(folder: Path) -> None:
    for name in SOURCES:
        (folder / "departments" / f"{name}.yaml").unlink()
    assert told(folder) == []
    # But no list can be published then.
    with pytest.raises(CatalogError, match="no departments/unified_acceptance"):
        load_clearance(folder)


def test_the_check_of_the_catalogue_checks_the_numbers(folder: Path) -> None:
    path = folder / "clearance.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("burst_minutes: 5", "burst_minutes: 0"), encoding="utf-8")
    problems = [problem for problem in check_catalog(folder, folder) if problem.file == path]
    assert [problem.message for problem in problems] == [
        "burst_minutes: expected at least 1, got the number 0",
    ]
