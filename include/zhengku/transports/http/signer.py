"""How a request proves who sends it: HMAC-SHA256, MD5, or a token that is requested and renewed."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

from zhengku import clock
from zhengku.errors import SourceRefused
from zhengku.landed.address import without_login
from zhengku.landed.http_answer import Answer, UnreadableAnswer
from zhengku.transports.http.client import HttpClient, TokenExpired, TransientFailure
from zhengku.transports.http.model import HmacSignature, HttpApi, Md5Signature, TokenSignature


class Signer:
    """The signature of one feed's requests; `check_code` raises for an answer whose business code is an error."""

    def __init__(self, api: HttpApi, client: HttpClient, feed_name: str, check_code: Callable[[Answer], None]) -> None:
        self._api = api
        self._client = client
        self._feed_name = feed_name
        self._check_code = check_code
        self.token = ""
        self._token_until = 0.0

    def example_headers(self) -> dict[str, str]:
        """Return the headers, without the token that a server would have to issue."""
        signature = self._api.signature
        return {signature.header: signature.prefix} if isinstance(signature, TokenSignature) else self.headers()

    def forget_token(self) -> None:
        """Make the next request get a new token."""
        self.token = ""

    def headers(self) -> dict[str, str]:
        """Return the headers of a request that is sent now; raises what getting a token raises."""
        signature = self._api.signature
        if isinstance(signature, TokenSignature):
            if not self.token or time.monotonic() >= self._token_until:
                self._get_token(signature)
            return {signature.header: signature.prefix + self.token}
        if not isinstance(signature, HmacSignature | Md5Signature):
            return {}
        now = str(int(clock.now().timestamp() * (1 if signature.time_unit == "seconds" else 1000)))
        if isinstance(signature, HmacSignature):
            digest = hmac.new(self._client.secret.encode(), (self._client.id + now).encode(), hashlib.sha256).digest()
            signed = digest.hex() if signature.encoding == "hex" else base64.b64encode(digest).decode()
        else:
            # Older gateways support nothing better; the transport has to protect the secret.
            signed = hashlib.md5(
                (self._client.id + self._client.secret + now).encode(), usedforsecurity=False
            ).hexdigest()
        return {signature.id_header: self._client.id, signature.time_header: now, signature.signature_header: signed}

    def _get_token(self, signature: TokenSignature) -> None:
        """Get a token; it is retried when the request that needs it is."""
        credentials = {signature.id_parameter: self._client.id, signature.secret_parameter: self._client.secret}
        requested_at = time.monotonic()
        try:
            answer = self._client.send("POST", self._client.url(signature.path), {}, json=credentials).answer
        except TokenExpired:
            raise self._no_token("HTTP 401") from None
        try:
            token = answer.at(signature.token)
            life = answer.at(signature.expires_in) if signature.expires_in else None
        except UnreadableAnswer as error:
            raise TransientFailure(f"a token's answer with {error}") from None
        if not isinstance(token, str) or not token:
            try:
                self._check_code(answer)
            except TokenExpired:
                raise self._no_token("a code for an expired token") from None
            raise self._no_token(f"no token at {signature.token}")
        if not (token.isascii() and token.isprintable()):
            raise self._no_token("a token that no header can carry")
        try:
            seconds = float(life) if life is not None else float("inf")
        except (TypeError, ValueError, OverflowError):
            raise self._no_token(f"no seconds at {signature.expires_in}") from None
        self.token = token
        self._client.hide(token)
        # Renewed a little early: a request takes time, and clocks differ.
        self._token_until = requested_at + seconds - min(60.0, seconds / 10)

    def _no_token(self, what: str) -> SourceRefused:
        assert isinstance(self._api.signature, TokenSignature)
        where = without_login(self._client.url(self._api.signature.path))
        return SourceRefused(
            f"{self._feed_name}: expected a token from {where}, got {what}. Check id and secret of the connection "
            f"{self._api.connection}, and token and expires_in of the feed's signature."
        )
