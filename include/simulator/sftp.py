"""A small read-only SFTP server for one folder: the drop of a department without a shared folder."""

import os
import socket
import threading
from pathlib import Path
from typing import Any, Final

import paramiko
from paramiko import common, sftp

USER: Final = "zhengku"


class SftpService:
    """Serves `folder` to one user with a password; `port` is where it listens.

    The host key is generated at the start; `known_hosts_line` returns the line for a file of known hosts.
    """

    def __init__(self, folder: Path, password: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self._folder = folder.resolve()
        self._password = password
        self._key = paramiko.ECDSAKey.generate()
        self._listening = socket.create_server((host, port))
        self.port: int = self._listening.getsockname()[1]
        self._lock = threading.Lock()
        self._transports: set[paramiko.Transport] = set()
        self._accepting = threading.Thread(target=self._accept, name="sftp", daemon=True)

    def known_hosts_line(self, host: str) -> str:
        """Return the line by which a client knows the server under the name or address `host`."""
        return f"[{host}]:{self.port} {self._key.get_name()} {self._key.get_base64()}\n"

    def start(self) -> None:
        """Start to accept connections."""
        self._accepting.start()

    def stop(self) -> None:
        """Accept no more connections and end the existing ones."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            transports = list(self._transports)
        for transport in transports:
            transport.close()
        if self._accepting.is_alive():
            self._accepting.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                # The socket was closed to stop the server.
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        with self._lock:
            self._transports.add(transport)
        try:
            transport.add_server_key(self._key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self._folder)
            transport.start_server(server=_Login(self._password))
            transport.join()
        except (paramiko.SSHException, EOFError, OSError):
            # A client that does not speak SSH, or closed at once, such as a port scan.
            return
        finally:
            transport.close()
            with self._lock:
                self._transports.discard(transport)


class _Login(paramiko.ServerInterface):
    def __init__(self, password: str) -> None:
        self._password = password

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        right = (username, password) == (USER, self._password)
        return common.AUTH_SUCCESSFUL if right else common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return common.OPEN_SUCCEEDED if kind == "session" else common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class _Handle(paramiko.SFTPHandle):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.readfile = path.open("rb")

    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: Any, folder: Path) -> None:
        super().__init__(server)
        self._folder = folder

    def _local(self, path: str) -> Path:
        # `canonicalize` has resolved every .. against the root, so no path outside of the folder can be named.
        local = (self._folder / self.canonicalize(path).lstrip("/")).resolve()
        if not local.is_relative_to(self._folder):
            raise PermissionError(1, "a link leads out of the folder")
        return local

    def list_folder(self, path: str) -> Any:
        try:
            return [
                paramiko.SFTPAttributes.from_stat(entry.stat(follow_symlinks=False), entry.name)
                for entry in os.scandir(self._local(path))
            ]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._local(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def lstat(self, path: str) -> Any:
        try:
            # The entry itself may be a link that leads out of the folder; nothing on the way to it may.
            folder, _, name = self.canonicalize(path).rpartition("/")
            return paramiko.SFTPAttributes.from_stat((self._local(folder or "/") / name).lstat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def open(self, path: str, flags: int, attr: Any) -> Any:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
            return sftp.SFTP_PERMISSION_DENIED
        try:
            return _Handle(self._local(path))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
