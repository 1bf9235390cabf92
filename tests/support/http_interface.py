"""A department's HTTP interface that answers as a test says, and a feed that reads it."""

import json
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from zhengku.catalog import Feed
from zhengku.clock import CITY_TIME_ZONE
from zhengku.landed.landing import LandingArea
from zhengku.transports.http.model import HttpApi
from zhengku.transports.http.source import HttpApiSource
from zhengku.transports.source import Collected, Window

ID, SECRET = "app-1", "s3cr/et"
START = datetime(2026, 1, 1, tzinfo=CITY_TIME_ZONE)


@dataclass
class Reply:
    """What the server answers; `cut` sends so many bytes only, `pause` waits before every byte of the body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    pause: float = 0
    reset: bool = False
    chunked: bool = False


@dataclass
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    method: str = "GET"
    at: float = field(default_factory=time.monotonic)


class Interface:
    """A department's interface: `answer` decides, `requests` remembers.

    With `tls` it speaks TLS, and cuts the first `cut_handshakes` handshakes; `connections` counts all.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, cut_handshakes: int = 0) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.scheme = "https" if tls else "http"
        self.answer: Callable[[Request], Reply] = lambda request: Reply(status=404)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                if body:
                    query |= {name: str(value) for name, value in json.loads(body).items()}
                request = Request(parts.path, query, {k.lower(): v for k, v in self.headers.items()}, self.command)
                outer.requests.append(request)
                self._reply(outer.answer(request))

            do_GET = do_POST = _serve

            def _reply(self, reply: Reply) -> None:
                if reply.reset:
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    # A file object on the socket would keep it open.
                    os.close(self.connection.detach())
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                body = reply.body
                if reply.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
                else:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if reply.cut is not None:
                    body, self.close_connection = body[: reply.cut], True
                try:
                    if reply.pause:
                        for byte in body:
                            self.wfile.write(bytes([byte]))
                            self.wfile.flush()
                            time.sleep(reply.pause)
                    else:
                        self.wfile.write(body)
                except OSError:
                    self.close_connection = True

            def handle(self) -> None:
                try:
                    super().handle()
                except (OSError, ValueError):
                    self.close_connection = True

            def finish(self) -> None:
                try:
                    super().finish()
                except (OSError, ValueError):
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def get_request(self) -> tuple[socket.socket, Any]:
                connection, client = super().get_request()
                outer.connections += 1
                if tls and outer.connections <= cut_handshakes:
                    # What was not read would make a reset of the close.
                    connection.recv(65536)
                    connection.close()
                    raise OSError("cut on purpose")
                return (tls.wrap_socket(connection, server_side=True) if tls else connection), client

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"{self.scheme}://{ID}:s3cr%2Fet@127.0.0.1:{self.port}/base"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(**values: Any) -> Iterator[Interface]:
    server = Interface(**values)
    try:
        yield server
    finally:
        server.stop()


def row(number: int, minute: int | None = None) -> dict[str, Any]:
    at = START + timedelta(minutes=number if minute is None else minute)
    return {"id": str(number), "name": f"虚构{number}", "time": at.strftime("%Y-%m-%d %H:%M:%S")}


def envelope(rows: list[Any], **more: Any) -> bytes:
    return json.dumps({"code": 0, "data": {"rows": rows, **more}}, ensure_ascii=False).encode()


def feed_of(**transport: Any) -> Feed:
    values = {
        "kind": "http",
        "connection": "platform",
        "path": "licenses",
        "signature": {"kind": "none"},
        "paging": {"kind": "number", "size": 10},
        "response": {"total": "data.total", "code": "code", "message": "msg"},
        "since_parameter": "since",
        "until_parameter": "until",
        "row_id": ["id"],
        "requests_per_minute": 100_000,
        "attempts": 3,
        **transport,
    }
    feed = Feed.model_validate(
        {
            "title": "测试",
            "dataset": "certificate",
            "license_type": "business_license",
            "transport": values,
            "window": {"kind": "watermark", "column": "time"},
            "key": ["certificate_number"],
            "fields": {"certificate_number": {"column": "id"}, "holder": {"column": "name"}},
        }
    )
    feed._id, feed._department = "licenses", "somewhere"
    return feed


WINDOW = Window(start=START, end=START + timedelta(days=1))


def collect(interface: Interface, folder: Path, window: Window = WINDOW, slots: int = 1, **transport: Any) -> Collected:
    feed = feed_of(**transport)
    assert isinstance(feed.transport, HttpApi)
    source = HttpApiSource(feed, feed.transport, interface.address, slots, first_pause=0.01)
    [delivery] = source.deliveries(window)
    return source.land(delivery, LandingArea(str(folder)), "a/b")


ROWS = [row(number) for number in range(25)]
