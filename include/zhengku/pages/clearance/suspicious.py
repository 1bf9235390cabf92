"""The ratings that look made up, for the section only."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from zhengku import clock
from zhengku.catalog.clearance_config import load_clearance
from zhengku.clearance.evaluations import suspicious_ratings
from zhengku.pages.access import SEE_SUSPICIOUS
from zhengku.pages.choice import Chosen
from zhengku.pages.frame import Tab, settings, store
from zhengku.pages.host import require
from zhengku.pages.list_view import SPANS, ListView, chosen_span
from zhengku.pages.paging import Paging

TAB = Tab("suspicious", "可疑评价", place=80, right=SEE_SUSPICIOUS)
router = APIRouter()

_SUSPICION_NAMES = {
    "seconds_after_finishing": "办结后数秒内评价",
    "device_burst": "同一设备集中评价",
    "window_burst": "同一窗口集中评价",
}


@router.get("/suspicious")
def show_suspicious(request: Request, choice: Chosen) -> Response:
    """Show the suspicious ratings of some days, a hundred at a time."""
    require(choice.access, SEE_SUSPICIOUS)
    with store(request) as connection:
        view = ListView(request, connection, choice, TAB)
        last_day, days = choice.day or clock.today(), chosen_span(request)
        found = suspicious_ratings(connection, last_day - timedelta(days=days - 1), last_day)
        paging = Paging(len(found), choice.page)
        return view.page(
            "suspicious.html.j2",
            paging=paging,
            rows=paging.shown(found),
            last_day=last_day,
            days=days,
            spans=SPANS,
            numbers=load_clearance(settings(request).catalog_folder),
            suspicion_names=_SUSPICION_NAMES,
        )
