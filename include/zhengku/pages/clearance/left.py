"""The services that were on yesterday's list and are not on this one, with the reason."""

from collections import Counter

from fastapi import APIRouter, Request, Response

from zhengku.clearance.list_rows import left_services
from zhengku.clearance.workbook import LEFT_NAMES
from zhengku.pages.choice import Chosen
from zhengku.pages.frame import Tab, store
from zhengku.pages.list_view import ListView
from zhengku.pages.paging import Paging

TAB = Tab("left", "销号与移出", place=40)
router = APIRouter()


@router.get("/left")
def show_left(request: Request, choice: Chosen) -> Response:
    """Show the services that left the list, a hundred at a time."""
    with store(request) as connection:
        view = ListView(request, connection, choice, TAB)
        found = left_services(connection, view.published, choice.districts) if view.published else []
        paging = Paging(len(found), choice.page)
        tally = Counter(row.reason for row in found)
        return view.page("left.html.j2", paging=paging, rows=paging.shown(found), tally=tally, reasons=LEFT_NAMES)
