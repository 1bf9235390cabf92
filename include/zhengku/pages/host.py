"""What the pages need of the program that shows them: who is logged in, and where one logs in."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, status

from zhengku import clock

TOKEN_SECONDS = 12 * 3600
"""How long a page may lie open before a form of it is refused."""


class Access(Protocol):
    """What a login may see and do; each application has its own kind."""

    @property
    def login(self) -> str:
        """Name of the login."""


@dataclass(frozen=True)
class Host:
    """The program around the pages.

    `current_user` returns who asks and raises `HTTPException` 401 when nobody is logged in; `access` tells what he may
    see, None for nothing; `login_address` is where to send who is not logged in, to come back to the address given.
    """

    current_user: Callable[[Request], Awaitable[Any]]
    access: Callable[[Any], Access | None]
    login_address: Callable[[str], str]
    signing_key: Callable[[], str]
    is_for_demos: Callable[[], bool]


async def visitor(request: Request) -> Any:
    """Return what who asks may see, of the application's kind; raises `HTTPException` 401 or 403.

    Every route depends on it.
    """
    host: Host = request.app.state.host
    access = host.access(await host.current_user(request))
    if access is None:
        raise HTTPException(status.HTTP_403_FORBIDDEN, request.app.state.refusal)
    request.state.access = access
    return access


def form_token(request: Request, access: Access) -> str:
    """Return what a form of this visitor must bring back: nobody else's page knows it."""
    expires = str(int(clock.now().timestamp()) + TOKEN_SECONDS)
    return f"{expires}.{_signed(request, access, expires)}"


def check_form(request: Request, access: Access, token: str) -> None:
    """Raise `HTTPException` 403 unless a form comes from a page of ours, shown to this visitor not too long ago."""
    expires, _, signature = token.partition(".")
    is_ours = hmac.compare_digest(signature.encode(), _signed(request, access, expires).encode())
    if not is_ours or not _is_same_origin(request):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "请求不是从本页面发出的，已拒绝。请回到页面重新操作。")
    if int(expires) < clock.now().timestamp():
        raise HTTPException(status.HTTP_403_FORBIDDEN, "页面打开已久，请刷新后重新操作。")


def _signed(request: Request, access: Access, expires: str) -> str:
    host: Host = request.app.state.host
    text = f"{request.app.title}|{access.login}|{expires}"
    return hmac.new(host.signing_key().encode(), text.encode(), hashlib.sha256).hexdigest()


def _is_same_origin(request: Request) -> bool:
    """Tell whether the browser says that the request was made by a page of this host.

    Browsers send the first only over TLS and to localhost; the scheme is not compared, since TLS may end before us.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")
