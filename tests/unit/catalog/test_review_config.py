"""The numbers of the review: as they are shipped, and every mistake in their file with line and fix."""

import shutil
from pathlib import Path

import pytest

from zhengku.catalog.review_config import ReviewConfig, check_review, load_review
from zhengku.errors import CatalogError

SHIPPED = Path(__file__).resolve().parents[3] / "include" / "catalog"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(SHIPPED / "review.yaml", tmp_path))


def line_of(file: Path, name: str) -> int:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(f"{name}:"))


def test_shipped_numbers_are_those_of_the_specification() -> None:
    config = load_review(SHIPPED)
    assert check_review(SHIPPED) == []
    assert (config.report_at.isoformat("minutes"), config.ledger_stale_working_days) == ("07:10", 3)


@pytest.mark.parametrize("name", ReviewConfig.model_fields)
def test_number_that_is_missing_is_named(file: Path, name: str) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(line for line in lines if not line.startswith(f"{name}:")), encoding="utf-8")
    [problem] = check_review(file.parent)
    assert name in problem.message
    with pytest.raises(CatalogError, match=name):
        load_review(file.parent)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("report_at", "25:00"),
        ("report_at", "7"),
        ("correct_within_working_days", "0"),
        ("return_within_working_days", "soon"),
        ("remind_before_working_days", "5"),
        ("write_off_after_working_days", "true"),
        ("small_share", "1"),
        ("small_share", "30"),
        ("never_fired_days", "1"),
        ("ledger_problem_share", "-0.1"),
        ("ledger_from_rows", "1.5"),
    ],
)
def test_number_that_is_wrong_is_told_with_its_line(file: Path, name: str, value: str) -> None:
    number = line_of(file, name)
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[number - 1] = f"{name}: {value}"
    file.write_text("\n".join(lines), encoding="utf-8")
    [problem] = check_review(file.parent)
    assert (problem.line, problem.severity) == (number, "error")
    assert problem.fix


def test_unknown_name_and_empty_file_are_told(file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8") + "\nledger_stale_days: 3\n", encoding="utf-8")
    [problem] = check_review(file.parent)
    assert "ledger_stale_days" in problem.message
    file.write_text("", encoding="utf-8")
    [problem] = check_review(file.parent)
    assert "empty" in problem.message
