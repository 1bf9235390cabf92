"""What the forms of the pages have in common: the token that shows where they come from, fields, and the answer."""

import hashlib
import hmac
import logging
from collections.abc import Callable
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from fastapi import Form, HTTPException, Request, Response, status
from fastapi.responses import RedirectResponse

from zhengku import clock
from zhengku.errors import CatalogError, ConfigurationError
from zhengku.pages.access import Access
from zhengku.pages.host import Host
from zhengku.pages.paging import PAGE_ROWS
from zhengku.pages.rendering import HEADERS

log = logging.getLogger(__name__)

TOKEN_SECONDS = 12 * 3600
"""How long a page may lie open before a form of it is refused."""

LONGEST_REASON = 500

Token = Annotated[str, Form(max_length=200)]
Reason = Annotated[str, Form(max_length=LONGEST_REASON)]
ProblemIds = Annotated[list[int], Form(max_length=PAGE_ROWS)]

T = TypeVar("T")


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


def attempt(act: Callable[[], T]) -> T:
    """Do something that may be refused; raises `HTTPException` 400 when a reason or the data it is about is missing."""
    try:
        return act()
    except (ConfigurationError, CatalogError) as error:
        log.info("refused: %s", error)
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST, "未能办理：请填写事由，并核对所选数据的状态（可能已被他人处理）。"
        ) from None


def redirect(request: Request, path: str) -> Response:
    """Lead to a page of the same application after a form was taken."""
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/{path}", status.HTTP_303_SEE_OTHER, HEADERS)


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
