"""Batches that are held or were rejected, and files that match no feed."""

from fastapi import APIRouter, HTTPException, Request, Response, status

from zhengku import ledger
from zhengku.errors import RecordNotFound
from zhengku.ledger import Batch, Connection
from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.frame import Tab, View, store
from zhengku.pages.host import Reviewer
from zhengku.pages.query import read_id
from zhengku.report.run_report import STATUS_NAMES
from zhengku.review import decisions
from zhengku.review import requests as review_requests

TAB = Tab("batches", "待审批次", place=40, right=SEE_PROBLEMS)
router = APIRouter()

_BATCHES_SHOWN = 100


@router.get("/batches")
def show_batches(request: Request, access: Reviewer) -> Response:
    """Show the held batches, the last rejected ones, and the files that match no feed; with `batch`, one batch."""
    batch_id = read_id(request.query_params, "batch")
    with store(request) as connection:
        view = View(request, access, TAB)
        one = None if batch_id is None else _batch(connection, batch_id)
        held = _of_status(connection, one, "held")
        rejected = _of_status(connection, one, "rejected")
        waiting = {
            asked.batch_id: asked
            for asked in review_requests.list_requests(connection, waiting=True)
            if asked.kind in review_requests.DECISIONS
        }
        return view.page(
            "batches.html.j2",
            one=one,
            status_names=STATUS_NAMES,
            held=held,
            rejected=rejected,
            untaken=[] if one else ledger.untaken(connection),
            waiting=waiting,
            request_names=review_requests.REQUEST_NAMES,
            decided={batch.batch_id: ledger.decisions(connection, batch.batch_id) for batch in (*held, *rejected)},
            decision_names=decisions.DECISION_NAMES,
        )


def _batch(connection: Connection, batch_id: int) -> Batch:
    try:
        return ledger.batch_by_id(connection, batch_id)
    except RecordNotFound:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "没有这个批次。") from None


def _of_status(connection: Connection, one: Batch | None, wanted: str) -> list[Batch]:
    """Return the newest batches of a status; where one batch is asked for, that one if it has the status."""
    if one is None:
        return ledger.batches(connection, status=wanted, limit=_BATCHES_SHOWN)
    return [one] if one.status == wanted else []
