"""The services of a list that were rated after it was published."""

from fastapi import APIRouter, Request, Response

from zhengku.clearance.list_rows import ClearedService, cleared_services, count_rows
from zhengku.pages.choice import Chosen
from zhengku.pages.frame import Tab, store
from zhengku.pages.list_view import ListView
from zhengku.pages.paging import Paging

TAB = Tab("cleared", "已评销号", place=30)
router = APIRouter()


@router.get("/cleared")
def show_cleared(request: Request, choice: Chosen) -> Response:
    """Show the rated services of a list, a hundred at a time."""
    with store(request) as connection:
        view = ListView(request, connection, choice, TAB)
        found: list[ClearedService] = []
        listed = 0
        if view.published is not None:
            listed = count_rows(connection, view.published, districts=choice.districts)
            found = cleared_services(connection, view.published, choice.districts)
        paging = Paging(len(found), choice.page)
        return view.page("cleared.html.j2", paging=paging, rows=paging.shown(found), listed=listed)
