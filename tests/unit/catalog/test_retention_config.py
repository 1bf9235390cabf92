"""`retention.yaml`: what it says, and what its mistakes are told as."""

import shutil
from pathlib import Path

import pytest

from zhengku.catalog.retention_config import check_retention, load_retention
from zhengku.errors import CatalogError
from zhengku.settings import project_home

SHIPPED = project_home() / "include" / "catalog"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(SHIPPED / "retention.yaml", tmp_path))


def test_shipped_file_is_right_and_keeps_logs_for_six_months():
    assert check_retention(SHIPPED) == []
    config = load_retention(SHIPPED)
    assert min(config.task_log_days, config.airflow_days) >= 184
    assert config.landed_days >= config.backup_days


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("task_log_days: 190", "task_log_days: 183", 11, ["task_log_days", "184", "183"]),
        ("airflow_days: 190", "airflow_days: 30", 12, ["airflow_days", "184"]),
        ("rule_result_days: 1095", "rule_result_days: 730", 13, ["731"]),
        ("landed_days: 365", "landed_days: 34", 8, ["34 is less than backup_days 35", "Write the same or more"]),
        ("landed_days: 365", "landed_days: forever", 8, ["landed_days", "forever"]),
        ('retention_at: "12:40"', "retention_at: 25:99", 4, ["retention_at"]),
        ("return_days: 365", "return_day: 365", 10, ["return_day"]),
    ],
)
def test_mistake_names_file_line_and_what_is_allowed(
    file: Path, old: str, new: str, line: int, said: list[str]
) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(CatalogError):
        load_retention(file.parent)
    told = [str(problem) for problem in check_retention(file.parent)]
    assert any(f"retention.yaml:{line}" in one and all(part in one for part in said) for one in told), told
