"""The server of a restored copy: apart from production, on a private socket, archiving nothing."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zhengku.errors import ConfigurationError
from zhengku.operations.restore.account import give_folder, run_as, server_account
from zhengku.operations.restore.backup import BackupError

RECOVERY_SECONDS = 24 * 3600
"""How long replaying WAL may take: a day of a large city's at most."""

_POLL_SECONDS = 0.2

_CONFIGURATION = """\
# Nothing reaches this server but by the socket below; what it writes is archived nowhere.
data_directory = '{data}'
hba_file = '{folder}/pg_hba.conf'
ident_file = '{folder}/pg_ident.conf'
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
port = 5432
archive_mode = off
# No reader before the end of recovery, so no setting of production has to be the same here.
hot_standby = off
max_connections = 100
shared_buffers = 256MB
maintenance_work_mem = 256MB
max_wal_size = 4GB
jit = off
timezone = 'Asia/Shanghai'
log_timezone = 'Asia/Shanghai'
# A log must not hold values of certificates.
log_min_error_statement = panic
log_error_verbosity = terse
"""


@contextmanager
def running_copy(folder: Path, database: str) -> Iterator[str]:
    """Start the server of the restored files in `folder/data`; yield the address of a database, without an account.

    The address has `{account}` where the account stands. It is ready when recovery has ended, and stops at the end.
    Raises `BackupError` with the server's words when it does not start.
    """
    data = folder / "data"
    binaries = _binaries(data)
    # A socket's path may have 107 characters at most.
    socket = Path(tempfile.mkdtemp(prefix="zhengku-restore-"))
    try:
        _give(socket)
        _write(folder / "postgresql.conf", _CONFIGURATION.format(data=data, folder=folder, socket=socket))
        _write(folder / "pg_hba.conf", "local all all trust\n")
        _write(folder / "pg_ident.conf", "")
        log = folder / "server.log"
        started = _control(
            binaries, "start", "-D", str(data), "-l", str(log), "-w", "-t", str(RECOVERY_SECONDS),
            "-o", f"-c config_file={folder}/postgresql.conf",
        )  # fmt: skip
        if started.returncode:
            raise BackupError(f"The restored server did not start: {_why(log, started.stderr)}")
        try:
            _wait_for_recovery(binaries, data, socket, log)
            yield f"postgresql+psycopg://{{account}}@/{database}?host={socket}"
        finally:
            stopped = _control(binaries, "stop", "-D", str(data), "-m", "fast", "-w", "-t", "600")
            if stopped.returncode and _runs(binaries, data):
                raise BackupError(f"The restored server in {data} did not stop: {stopped.stderr.strip()[-300:]}")
    finally:
        shutil.rmtree(socket, ignore_errors=True)


def _wait_for_recovery(binaries: Path, data: Path, socket: Path, log: Path) -> None:
    """Wait until the server takes connections: pg_ctl does not wait for the end of a recovery without readers."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while time.monotonic() < deadline:
        ready = subprocess.run(
            [binaries / "pg_isready", "-q", "-h", str(socket)], stdin=subprocess.DEVNULL, check=False, **run_as()
        )
        if ready.returncode == 0:
            return
        if not _runs(binaries, data):
            raise BackupError(f"The restored server ended: {_why(log, 'see its log')}")
        time.sleep(_POLL_SECONDS)
    raise BackupError(f"The restored server was not ready after {RECOVERY_SECONDS // 3600} hours; see {log}.")


def _runs(binaries: Path, data: Path) -> bool:
    return _control(binaries, "status", "-D", str(data)).returncode == 0


def _binaries(data: Path) -> Path:
    """Return the folder of the server programs of the version that the files are of."""
    version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    tried = [
        Path(place)
        for place in (os.environ.get("ZHENGKU_POSTGRES_BIN", ""), f"/usr/lib/postgresql/{version}/bin")
        if place
    ]
    for place in tried:
        program = place / "postgres"
        if program.is_file():
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
            if said.split(".")[0] == version:
                return place
    raise ConfigurationError(
        f"Expected the server programs of PostgreSQL {version}, of which the backup is, in "
        f"{' or '.join(map(str, tried))}. Install postgresql-{version}, or name the folder: ZHENGKU_POSTGRES_BIN."
    )


def _control(binaries: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "ZHENGKU_"))}
    # What pgBackRest needs to fetch WAL while the server recovers.
    environment.update({name: value for name, value in os.environ.items() if name.startswith("PGBACKREST_")})
    with tempfile.TemporaryFile("w+") as words_of_it:
        # Not a pipe: the server would keep it open.
        done = subprocess.run(
            [str(binaries / "pg_ctl"), *words],
            stdin=subprocess.DEVNULL,
            stdout=words_of_it,
            stderr=words_of_it,
            text=True,
            check=False,
            cwd="/",
            env={**environment, "LC_ALL": "C"},
            **run_as(),
        )
        words_of_it.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, "", words_of_it.read())


def _give(folder: Path) -> None:
    folder.rmdir()
    give_folder(folder)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    account = server_account()
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)
    path.chmod(0o600)


def _why(log: Path, otherwise: str) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    fatal = [line for line in lines if "FATAL" in line]
    if any("recovery ended before configured recovery target was reached" in line for line in fatal):
        return (
            "the archive ends before the moment that was asked for. Name an earlier one, or find out why WAL was not "
            "archived (docs/runbooks/restore.md)."
        )
    return (fatal[-1] if fatal else (lines[-1] if lines else otherwise.strip()))[-400:]
