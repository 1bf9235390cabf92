"""The progress of the backfill: a line for each department, a column for each month."""

from fastapi import APIRouter, Request, Response

from zhengku import clock
from zhengku.operations.backfill import (
    FIRST_MONTH,
    STATE_NAMES,
    STATE_SIGNS,
    months_between,
    progress,
    table_of_progress,
)
from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.frame import Tab, View, store
from zhengku.pages.host import Reviewer

TAB = Tab("backfill", "回溯进度", place=90, right=SEE_PROBLEMS)
router = APIRouter()


@router.get("/backfill")
def show_backfill(request: Request, access: Reviewer) -> Response:
    """Show the state of each month, and the months that failed or are held."""
    with store(request) as connection:
        known = progress(connection)
    months = months_between(FIRST_MONTH, clock.today().replace(day=1))
    view = View(request, access, TAB)
    return view.page(
        "backfill.html.j2",
        lines=table_of_progress(view.catalog, known, months),
        years=sorted({month.year for month in months}),
        state_names=STATE_NAMES,
        signs=STATE_SIGNS,
        wrong=[each for each in known if each.state in ("failed", "held")],
    )
