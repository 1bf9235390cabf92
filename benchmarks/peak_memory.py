"""The peak memory of this process, and of the backends of a PostgreSQL server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import psutil  # type: ignore[import-untyped]

from local_stack.postgres import EmbeddedPostgres


def peak_mb() -> float:
    """Return the peak of the resident memory in MB, imports included.

    Not `ru_maxrss`: it survives an exec, and would be the size of the process that made the rows.
    """
    [peak] = _status_mb("self", "VmHWM")
    return peak


def server_process(server: EmbeddedPostgres) -> psutil.Process:
    """Return the main process of a running server; the others are its children."""
    return psutil.Process(int((server.cluster / "postmaster.pid").read_text(encoding="ascii").split()[0]))


@contextmanager
def backends_watched(server: EmbeddedPostgres) -> Iterator[list[float]]:
    """Measure the backends of a server twenty times a second; the list's only element is their peak in MB.

    It is the private memory of all sessions and their parallel workers together, and what they share among themselves
    (hash tables of parallel joins), without the server's shared buffers.
    """
    postmaster = server_process(server).pid
    peak = [0.0]
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.05):
            own = sum(map(_own_mb, _children(postmaster)))
            shared = sum(_file_mb(path) for path in Path("/dev/shm").glob("PostgreSQL.*"))
            peak[0] = max(peak[0], own + shared)

    watching = Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield peak
    finally:
        ended.set()
        watching.join()


def _children(process: int) -> list[int]:
    # Only of this process: psutil would look at every process of the machine each time, which took a tenth of a core.
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _own_mb(process: int) -> float:
    try:
        title = Path(f"/proc/{process}/cmdline").read_bytes()
        # The server's own processes have other titles: "checkpointer", "io worker 0".
        if b"127.0.0.1(" not in title and b"parallel worker" not in title:
            return 0
        # A process that is about to end has no title.
        return sum(_status_mb(process, "RssAnon"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _status_mb(process: int | str, name: str) -> list[float]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return [int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")]


def _file_mb(path: Path) -> float:
    try:
        return path.stat().st_blocks * 512 / 1024 / 1024
    except FileNotFoundError:
        return 0
