"""A file drop on an SFTP server.

Its address is `sftp://user:password@host:22/path`, with user and password percent-encoded. `?identity=` names the file
of a private key (the password is then the key's, or left out), `?known_hosts=` the file of the host keys to trust
(`~/.ssh/known_hosts` when left out).

fsspec's own SFTP file system must not be used for this: it accepts any host key (paramiko's `AutoAddPolicy`), so that
any server at the address gets the password.
"""

import errno
import logging
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, unquote_to_bytes, urlsplit

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm

from zhengku.errors import ConfigurationError, DeliveryUnavailable, SourceRefused
from zhengku.landed.address import without_login
from zhengku.landed.landing import Readable
from zhengku.transports.file_drop.entry import Entry, no_file, not_followed

CONNECT_SECONDS: Final = 20
"""Limit for each of: the connection, the server's banner, the login."""

ANSWER_SECONDS: Final = 60
"""Time without any byte from the server after which a connection counts as lost."""

LOGIN_SECONDS: Final = 60
"""Limit for everything up to the opened channel, whatever the server drips: a time without any byte is no limit."""

WHOLE_SECONDS: Final = 7200
"""Limit for one listing of the drop or the transfer of one file."""

log = logging.getLogger(__name__)

_DEFAULT_KNOWN_HOSTS = "~/.ssh/known_hosts"


@dataclass(frozen=True)
class _SftpAddress:
    """The parts of an address; `shown` has neither user nor password."""

    shown: str
    host: str
    port: int
    user: str
    password: str | None = field(repr=False)
    path: bytes
    identity: Path | None
    known_hosts: Path


def _wrong_address(connection: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"ZHENGKU_CONN_{connection.upper()}: expected sftp://user:password@host:22/path, {what}. Characters such as "
        "@ : / ? # % of user and password must be percent-encoded (@ as %40)."
    )


def _parse(address: str, connection: str) -> _SftpAddress:
    # Nothing of an unreadable address is shown: any part of it may be the password. For the same reason errors are
    # not chained.
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise _wrong_address(connection, "it cannot be read as an address") from None
    if "@" in parts.path or "@" in parts.query or parts.fragment or parts.netloc.count("@") > 1:
        raise _wrong_address(connection, "it has an @ or a # where none belongs")
    if not parts.hostname:
        raise _wrong_address(connection, "it has no host")
    if not parts.username:
        raise _wrong_address(connection, "it has no user")
    options = parse_qs(parts.query)
    if unknown := sorted(options.keys() - {"identity", "known_hosts"}):
        raise _wrong_address(
            connection, f"it has {len(unknown)} option(s) other than identity and known_hosts after the ?"
        )
    identity = options.get("identity", [None])[-1]
    if not parts.password and not identity:
        raise _wrong_address(connection, "it has neither a password nor ?identity=/path/to/key")
    return _SftpAddress(
        shown=without_login(address),
        host=parts.hostname,
        port=port or 22,
        user=unquote(parts.username),
        password=unquote(parts.password) if parts.password else None,
        path=unquote_to_bytes(parts.path) or b"/",
        identity=Path(identity).expanduser() if identity else None,
        known_hosts=Path(options.get("known_hosts", [_DEFAULT_KNOWN_HOSTS])[-1]).expanduser(),
    )


def check_sftp_address(address: str, connection: str) -> None:
    """Raise `ConfigurationError` for an address that cannot be read, or whose key or known hosts cannot be used."""
    parsed = _parse(address, connection)
    if parsed.identity:
        _private_key(parsed, connection)
    _known_hosts(paramiko.SSHClient(), parsed)


class _RefuseUnknownHost(paramiko.MissingHostKeyPolicy):
    def __init__(self, address: _SftpAddress) -> None:
        self._address = address

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        at = self._address
        raise SourceRefused(
            f"{at.shown}: the server's host key ({key.get_name()}, {key.fingerprint}) is not known, so nothing was "
            "sent to it. Compare the fingerprint with the one that the department names, then run: "
            f"ssh-keyscan -p {at.port} {at.host} >> {at.known_hosts}"
        )


def _private_key(address: _SftpAddress, connection: str) -> paramiko.PKey:
    name = f"ZHENGKU_CONN_{connection.upper()}"
    try:
        # Declared as text, but the password is passed on to a library that needs bytes.
        password: Any = address.password.encode() if address.password else None
        return paramiko.PKey.from_path(str(address.identity), password)
    except OSError as error:
        raise ConfigurationError(
            f"{name}: the key {address.identity} cannot be read: {error.strerror}. Check identity= and that this "
            "account may read the file."
        ) from error
    # The errors of the library for keys have no common base; their texts may quote the key.
    except (paramiko.SSHException, paramiko.pkey.UnknownKeyType, ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(
            f"{name}: {address.identity} is no private key that can be used. Expected an OpenSSH or PEM key (Ed25519, "
            "ECDSA, RSA), and the address's password to be the key's, or none for a key without."
        ) from None


def _known_hosts(client: paramiko.SSHClient, address: _SftpAddress) -> None:
    try:
        client.load_system_host_keys(str(address.known_hosts))
    except FileNotFoundError:
        # Then no host is known, and the refusal of the unknown host says how to fix that.
        return
    except OSError as error:
        raise ConfigurationError(
            f"{address.known_hosts}, the host keys to trust for {address.shown}, cannot be read: {error.strerror}."
        ) from error
    except (paramiko.SSHException, paramiko.hostkeys.InvalidHostKey, ValueError) as error:
        raise ConfigurationError(
            f"{address.known_hosts}, the host keys to trust for {address.shown}, has a line that is no host key "
            f"({type(error).__name__}). Make it anew with ssh-keyscan, and compare the fingerprints."
        ) from error


def _unavailable(address: _SftpAddress, what: str) -> DeliveryUnavailable:
    return DeliveryUnavailable(
        f"The file drop {address.shown} cannot be reached: {what}. Check the network and the department's server; the "
        "next try connects anew."
    )


def _connect(client: paramiko.SSHClient, address: _SftpAddress, connection: str) -> "_Client":
    key = _private_key(address, connection) if address.identity else None
    _known_hosts(client, address)
    client.set_missing_host_key_policy(_RefuseUnknownHost(address))
    with _connection_errors(client, address, connection):
        client.connect(
            address.host,
            address.port,
            address.user,
            None if key else address.password,
            key,
            timeout=CONNECT_SECONDS,
            banner_timeout=CONNECT_SECONDS,
            auth_timeout=CONNECT_SECONDS,
            channel_timeout=CONNECT_SECONDS,
            # Only the key or the password of the address may be used for the login.
            allow_agent=False,
            look_for_keys=False,
        )
        transport = client.get_transport()
        assert transport is not None
        sftp = _Client.from_transport(transport)
        assert sftp is not None
        channel = sftp.get_channel()
        assert channel is not None
        channel.settimeout(ANSWER_SECONDS)
        return sftp


@contextmanager
def _connection_errors(client: paramiko.SSHClient, address: _SftpAddress, connection: str) -> Iterator[None]:
    """Turn the errors of a connection attempt into `SourceRefused` and `DeliveryUnavailable`."""
    try:
        yield
    except paramiko.BadHostKeyException as error:
        raise SourceRefused(
            f"{address.shown}: the server's host key ({error.key.get_name()}, {error.key.fingerprint}) is another than "
            f"the one in {address.known_hosts}, so nothing was sent to it. Ask the department whether its server was "
            "replaced; only then put the new key in the old one's place."
        ) from None
    except paramiko.AuthenticationException as error:
        transport = client.get_transport()
        # A server that is about to shut down raises the same error as one that refuses the login.
        if transport is None or not transport.is_active() or "timeout" in str(error):
            raise _unavailable(address, "the connection ended before the login was answered") from None
        allowed = getattr(error, "allowed_types", None)
        methods = f"; it accepts {', '.join(allowed)} only" if allowed else ""
        raise SourceRefused(
            f"{address.shown}: the server refused the login{methods}. Ask the department for the right one, and set "
            f"ZHENGKU_CONN_{connection.upper()}."
        ) from None
    except paramiko.ssh_exception.IncompatiblePeer:
        raise SourceRefused(
            f"{address.shown}: the server knows none of the methods of encryption that are safe today. Ask the "
            "department to bring its SSH server up to date."
        ) from None
    except paramiko.ChannelException as error:
        raise SourceRefused(
            f"{address.shown}: the login was accepted, but the server opens no channel ({error.text}). Ask the "
            "department to allow SFTP for this account."
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        # The transport is gone if the connection is; a server without SFTP closes the channel only.
        transport = client.get_transport()
        if transport is not None and transport.is_authenticated() and transport.is_active():
            raise SourceRefused(
                f"{address.shown}: the login was accepted, but the server gives no SFTP. Ask the department to allow "
                "SFTP for this account."
            ) from None
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise _unavailable(address, reason) from error


class _Client(paramiko.SFTPClient):
    """An SFTP client that returns names and messages of the server as bytes: they may be in GB 18030.

    paramiko decodes both as UTF-8, and fails for other encodings; there is no public way to change that.
    """

    def entries(self, path: bytes) -> Iterator[tuple[bytes, paramiko.SFTPAttributes]]:
        """List a folder; `.` and `..` are left out."""
        client: Any = self
        _, answer = client._request(paramiko.sftp.CMD_OPENDIR, path)
        handle = answer.get_binary()
        while True:
            try:
                _, answer = client._request(paramiko.sftp.CMD_READDIR, handle)
            except EOFError:
                if self.connection_lost:
                    raise
                break
            for _ in range(answer.get_int()):
                name, long_name = answer.get_binary(), answer.get_binary()
                attributes: Any = paramiko.SFTPAttributes
                found: paramiko.SFTPAttributes = attributes._from_msg(answer, name, long_name)
                if name not in (b".", b".."):
                    yield name, found
        client._request(paramiko.sftp.CMD_CLOSE, handle)

    def _convert_status(self, answer: paramiko.Message) -> None:
        code, text = answer.get_int(), answer.get_binary()
        if code == paramiko.sftp.SFTP_EOF:
            raise EOFError
        if code == paramiko.sftp.SFTP_NO_SUCH_FILE:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        if code == paramiko.sftp.SFTP_PERMISSION_DENIED:
            raise PermissionError(errno.EACCES, "permission denied")
        if code != paramiko.sftp.SFTP_OK:
            said = " ".join(text.decode("ascii", "replace").split())[:80]
            raise OSError(errno.EIO, f"the server answers {code} {said}")

    @property
    def connection_lost(self) -> bool:
        """Whether the channel has ended."""
        channel = self.get_channel()
        return channel is None or channel.closed or bool(channel.eof_received)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise TimeoutError(errno.ETIMEDOUT, f"the server was silent for {ANSWER_SECONDS} s") from error
    except (paramiko.SSHException, paramiko.SFTPError, EOFError) as error:
        raise ConnectionResetError(errno.ECONNRESET, "the connection was lost") from error
    except OSError as error:
        if error.strerror is not None:
            raise
        # A channel that was closed says so without a number.
        raise ConnectionResetError(errno.ECONNRESET, "the connection was lost") from error


class _File:
    """An open file that reads ahead: a round trip for each 32 KiB, which SFTP guarantees, would be slow."""

    def __init__(self, client: _Client, file: paramiko.SFTPFile, size: int) -> None:
        self._client = client
        self._file = file
        self._size = size
        self._offset = 0

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes of those that the file had when it was opened; none at the end."""
        length = min(size, self._size - self._offset)
        if length <= 0:
            return b""
        with _as_os_errors():
            try:
                # Requests all pieces at once, and collects the answers. Paramiko's `prefetch` would hold the complete
                # file in memory if the landing area were slower than the network.
                block = next(iter(self._file.readv([(self._offset, length)])))
            except EOFError:
                if self._client.connection_lost:
                    raise
                # The file became shorter: the caller compares sizes.
                block = b""
        self._offset += len(block)
        return block


class SftpFolder:
    """A folder of an SFTP server, `parts` below `root`, over an open connection.

    Times are in whole seconds, by the server's clock. The protocol cannot open without following a link. So a link is
    recognised before opening and once more when the file is open, and the open file must be the one that was seen.
    """

    def __init__(self, client: _Client, root: bytes, parts: tuple[bytes, ...] = ()) -> None:
        self._client = client
        self._root = root
        self._parts = parts

    def _at(self, *names: bytes) -> bytes:
        return b"/".join((self._root, *self._parts, *names)) or b"/"

    def _refuse_links(self) -> None:
        """Raise `OSError` where a folder between the root and this one is a link."""
        for depth in range(1, len(self._parts) + 1):
            found = self._client.lstat(b"/".join((self._root, *self._parts[:depth])))
            if stat.S_ISLNK(found.st_mode or 0):
                raise not_followed()

    def names(self) -> dict[bytes, Entry | None]:
        """List the names with what the server says about them; for what is no file, `entry` has to be called."""
        with _as_os_errors():
            self._refuse_links()
            return {name: _listed(attributes) for name, attributes in self._client.entries(self._at())}

    def entry(self, name: bytes) -> Entry:
        """Return one entry as it is now, of a link the link itself."""
        with _as_os_errors():
            return _entry(self._client.lstat(self._at(name)))

    @contextmanager
    def open(self, name: bytes) -> Iterator[Readable]:
        """Open a file for reading."""
        with _as_os_errors():
            self._refuse_links()
            self._seen(name)
            file = self._client.open(self._at(name), "rb")
        with file:
            with _as_os_errors():
                self._refuse_links()
                opened, seen = _entry(file.stat()), self._seen(name)
                if opened != seen:
                    raise OSError(errno.ESTALE, "it was exchanged while it was opened")
            yield _File(self._client, file, opened.size)

    def _seen(self, name: bytes) -> Entry:
        entry = self.entry(name)
        if entry.is_link:
            raise not_followed()
        if entry.is_passed_over:
            raise no_file()
        return entry

    def below(self, name: bytes) -> "SftpFolder":
        """Return the folder of this name in it, over the same connection."""
        return SftpFolder(self._client, self._root, (*self._parts, name))


def _entry(attributes: paramiko.SFTPAttributes) -> Entry:
    if attributes.st_mtime is None or attributes.st_size is None:
        raise ValueError("the server gives no size or no time")
    # Where a server gives no mode, everything counts as a file until it is read.
    mode = attributes.st_mode or 0o100000
    return Entry.of(mode, attributes.st_size, attributes.st_mtime)


def _listed(attributes: paramiko.SFTPAttributes) -> Entry | None:
    try:
        entry = _entry(attributes)
    except (OverflowError, ValueError):
        return None
    return entry if entry.is_file else None


@contextmanager
def open_sftp_folder(address: str, below: str, connection: str) -> Iterator[SftpFolder]:
    """Connect to the server at `address` and open the folder `below` it; the connection ends with the context.

    Raises `ConfigurationError` when the address, the key or the file of host keys cannot be used; `SourceRefused` for
    an unknown or changed host key and a refused login; `DeliveryUnavailable` when the server cannot be reached.
    """
    where = _parse(address, connection)
    with paramiko.SSHClient() as client:
        with _ended_after(LOGIN_SECONDS, client, where):
            sftp = _connect(client, where, connection)
        with _ended_after(WHOLE_SECONDS, client, where):
            yield SftpFolder(sftp, where.path.rstrip(b"/"), tuple(part.encode() for part in below.split("/") if part))


@contextmanager
def _ended_after(seconds: float, client: paramiko.SSHClient, address: _SftpAddress) -> Iterator[None]:
    """End the connection after so many seconds, whatever bytes still arrive; what waits for an answer then fails."""

    def end() -> None:
        log.warning("The file drop %s: the connection is ended, it took longer than %g s.", address.shown, seconds)
        transport = client.get_transport()
        if transport is not None:
            transport.close()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
