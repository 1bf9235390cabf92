"""One request at a time to an HTTP interface: its pace, redirects, time-outs, and the body of the answer."""

import os
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

import msgspec
import requests
import urllib3

from zhengku import clock
from zhengku.errors import ConfigurationError, SourceRefused
from zhengku.landed.address import without_login
from zhengku.landed.http_answer import Answer, RowsPlace, UnreadableAnswer, codec_of
from zhengku.landed.page_file import LARGEST_BODY
from zhengku.transports.http.deadline import Deadline, deadline_session
from zhengku.transports.http.model import HttpApi, TokenSignature

LONGEST_RETRY_AFTER: Final = 300.0
"""Limit of all pauses of one request, in seconds; a longer Retry-After is cut to this.

The feeds of one system are read one after another: one endpoint must not make the others wait all night.
"""

_TRANSIENT: Final = frozenset({408, 425, 429})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 3
_ABSURD_DIGITS: Final = 10
_WORDS_SHOWN: Final = 120
_LONGEST_PROBLEM: Final = 16 * 1024


class TransientFailure(Exception):
    """This try failed, and another one may succeed; the text says what was received."""

    def __init__(self, what: str, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class TokenExpired(Exception):
    """The server refused the token, or said that it has expired."""


@dataclass(frozen=True, slots=True)
class Body:
    """One successful answer: its bytes without transfer encodings, its charset, and the parsed answer."""

    content: bytes
    charset: str
    answer: Answer


class HttpClient:
    """Sends requests of one feed to the address `https://id:secret@host/base`; close it after use.

    `slots` clients share the requests that the department allows in a minute. Raises `ConfigurationError` for an
    address that cannot be read, or lacks the id and secret that a signature needs.
    """

    def __init__(self, api: HttpApi, address: str, slots: int, feed_name: str) -> None:
        self._api = api
        self._feed_name = feed_name
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in ("http", "https"):
            raise ConfigurationError(
                f"{feed_name}: expected an address like https://id:secret@host/base for the connection "
                f"{api.connection}, and the environment holds something else. Correct "
                f"ZHENGKU_CONN_{api.connection.upper()}."
            )
        self.id = unquote(parts.username or "")
        self.secret = unquote(parts.password or "")
        if api.signature.kind != "none" and not (self.id and self.secret):
            raise ConfigurationError(
                f"{feed_name}: signature {api.signature.kind} needs an id and a secret, and the address of the "
                f"connection {api.connection} lacks one. Write https://id:secret@host/base, percent-encoded, into "
                f"ZHENGKU_CONN_{api.connection.upper()}."
            )
        shown_host = f"[{host}]" if ":" in host else host
        self._base = f"{parts.scheme}://{shown_host}{f':{port}' if port else ''}{parts.path.rstrip('/')}/"
        self.shown = without_login(self.url(api.path))
        self._hidden = {secret for secret in (self.id, self.secret) if secret}
        self._rows_at = RowsPlace(api.response.rows, api.response.rows_also)
        self._pace = 60.0 * max(slots, 1) / api.requests_per_minute
        self._next_at = 0.0
        self._deadline = Deadline()
        self._session = deadline_session(self._deadline)
        # The environment of a server may name proxies, and a .netrc logins, that were meant for other hosts: only the
        # address of the connection decides where a secret is sent. Its own certificate authority is no secret.
        self._session.trust_env = False
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise `ConfigurationError` when HTTP cannot carry the address or the headers; nothing is sent."""
        request = requests.Request("GET", self.url(self._api.path), dict(headers), params=self._api.parameters)
        try:
            self._session.prepare_request(request)
            for name, value in headers.items():
                name.encode("ascii")
                value.encode("latin-1")
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader, UnicodeError):
            raise self._unsendable() from None

    def url(self, path: str) -> str:
        """Return the address of a path below the base."""
        return self._base + path.lstrip("/") if path else self._base.rstrip("/")

    def _unsendable(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self._feed_name}: no request can be made for {self.shown}: its address, id or secret, or the name of a "
            f"header, holds characters that HTTP cannot carry. Correct ZHENGKU_CONN_{self._api.connection.upper()}, or "
            "the feed's signature."
        )

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str | int] | None = None,
        json: Mapping[str, str | int] | None = None,
    ) -> Body:
        """Send a request and return the answer's body.

        From the connection to the last byte, redirects included, it takes at most `whole_timeout_seconds`; pauses for
        the department's limit of requests do not count. Raises `TransientFailure` where another try may succeed,
        `TokenExpired`, `SourceRefused`, `ConfigurationError`.
        """
        left: float = self._api.whole_timeout_seconds
        for _ in range(_MOST_REDIRECTS + 1):
            self._keep_pace()
            self._deadline.start(left)
            # The library's errors are neither chained nor shown: they name addresses with their parameters.
            try:
                with self._session.request(
                    method,
                    url,
                    params=query,
                    json=json,
                    headers={"Accept": "application/json", **headers},
                    stream=True,
                    allow_redirects=False,
                    timeout=(
                        self._api.connect_timeout_seconds,
                        min(self._api.read_timeout_seconds, self._api.whole_timeout_seconds),
                    ),
                ) as response:
                    if response.status_code not in _REDIRECTS:
                        return self._read(response)
                    url = self._redirected(response, method, url)
                    query = None
                    left = self._deadline.left
            except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader, UnicodeError):
                raise self._unsendable() from None
            except requests.exceptions.SSLError as error:
                if not _is_untrusted(error):
                    self._check_deadline()
                    # A gateway that restarts or is overloaded closes connections during the handshake.
                    raise TransientFailure("a TLS handshake that broke off") from None
                raise SourceRefused(
                    f"{self._feed_name}: the certificate of {self.shown} is not trusted. Name the certificate "
                    "authority in REQUESTS_CA_BUNDLE, or ask the department for a valid certificate."
                ) from None
            except requests.exceptions.ConnectTimeout:
                self._check_deadline()
                raise TransientFailure(f"no connection within {self._api.connect_timeout_seconds} s") from None
            except (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
                self._check_deadline()
                raise TransientFailure(f"no byte within {self._api.read_timeout_seconds} s") from None
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                self._check_deadline()
                raise TransientFailure(f"a connection or an answer that broke off ({type(error).__name__})") from None
        raise SourceRefused(
            f"{self._feed_name}: {self.shown} redirected more than {_MOST_REDIRECTS} times. Ask the department for the "
            "interface's address."
        )

    def _check_deadline(self) -> None:
        if self._deadline.left <= 0:
            raise TransientFailure(f"no complete answer within {self._api.whole_timeout_seconds} s") from None

    def _redirected(self, response: requests.Response, method: str, url: str) -> str:
        target = urljoin(url, response.headers.get("Location", ""))
        try:
            here, there = urlsplit(url), urlsplit(target)
            same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
        except ValueError:
            same = False
        # Signature and token would be sent too: they are only for the host of the connection's address.
        if not same or (method == "POST" and response.status_code not in (307, 308)):
            raise SourceRefused(
                f"{self._feed_name}: {self.shown} redirects (HTTP {response.status_code}) to another host or to a "
                "request without its body; credentials are not sent there. Ask the department for the interface's "
                "address and correct the connection."
            )
        return target

    def hide(self, secret: str) -> None:
        """Leave a secret out of all that a message shows of an answer."""
        self._hidden.add(secret)

    def safe_text(self, text: str) -> str:
        """Shorten a server's text, and leave out secrets and what may be the number of a person."""
        for secret in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(secret, "…")
        text = re.sub(r"[0-9A-Za-z]*\d{6}[0-9A-Za-z]*", "…", text)
        return "".join(char if char.isprintable() else "�" for char in text[:_WORDS_SHOWN])

    def _words(self, response: requests.Response) -> str:
        """Return the server's words on a status in parentheses: its reason, and the title of a problem (RFC 9457).

        Both name the kind of the problem. Its `detail`, or any other body, may quote a value, and is left out.
        """
        words = [response.reason or ""]
        if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/problem+json":
            try:
                problem = msgspec.json.decode(response.raw.read(_LONGEST_PROBLEM, decode_content=True))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                problem = None
            title = problem.get("title") if isinstance(problem, dict) else None
            words.append(title if isinstance(title, str) else "a problem without a title")
        said = ": ".join(self.safe_text(word) for word in words if word)
        return f" ({said})" if said else ""

    def _keep_pace(self) -> None:
        now = time.monotonic()
        if now < self._next_at:
            time.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + self._pace

    def _read(self, response: requests.Response) -> Body:
        status = response.status_code
        if status == HTTPStatus.UNAUTHORIZED and isinstance(self._api.signature, TokenSignature):
            raise TokenExpired
        if status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            pause = retry_after_seconds(response.headers.get("Retry-After"))
            raise TransientFailure(f"HTTP {status}{self._words(response)}", pause)
        if status != HTTPStatus.OK:
            raise SourceRefused(
                f"{self._feed_name}: expected HTTP 200 from {self.shown}, got {status}{self._words(response)}. Check "
                f"path and parameters of the feed, id and secret of the connection {self._api.connection}, and this "
                "machine's clock."
            )
        pieces: list[bytes] = []
        length = 0
        # read1 returns what has arrived; read would wait until a block is full, however slowly it fills.
        while piece := response.raw.read1(256 * 1024, decode_content=True):
            pieces.append(piece)
            length += len(piece)
            if length > LARGEST_BODY:
                raise SourceRefused(
                    f"{self._feed_name}: a page of {self.shown} is larger than {LARGEST_BODY} bytes. Ask for fewer "
                    "rows by the size of the feed's paging."
                )
            self._check_deadline()
        content = b"".join(pieces)
        charset = codec_of(response.headers.get("Content-Type"))
        try:
            return Body(content, charset, Answer(content, charset, self._rows_at))
        except UnreadableAnswer as error:
            raise TransientFailure(str(error)) from None


def retry_after_seconds(retry_after: str | None) -> float | None:
    """Read Retry-After: seconds, or an HTTP date (RFC 9110, 10.2.3). Impossible times count as the longest pause."""
    if not retry_after:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < _ABSURD_DIGITS else LONGEST_RETRY_AFTER
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - clock.now()).total_seconds())
    except ValueError:
        return None
    except OverflowError:
        return LONGEST_RETRY_AFTER


def _is_untrusted(error: BaseException) -> bool:
    """Return whether a certificate that failed verification caused an error; the libraries nest that cause."""
    waiting: list[object] = [error]
    seen: list[object] = []
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or any(found is each for each in seen):
            continue
        if isinstance(found, ssl.SSLCertVerificationError):
            return True
        seen.append(found)
        waiting += [*found.args, found.__cause__, found.__context__, getattr(found, "reason", None)]
    return False
