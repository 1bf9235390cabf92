"""Run the departments' servers: the HTTP interfaces, and SFTP for the drops."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Collection
from pathlib import Path

from simulator.credentials import app_secret
from simulator.faults import Faults
from simulator.http_service import HttpService
from simulator.publish import HTTP_PORT_FILE, KNOWN_HOSTS_FILE, SFTP_PORT_FILE, Places
from simulator.sftp import SftpService


class Servers:
    """The running servers; use it in a `with` block.

    With 0, `port` and `sftp_port` are any free ones. While the servers run, their ports are in `serve.port` and
    `sftp.port` in the folder, and the host key in `known_hosts`; `serve.port` is written last, so that a program that
    waits for it finds all. `known_as` are names of this machine under which others reach it. Raises `OSError` when a
    port is taken.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        sftp_port: int = 0,
        faults: Faults | None = None,
        down: Collection[str] = (),
        known_as: Collection[str] = (),
        per_minute: int = 6000,
        token_seconds: float = 7200,
        slow_seconds: float = 1.0,
        retry_after_seconds: int = 1,
    ) -> None:
        self._folder = folder
        self._known_as = known_as
        places = Places(folder)
        places.sftp_folder.mkdir(parents=True, exist_ok=True)
        self.http = HttpService(
            folder,
            host,
            port,
            faults=faults,
            down=down,
            per_minute=per_minute,
            token_seconds=token_seconds,
            slow_seconds=slow_seconds,
            retry_after_seconds=retry_after_seconds,
        )
        try:
            self.sftp = SftpService(places.sftp_folder, app_secret(folder, "sftp"), host, sftp_port)
        except OSError:
            self.http.server_close()
            raise
        self._serving = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    def __enter__(self) -> "Servers":
        self.sftp.start()
        self._serving.start()
        hosts = dict.fromkeys(("127.0.0.1", "localhost", *self._known_as))
        self._write(KNOWN_HOSTS_FILE, "".join(map(self.sftp.known_hosts_line, hosts)))
        self._write(SFTP_PORT_FILE, str(self.sftp.port))
        self._write(HTTP_PORT_FILE, str(self.http.server_port))
        return self

    def __exit__(self, *_: object) -> None:
        for name in (HTTP_PORT_FILE, SFTP_PORT_FILE):
            (self._folder / name).unlink(missing_ok=True)
        self.http.shutdown()
        self.http.server_close()
        self._serving.join()
        self.sftp.stop()

    def _write(self, name: str, text: str) -> None:
        part = self._folder / f"{name}.part"
        part.write_text(text, encoding="ascii")
        part.replace(self._folder / name)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `serve` to the command line."""
    parser.add_argument("--folder", type=Path, required=True, help="state of the systems, drops, ports")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="of the interfaces; 0 takes a free one")
    parser.add_argument("--sftp-port", type=int, default=0, help="of the SFTP server; 0 takes a free one")
    parser.add_argument(
        "--faults", type=float, default=0.0, metavar="RATE", help="share of requests with a fault, 0 to 1"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the faults")
    parser.add_argument(
        "--down", action="append", default=[], metavar="DEPARTMENT", help="is down all night; repeatable"
    )
    parser.add_argument("--known-as", action="append", default=[], metavar="HOST", help="name of this machine for SFTP")
    parser.add_argument("--per-minute", type=int, default=6000, help="requests allowed to one app id")
    parser.add_argument("--token-seconds", type=float, default=7200, help="life of a token")


def run(given: argparse.Namespace) -> None:
    """Serve until SIGTERM or Ctrl-C, then print the faults that were served as one line of JSON."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    faults = Faults(given.faults, given.seed)
    with Servers(
        given.folder,
        host=given.host,
        port=given.port,
        sftp_port=given.sftp_port,
        faults=faults,
        down=given.down,
        known_as=given.known_as,
        per_minute=given.per_minute,
        token_seconds=given.token_seconds,
    ) as servers:
        sys.stdout.write(f"Interfaces at port {servers.http.server_port}, SFTP at port {servers.sftp.port}.\n")
        sys.stdout.flush()
        stop.wait()
    sys.stdout.write(json.dumps({"requests": faults.requests, "faults": dict(faults.served())}) + "\n")
