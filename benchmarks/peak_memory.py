"""The most memory that this process has had, and that the backends of a PostgreSQL server have beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import psutil

from local_stack.postgres import EmbeddedPostgres


def peak_mb() -> float:
    """Return the peak of the resident memory in MB, imports included.

    Not `ru_maxrss`: an exec keeps in it what the process was before, which is the size of the one that made the rows.
    """
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


@contextmanager
def backends_watched(server: EmbeddedPostgres) -> Iterator[list[float]]:
    """Look at the backends of a server twenty times a second; the list's only element is their peak in MB.

    It is the memory of their own of all sessions and their parallel workers together, and what they share among
    themselves (hash tables of parallel joins); the server's shared buffers are not in it.
    """
    postmaster = psutil.Process(int((server.cluster / "postmaster.pid").read_text().split()[0]))
    peak = [0.0]
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.05):
            own = sum(map(_own_mb, postmaster.children()))
            shared = sum(_file_mb(path) for path in Path("/dev/shm").glob("PostgreSQL.*"))
            peak[0] = max(peak[0], own + shared)

    watching = Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield peak
    finally:
        ended.set()
        watching.join()


def _own_mb(process: psutil.Process) -> float:
    try:
        title = " ".join(process.cmdline())
        status = Path(f"/proc/{process.pid}/status").read_text()
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return 0
    # The server's own processes have other titles: "checkpointer", "io worker 0".
    if "127.0.0.1(" not in title and "parallel worker" not in title:
        return 0
    return sum(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon:"))


def _file_mb(path: Path) -> float:
    try:
        return path.stat().st_blocks * 512 / 1e6
    except FileNotFoundError:
        return 0
