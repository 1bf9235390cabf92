"""What the forms of the pages have in common: the token against forged requests, fields, and the answer."""

import hashlib
import hmac
import logging
from collections.abc import Callable
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from fastapi import Form, HTTPException, Request, Response, status
from fastapi.responses import RedirectResponse
from pydantic import Field

from zhengku import clock
from zhengku.database import LARGEST_BIGINT
from zhengku.errors import CatalogError, ConfigurationError, RecordNotFound
from zhengku.pages.access import Access
from zhengku.pages.host import Host
from zhengku.pages.paging import PAGE_ROWS
from zhengku.pages.rendering import HEADERS

log = logging.getLogger(__name__)

TOKEN_SECONDS = 12 * 3600
"""How long a page may be open before its forms are refused."""

LONGEST_REASON = 500

Token = Annotated[str, Form(max_length=200)]
Reason = Annotated[str, Form(max_length=LONGEST_REASON)]
RecordId = Annotated[int, Field(ge=1, le=LARGEST_BIGINT)]
"""The number of a batch or a problem record in a form."""

BatchId = Annotated[RecordId, Form()]
ProblemIds = Annotated[list[RecordId], Form(max_length=PAGE_ROWS)]

T = TypeVar("T")


def form_token(request: Request, access: Access) -> str:
    """Return the token that a form of this visitor must send: no page of another site knows it."""
    expires = str(int(clock.now().timestamp()) + TOKEN_SECONDS)
    return f"{expires}.{_signed(request, access, expires)}"


def check_form(request: Request, access: Access, token: str) -> None:
    """Raise `HTTPException` 403 unless a form is of one of our pages, shown to this visitor in the last hours."""
    expires, _, signature = token.partition(".")
    is_ours = hmac.compare_digest(signature.encode(), _signed(request, access, expires).encode())
    if not is_ours or not _is_same_origin(request):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "请求不是从本页面发出的，已拒绝。请回到页面重新操作。")
    if int(expires) < clock.now().timestamp():
        raise HTTPException(status.HTTP_403_FORBIDDEN, "页面打开已久，请刷新后重新操作。")


def attempt(act: Callable[[], T]) -> T:
    """Call `act`, and return its result.

    Raises `HTTPException` 404 when there is no record of a number that was sent, 400 when the reason or the data that
    `act` needs is missing.
    """
    try:
        return act()
    except RecordNotFound as error:
        log.info("refused: %s", error)
        raise HTTPException(
            status.HTTP_404_NOT_FOUND, "没有这个编号的记录，未办理任何一项。请回到列表核对编号。"
        ) from None
    except (ConfigurationError, CatalogError) as error:
        log.info("refused: %s", error)
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST, "未能办理：请填写事由，并核对所选数据的状态（可能已被他人处理）。"
        ) from None


def check_done(number: int) -> None:
    """Raise `HTTPException` 409 when an action changed none of the chosen records, as their states do not allow it."""
    if not number:
        raise HTTPException(
            status.HTTP_409_CONFLICT, "未办理任何一项：所选数据的当前状态不允许此操作（可能已被他人处理）。"
        )


def redirect(request: Request, path: str) -> Response:
    """Redirect to a page of the same application after a form was processed."""
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/{path}", status.HTTP_303_SEE_OTHER, HEADERS)


def _signed(request: Request, access: Access, expires: str) -> str:
    host: Host = request.app.state.host
    text = f"{request.app.title}|{access.login}|{expires}"
    return hmac.new(host.signing_key().encode(), text.encode(), hashlib.sha256).hexdigest()


def _is_same_origin(request: Request) -> bool:
    """Return whether the request was made by a page of this host, as the browser says.

    Browsers send Sec-Fetch-Site only over TLS and to localhost; the scheme of the origin is not compared, since a proxy
    may end TLS.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        origin = urlsplit(request.headers.get("origin", ""))
    except ValueError:
        return False
    return bool(origin.netloc) and origin.netloc == request.headers.get("host")
