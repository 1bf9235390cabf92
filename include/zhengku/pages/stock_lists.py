"""The lists of a department that the stock's counting wrote, for the pages that lead to them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from fastapi import HTTPException, Request, Response, status

from zhengku.catalog import Catalog
from zhengku.pages.files import hand_over
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
    """Return the lists that exist of the departments that were counted, each of its day; `place` tells where."""
    days = {each.department: each.day for each in counted}
    places = {
        department: place(settings(request), catalog(request), department, day) for department, day in days.items()
    }
    return {department: path for department, path in places.items() if path.is_file()}


def hand_over_list(request: Request, lists: Mapping[str, Path], missing: str) -> Response:
    """Hand over the list of the department that is asked for; raises `HTTPException` 404 with `missing` without one."""
    # The name is looked up and never made of what was asked: it leads to a place in the file system.
    path = lists.get(read_text(request.query_params, "department") or "")
    if path is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, missing)
    return hand_over(path, path.name)
