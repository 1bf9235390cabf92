"""Batches that are held or were rejected, and files that match no feed."""

from fastapi import APIRouter, Request, Response

from zhengku import ledger
from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.frame import Tab, View, store
from zhengku.pages.host import Reviewer
from zhengku.review import decisions
from zhengku.review import requests as review_requests

TAB = Tab("batches", "待审批次", place=40, right=SEE_PROBLEMS)
router = APIRouter()

_BATCHES_SHOWN = 100


@router.get("/batches")
def show_batches(request: Request, access: Reviewer) -> Response:
    """Show the held batches, the last rejected ones, and the files that match no feed."""
    with store(request) as connection:
        view = View(request, access, TAB)
        held = ledger.batches(connection, status="held", limit=_BATCHES_SHOWN)
        rejected = ledger.batches(connection, status="rejected", limit=_BATCHES_SHOWN)
        waiting = {
            one.batch_id: one
            for one in review_requests.list_requests(connection, waiting=True)
            if one.kind in review_requests.DECISIONS
        }
        return view.page(
            "batches.html.j2",
            held=held,
            rejected=rejected,
            untaken=ledger.untaken(connection),
            waiting=waiting,
            request_names=review_requests.REQUEST_NAMES,
            decided={batch.batch_id: ledger.decisions(connection, batch.batch_id) for batch in (*held, *rejected)},
            decision_names=decisions.DECISION_NAMES,
        )
