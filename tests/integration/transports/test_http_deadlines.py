"""An interface that drips ends with the deadline of one try, whatever it drips: on real sockets, without a signal."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.certificates import certificate, tls_of
from tests.support.command_line import zhengku
from tests.support.exchange_pipeline import TRANSPORT, point_feed_at_table
from tests.support.http_interface import START, Interface, Reply, Request, collect, envelope, feed_of, row
from tests.support.installation import Installation

from zhengku.errors import DeliveryUnavailable, SourceRefused
from zhengku.landed.landing import LandingArea
from zhengku.transports.http.source import HttpApiSource
from zhengku.transports.source import Window

WHOLE = 1
"""Seconds of one try."""

LATE = 2.5
"""Seconds after which a try has outlived its deadline, on a busy machine too."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY_MEMBER = gzip.compress(b"")


def empty_blocks() -> bytes:
    """Return a flushed block of deflate that expands to nothing."""
    packer = zlib.compressobj(wbits=-15)
    packer.compress(b"")
    return packer.flush(zlib.Z_SYNC_FLUSH)


def gzip_head() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(b"") + packer.flush(zlib.Z_SYNC_FLUSH)


DRIPS: dict[str, tuple[bytes, bytes]] = {
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "header": (HEAD + b"X-Slow: ", b"x"),
    "headers": (HEAD, b"X: y\r\n"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunk extension": (CHUNKED + b"5;x=", b"x"),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "trailer": (CHUNKED + b"0\r\nX-Slow: ", b"x"),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n"),
    "body": (HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "body without a length": (HEAD + b"Connection: close\r\n\r\n", b" "),
    "empty gzip blocks": (HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip_head(), empty_blocks()),
    "empty gzip members": (HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n", EMPTY_MEMBER),
    "refusal": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100000\r\n", b"X: y\r\n"),
}


class Dripping:
    """Sends `first`, then `drop` every `pause` seconds without an end (0: as fast as it goes) to everyone who asks."""

    def __init__(self, first: bytes, drop: bytes, pause: float, *, listens: bool = True) -> None:
        self._first = first
        self._drop = drop
        self._pause = pause
        self._stopped = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=8 if listens else 0)
        self.connections = 0
        self.port = self._listening.getsockname()[1]
        self.scheme = "http"
        if listens:
            threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"{self.scheme}://app-1:secret@127.0.0.1:{self.port}/base"

    def stop(self) -> None:
        self._stopped.set()
        with socket.socket() as last:
            # The thread that accepts ends with one more connection.
            last.setblocking(False)
            last.connect_ex(("127.0.0.1", self.port))
        self._listening.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                connection.sendall(self._first)
                while not self._stopped.wait(self._pause):
                    connection.sendall(self._drop)
            except OSError:
                return


@contextmanager
def dripping(first: bytes, drop: bytes, pause: float = 0.1, *, listens: bool = True) -> Iterator[Dripping]:
    server = Dripping(first, drop, pause, listens=listens)
    try:
        yield server
    finally:
        server.stop()


def read(address: str, folder: Path, **transport: object) -> None:
    feed = feed_of(**{"whole_timeout_seconds": WHOLE, "attempts": 1, **transport})
    source = HttpApiSource(feed, feed.transport, address, 1, first_pause=0.01)  # type: ignore[arg-type]
    [delivery] = source.deliveries(Window(start=START))
    source.land(delivery, LandingArea(str(folder)), "a/b")


def seconds_of(work: Callable[[], object], match: str = "no complete answer within 1 s") -> float:
    begin = time.monotonic()
    with pytest.raises(DeliveryUnavailable, match=match):
        work()
    return time.monotonic() - begin


@pytest.mark.parametrize("kind", [kind for kind in DRIPS if kind != "refusal"])
def test_what_drips_ends_with_the_deadline(tmp_path: Path, kind: str) -> None:
    with dripping(*DRIPS[kind]) as server:
        assert WHOLE * 0.9 < seconds_of(lambda: read(server.address, tmp_path)) < LATE


@pytest.mark.parametrize("kind", ["empty gzip blocks", "empty gzip members", "interim answers"])
def test_what_floods_without_a_byte_of_the_body_ends_with_the_deadline(tmp_path: Path, kind: str) -> None:
    first, drop = DRIPS[kind]
    with dripping(first, drop * 500, 0) as server:
        assert seconds_of(lambda: read(server.address, tmp_path)) < LATE


def test_headers_of_a_refusal_that_drip_end_with_the_deadline(tmp_path: Path) -> None:
    with dripping(*DRIPS["refusal"]) as server:
        assert seconds_of(lambda: read(server.address, tmp_path)) < LATE


def test_body_of_a_refusal_is_not_waited_for(tmp_path: Path) -> None:
    with dripping(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100000\r\n\r\n", b"x") as server:
        begin = time.monotonic()
        with pytest.raises(SourceRefused, match="403"):
            read(server.address, tmp_path)
        assert time.monotonic() - begin < WHOLE


def test_body_of_a_redirect_is_not_read(tmp_path: Path) -> None:
    """It may be without an end: the deadline is that of the last answer."""
    with dripping(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 100000\r\n\r\n", b"x") as server:
        begin = time.monotonic()
        with pytest.raises(SourceRefused, match="redirected more than 3 times"):
            read(server.address, tmp_path)
        assert time.monotonic() - begin < WHOLE
        assert server.connections == 4


def test_redirects_share_one_deadline(interface: Interface, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        time.sleep(0.4)
        return Reply(status=302, headers={"Location": "/base/licenses"})

    interface.answer = answer
    took = seconds_of(lambda: collect(interface, tmp_path, whole_timeout_seconds=WHOLE, attempts=1))
    assert took < LATE
    assert len(interface.requests) <= 3


def test_each_try_has_its_own_deadline(tmp_path: Path) -> None:
    with dripping(*DRIPS["headers"]) as server:
        took = seconds_of(lambda: read(server.address, tmp_path, attempts=2))
        assert 2 * WHOLE * 0.9 < took < 2 * LATE
        assert server.connections == 2


def test_time_between_requests_does_not_count(interface: Interface, tmp_path: Path) -> None:
    """Four pages a second and a deadline of a second: the reading is longer than one deadline."""
    rows = [row(number) for number in range(45)]

    def answer(request: Request) -> Reply:
        page = int(request.query["page"])
        return Reply(envelope(rows[(page - 1) * 10 : page * 10], total=len(rows)))

    interface.answer = answer
    begin = time.monotonic()
    collected = collect(interface, tmp_path, whole_timeout_seconds=WHOLE, attempts=1, requests_per_minute=200)
    assert collected.manifest is not None
    assert collected.manifest.rows == 45
    assert time.monotonic() - begin > WHOLE


def test_token_that_drips_ends_with_the_deadline(tmp_path: Path) -> None:
    with dripping(*DRIPS["headers"]) as server:
        took = seconds_of(lambda: read(server.address, tmp_path, signature={"kind": "token", "path": "token"}))
        assert took < LATE


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x03\x40\x00"], ids=["silent", "drips a record"])
def test_tls_handshake_ends_with_the_time_to_connect(tmp_path: Path, first: bytes) -> None:
    with dripping(first, b"\x02" if first else b"") as server:
        server.scheme = "https"
        took = seconds_of(
            lambda: read(server.address, tmp_path, connect_timeout_seconds=1, whole_timeout_seconds=60),
            match="handshake|no connection within 1 s|broke off",
        )
        assert took < LATE


def test_tls_handshake_ends_with_the_deadline(tmp_path: Path) -> None:
    with dripping(b"\x16\x03\x03\x40\x00", b"\x02") as server:
        server.scheme = "https"
        assert seconds_of(lambda: read(server.address, tmp_path, connect_timeout_seconds=60)) < LATE


def test_server_that_accepts_no_connection_ends_with_the_time_to_connect(tmp_path: Path) -> None:
    with dripping(b"", b"", listens=False) as server:
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", server.port))
            waiting.append(client)
        took = seconds_of(
            lambda: read(server.address, tmp_path, connect_timeout_seconds=1, whole_timeout_seconds=60),
            match="no connection within 1 s",
        )
        assert took < LATE
        for client in waiting:
            client.close()


def test_answer_over_tls_that_drips_ends_with_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    context: ssl.SSLContext = tls_of(path)
    interface = Interface(tls=context)
    try:
        interface.answer = lambda request: Reply(b" " * 1000, pause=0.1)
        took = seconds_of(lambda: collect(interface, tmp_path / "landing", whole_timeout_seconds=WHOLE, attempts=1))
        assert took < LATE
    finally:
        interface.stop()


def test_deadline_holds_in_a_thread(tmp_path: Path) -> None:
    """Signals reach the main thread alone."""
    took: list[float] = []
    with dripping(*DRIPS["headers"]) as server:
        thread = threading.Thread(target=lambda: took.append(seconds_of(lambda: read(server.address, tmp_path))))
        thread.start()
        thread.join(10)
    assert len(took) == 1
    assert took[0] < LATE


HTTP = """    transport:
      kind: http
      connection: market_front
      path: licenses
      signature: {kind: none}
      paging: {kind: number, size: 10}
      since_parameter: since
      attempts: 1
      whole_timeout_seconds: 1
"""


def test_command_line_ends_with_the_deadline(installation: Installation, tmp_path: Path) -> None:
    with dripping(*DRIPS["trailers"]) as server:
        point_feed_at_table(installation, server, tmp_path)
        path = tmp_path / "catalog" / "departments" / "market_supervision.yaml"
        table, _, _ = TRANSPORT.partition("    window:")
        text = path.read_text(encoding="utf-8")
        assert table in text
        path.write_text(text.replace(table, HTTP), encoding="utf-8")
        begin = time.monotonic()
        ended = zhengku(installation.settings.environment, "collect", "market_supervision/business_license")
        took = time.monotonic() - begin
    assert ended.returncode != 0
    assert "no complete answer within 1 s" in ended.stderr + ended.stdout
    assert WHOLE * 0.9 < took < 30
