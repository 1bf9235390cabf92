"""One request to an interface: signed, paced, with its time-outs, and asked again where another try may help."""

import base64
import hashlib
import hmac
import logging
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import unquote, urljoin, urlsplit

import requests
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_exponential_jitter

from zhengku import clock
from zhengku.errors import ConfigurationError, DeliveryUnavailable, SourceRefused
from zhengku.landed.address import without_login
from zhengku.landed.http_answer import Answer, NoAnswer, RowsPlace, codec_of
from zhengku.landed.page_file import LARGEST_BODY
from zhengku.transports.http.model import HmacSignature, HttpApi, Md5Signature, TokenSignature

log = logging.getLogger(__name__)

LONGEST_PAUSE: Final = 60.0
"""Seconds between two tries, unless the server asks for more."""

LONGEST_RETRY_AFTER: Final = 300.0
"""Seconds that all pauses of one request may take; a longer Retry-After is cut to this.

The feeds of one system are read one after another: one endpoint must not keep the others waiting all night.
"""

Read = TypeVar("Read")

_PASSING: Final = frozenset({408, 425, 429})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 3
_MESSAGE_SHOWN: Final = 120
_ABSURD_DIGITS: Final = 10


class _Passing(Exception):
    """This try failed and another may not; the text says what came."""

    def __init__(self, what: str, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class _TokenExpired(Exception):
    """The server says that the token is not good, or no more."""


@dataclass(frozen=True, slots=True)
class Body:
    """One answer that was in order: its bytes without transfer encodings, its charset, and what they say."""

    content: bytes
    charset: str
    answer: Answer


class HttpSession:
    """Requests of one feed to the address `https://id:secret@host/base`; close it after use.

    Raises `ConfigurationError` when the address is none, or lacks the id and secret that a signature needs.
    """

    def __init__(self, api: HttpApi, address: str, slots: int, first_pause: float, feed_name: str) -> None:
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
        self._id = unquote(parts.username or "")
        self._secret = unquote(parts.password or "")
        if api.signature.kind != "none" and not (self._id and self._secret):
            raise ConfigurationError(
                f"{feed_name}: signature {api.signature.kind} needs an id and a secret, and the address of the "
                f"connection {api.connection} lacks one. Write https://id:secret@host/base, percent-encoded, into "
                f"ZHENGKU_CONN_{api.connection.upper()}."
            )
        shown_host = f"[{host}]" if ":" in host else host
        self._base = f"{parts.scheme}://{shown_host}{f':{port}' if port else ''}{parts.path.rstrip('/')}/"
        self.shown = without_login(self._url(api.path))
        self._rows_at = RowsPlace(api.response.rows, api.response.rows_also)
        self._token = ""
        self._token_until = 0.0
        self._pace = 60.0 * max(slots, 1) / api.requests_per_minute
        self._next_at = 0.0
        self._backoff = wait_exponential_jitter(multiplier=first_pause, max=LONGEST_PAUSE, jitter=first_pause)
        self._session = requests.Session()
        # The environment of a server may name proxies, and a .netrc logins, that were meant for other hosts: the
        # address of the connection alone says where a secret goes. Its own certificate authority is no secret.
        self._session.trust_env = False
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def check(self) -> None:
        """Raise `ConfigurationError` when HTTP cannot carry the address, the id or the headers; nothing is sent."""
        signature = self._api.signature
        # Of a token only what stands before it is ours.
        token = {signature.header: signature.prefix} if isinstance(signature, TokenSignature) else None
        headers = token or self._headers()
        request = requests.Request("GET", self._url(self._api.path), headers, params=self._api.parameters)
        try:
            self._session.prepare_request(request)
            for name, value in headers.items():
                name.encode("ascii")
                value.encode("latin-1")
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader, UnicodeError):
            raise self._unsendable() from None

    def ask(self, parameters: Mapping[str, str | int], read: Callable[[Body], Read]) -> Read:
        """Ask for one page and return what `read` makes of it; `NoAnswer` that it raises is a reason to ask again.

        Raises `DeliveryUnavailable` when all tries failed, `SourceRefused` when another one would end the same.
        """

        def once() -> Read:
            body = self._page(parameters)
            try:
                return read(body)
            except NoAnswer as error:
                raise _Passing(str(error)) from None

        tries = Retrying(
            stop=self._gives_up,
            wait=self._wait,
            retry=retry_if_exception_type(_Passing),
            before_sleep=self._tell_pause,
            reraise=True,
        )
        try:
            return tries(once)
        except _Passing as error:
            made = tries.statistics["attempt_number"]
            rest = (
                f", and with the next one the pauses between them would add up to more than {LONGEST_RETRY_AFTER:g} s"
                if made < self._api.attempts
                else ""
            )
            raise DeliveryUnavailable(
                f"{self._feed_name}: {self.shown} gave no answer in order in {made} tries; the last one gave {error}"
                f"{rest}. Ask the department whether its interface works; the next run reads the same window."
            ) from None

    def _gives_up(self, state: RetryCallState) -> bool:
        pauses = state.idle_for + state.upcoming_sleep
        return state.attempt_number >= self._api.attempts or pauses > LONGEST_RETRY_AFTER

    def _wait(self, state: RetryCallState) -> float:
        assert state.outcome is not None
        error = state.outcome.exception()
        pause: float = self._backoff(state)
        if isinstance(error, _Passing) and error.retry_after is not None:
            pause = max(pause, min(error.retry_after, LONGEST_RETRY_AFTER))
        return pause

    def _tell_pause(self, state: RetryCallState) -> None:
        assert state.outcome is not None
        log.warning(
            "%s: try %d of %d at %s gave %s; the next one follows in %.1f s.",
            self._feed_name,
            state.attempt_number,
            self._api.attempts,
            self.shown,
            state.outcome.exception(),
            state.upcoming_sleep,
        )

    def _page(self, parameters: Mapping[str, str | int]) -> Body:
        try:
            return self._checked(parameters)
        except _TokenExpired:
            self._token = ""
        try:
            return self._checked(parameters)
        except _TokenExpired:
            raise SourceRefused(
                f"{self._feed_name}: {self.shown} refused a token that it had just given. Ask the department what the "
                "id of the connection may read."
            ) from None

    def _checked(self, parameters: Mapping[str, str | int]) -> Body:
        """Ask once; raises `_Passing`, `_TokenExpired`, `SourceRefused`."""
        api = self._api
        both = {**api.parameters, **parameters}
        headers = self._headers()
        if api.method == "get":
            body = self._send("GET", self._url(api.path), headers, query=both)
        else:
            body = self._send("POST", self._url(api.path), headers, json=both)
        self._check_code(body.answer)
        return body

    def _check_code(self, answer: Answer) -> None:
        shape = self._api.response
        if shape.code is None:
            return
        try:
            code = answer.at(shape.code)
            message = answer.at(shape.message) if shape.message else None
        except NoAnswer as error:
            raise _Passing(str(error)) from None
        if code is None or isinstance(code, dict | list | bool):
            raise _Passing(f"no business code at {shape.code}")
        text = str(code)
        if text in shape.ok_codes:
            return
        if text in shape.token_codes and isinstance(self._api.signature, TokenSignature):
            raise _TokenExpired
        what = f"business code {self._harmless(text)}{self._said(message)}"
        if text in shape.retry_codes:
            raise _Passing(what)
        raise SourceRefused(
            f"{self._feed_name}: {self.shown} answered with {what}; expected one of {', '.join(shape.ok_codes)}. Ask "
            "the department what the code means; name it in retry_codes or token_codes if it passes."
        )

    def _said(self, message: object) -> str:
        return f" ({self._harmless(message)})" if isinstance(message, str) and message else ""

    def _harmless(self, text: str) -> str:
        """Cut a server's words, and leave out what may be a secret or a number of a person."""
        for secret in (self._secret, self._token, self._id):
            if secret:
                text = text.replace(secret, "…")
        text = re.sub(r"[0-9A-Za-z]*\d{6}[0-9A-Za-z]*", "…", text)
        return "".join(char if char.isprintable() else "�" for char in text[:_MESSAGE_SHOWN])

    def _url(self, path: str) -> str:
        return self._base + path.lstrip("/") if path else self._base.rstrip("/")

    def _headers(self) -> dict[str, str]:
        signature = self._api.signature
        if isinstance(signature, TokenSignature):
            if not self._token or time.monotonic() >= self._token_until:
                self._get_token(signature)
            return {signature.header: signature.prefix + self._token}
        if not isinstance(signature, HmacSignature | Md5Signature):
            return {}
        now = str(int(clock.now().timestamp() * (1 if signature.time_unit == "seconds" else 1000)))
        if isinstance(signature, HmacSignature):
            digest = hmac.new(self._secret.encode(), (self._id + now).encode(), hashlib.sha256).digest()
            signed = digest.hex() if signature.encoding == "hex" else base64.b64encode(digest).decode()
        else:
            # Older gateways know nothing better; the transport has to keep the secret.
            signed = hashlib.md5((self._id + self._secret + now).encode(), usedforsecurity=False).hexdigest()
        return {signature.id_header: self._id, signature.time_header: now, signature.signature_header: signed}

    def _get_token(self, signature: TokenSignature) -> None:
        """Get a token; the retries of the request that needs it are those of the token."""
        credentials = {signature.id_parameter: self._id, signature.secret_parameter: self._secret}
        asked_at = time.monotonic()
        try:
            answer = self._send("POST", self._url(signature.path), {}, json=credentials).answer
        except _TokenExpired:
            raise self._no_token("HTTP 401") from None
        try:
            token = answer.at(signature.token)
            life = answer.at(signature.expires_in) if signature.expires_in else None
        except NoAnswer as error:
            raise _Passing(f"a token's answer with {error}") from None
        if not isinstance(token, str) or not token:
            try:
                self._check_code(answer)
            except _TokenExpired:
                raise self._no_token("a code for an expired token") from None
            raise self._no_token(f"no token at {signature.token}")
        if not (token.isascii() and token.isprintable()):
            raise self._no_token("a token that no header can carry")
        try:
            seconds = float(life) if life is not None else float("inf")
        except (TypeError, ValueError, OverflowError):
            raise self._no_token(f"no seconds at {signature.expires_in}") from None
        self._token = token
        # Refreshed a little early: a request takes time, and clocks differ.
        self._token_until = asked_at + seconds - min(60.0, seconds / 10)

    def _unsendable(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self._feed_name}: no request can be made for {self.shown}: its address, id or secret, or the name of a "
            f"header, holds characters that HTTP cannot carry. Correct ZHENGKU_CONN_{self._api.connection.upper()}, or "
            "the feed's signature."
        )

    def _no_token(self, what: str) -> SourceRefused:
        assert isinstance(self._api.signature, TokenSignature)
        where = without_login(self._url(self._api.signature.path))
        return SourceRefused(
            f"{self._feed_name}: expected a token from {where}, got {what}. Check id and secret of the connection "
            f"{self._api.connection}, and token and expires_in of the feed's signature."
        )

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str | int] | None = None,
        json: Mapping[str, str | int] | None = None,
    ) -> Body:
        for _ in range(_MOST_REDIRECTS + 1):
            self._keep_pace()
            deadline = time.monotonic() + self._api.whole_timeout_seconds
            # Neither of the library's errors may be chained or shown: they name addresses with their parameters.
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
                        return self._read(response, deadline)
                    url = self._redirected(response, method, url)
                    query = None
            except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader, UnicodeError):
                raise self._unsendable() from None
            except requests.exceptions.SSLError as error:
                if not _is_untrusted(error):
                    # A gateway that restarts or is overloaded closes in the middle of a handshake.
                    raise _Passing("a TLS handshake that broke off") from None
                raise SourceRefused(
                    f"{self._feed_name}: the certificate of {self.shown} is not trusted. Name the certificate "
                    "authority in REQUESTS_CA_BUNDLE, or ask the department for a valid certificate."
                ) from None
            except requests.exceptions.ConnectTimeout:
                raise _Passing(f"no connection within {self._api.connect_timeout_seconds} s") from None
            except (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
                raise _Passing(f"no byte within {self._api.read_timeout_seconds} s") from None
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise _Passing(f"a connection or an answer that broke off ({type(error).__name__})") from None
        raise SourceRefused(
            f"{self._feed_name}: {self.shown} redirected more than {_MOST_REDIRECTS} times. Ask the department for the "
            "interface's address."
        )

    def _redirected(self, response: requests.Response, method: str, url: str) -> str:
        target = urljoin(url, response.headers.get("Location", ""))
        try:
            here, there = urlsplit(url), urlsplit(target)
            same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
        except ValueError:
            same = False
        # Signature and token would go along: only the host that they were given for may have them.
        if not same or (method == "POST" and response.status_code not in (307, 308)):
            raise SourceRefused(
                f"{self._feed_name}: {self.shown} redirects (HTTP {response.status_code}) to another host or to a "
                "request without its body; credentials are not sent there. Ask the department for the interface's "
                "address and correct the connection."
            )
        return target

    def _keep_pace(self) -> None:
        now = time.monotonic()
        if now < self._next_at:
            time.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + self._pace

    def _read(self, response: requests.Response, deadline: float) -> Body:
        status = response.status_code
        if status == HTTPStatus.UNAUTHORIZED and isinstance(self._api.signature, TokenSignature):
            raise _TokenExpired
        if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Passing(f"HTTP {status}", _seconds_of(response.headers.get("Retry-After")))
        if status != HTTPStatus.OK:
            raise SourceRefused(
                f"{self._feed_name}: expected HTTP 200 from {self.shown}, got {status}. Check path and parameters of "
                f"the feed, id and secret of the connection {self._api.connection}, and this machine's clock."
            )
        pieces: list[bytes] = []
        length = 0
        # read1 returns what is there; read would wait until a block is full, however slowly it fills.
        while piece := response.raw.read1(256 * 1024, decode_content=True):
            pieces.append(piece)
            length += len(piece)
            if length > LARGEST_BODY:
                raise SourceRefused(
                    f"{self._feed_name}: a page of {self.shown} is larger than {LARGEST_BODY} bytes. Ask for fewer "
                    "rows by the size of the feed's paging."
                )
            if time.monotonic() > deadline:
                raise _Passing(f"no whole answer within {self._api.whole_timeout_seconds} s")
        content = b"".join(pieces)
        charset = codec_of(response.headers.get("Content-Type"))
        try:
            return Body(content, charset, Answer(content, charset, self._rows_at))
        except NoAnswer as error:
            raise _Passing(str(error)) from None


def _seconds_of(retry_after: str | None) -> float | None:
    """Read Retry-After: seconds, or an HTTP date (RFC 9110, 10.2.3). What no clock can hold is the longest pause."""
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
    """Tell whether a certificate that fails verification lies behind an error, in which the libraries nest it."""
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
