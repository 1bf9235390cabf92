"""The HTTP interfaces of all departments that have one, in one server: `/<department>/<path>`.

What an interface shows is in `<folder>/systems/<department>.<feed>.jsonl`: the first line says how it answers (its
`HttpPlace`), every further line is a row, ordered by `(changed_at, row_id)`. The server reads a changed file again, so
a night is published by replacing files.

For tests and operators: `GET /-/faults` returns the faults served so far, `POST /-/down/<department>` takes a
department down (every connection to it is reset), `POST /-/hang/<department>` lets it accept connections and never
answer, and `POST /-/up/<department>` brings it back. These three need no
login, so the server must run on a private machine.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import socket
import struct
import sys
import threading
import time
import zlib
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from simulator.credentials import app_id, app_secret
from simulator.faults import PASSING, SPOILING, Faults
from simulator.model import HttpPlace, SourceRow, SourceSystem

TIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S"
LARGEST_PAGE: Final = 10_000
CLOCK_SECONDS: Final = 900
"""The most by which the time in a signature may differ from the server's."""

_DROPS: Final = 20
_HANGING_LOOK_SECONDS: Final = 0.2
"""Parts in which an answer trickles."""

_ROWS: Final = "@rows@"
_ROWS_IN_ORDER: Final = 50
_NO_JSON: Final = ("NaN", "undefined", "None")
"""Spellings of null in other languages."""
_SENTENCES: Final = {"ok": "操作成功", "busy": "系统繁忙，请稍后再试", "token": "令牌已过期，请重新获取"}


def write_state(folder: Path, system: SourceSystem, rows: Iterable[SourceRow]) -> Path:
    """Replace what the interface of `system` shows, atomically; return its file below `folder`/systems.

    Raises `TypeError` for a system without an HTTP interface.
    """
    place = system.place
    if not isinstance(place, HttpPlace):
        raise TypeError(f"{system.name}: expected a system with an HTTP interface, got {type(place).__name__}.")
    path = folder / "systems" / f"{system.name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(_compact({"department": system.department, "feed": system.feed, "place": asdict(place)}) + "\n")
        for row in sorted(rows, key=lambda row: (_stamp(row.changed_at), row.row_id)):
            shown = _nested(row.values, place.omits_empty)
            file.write(_compact({"changed_at": _stamp(row.changed_at), "row_id": row.row_id, "row": shown}) + "\n")
    part.replace(path)
    return path


def _stamp(moment: datetime | None) -> str:
    return moment.strftime(TIME_FORMAT) if moment else ""


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _nested(values: Mapping[str, Any], omits_empty: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in values.items():
        if value is None and omits_empty:
            continue
        _put(shown, name, _stamp(value) if isinstance(value, datetime) else value)
    return shown


def _put(target: dict[str, Any], name: str, value: object) -> None:
    *parents, last = name.split(".")
    for parent in parents:
        target = target.setdefault(parent, {})
    target[last] = value


@dataclass(frozen=True)
class _Interface:
    """One feed as it is shown now; the three lists have the same length and the order of the file."""

    department: str
    feed: str
    place: HttpPlace
    stamps: list[str]
    row_ids: list[str]
    rows: list[str]

    @property
    def name(self) -> str:
        return f"{self.department}/{self.feed}"


def _read_state(path: Path) -> _Interface:
    with path.open(encoding="utf-8") as file:
        first = json.loads(next(file))
        stamps, row_ids, rows = [], [], []
        for line in file:
            row = json.loads(line)
            stamps.append(row["changed_at"])
            row_ids.append(row["row_id"])
            rows.append(_as_departments_write(row["row_id"], _compact(row["row"])))
    return _Interface(first["department"], first["feed"], HttpPlace(**first["place"]), stamps, row_ids, rows)


def _as_departments_write(row_id: str, text: str) -> str:
    """Return a row's JSON as programs write it that join texts: some rows are not quite JSON, with the same values."""
    kind = zlib.crc32(row_id.encode()) % _ROWS_IN_ORDER
    if kind == 0:
        return f"{text[:-1]},}}"
    if kind == 1:
        # The first key and value are repeated.
        first, _, _ = text[1:-1].partition(",")
        return f"{{{first},{text[1:]}" if first.count('"') in (2, 4) and not {"{", "["} & set(first) else text
    if kind < 2 + len(_NO_JSON):
        return text.replace(":null", f":{_NO_JSON[kind - 2]}")
    return text


class _States:
    """The interfaces in a folder, each read again when its file was replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "systems"
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[tuple[int, int, int], _Interface]] = {}

    def of(self, department: str) -> list[_Interface]:
        """Return the interfaces of a department."""
        # The name is part of a request: it is only compared, and never made part of a path.
        paths = sorted(path for path in self._folder.glob("*.jsonl") if path.name.split(".")[0] == department)
        with self._lock:
            return [self._current(path) for path in paths]

    def _current(self, path: Path) -> _Interface:
        status = path.stat()
        version = (status.st_ino, status.st_mtime_ns, status.st_size)
        known = self._read.get(path)
        if known is None or known[0] != version:
            known = self._read[path] = (version, _read_state(path))
        return known[1]


class _Refused(Exception):
    """A request that is answered with an error: HTTP status and business message."""

    def __init__(self, status: HTTPStatus, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


class _TokenExpired(Exception):
    """A token that has expired, or was never issued."""


@dataclass(frozen=True)
class _Page:
    """The answer to one request before any fault; `start` and `end` limit its rows, `low` those of the window."""

    start: int
    end: int
    low: int
    total: int
    size: int
    first: bool
    following: str | None


@dataclass
class _Tokens:
    """Tokens of one department: token → when it expires, by the monotonic clock."""

    seconds: float
    lives: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self) -> str:
        token = secrets.token_urlsafe(24)
        with self.lock:
            self.lives[token] = time.monotonic() + self.seconds
        return token

    def revoke(self, token: str) -> None:
        with self.lock:
            self.lives.pop(token, None)

    def check(self, token: str) -> None:
        with self.lock:
            if self.lives.get(token, 0.0) <= time.monotonic():
                self.lives.pop(token, None)
                raise _TokenExpired


class HttpService(ThreadingHTTPServer):
    """The server; `serve_forever` runs it, `server_port` is where it listens.

    `per_minute` is the limit for one app id, above which it answers 429. `token_seconds` is the life of a token,
    `slow_seconds` how long slow headers or a slow body take, `retry_after_seconds` the Retry-After of a 429 or 503 on
    purpose.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        folder: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        faults: Faults | None = None,
        down: Collection[str] = (),
        per_minute: int = 6000,
        token_seconds: float = 7200,
        slow_seconds: float = 1.0,
        retry_after_seconds: int = 1,
    ) -> None:
        self.folder = folder
        self.states = _States(folder)
        self.faults = faults or Faults()
        self.down = set(down)
        self.hanging: set[str] = set()
        self.per_minute = per_minute
        self.token_seconds = token_seconds
        self.slow_seconds = slow_seconds
        self.retry_after_seconds = retry_after_seconds
        self._lock = threading.Lock()
        self._tokens: dict[str, _Tokens] = {}
        self._asked: dict[str, deque[float]] = {}
        super().__init__((host, port), _Handler)

    def tokens(self, department: str) -> _Tokens:
        """Return the tokens of a department."""
        with self._lock:
            return self._tokens.setdefault(department, _Tokens(self.token_seconds))

    def pace(self, department: str) -> None:
        """Count a request of the department's app id in the last minute; refuse it when there are too many."""
        now = time.monotonic()
        with self._lock:
            asked = self._asked.setdefault(department, deque())
            while asked and asked[0] <= now - 60:
                asked.popleft()
            if len(asked) >= self.per_minute:
                raise _Refused(HTTPStatus.TOO_MANY_REQUESTS, "请求过于频繁", int(asked[0] + 60 - now) + 1)
            asked.append(now)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the error of an answer, unless the client only closed the connection."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server: HttpService
    timeout = 300
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer("get")

    def do_POST(self) -> None:
        """Answer a POST."""
        self._answer("post")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: a query may contain what must not be logged."""

    # Routing

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        department, _, path = unquote(parts.path).strip("/").partition("/")
        if department == "-":
            self._control(method, path)
            return
        if department in self.server.down:
            self._reset()
            return
        if department in self.server.hanging:
            # Until the client gives up, or the department is brought back.
            while department in self.server.hanging:
                time.sleep(_HANGING_LOOK_SECONDS)
            self._reset()
            return
        interfaces = self.server.states.of(department)
        for interface in interfaces:
            place = interface.place
            is_token = place.signature == "token" and path == place.token_path.strip("/")
            if not is_token and path != place.path.strip("/"):
                continue
            try:
                if method != ("post" if is_token else place.method):
                    raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "请求方式不正确")
                if is_token:
                    self._give_token(interface, body)
                else:
                    self._give_page(interface, _parameters(method, parts.query, body))
            except _Refused as refused:
                self._send(refused.status, _envelope(place, place.refusal_code, refused.message), refused.retry_after)
            return
        self._send(HTTPStatus.NOT_FOUND, _compact({"code": "404", "message": "接口不存在"}))

    def _control(self, method: str, path: str) -> None:
        what, _, department = path.partition("/")
        server = self.server
        if method == "get" and what == "faults":
            self._send(
                HTTPStatus.OK, _compact({"requests": server.faults.requests, "faults": dict(server.faults.served())})
            )
        elif method == "post" and what in ("down", "hang", "up") and server.states.of(department):
            for members, name in ((server.down, "down"), (server.hanging, "hang")):
                (members.add if what == name else members.discard)(department)
            out = {"down": sorted(server.down), "hanging": sorted(server.hanging)}
            self._send(HTTPStatus.OK, _compact(out))
        else:
            known = "GET /-/faults, POST /-/down/<department>, /-/hang/…, /-/up/…"
            self._send(HTTPStatus.NOT_FOUND, _compact({"message": known}))

    # Authentication

    def _give_token(self, interface: _Interface, body: bytes) -> None:
        given = _json_object(body)
        right = (app_id(interface.department), app_secret(self.server.folder, interface.department))
        if not _same(str(given.get("appId")), right[0]) or not _same(str(given.get("appSecret")), right[1]):
            raise _Refused(HTTPStatus.FORBIDDEN, "应用标识或密钥错误")
        self.server.pace(interface.department)
        fault = self.server.faults.draw(interface.department, "token", {"server_error", "unavailable", "reset"}, 1)
        if fault:
            self._fail(interface.place, fault, "")
            return
        tokens = self.server.tokens(interface.department)
        token = {"token": tokens.issue(), "expiresIn": int(tokens.seconds)}
        self._send(
            HTTPStatus.OK, _envelope(interface.place, interface.place.ok_code, _SENTENCES["ok"], {"data": token})
        )

    def _check_signature(self, interface: _Interface) -> str:
        """Return the token of the request, blank where the interface uses none."""
        place = interface.place
        if place.signature == "token":
            scheme, _, token = self.headers.get(place.token_header, "").partition(" ")
            if scheme != "Bearer" or not token:
                raise _Refused(HTTPStatus.UNAUTHORIZED, "缺少令牌")
            self.server.tokens(interface.department).check(token)
            return token
        came_id = self.headers.get(place.id_header, "")
        came_at = self.headers.get(place.time_header, "")
        came = self.headers.get(place.signature_header, "")
        secret = app_secret(self.server.folder, interface.department)
        if not _same(came_id, app_id(interface.department)):
            raise _Refused(HTTPStatus.FORBIDDEN, "应用标识不存在")
        if not came_at.isascii() or not came_at.isdigit():
            raise _Refused(HTTPStatus.FORBIDDEN, "时间戳无法识别")
        if abs(int(came_at) / (1000 if place.time_unit == "milliseconds" else 1) - time.time()) > CLOCK_SECONDS:
            raise _Refused(HTTPStatus.FORBIDDEN, "时间戳超出允许范围")
        if place.signature == "md5":
            right = hashlib.md5(f"{came_id}{secret}{came_at}".encode(), usedforsecurity=False).hexdigest()
        else:
            digest = hmac.new(secret.encode(), f"{came_id}{came_at}".encode(), hashlib.sha256).digest()
            right = digest.hex() if place.encoding == "hex" else base64.b64encode(digest).decode()
        if not _same(came, right):
            raise _Refused(HTTPStatus.FORBIDDEN, "签名错误")
        return ""

    # Pages

    def _give_page(self, interface: _Interface, parameters: Mapping[str, str]) -> None:
        place = interface.place
        try:
            token = self._check_signature(interface)
        except _TokenExpired:
            self._send(HTTPStatus.OK, _envelope(place, place.token_code, _SENTENCES["token"]))
            return
        self.server.pace(interface.department)
        page = _page(interface, parameters)
        asked = place.cursor_parameter if place.paging == "cursor" else place.page_parameter
        key = parameters.get(place.since_parameter if place.paging == "time" else asked)
        pages = len(interface.rows) // page.size + 1
        fault = self.server.faults.draw(interface.name, key, _possible(place, page), pages)
        shown = _spoilt(page, fault)
        total = shown.total + 1 if fault == "wrong_total" else shown.total
        extra: dict[str, Any] = {}
        if place.total_at:
            _put(extra, place.total_at, total)
        if place.paging == "cursor":
            _put(extra, place.next_at or "data.next", page.following)
        _put(extra, place.rows_at, _ROWS)
        rows = ",".join(interface.rows[shown.start : shown.end])
        text = _envelope(place, place.ok_code, _SENTENCES["ok"], extra).replace(f'"{_ROWS}"', f"[{rows}]", 1)
        if fault == "expired_token":
            self.server.tokens(interface.department).revoke(token)
        if fault in PASSING:
            self._fail(place, fault, text)
        else:
            self._send(HTTPStatus.OK, text)

    # Sending

    def _send(self, status: HTTPStatus, text: str, retry_after: int | None = None) -> None:
        body = text.encode()
        self._head(status, retry_after)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _head(self, status: HTTPStatus, retry_after: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))

    def _fail(self, place: HttpPlace, fault: str, text: str) -> None:
        """Spoil the answer `text` by one of `PASSING`."""
        body = text.encode()
        pause = self.server.retry_after_seconds
        if fault == "too_many_requests":
            self._send(HTTPStatus.TOO_MANY_REQUESTS, _envelope(place, place.retry_code, "请求过于频繁"), pause)
        elif fault == "unavailable":
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, "<html>503 Service Unavailable</html>", pause)
        elif fault == "server_error":
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, "<html>500 Internal Server Error</html>")
        elif fault == "busy":
            self._send(HTTPStatus.OK, _envelope(place, place.retry_code, _SENTENCES["busy"]))
        elif fault == "expired_token":
            self._send(HTTPStatus.OK, _envelope(place, place.token_code, _SENTENCES["token"]))
        elif fault == "invalid_json":
            # Of the announced length, so that only a parser notices.
            self._send(HTTPStatus.OK, text[: len(text) // 2] + "<!-- gateway -->")
        elif fault == "slow_body":
            self._head(HTTPStatus.OK)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            starts = range(0, len(body), len(body) // 20 + 1)
            for start in starts:
                time.sleep(self.server.slow_seconds / len(starts))
                self.wfile.write(body[start : start + starts.step])
                self.wfile.flush()
        elif fault == "slow_head":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n")
            for number in range(_DROPS):
                self._drip(f"X-Trace-{number}: {number}\r\n".encode())
            self.wfile.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        elif fault == "slow_blocks":
            self._head(HTTPStatus.OK)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            packer = zlib.compressobj(wbits=31)
            for _ in range(_DROPS):
                self._drip(_chunk(packer.compress(b"") + packer.flush(zlib.Z_SYNC_FLUSH)))
            self.wfile.write(_chunk(packer.compress(body) + packer.flush()) + b"0\r\nX-Trace: end\r\n\r\n")
        elif fault == "cut_body":
            self._head(HTTPStatus.OK)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif fault == "cut_chunks":
            self._head(HTTPStatus.OK)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            half = body[: len(body) // 2]
            self.wfile.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")
            self.close_connection = True
        else:
            self._reset()

    def _drip(self, drop: bytes) -> None:
        time.sleep(self.server.slow_seconds / _DROPS)
        self.wfile.write(drop)
        self.wfile.flush()

    def _reset(self) -> None:
        # Without a time to linger, closing sends RST in place of FIN. The descriptor itself is closed, since the socket
        # object waits for the files made of it.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        self.close_connection = True


def _chunk(content: bytes) -> bytes:
    # A chunk without bytes would be the end.
    return b"%x;trace=1\r\n%b\r\n" % (len(content), content) if content else b""


def _same(received: str, expected: str) -> bool:
    return hmac.compare_digest(received.encode(errors="surrogateescape"), expected.encode())


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "请求体不是 JSON") from error
    if not isinstance(given, dict):
        raise _Refused(HTTPStatus.BAD_REQUEST, "请求体不是 JSON 对象")
    return given


def _parameters(method: str, query: str, body: bytes) -> dict[str, str]:
    if method == "get":
        return dict(parse_qsl(query))
    return {name: str(value) for name, value in _json_object(body).items() if value not in (None, "")}


def _envelope(place: HttpPlace, code: str | int, message: str, extra: Mapping[str, Any] | None = None) -> str:
    answer: dict[str, Any] = dict(extra or {})
    _put(answer, place.code_at, code)
    _put(answer, place.message_at, message)
    return _compact(answer)


def _whole_number(parameters: Mapping[str, str], name: str, default: int, lowest: int, greatest: int) -> int:
    text = parameters.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= greatest:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"参数 {name} 应为 {lowest} 至 {greatest} 的整数")
    return int(text)


def _moment(parameters: Mapping[str, str], name: str) -> str | None:
    text = parameters.get(name)
    if text is None:
        return None
    try:
        return _stamp(datetime.strptime(text, TIME_FORMAT))
    except ValueError as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"参数 {name} 应为 2024-01-31 18:00:00 形式的时间") from error


def _page(interface: _Interface, parameters: Mapping[str, str]) -> _Page:
    place = interface.place
    since = None if place.whole else _moment(parameters, place.since_parameter)
    until = _moment(parameters, place.until_parameter) if place.has_until and not place.whole else None
    low = 0 if since is None else bisect_left(interface.stamps, since)
    high = len(interface.rows) if until is None else bisect_right(interface.stamps, until)
    high = max(low, high)
    size = _whole_number(parameters, place.size_parameter, 100, 1, LARGEST_PAGE)
    start = low
    following = None
    first = True
    if place.paging == "number":
        number = _whole_number(parameters, place.page_parameter, place.first_page, place.first_page, 10**9)
        first = number == place.first_page
        start = min(low + (number - place.first_page) * size, high)
        if place.repeats_last_page and start == high > low:
            start = low + (high - low - 1) // size * size
    elif place.paging == "cursor" and (cursor := parameters.get(place.cursor_parameter)):
        first = False
        start = min(max(low, _behind(interface, cursor)), high)
    end = min(start + size, high)
    if place.paging == "cursor" and end < high:
        last = _compact([interface.stamps[end - 1], interface.row_ids[end - 1]])
        following = base64.urlsafe_b64encode(last.encode()).decode()
    return _Page(start, end, low, high - low, size, first, following)


def _behind(interface: _Interface, cursor: str) -> int:
    """Return the position of the first row after the one that a cursor names, whether that row still exists or not."""
    try:
        stamp, row_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (binascii.Error, UnicodeError, json.JSONDecodeError, ValueError, TypeError) as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "游标无法识别") from error
    low, high = bisect_left(interface.stamps, stamp), bisect_right(interface.stamps, stamp)
    return bisect_right(interface.row_ids, row_id, low, high)


def _possible(place: HttpPlace, page: _Page) -> set[str]:
    """Return the faults that this answer can have and that a correct client can detect."""
    possible = set(PASSING) - (set() if place.signature == "token" else {"expired_token"})
    # Pages by time overlap anyway, and without a total a client cannot detect that a row is missing.
    if place.paging != "time" and place.total_at:
        possible.update(SPOILING)
        if page.first or page.start == page.end:
            possible.discard("repeated_page")
        if place.paging == "cursor" or page.start == page.end:
            possible.discard("shifted_page")
    return possible


def _spoilt(page: _Page, fault: str | None) -> _Page:
    if fault == "repeated_page":
        start = max(page.low, page.start - page.size)
        return _Page(start, page.start, page.low, page.total, page.size, page.first, page.following)
    if fault == "shifted_page":
        high = page.low + page.total
        start = page.start + 1
        return _Page(start, min(start + page.size, high), page.low, page.total, page.size, page.first, page.following)
    return page
