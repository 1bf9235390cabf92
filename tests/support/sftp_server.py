"""An SFTP server in a thread, for tests: paramiko's, over a real folder, with the faults that a test asks for."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import paramiko

USER = "drop"
PASSWORD = "p@ss:w/rd#%"


@dataclass
class Served:
    """A running server over `folder`; tests set what it is to do wrong."""

    folder: Path
    known_hosts: Path
    host_key: paramiko.PKey = field(default_factory=lambda: paramiko.ECDSAKey.generate())
    accepted_key: paramiko.PKey | None = None
    gives_sftp: bool = True
    holds_sftp_back: bool = False
    lose_after: int | None = None
    """Bytes of a file after which the connection is cut."""
    silent_after: int | None = None
    """Bytes of a file after which no answer comes any more."""
    opening: Callable[[Path], None] = lambda path: None
    opened: Callable[[Path], None] = lambda path: None
    """Called with a file before and after it is opened."""
    drip_after: int | None = None
    """Bytes of a file after which every answer comes late."""
    port: int = 0
    sessions: int = 0
    open_now: int = 0
    transports: list[paramiko.Transport] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def address(self, path: str = "/", *, user: str = USER, password: str | None = PASSWORD, **options: str) -> str:
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
        options = {"known_hosts": str(self.known_hosts), **options}
        query = "&".join(f"{name}={quote(value)}" for name, value in options.items())
        return f"sftp://{login}@127.0.0.1:{self.port}{path}?{query}"

    def trust(self, key: paramiko.PKey | None = None) -> None:
        """Write the server's key, or another in its place, into the file of known hosts."""
        key = key or self.host_key
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {key.get_name()} {key.get_base64()}\n")


class _Login(paramiko.ServerInterface):
    def __init__(self, served: Served) -> None:
        self._served = served

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        right = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        right = username == USER and key == self._served.accepted_key
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        if self._served.holds_sftp_back:
            self._served.stop.wait()
        return self._served.gives_sftp and super().check_channel_subsystem_request(channel, name)


class _Handle(paramiko.SFTPHandle):
    def __init__(self, served: Served, path: str) -> None:
        super().__init__()
        self._served = served
        self.readfile = Path(path).open("rb")  # noqa: SIM115 (the handle closes it)

    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))

    def read(self, offset: int, length: int) -> Any:
        served = self._served
        if served.lose_after is not None and offset >= served.lose_after:
            for transport in served.transports:
                transport.close()
        if served.silent_after is not None and offset >= served.silent_after:
            served.stop.wait()
        if served.drip_after is not None and offset >= served.drip_after:
            served.stop.wait(0.3)
        return super().read(offset, length)


class _Folder(paramiko.SFTPServerInterface):
    def __init__(self, server: Any, served: Served) -> None:
        super().__init__(server)
        self._served = served

    def _local(self, path: str) -> str:
        return f"{self._served.folder}/{path.lstrip('/')}"

    def list_folder(self, path: str) -> Any:
        try:
            return [
                paramiko.SFTPAttributes.from_stat(os.lstat(entry.path), os.fsencode(entry.name))  # type: ignore[arg-type]
                for entry in os.scandir(self._local(path))
            ]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(Path(self._local(path)).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def lstat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(Path(self._local(path)).lstat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def open(self, path: str, flags: int, attr: Any) -> Any:
        try:
            self._served.opening(Path(self._local(path)))
            handle = _Handle(self._served, self._local(path))
            self._served.opened(Path(self._local(path)))
            return handle
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)


class _Server(paramiko.SFTPServer):
    """paramiko's server takes names for UTF-8 only; a department's does not care."""

    def _process(self, kind: int, number: int, message: Any) -> None:
        message.get_text = lambda: message.get_binary().decode("utf-8", "surrogateescape")
        super()._process(kind, number, message)  # type: ignore[misc]


@contextmanager
def sftp_server(folder: Path, known_hosts: Path) -> Iterator[Served]:
    """Serve a folder at a free port of this machine; its host key is trusted in `known_hosts`."""
    served = Served(folder, known_hosts)
    listening = socket.create_server(("127.0.0.1", 0))
    served.port = listening.getsockname()[1]
    served.trust()

    def accept() -> None:
        while not served.stop.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    def serve(connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(served.host_key)
        transport.set_subsystem_handler("sftp", _Server, _Folder, served)
        served.transports.append(transport)
        served.sessions += 1
        served.open_now += 1
        try:
            transport.start_server(server=_Login(served))
            transport.join()
        except (paramiko.SSHException, EOFError, OSError):
            pass
        finally:
            transport.close()
            served.open_now -= 1

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield served
    finally:
        served.stop.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for transport in served.transports:
            transport.close()
        accepting.join(5)
