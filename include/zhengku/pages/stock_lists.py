"""The lists that the weekly counts of the stock wrote for departments, for the pages that link to them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from fastapi import HTTPException, Request, Response, status

from zhengku.catalog import Catalog
from zhengku.ledger import Connection
from zhengku.pages.files import hand_over, open_published
from zhengku.pages.frame import catalog, settings
from zhengku.pages.query import read_text
from zhengku.settings import Settings
from zhengku.stock.collection_rate import CollectionRateRecord
from zhengku.stock.expiry import ExpiryRecord


def stock_lists(
    request: Request,
    counted: Sequence[CollectionRateRecord] | Sequence[ExpiryRecord],
    place: Callable[[Settings, Catalog, str, date], Path],
) -> dict[str, Path]:
    """Return department → list of the day it was counted on, where the file exists; `place` returns the path."""
    days = {each.department: each.day for each in counted}
    places = {
        department: place(settings(request), catalog(request), department, day) for department, day in days.items()
    }
    return {department: path for department, path in places.items() if path.is_file()}


def hand_over_list(request: Request, connection: Connection, lists: Mapping[str, Path], missing: str) -> Response:
    """Hand over the list of the requested department.

    Raises `HTTPException` 404 with `missing` without one, 409 where it is not what was written.
    """
    # The path is looked up and never built from the request: it is a path of the file system.
    path = lists.get(read_text(request.query_params, "department") or "")
    if path is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, missing)
    return hand_over(open_published(request, connection, path), path.name)
