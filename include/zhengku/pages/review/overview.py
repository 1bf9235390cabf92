"""The license types: whether each is collected, how fresh and how good its data is."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from zhengku import clock
from zhengku.clearance.reveal import over_limit_since
from zhengku.pages.frame import Tab, View, store
from zhengku.pages.host import ReviewVisitor
from zhengku.pages.query import read_one_of
from zhengku.review import night as nights
from zhengku.review.night_figures import FEED_STATE_NAMES
from zhengku.review.overview import TYPE_STATE_NAMES, overview

TAB = Tab("", "归集总览", place=10)
router = APIRouter()

_LOOK_BACK = timedelta(days=7)
"""How long refused tries to see telephone numbers are shown."""


@router.get("/")
def show_overview(request: Request, access: ReviewVisitor) -> Response:
    """Show the license types, all or those of one state."""
    with store(request) as connection:
        view = View(request, access, TAB)
        report = nights.report_of(connection)
        found = overview(connection, view.catalog, report)
        chosen = read_one_of(request.query_params, "state", TYPE_STATE_NAMES)
        types = [one for one in found.types if chosen in (None, one.state)]
        return view.page(
            "overview.html.j2",
            overview=found,
            types=types,
            report=report,
            chosen_state=chosen,
            over_limit=over_limit_since(connection, clock.now() - _LOOK_BACK) if access.may_see_problems else [],
            type_states=TYPE_STATE_NAMES,
            feed_states=FEED_STATE_NAMES,
        )
