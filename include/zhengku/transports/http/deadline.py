"""One deadline for all that is done with a connection: whatever a server drips, no wait is longer than the time left.

The time-outs of requests and of http.client are for each wait. A server that sends a byte now and then, of the status
line, of headers, of a chunk's extension, of a trailer or of a compressed block that expands to nothing, would outlive
them all. So every connecting, handshake, sending and receiving gets only what is left. No signal is used, so this holds
in every thread and in every program.
"""

import io
import socket
import time
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

_BUFFER: Final = 64 * 1024


class Deadline:
    """The time at which the present request ends; nothing has passed until `start`."""

    def __init__(self) -> None:
        self._at = float("inf")

    def start(self, seconds: float) -> None:
        """Let `seconds` be left from now on."""
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds left; not positive when the deadline has passed."""
        return self._at - time.monotonic()

    def within(self, seconds: float | None) -> float:
        """Return the smaller of `seconds` (None: no limit) and the seconds left; raises `TimeoutError` for none."""
        left = self.left
        if left <= 0:
            raise TimeoutError("the deadline of the request has passed")
        return left if seconds is None else min(seconds, left)


class _Socket:
    """What http.client and urllib3 use of a connected socket, plain or TLS, with the deadline on every wait."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._connected = connected
        self._deadline = deadline
        self._each = connected.gettimeout()
        self._readers = 0
        self._is_closed = False

    def settimeout(self, seconds: float | None) -> None:
        """Set the limit of one wait."""
        self._each = seconds

    def gettimeout(self) -> float | None:
        """Return the limit of one wait."""
        return self._each

    def sendall(self, data: Any) -> None:
        """Send everything within the time left: the limit of a send is one for all of its bytes."""
        self._connected.settimeout(self._deadline.within(self._each))
        self._connected.sendall(data)

    def recv_into(self, buffer: Any) -> int:
        """Receive what arrives within the time left."""
        self._connected.settimeout(self._deadline.within(self._each))
        return self._connected.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a file that reads. As with every socket, closing ends the connection once its files are closed."""
        self._readers += 1
        return io.BufferedReader(_Incoming(self), _BUFFER)

    def shutdown(self, how: int) -> None:
        """Shut the connection down."""
        self._connected.shutdown(how)

    def fileno(self) -> int:
        """Return the number of the socket."""
        return self._connected.fileno()

    def close(self) -> None:
        """Close the connection, as soon as no file of it is open."""
        self._is_closed = True
        if not self._readers:
            self._connected.close()

    def reader_closed(self) -> None:
        """Note that a file was closed."""
        self._readers -= 1
        if self._is_closed:
            self.close()


class _Incoming(io.RawIOBase):
    def __init__(self, of: _Socket) -> None:
        self._of = of

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._of.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._of.reader_closed()


def _connected(connection: HTTPConnection, deadline: Deadline) -> socket.socket:
    """Connect to the first address of a host that answers; all addresses together have the limit of one."""
    host = connection.host.strip("[]")
    limit = connection.timeout if isinstance(connection.timeout, int | float) else None
    until = time.monotonic() + deadline.within(limit)
    try:
        addresses = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        found = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(host, connection, found) from error
    failure: OSError = OSError("no address")
    for family, kind, protocol, _, address in addresses:
        left = until - time.monotonic()
        if left <= 0:
            break
        reached = socket.socket(family, kind, protocol)
        try:
            reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reached.settimeout(left)
            reached.connect(address)
        except OSError as error:
            reached.close()
            failure = error
            continue
        # What is left is the limit of the TLS handshake, which is one for all of its bytes.
        reached.settimeout(max(0.001, until - time.monotonic()))
        return reached
    if isinstance(failure, TimeoutError) or until <= time.monotonic():
        raise ConnectTimeoutError(connection, "no connection in time") from failure
    raise NewConnectionError(connection, f"no connection: {failure}") from failure


def deadline_session(deadline: Deadline) -> requests.Session:
    """Return a session whose connections obey `deadline`; it follows no redirects by itself."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, deadline)

        def connect(self) -> None:
            super().connect()
            self.sock: Any = _Socket(self.sock, deadline)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, deadline)

        def connect(self) -> None:
            try:
                super().connect()
            except TimeoutError as error:
                raise ConnectTimeoutError(self, "no TLS handshake in time") from error
            self.sock: Any = _Socket(self.sock, deadline)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **named_arguments: Any) -> None:
            super().init_poolmanager(*arguments, **named_arguments)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> str | None:
            """Name none: the library would read the body of a redirect, however long it is."""
            return None

    session = Session()
    session.mount("http://", Adapter())
    session.mount("https://", Adapter())
    return session
