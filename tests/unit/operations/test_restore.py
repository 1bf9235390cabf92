"""What pgBackRest answers, what file names tell of numbers, and what is said of an archive that is behind."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zhengku import clock
from zhengku.cli.main import app
from zhengku.errors import ConfigurationError, StorageFull
from zhengku.operations.restore.backup import Backup, BackupError, BackupState, BackupTool, parse_info, require_room
from zhengku.operations.restore.drill import restore_drill
from zhengku.operations.restore.landing_comparison import place_of
from zhengku.operations.restore.numbers import given_by_files
from zhengku.review.night_files import file_name
from zhengku.settings import Settings, project_home

STOPPED = datetime(2026, 11, 30, 5, 0, tzinfo=UTC)


def info(*, code: int = 0, error: bool = False) -> str:
    backup = {
        "label": "20261130-050000F",
        "type": "full",
        "error": error,
        "timestamp": {"start": 1, "stop": int(STOPPED.timestamp())},
        "info": {"size": 1024},
    }
    stanza = {
        "name": "zhengku",
        "status": {"code": code, "message": "no valid backups" if code else "ok"},
        "cipher": "aes-256-cbc",
        "archive": [{"max": "000000010000000000000009"}],
        "backup": [backup],
    }
    return json.dumps([stanza])


def test_repository_is_read() -> None:
    repository = parse_info(info(), "zhengku")
    assert repository.encrypted
    assert repository.newest_wal == "000000010000000000000009"
    assert repository.backup_for(STOPPED + timedelta(seconds=1)).label == "20261130-050000F"


@pytest.mark.parametrize(
    ("answer", "stanza", "told"),
    [
        (info(code=2), "zhengku", "no valid backups"),
        (info(), "other", "it has zhengku"),
        ("[]", "zhengku", "it has none"),
        ("{}", "zhengku", "it has none"),
        ("not json", "zhengku", "Expected the answer of"),
        ('[{"name": "zhengku"}]', "zhengku", "Expected the answer of"),
    ],
)
def test_answer_without_backups_is_told(answer: str, stanza: str, told: str) -> None:
    with pytest.raises(BackupError, match=told):
        parse_info(answer, stanza)


def test_moment_before_the_first_backup_and_a_broken_backup_are_refused() -> None:
    with pytest.raises(BackupError, match="The first backup ended at 2026-11-30 13:00:00"):
        parse_info(info(), "zhengku").backup_for(STOPPED - timedelta(seconds=1))
    with pytest.raises(BackupError, match="There is no backup"):
        parse_info(info(error=True), "zhengku").backup_for(STOPPED)


def test_copy_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageFull, match="Free space, or name a folder"):
        require_room(tmp_path, Backup("a", "full", STOPPED, 10**18))


def test_tool_that_is_not_installed_is_told() -> None:
    settings = Settings(home=project_home(), environment={"ZHENGKU_PGBACKREST": "no-such-program"})
    with pytest.raises(ConfigurationError, match="Expected the program no-such-program"):
        BackupTool(settings).repository()


def test_tool_that_fails_ends_a_drill_before_anything_is_written(tmp_path: Path) -> None:
    settings = Settings(home=project_home(), environment={"ZHENGKU_PGBACKREST": "/bin/false"})
    with pytest.raises(BackupError, match=r"info of stanza zhengku failed \(1\)"):
        restore_drill(settings, clock.now(), tmp_path / "copy", "zhang")
    assert not (tmp_path / "copy").exists()


def test_numbers_in_names_of_files_are_those_that_are_given(tmp_path: Path) -> None:
    for name in (
        "clearance/2026-11-24/final-v3/city.xlsx",
        "clearance/2026-11-24/final-v12/city.xlsx",
        f"nights/{file_name(date(2026, 11, 24), 4, 'html')}",
        "returns/market_supervision/000017/问题数据退回_市场监管局_第17号.xlsx",
        "returns/market_supervision/000018/问题数据退回_第18号_business_license.csv",
        "runs/report.html",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    given = given_by_files(tmp_path, tmp_path / "returns", tmp_path / "not there")
    assert given.versions == {("list", "2026-11-24 final"): 12, ("night_report", "2026-11-24"): 4}
    assert given.tables == {"quarantine.problem_return": 18}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("market_supervision/business_license/2026-11-24/0123456789ab-营业执照.csv", "营业执照.csv"),
        ("market_supervision/business_license/0123456789ab-a.csv", None),
        ("notes.txt", None),
    ],
)
def test_landed_path_tells_its_feed(path: str, name: str | None) -> None:
    place = place_of(path)
    assert (place and (place.department, place.feed, place.name)) == (
        name and ("market_supervision", "business_license", name)
    )


def state(**changed: object) -> BackupState:
    values = {
        "archiving": True,
        "last_archived_at": STOPPED,
        "failing_since": None,
        "waiting_bytes": 0,
        "last_backup_at": STOPPED,
        "last_backup_kind": "full",
    }
    return BackupState(**{**values, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (state(), None),
        (state(waiting_bytes=10**9), None),
        (state(archiving=False), "archive_mode"),
        (state(failing_since=STOPPED), "归档失败"),
        (state(waiting_bytes=10**9, last_archived_at=STOPPED - timedelta(hours=1)), "归档落后"),
        (state(last_backup_at=None), "还没有基础备份"),
        (state(last_backup_at=STOPPED - timedelta(hours=37)), "超过 36 小时"),
    ],
)
def test_archive_that_is_behind_is_told(found: BackupState, told: str | None) -> None:
    complaints = found.complaints(STOPPED + timedelta(minutes=1))
    assert [told in line for line in complaints if told] == ([True] if told else [])
    assert bool(complaints) == bool(told)


@pytest.mark.parametrize("moment", ["2026-11-24", "yesterday", "24.11.2026 03:00", "0001-01-01T00:00"])
def test_moment_that_is_none_is_told(moment: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["restore-drill", "--to", moment, "--folder", str(tmp_path)])
    assert isinstance(result.exception, ConfigurationError)
    assert "--to: expected a moment as" in str(result.exception)


def test_finish_wants_to_know_what_was_given_up() -> None:
    result = CliRunner().invoke(app, ["restore", "finish", "--to", "2026-11-24T03:00", "--reason", "虚构事由"])
    assert "Expected either --given-up" in str(result.exception)
