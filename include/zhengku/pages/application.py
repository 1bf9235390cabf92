"""What the applications of pages have in common: nobody sees a page without being logged in, and what goes wrong."""

import logging
from functools import cache

from fastapi import Depends, FastAPI, Request, Response, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.base import RequestResponseEndpoint

from zhengku.catalog import load_catalog
from zhengku.errors import ZhengkuError
from zhengku.pages.host import Host, visitor
from zhengku.pages.rendering import HEADERS, page
from zhengku.settings import Settings

log = logging.getLogger(__name__)


def new_app(title: str, host: Host, refusal: str) -> FastAPI:
    """Return an application without pages; nobody sees one, or that it has one, without being logged in.

    `refusal` tells in Chinese what is missing to who may see nothing of it.
    """
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(visitor)])
    app.state.host = host
    app.state.refusal = refusal
    app.state.settings = cache(Settings.load)
    app.state.catalog = cache(lambda: load_catalog(app.state.settings().catalog_folder))
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_form)
    app.add_exception_handler(ZhengkuError, _store_error)
    app.add_exception_handler(Exception, _fault)
    app.middleware("http")(_with_headers)
    return app


_HEADINGS = {400: "网址或表单有误", 401: "尚未登录或登录已失效", 403: "没有权限", 404: "没有找到", 405: "没有找到"}


async def _with_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def wants_json(request: Request) -> bool:
    """Tell whether a script asks, and not a person."""
    return "application/json" in request.headers.get("accept", "") and "text/html" not in request.headers["accept"]


def _error(request: Request, status_code: int, heading: str, detail: str) -> Response:
    if wants_json(request):
        return JSONResponse({"detail": detail}, status_code, HEADERS)
    # Who may see nothing has nowhere to go back to.
    home = f"{request.scope.get('root_path', '')}/" if hasattr(request.state, "access") else None
    return page(request, "message.html.j2", status_code, heading=heading, detail=detail, home=home)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if error.status_code == status.HTTP_401_UNAUTHORIZED:
        is_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        # Inside Airflow's page the frame stays where it is: Airflow itself leads to the login.
        if is_page and request.headers.get("sec-fetch-dest", "document") == "document":
            host: Host = request.app.state.host
            back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(host.login_address(back), status.HTTP_303_SEE_OTHER, HEADERS)
        return _error(request, 401, _HEADINGS[401], "请刷新整个页面重新登录。")
    detail = str(error.detail)
    if detail.isascii():
        # Words of the framework, or of Airflow's login.
        detail = "请检查网址。" if error.status_code in (404, 405) else "请求未被接受。"
    return _error(request, error.status_code, _HEADINGS.get(error.status_code, "出错了"), detail)


async def _wrong_form(request: Request, error: Exception) -> Response:
    return _error(request, 400, _HEADINGS[400], "表单不完整或过长。")


async def _store_error(request: Request, error: Exception) -> Response:
    log.error("%s: %s", request.url.path, error)
    return _error(request, 503, "暂时无法读取", "数据库暂不可用，请稍后再试；若持续如此，请告知系统管理员。")


async def _fault(request: Request, error: Exception) -> Response:
    # The server writes the error itself to its log.
    return _error(request, 500, "出错了", "页面没有做成，请将时间和网址告知系统管理员。")
