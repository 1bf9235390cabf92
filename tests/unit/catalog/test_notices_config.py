"""The numbers of the notices: as they are shipped, and every mistake in their file with line and fix."""

import shutil
from pathlib import Path

import pytest

from zhengku.catalog.notices_config import NoticesConfig, check_notices, load_notices
from zhengku.errors import CatalogError

SHIPPED = Path(__file__).resolve().parents[3] / "include" / "catalog"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(SHIPPED / "notices.yaml", tmp_path))


def test_shipped_numbers_have_no_mistake() -> None:
    assert check_notices(SHIPPED) == []
    assert load_notices(SHIPPED).late_after_minutes == 20


@pytest.mark.parametrize("name", NoticesConfig.model_fields)
def test_number_that_is_missing_is_named(file: Path, name: str) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(line for line in lines if not line.startswith(f"{name}:")), encoding="utf-8")
    [problem] = check_notices(file.parent)
    assert name in problem.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quiet_minutes", "-1"),
        ("longest_wait_minutes", "0"),
        ("late_after_minutes", "soon"),
        ("overdue_minutes", "5"),
        ("disk_free_share", "10"),
        ("disk_urgent_share", "0.2"),
        ("secret_days", "1.5"),
        ("watch_backups", "1"),
        ("may_be_paused", "[Stock]"),
        ("may_be_paused", "stock"),
        ("known_expiries", "[{name: 密钥}]"),
        ("known_expiries", "[{name: 密钥, last_day: 2027-02-29}]"),
        ("known_expiries", "[{name: '', last_day: 2027-06-30}]"),
    ],
)
def test_value_that_is_wrong_is_told_with_its_line(file: Path, name: str, value: str) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    number = next(number for number, line in enumerate(lines, 1) if line.startswith(f"{name}:"))
    lines[number - 1] = f"{name}: {value}"
    file.write_text("\n".join(lines), encoding="utf-8")
    [problem] = check_notices(file.parent)
    assert problem.line == number
    assert problem.fix
    with pytest.raises(CatalogError, match=rf"notices\.yaml:{number}: "):
        load_notices(file.parent)


def test_key_with_its_last_day_is_read(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("known_expiries: []", "known_expiries:\n  - {name: 省平台接口密钥, last_day: 2028-02-29}"),
        encoding="utf-8",
    )
    [one] = load_notices(file.parent).known_expiries
    assert (one.name, one.last_day.isoformat()) == ("省平台接口密钥", "2028-02-29")
