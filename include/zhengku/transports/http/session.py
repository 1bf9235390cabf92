"""Requests to an HTTP interface: signed, tried again after a pause until they succeed, business codes checked."""

import logging
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_exponential_jitter

from zhengku.errors import DeliveryUnavailable, SourceRefused
from zhengku.landed.http_answer import Answer, UnreadableAnswer
from zhengku.transports.http.client import LONGEST_RETRY_AFTER, Body, HttpClient, TokenExpired, TransientFailure
from zhengku.transports.http.model import HttpApi, TokenSignature
from zhengku.transports.http.signer import Signer

log = logging.getLogger(__name__)

LONGEST_PAUSE: Final = 60.0
"""Longest pause between two tries, in seconds, unless the server requests more."""

Read = TypeVar("Read")


class HttpSession:
    """Requests of one feed to the address `https://id:secret@host/base`; close it after use.

    Raises `ConfigurationError` for an address that cannot be read, or lacks the id and secret that a signature needs.
    """

    def __init__(self, api: HttpApi, address: str, slots: int, first_pause: float, feed_name: str) -> None:
        self._api = api
        self._feed_name = feed_name
        self._client = HttpClient(api, address, slots, feed_name)
        self._signer = Signer(api, self._client, feed_name, self._check_code)
        self.shown = self._client.shown
        self._backoff = wait_exponential_jitter(multiplier=first_pause, max=LONGEST_PAUSE, jitter=first_pause)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def check(self) -> None:
        """Raise `ConfigurationError` when HTTP cannot carry the address, the id or the headers; nothing is sent."""
        self._client.check(self._signer.example_headers())

    def ask(self, parameters: Mapping[str, str | int], read: Callable[[Body], Read]) -> Read:
        """Request one page and return the result of `read`; when that raises `UnreadableAnswer`, request it again.

        Raises `DeliveryUnavailable` when all tries failed, `SourceRefused` when another one would fail in the same way.
        """

        def once() -> Read:
            body = self._page(parameters)
            try:
                return read(body)
            except UnreadableAnswer as error:
                raise TransientFailure(str(error)) from None

        tries = Retrying(
            stop=self._gives_up,
            wait=self._wait,
            retry=retry_if_exception_type(TransientFailure),
            before_sleep=self._log_pause,
            reraise=True,
        )
        try:
            return tries(once)
        except TransientFailure as error:
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
        if isinstance(error, TransientFailure) and error.retry_after is not None:
            pause = max(pause, min(error.retry_after, LONGEST_RETRY_AFTER))
        return pause

    def _log_pause(self, state: RetryCallState) -> None:
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
        except TokenExpired:
            self._signer.forget_token()
        try:
            return self._checked(parameters)
        except TokenExpired:
            raise SourceRefused(
                f"{self._feed_name}: {self.shown} refused a token that it had just given. Ask the department what the "
                "id of the connection may read."
            ) from None

    def _checked(self, parameters: Mapping[str, str | int]) -> Body:
        """Send one request; raises `TransientFailure`, `TokenExpired`, `SourceRefused`."""
        api = self._api
        all_parameters = {**api.parameters, **parameters}
        headers = self._signer.headers()
        if api.method == "get":
            body = self._client.send("GET", self._client.url(api.path), headers, query=all_parameters)
        else:
            body = self._client.send("POST", self._client.url(api.path), headers, json=all_parameters)
        self._check_code(body.answer)
        return body

    def _check_code(self, answer: Answer) -> None:
        shape = self._api.response
        if shape.code is None:
            return
        try:
            code = answer.at(shape.code)
            message = answer.at(shape.message) if shape.message else None
        except UnreadableAnswer as error:
            raise TransientFailure(str(error)) from None
        if code is None or isinstance(code, dict | list | bool):
            raise TransientFailure(f"no business code at {shape.code}")
        text = str(code)
        if text in shape.ok_codes:
            return
        if text in shape.token_codes and isinstance(self._api.signature, TokenSignature):
            raise TokenExpired
        what = f"business code {self._client.safe_text(text)}{self._in_parentheses(message)}"
        if text in shape.retry_codes:
            raise TransientFailure(what)
        raise SourceRefused(
            f"{self._feed_name}: {self.shown} answered with {what}; expected one of {', '.join(shape.ok_codes)}. Ask "
            "the department what the code means; name it in retry_codes or token_codes if it passes."
        )

    def _in_parentheses(self, message: object) -> str:
        return f" ({self._client.safe_text(message)})" if isinstance(message, str) and message else ""
