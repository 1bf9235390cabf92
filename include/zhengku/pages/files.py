"""Handing over files: published ones whose digest was compared, and ones that are written for the request.

Every file is handed over by POST, with the token of a form: following a link, or a browser that loads it ahead, hands
over and records nothing.
"""

import logging
import mimetypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO
from urllib.parse import quote

from fastapi import HTTPException, Request, Response, status
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask

from zhengku.clearance.delivery import remove_folder
from zhengku.errors import FileChanged, FileNotWritten
from zhengku.ledger import Connection
from zhengku.pages.frame import settings
from zhengku.pages.rendering import HEADERS
from zhengku.report.published_files import open_unchanged, published_digest

log = logging.getLogger(__name__)

_BLOCK = 256 * 1024


def opened(request: Request, open_file: Callable[[], BinaryIO]) -> BinaryIO:
    """Open a file for a visitor; raises `HTTPException` 409 where it is not what was written."""
    try:
        return open_file()
    except FileChanged as error:
        log.error("%s was refused a file: %s", request.state.access.login, error)  # noqa: TRY400 (its text is all)
        raise HTTPException(
            status.HTTP_409_CONFLICT,
            "文件与写成时登记的摘要不一致，或没有登记摘要，已停止提供，本次未记为交付。请告知系统管理员核查并重新生成。",
        ) from None


def open_published(request: Request, connection: Connection, path: Path) -> BinaryIO:
    """Open a file below the folder of reports; raises `HTTPException` 409 where it is not what was written."""
    digest = published_digest(connection, settings(request).report_folder, path)
    return opened(request, lambda: open_unchanged(path, digest))


def hand_over(file: BinaryIO, name: str) -> Response:
    """Hand over an open file under a name."""

    def blocks() -> Iterator[bytes]:
        with file:
            while block := file.read(_BLOCK):
                yield block

    return StreamingResponse(
        blocks(),
        media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
        headers={
            **HEADERS,
            "Content-Length": str(os.fstat(file.fileno()).st_size),
            "Content-Disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}",
        },
    )


def hand_over_written(name: str, write: Callable[[Path], object]) -> Response:
    """Hand over a file that `write` writes to the path given; it is removed after it was sent.

    Raises `FileNotWritten`.
    """
    try:
        folder = Path(mkdtemp(prefix="zhengku-"))
    except OSError as error:
        raise FileNotWritten.at(Path(name), error) from error
    path = folder / f"file{Path(name).suffix}"
    try:
        write(path)
    except BaseException:
        remove_folder(folder)
        raise
    return FileResponse(path, filename=name, headers=HEADERS, background=BackgroundTask(remove_folder, folder))
