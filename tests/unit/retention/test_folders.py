"""What of folders of reports, returns and logs is too old, and its removal."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from zhengku.errors import NotRemoved
from zhengku.retention.folders import REMINDER, old_entries, old_reports, old_returns, remove_entry

NOW = datetime(2028, 2, 29, 4, tzinfo=UTC)


def write(path: Path, days_old: float, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    moment = (NOW - timedelta(days=days_old)).timestamp()
    os.utime(path, (moment, moment))
    return path


def before(days: int) -> datetime:
    return NOW - timedelta(days=days)


def test_an_entry_is_as_old_as_its_newest_file(tmp_path):
    write(tmp_path / "dag_id=a" / "run_id=1" / "task_id=x" / "attempt=1.log", 300, "12345")
    write(tmp_path / "dag_id=a" / "run_id=2" / "task_id=x" / "attempt=1.log", 300)
    write(tmp_path / "dag_id=a" / "run_id=2" / "task_id=x" / "attempt=2.log", 100)
    write(tmp_path / "single.log", 300)
    [old, single] = old_entries(tmp_path, before(200))
    assert (old.name, old.files, old.bytes) == ("dag_id=a/run_id=1", 1, 5)
    assert old.newest_at == before(300)
    assert single.name == "single.log"


def test_no_link_is_followed(tmp_path):
    outside = write(tmp_path / "elsewhere" / "a" / "b.txt", 300)
    logs = tmp_path / "logs"
    write(logs / "dag" / "run" / "a.log", 300)
    (logs / "dag" / "run" / "link").symlink_to(outside)
    (logs / "linked").symlink_to(tmp_path / "elsewhere")
    (logs / "dag" / "latest").symlink_to(tmp_path / "elsewhere" / "a")
    # A link counts as young as it was made, by its own time.
    for link in (logs / "dag" / "run" / "link",):
        os.utime(link, (before(300).timestamp(),) * 2, follow_symlinks=False)
    [old] = old_entries(logs, before(200))
    assert old.name == "dag/run"
    remove_entry(logs, old.name, old.newest_at)
    assert outside.read_text(encoding="utf-8") == "x"
    assert not (logs / "dag" / "run").exists()


def test_newest_reports_of_each_folder_stay_however_old_and_returns_are_none_of_them(tmp_path):
    for day in ("2020-01-01", "2020-01-02"):
        write(tmp_path / "nights" / day / "v1" / "a.html", 3000 - int(day[-1]))
    write(tmp_path / "market_supervision" / "run.html", 3000)
    write(tmp_path / "returns" / "market_supervision" / "000001" / "a.xlsx", 3000)
    found = {old.name: old.kept for old in old_reports(tmp_path, tmp_path / "returns", before(1000))}
    assert found == {
        "nights/2020-01-01": None,
        "nights/2020-01-02": "newest",
        "market_supervision/run.html": "newest",
    }


def test_files_of_open_returns_and_the_reminder_stay(tmp_path):
    for name in ("000001/a.xlsx", "000002/a.xlsx", REMINDER, "批次处理通知_3.txt"):
        write(tmp_path / "housing" / name, 500)
    found = {Path(old.name).name: old.kept for old in old_returns(tmp_path, before(365), {2})}
    assert found == {"000001": None, "000002": "unsettled", REMINDER: "current", "批次处理通知_3.txt": None}


def test_what_was_written_since_it_was_judged_stays(tmp_path):
    write(tmp_path / "nights" / "2020-01-01" / "v1" / "a.html", 3000)
    [old] = old_entries(tmp_path, before(1000))
    new = write(tmp_path / "nights" / "2020-01-01" / "v2" / "b.html", 0)
    remove_entry(tmp_path, old.name, old.newest_at)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [new]
    # Again, and what is gone already.
    remove_entry(tmp_path, old.name, old.newest_at)
    remove_entry(tmp_path, "nights/2019-01-01", old.newest_at)


def test_nothing_outside_of_the_folder_is_removed(tmp_path):
    outside = write(tmp_path / "outside.txt", 3000)
    (tmp_path / "reports").mkdir()
    for name in ("../outside.txt", str(outside)):
        with pytest.raises(NotRemoved, match="Expected a path below"):
            remove_entry(tmp_path / "reports", name, NOW)
    assert outside.exists()


def test_a_folder_that_is_not_there_has_nothing(tmp_path):
    assert list(old_entries(tmp_path / "nowhere", NOW)) == []
