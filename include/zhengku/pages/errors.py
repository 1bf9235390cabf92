"""The answers to errors: a page for a person, JSON for a script, without details of the error."""

import logging

from fastapi import FastAPI, Request, Response, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from zhengku.errors import FileNotWritten, ZhengkuError
from zhengku.masking import mask_text
from zhengku.pages.host import Host
from zhengku.pages.rendering import HEADERS, page

log = logging.getLogger(__name__)

_HEADINGS = {
    400: "网址或表单有误",
    401: "尚未登录或登录已失效",
    403: "没有权限",
    404: "没有找到",
    405: "没有找到",
    409: "未能办理",
    429: "次数已达上限",
}


def add_error_answers(app: FastAPI) -> None:
    """Let an application answer errors with its own pages; a visitor who is not logged in is sent to the login."""
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_form)
    app.add_exception_handler(ZhengkuError, _store_error)
    app.add_exception_handler(FileNotWritten, _file_error)
    app.add_exception_handler(OSError, _file_error)
    app.add_exception_handler(Exception, _fault)


def wants_json(request: Request) -> bool:
    """Return whether a script makes the request, and not a person."""
    return "application/json" in request.headers.get("accept", "") and "text/html" not in request.headers["accept"]


def _error(request: Request, status_code: int, heading: str, detail: str) -> Response:
    if wants_json(request):
        return JSONResponse({"detail": mask_text(detail)}, status_code, HEADERS)
    # Without access there is no page to go back to.
    home = f"{request.scope.get('root_path', '')}/" if hasattr(request.state, "access") else None
    return page(request, "message.html.j2", status_code, heading=heading, detail=detail, home=home)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if error.status_code == status.HTTP_401_UNAUTHORIZED:
        is_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        # Inside Airflow's page the frame is not redirected: Airflow itself sends the visitor to the login.
        if is_page and request.headers.get("sec-fetch-dest", "document") == "document":
            host: Host = request.app.state.host
            # Not from `request.url`, which a wrong Host makes unreadable.
            query = request.scope["query_string"].decode("latin-1")
            back = f"{request.scope['path']}?{query}" if query else request.scope["path"]
            return RedirectResponse(host.login_address(back), status.HTTP_303_SEE_OTHER, HEADERS)
        return _error(request, 401, _HEADINGS[401], "请刷新整个页面重新登录。")
    detail = str(error.detail)
    if detail.isascii():
        # A message of the framework, or of Airflow's login.
        detail = "请检查网址。" if error.status_code in (404, 405) else "请求未被接受。"
    return _error(request, error.status_code, _HEADINGS.get(error.status_code, "出错了"), detail)


async def _wrong_form(request: Request, error: Exception) -> Response:
    return _error(request, 400, _HEADINGS[400], "表单不完整或过长。")


async def _store_error(request: Request, error: Exception) -> Response:
    log.error("%s: %s", request.scope["path"], error)
    return _error(request, 503, "暂时无法读取", "数据库暂不可用，请稍后再试；若持续如此，请告知系统管理员。")


async def _file_error(request: Request, error: Exception) -> Response:
    log.error("%s: %s", request.scope["path"], error)
    return _error(
        request, 503, "暂时无法读写文件", "服务器上的文件暂不能读写（磁盘已满或没有权限），请告知系统管理员。"
    )


async def _fault(request: Request, error: Exception) -> Response:
    # The server writes the error itself to its log.
    return _error(request, 500, "出错了", "页面没有做成，请将时间和网址告知系统管理员。")
