"""Handing over files: stored ones, and ones that are written for the request."""

from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from fastapi import Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from zhengku.clearance.delivery import remove_folder
from zhengku.pages.rendering import HEADERS


def hand_over(path: Path, name: str) -> Response:
    """Hand over a stored file under a name."""
    return FileResponse(path, filename=name, headers=HEADERS)


def hand_over_written(name: str, write: Callable[[Path], object]) -> Response:
    """Hand over a file that `write` writes to the path given; it is removed after it was sent."""
    folder = Path(mkdtemp(prefix="zhengku-"))
    path = folder / f"file{Path(name).suffix}"
    try:
        write(path)
    except BaseException:
        remove_folder(folder)
        raise
    return FileResponse(path, filename=name, headers=HEADERS, background=BackgroundTask(remove_folder, folder))
