"""Programs that outlive the process that started them, each with a log, and stopped with everything they started."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from zhengku.errors import ZhengkuError

ASK_SECONDS = 5.0
TERMINATE_SECONDS = 5.0
KILL_SECONDS = 5.0

# The system counts start times in hundredths of a second since the boot; setting the clock shifts them a little.
_CLOCK_TOLERANCE_SECONDS = 5.0


@dataclass(frozen=True)
class BackgroundProgram:
    """One program with its log in `log_folder`; `run_folder` stores which process it is."""

    name: str
    run_folder: Path
    log_folder: Path

    @property
    def log(self) -> Path:
        """The file with what the program wrote since its last start."""
        return self.log_folder / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """Two lines: the process id, and the start time in seconds since 1970."""
        return self.run_folder / f"{self.name}.pid"

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it in a session of its own, detached from the caller's terminal; does nothing when it runs."""
        if self.process() is not None:
            return
        with self.log.open("wb") as log:
            started = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=self.run_folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        written = self.pid_file.with_suffix(".part")
        written.write_text(f"{started.pid}\n{psutil.Process(started.pid).create_time()}\n", encoding="ascii")
        written.rename(self.pid_file)

    def process(self) -> psutil.Process | None:
        """Return its main process; None when it ended, or when its number belongs to another program."""
        recorded = self._recorded()
        if recorded is None:
            return None
        pid, started = recorded
        process = _found(pid)
        if process is None or abs(process.create_time() - started) >= _CLOCK_TOLERANCE_SECONDS:
            return None
        return process

    def family(self) -> list[psutil.Process]:
        """Return every process of its session, including children that a killed parent left."""
        recorded = self._recorded()
        if recorded is None:
            return []
        session, started = recorded
        members = [process for process in map(_found, psutil.pids()) if process and _session_of(process) == session]
        # While a process of the session runs, no other program gets its number; later one may, and lead a session.
        leader = next((process for process in members if process.pid == session), None)
        if leader is not None and abs(leader.create_time() - started) >= _CLOCK_TOLERANCE_SECONDS:
            return []
        return members

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines that it wrote."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
        except OSError:
            return []

    def _recorded(self) -> tuple[int, float] | None:
        try:
            pid, started = self.pid_file.read_text(encoding="ascii").split()
            return int(pid), float(started)
        except (OSError, ValueError):
            return None


def stop_programs(programs: Iterable[BackgroundProgram]) -> None:
    """Stop programs in parallel, with all processes that they started; what does not end when asked is killed.

    Raises `ZhengkuError` when a process of another account cannot be stopped.
    """
    programs = list(programs)
    main = [process for program in programs if (process := program.process()) is not None]
    # A parent that is asked first stops its children in order; children asked together look like crashes to it.
    families = [process for program in programs for process in program.family()]
    _signal(main, signal.SIGTERM)
    wait_until_ended(main, ASK_SECONDS)
    # The scheduler would wait for its tasks, and the triggerer for ten seconds: a second signal ends them at once.
    left = {*families, *(process for program in programs for process in program.family())}
    _signal(left, signal.SIGTERM)
    alive = wait_until_ended(left, TERMINATE_SECONDS)
    _signal(alive, signal.SIGKILL)
    alive = wait_until_ended(alive, KILL_SECONDS)
    if alive:
        raise ZhengkuError(f"These processes do not stop: {', '.join(str(process.pid) for process in alive)}")
    for program in programs:
        program.pid_file.unlink(missing_ok=True)


def _signal(processes: Iterable[psutil.Process], word: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(word)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied as error:
            raise ZhengkuError(
                f"Process {process.pid} belongs to another account: stop it as the account that started it."
            ) from error


def wait_until_ended(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until processes have ended, and return those that still run after some seconds."""
    deadline = time.monotonic() + seconds
    alive = list(processes)
    while alive := [process for process in alive if lives(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return alive


def lives(process: psutil.Process) -> bool:
    """Return whether a process still runs; a zombie, which a container may keep for ever, does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _found(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
    except psutil.Error:
        return None
    return process if lives(process) else None


def _session_of(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None
