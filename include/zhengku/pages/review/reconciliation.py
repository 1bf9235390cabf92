"""The result of the newest reconciliation of each feed."""

from fastapi import APIRouter, Request, Response

from zhengku.operations.reconcile.results import EXPLANATION_NAMES, METHOD_NAMES, newest_runs
from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.frame import Tab, View, store
from zhengku.pages.host import Reviewer

TAB = Tab("reconciliation", "比对", place=80, right=SEE_PROBLEMS)
router = APIRouter()


@router.get("/reconciliation")
def show_reconciliation(request: Request, access: Reviewer) -> Response:
    """Show the newest reconciliations, a line for each feed."""
    with store(request) as connection:
        view = View(request, access, TAB)
        return view.page(
            "reconciliation.html.j2",
            runs=newest_runs(connection),
            method_names=METHOD_NAMES,
            explanation_names=EXPLANATION_NAMES,
        )
