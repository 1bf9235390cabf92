"""Restored to a minute between two loads: its very store, no number twice, what lacks is loaded, the night after."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from tests.support.archived_cluster import ArchivedCluster, archived_cluster
from tests.support.installation import OWNER_URL, license_row, make_installation
from tests.support.review_installation import NOW, ReviewedInstallation
from tests.support.seals import seal_everything
from typer.testing import CliRunner

from zhengku import clock
from zhengku.accounts import ACCOUNTS, make_accounts
from zhengku.audit import verify
from zhengku.cli.main import app
from zhengku.database import store_connection, upgrade
from zhengku.errors import ConfigurationError, StoreError
from zhengku.operations.restore.account import give_folder
from zhengku.operations.restore.backup import BackupError, BackupTool, backup_state
from zhengku.operations.restore.drill import restore_drill
from zhengku.operations.restore.finish import finish_restore
from zhengku.operations.restore.restore_report import write_restore_report
from zhengku.operations.restore.server import running_copy
from zhengku.review.daily import publish_nights
from zhengku.settings import Settings

pytestmark = pytest.mark.slow


@dataclass
class Nights:
    """A city of one feed after two nights; `minute` is between them."""

    cluster: ArchivedCluster
    production: ReviewedInstallation
    minute: datetime
    head: str
    seal_id: int


def make_store(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", "").replace("/zhengku?", "/postgres?"), autocommit=True) as connection:
        connection.execute("create database zhengku template template0 encoding 'UTF8'")
    upgrade(url)
    with store_connection(url) as connection:
        make_accounts(connection, dict.fromkeys(ACCOUNTS, "only-for-tests"))


def first_night(city: ReviewedInstallation) -> None:
    city.deliver_rows("a.csv", *(license_row(n) for n in range(40)), license_row(40, 注册日期="不详"))
    [batch] = city.run("night-1")
    assert batch.status == "loaded"
    city.returns().make("market_supervision", "zhang", NOW)


def second_night(city: ReviewedInstallation) -> None:
    changed = [license_row(n, 注册资金="7万元") for n in range(10)]
    city.deliver_rows("b.csv", *changed, license_row(41, 注册日期="不详"), minutes_ago=50)
    city.deliver_rows("c.csv", *(license_row(n) for n in range(60, 70)), minutes_ago=40)
    assert {batch.status for batch in city.run("night-2")} == {"loaded"}


def third_night(city: ReviewedInstallation) -> None:
    city.deliver_rows(
        "d.csv", *(license_row(n, 注册资金="9万元") for n in range(5, 15)), license_row(40), minutes_ago=30
    )
    assert {batch.status for batch in city.run("night-3")} == {"loaded"}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory, register_catalog: Path) -> Iterator[Nights]:
    with archived_cluster() as cluster:
        url = cluster.url.replace("/postgres?", "/zhengku?")
        make_store(url)
        made = make_installation(tmp_path_factory.mktemp("production"), url, register_catalog)
        city = ReviewedInstallation(made.settings, made.drop)
        cluster.back_up()
        first_night(city)
        with store_connection(url) as connection:
            seal_everything(connection)
        time.sleep(1.5)
        minute = clock.now()
        time.sleep(1.5)
        second_night(city)
        returns = city.returns()
        made_return = returns.make("market_supervision", "zhang", NOW)
        assert made_return.return_id == 2
        publish_nights(city.settings, clock.now())
        with store_connection(url) as connection:
            seal = seal_everything(connection)
        cluster.switch_wal()
        yield Nights(cluster, city, minute, seal.head, seal.seal_id)


def state_of(city: ReviewedInstallation) -> list[tuple[object, ...]]:
    return city.query("select max(batch_id), count(*) from ledger.batch") + city.query(
        "select max(seal_id), count(*) from audit.seal"
    )


def files_of(city: ReviewedInstallation) -> list[tuple[str, int]]:
    places = [Path(city.settings.landing_url), city.settings.report_folder]
    return sorted((str(path), path.stat().st_mtime_ns) for place in places for path in place.rglob("*"))


def test_drill_leaves_production_alone_and_finds_the_store_of_the_minute(nights: Nights, place: Path) -> None:
    before, files = state_of(nights.production), files_of(nights.production)
    drill = restore_drill(nights.production.settings, nights.minute, place, "zhang", progress=lambda line: None)
    assert [(check.title, check.found) for check in drill.checks if not check.passed] == []
    assert len(drill.checks) == 8
    assert drill.finished is not None
    assert [batch.source_name for batch in drill.finished.repeated] == ["b.csv", "c.csv"]
    assert drill.finished.given_up.rows["quarantine.problem_return"] == 1
    assert drill.seconds.keys() == {"read production", "restore", "recovery", "finish"}
    assert state_of(nights.production) == before
    assert files_of(nights.production) == files
    assert not list(place.iterdir())


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder that the server's account reaches."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="zhengku-drill-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def test_commands_say_what_they_found(nights: Nights, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in nights.production.settings.environment.items():
        monkeypatch.setenv(name, value)
    state = CliRunner().invoke(app, ["restore", "state"])
    assert state.exit_code == 0, state.output
    assert "full backup of" in state.output
    to = nights.minute.isoformat()
    drill = CliRunner().invoke(app, ["restore-drill", "--to", to, "--folder", str(place / "new")])
    assert drill.exit_code == 0, drill.output
    assert drill.output.count("passed  ") == 8
    assert "Done again: 2 batches, 2 of them loaded." in drill.output
    assert re.search(r"returns go on with 1,0\d\d \(up to 2 were given\)", drill.output), drill.output
    assert not list(place.iterdir())


@pytest.mark.parametrize("is_lost", [False, True])
def test_after_a_restore_the_next_night_is_right_and_no_number_comes_twice(
    nights: Nights, place: Path, tmp_path: Path, register_catalog: Path, is_lost: bool
) -> None:
    city = nights.production
    area = place / "copy"
    give_folder(area)
    give_folder(area / "data")
    BackupTool(city.settings).restore(area / "data", nights.minute)
    # Drop, landing area and reports are on other disks, and are as they were last.
    for name in ("drop", "landing", "reports"):
        shutil.copytree(city.drop.parents[1] / name, tmp_path / name)
    with running_copy(area, "zhengku") as url:
        owner = url.format(account="postgres")
        settings = Settings(
            home=city.settings.home,
            environment={
                **city.settings.environment,
                OWNER_URL: owner,
                "ZHENGKU_OWNER_DATABASE_URL": owner,
                "ZHENGKU_DATABASE_URL": url.format(account="zhengku_pipeline"),
                "ZHENGKU_LANDING_URL": str(tmp_path / "landing"),
                "ZHENGKU_REPORT_DIR": str(tmp_path / "reports"),
                "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": str(tmp_path / "drop"),
            },
        )
        restored = ReviewedInstallation(settings, tmp_path / "drop" / "business_license")
        # Forgotten, a finish is not silent: nothing that bears a number is written.
        with pytest.raises(StoreError, match="restored: expected timeline 1, got 2"):
            restored.returns().make("market_supervision", "zhang", NOW)
        with pytest.raises(ConfigurationError, match="newer than the minute"):
            finish_restore(settings, nights.minute.replace(year=2020), None, "zhang", "虚构事由")
        with pytest.raises(ConfigurationError, match="got the restored store itself"):
            finish_restore(settings, nights.minute, owner, "zhang", "虚构事由")

        given_up = None if is_lost else city.settings.environment[OWNER_URL]
        finished = finish_restore(settings, nights.minute, given_up, "zhang", "虚构事由")
        assert {batch.status for batch in finished.repeated} == {"loaded"}
        assert len(finished.repeated) == 2
        assert [one.what for one in finished.not_repeated] == []
        again = finish_restore(settings, nights.minute, given_up, "zhang", "虚构事由")
        assert (again.restore_id, [batch.batch_id for batch in again.repeated if batch.inserted]) == (
            finished.restore_id,
            [batch.batch_id for batch in finished.repeated if batch.inserted and not is_lost],
        )
        report = write_restore_report(finished, settings.report_folder).read_text(encoding="utf-8")
        assert ("第 2 号退回单" in report) != is_lost

        third_night(restored)
        later = restored.returns().make("market_supervision", "zhang", NOW)
        assert later.return_id >= 1003
        publish_nights(settings, clock.now())
        with store_connection(owner) as connection:
            reports = connection.execute("select version from review.night_report").fetchall()
            assert reports
            assert min(reports) > (10,)
            [(lowest,)] = connection.execute(
                "select min(batch_id) from ledger.batch where recorded_at > %s", (nights.minute,)
            ).fetchall()
            assert lowest > 1_000_000
            seal_everything(connection)
            assert verify(connection) == []
            found = verify(connection, {nights.seal_id: nights.head})
            assert [one.fault for one in found] == ["head" if is_lost else "void"]

        reference = never_lost(nights, tmp_path / "reference", register_catalog)
        ours = content(restored)
        assert ours == content(reference)
        assert len(ours) == 51


def never_lost(nights: Nights, folder: Path, catalog: Path) -> ReviewedInstallation:
    """An installation with the same three nights, of which none was lost."""
    name = f"reference_{time.monotonic_ns()}"
    url = nights.cluster.url.replace("/postgres?", f"/{name}?")
    with psycopg.connect(nights.cluster.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"create database {name} template template0 encoding 'UTF8'".encode())
    upgrade(url)
    with store_connection(url) as connection:
        make_accounts(connection, {})
    made = make_installation(folder, url, catalog)
    city = ReviewedInstallation(made.settings, made.drop)
    first_night(city)
    second_night(city)
    third_night(city)
    city.returns().make("market_supervision", "zhang", NOW)
    return city


def content(city: ReviewedInstallation) -> list[tuple[object, ...]]:
    """Records with their history and problem records, without numbers and times of batches."""
    return city.query(
        "select record_key, version_no, holder, row_hash, removal,"
        " (select array_agg(h.row_hash order by h.version_no) from store.certificate_history as h"
        "  where h.record_key = s.record_key),"
        " (select array_agg(q.status order by q.fingerprint) from quarantine.problem_row as q)"
        " from store.certificate as s order by 1"
    )


def test_archive_is_not_behind_and_the_repository_is_encrypted(nights: Nights) -> None:
    repository = BackupTool(nights.production.settings).repository()
    assert repository.encrypted
    assert [backup.kind for backup in repository.backups] == ["full"]
    with store_connection(nights.production.settings.database_url) as connection:
        state = backup_state(connection)
    assert state.archiving
    assert state.failing_since is None
    assert state.waiting_bytes < 16 * 1024**2
    assert state.last_backup_kind == "full"
    assert state.complaints(clock.now()) == []
    [late] = state.complaints(clock.now() + timedelta(hours=37))
    assert "基础备份已超过 36 小时" in late


@pytest.mark.soak
def test_whole_drill_of_a_register_of_300_000_certificates(
    tmp_path: Path, place: Path, register_catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same at the size of a city's largest register; its figures stand in docs/benchmarks.md."""
    with archived_cluster() as cluster:
        url = cluster.url.replace("/postgres?", "/zhengku?")
        make_store(url)
        made = make_installation(tmp_path, url, register_catalog)
        city = ReviewedInstallation(made.settings, made.drop)
        city.deliver_rows("a.csv", *(license_row(n) for n in range(300_000)))
        city.run("night-1")
        started = time.monotonic()
        cluster.back_up()
        backup_seconds = time.monotonic() - started
        time.sleep(1.5)
        minute = clock.now()
        time.sleep(1.5)
        city.deliver_rows("b.csv", *(license_row(n, 注册资金="7万元") for n in range(30_000)), minutes_ago=50)
        city.run("night-2")
        cluster.switch_wal()
        drill = restore_drill(city.settings, minute, place, "zhang", progress=lambda line: None)
        with capsys.disabled():
            steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in drill.seconds.items())
            print(f"\n{drill.size / 1024**2:,.0f} MB: backup {backup_seconds:.1f} s, {steps}")
    assert [(check.title, check.found) for check in drill.checks if not check.passed] == []
    assert drill.finished is not None
    assert [batch.updated for batch in drill.finished.repeated] == [30_000]


def test_moment_outside_of_the_archive_is_refused(nights: Nights, place: Path) -> None:
    settings = nights.production.settings
    with pytest.raises(BackupError, match="since the end of the first backup"):
        restore_drill(settings, nights.minute.replace(year=2020), place, "zhang")
    with pytest.raises(ConfigurationError, match="a moment that has been"):
        restore_drill(settings, nights.minute.replace(year=2100, day=1), place, "zhang")
    assert not list(place.iterdir())
