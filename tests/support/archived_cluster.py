"""A PostgreSQL cluster whose WAL is archived by pgBackRest, as that of docker-compose.yml: as processes here."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from zhengku.operations.restore.account import give_folder, run_as, server_account
from zhengku.settings import project_home

STANZA = "zhengku"


@dataclass
class ArchivedCluster:
    """A server with an archive: `folder` has everything of it, `url` is of its maintenance database."""

    folder: Path
    url: str

    def pgbackrest(self, *words: str) -> str:
        done = subprocess.run(
            ["pgbackrest", f"--stanza={STANZA}", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **run_as(),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def back_up(self) -> None:
        """Make a backup by the script of the image, which tells the database of it."""
        script = (project_home() / "docker" / "postgres" / "zhengku-backup").read_text(encoding="utf-8")
        environment = {**os.environ, "ZHENGKU_PGBACKREST": "pgbackrest", "ZHENGKU_BACKUP_SOCKET": str(self.folder)}
        done = subprocess.run(
            ["sh", "-s", "now"], input=script, capture_output=True, text=True, check=False, cwd="/", env=environment,
            **run_as(),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "F is in the repository" in done.stdout

    def switch_wal(self) -> None:
        """Let everything until now be in the archive."""
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("select pg_switch_wal()")
        self.pgbackrest("check")


def server_programs() -> Path:
    """Return the programs of an installed server that the installed pgBackRest knows; skip where either is missing."""
    if shutil.which("pgbackrest") is None:
        pytest.skip("pgBackRest is not installed: apt-get install pgbackrest")
    for version in ("15", "16", "17", "18"):
        folder = Path(f"/usr/lib/postgresql/{version}/bin")
        if (folder / "initdb").is_file():
            return folder
    pytest.skip("no PostgreSQL with an installed pgBackRest's version: apt-get install postgresql")


@contextmanager
def archived_cluster() -> Iterator[ArchivedCluster]:
    """Start a cluster of its own with an encrypted repository beside; `PGBACKREST_CONFIG` names its configuration."""
    programs = server_programs()
    base = Path(tempfile.mkdtemp(prefix="zhengku-archive-", dir=os.environ.get("TMPDIR")))
    # The server's account has to reach its own folder.
    base.chmod(0o711)
    folder = base / "cluster"
    give_folder(folder)
    data = folder / "data"
    run = {"cwd": "/", "check": True, "capture_output": True, **run_as()}
    config = folder / "pgbackrest.conf"
    config.write_text(
        f"[global]\nrepo1-path={folder}/repository\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=only-for-tests\n"
        f"repo1-retention-full=2\nlock-path={folder}/lock\nlog-path={folder}/log\nlog-level-file=off\nstart-fast=y\n"
        f"spool-path={folder}/spool\n\n[{STANZA}]\npg1-path={data}\npg1-port=5432\npg1-socket-path={folder}\n"
        "pg1-user=postgres\n",
        encoding="utf-8",
    )
    if (account := server_account()) is not None:
        os.chown(config, account.pw_uid, account.pw_gid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGBACKREST_CONFIG", str(config))
        try:
            form = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
            subprocess.run([programs / "initdb", "-D", data, "-U", "postgres", *form], **run)
            options = (
                f"-c listen_addresses='' -c unix_socket_directories={folder} -c archive_mode=on -c wal_level=replica "
                f"-c archive_timeout=60 -c fsync=off -c timezone=UTC -c shared_buffers=64MB "
                f"-c archive_command='pgbackrest --stanza={STANZA} archive-push %p'"
            )
            with (base / "start.log").open("wb") as log:
                subprocess.run(
                    [programs / "pg_ctl", "start", "-D", data, "-w", "-l", folder / "server.log", "-o", options],
                    **{**run, "capture_output": False}, stdout=log, stderr=log,
                )  # fmt: skip
            cluster = ArchivedCluster(folder, f"postgresql+psycopg://postgres@/postgres?host={folder}")
            yield cluster
        finally:
            subprocess.run([programs / "pg_ctl", "stop", "-D", data, "-m", "fast", "-w"], **{**run, "check": False})
            shutil.rmtree(base, ignore_errors=True)
