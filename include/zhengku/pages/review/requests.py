"""Requests to a worker: their table, and entering one."""

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, Response, status

from zhengku import ledger
from zhengku.catalog import Catalog
from zhengku.ledger import Connection
from zhengku.pages.access import SEE_PROBLEMS, ReviewAccess
from zhengku.pages.forms import Reason, RecordId, Token, attempt, check_done, check_form, redirect
from zhengku.pages.frame import Tab, View, catalog, store
from zhengku.pages.host import Decider, Reviewer
from zhengku.pages.paging import PAGE_ROWS
from zhengku.review import problems
from zhengku.review import requests as review_requests
from zhengku.review.problems import ProblemFilter
from zhengku.review.requests import DECISIONS, REQUEST_NAMES, RequestKind

log = logging.getLogger(__name__)

TAB = Tab("requests", "处理请求", place=60, right=SEE_PROBLEMS)
router = APIRouter()

_REQUESTS_SHOWN = 50

_Name = Annotated[str, Form(max_length=100)]


@router.get("/requests")
def show_requests(request: Request, access: Reviewer) -> Response:
    """Show the requests and their outcomes."""
    with store(request) as connection:
        view = View(request, access, TAB)
        found = review_requests.list_requests(connection, limit=_REQUESTS_SHOWN)
        return view.page("requests.html.j2", requests=found, request_names=REQUEST_NAMES)


@router.post("/ask")
def ask(
    request: Request,
    access: Decider,
    kind: Annotated[RequestKind, Form()],
    reason: Reason,
    token: Token,
    department: _Name = "",
    feed: _Name = "",
    batch: Annotated[RecordId | None, Form()] = None,
    problem: Annotated[list[RecordId] | None, Form(max_length=PAGE_ROWS)] = None,
) -> Response:
    """Enter a request: return records, redrive them, fix differences of a reconciliation, release or reject a batch."""
    check_form(request, access, token)
    known = catalog(request)
    with store(request) as connection:
        if problem and not department and kind not in DECISIONS:
            _ask_for_each(connection, known, kind, access, reason, problem)
            return redirect(request, "requests")
        if problem:
            attempt(lambda: problems.check_known(connection, problem))
        # Only a decision is about a batch.
        decided: int | None = None
        if kind in DECISIONS:
            held = attempt(lambda: ledger.batch_by_id(connection, batch or 0))
            check_done(held.status == "held")
            department, feed, decided = held.department, held.feed, held.batch_id
        elif kind in ("redrive", "mend"):
            attempt(lambda: known.feed(department, feed))
        else:
            attempt(lambda: known.department(department))
        _ask(connection, kind, department, access, reason, feed=feed or None, batch_id=decided, problem_ids=problem)
    return redirect(request, "requests")


def _ask_for_each(
    connection: Connection,
    catalog: Catalog,
    kind: RequestKind,
    access: ReviewAccess,
    reason: str,
    problem_ids: list[int],
) -> None:
    """Enter a request for each department of the chosen records, for each feed where a request is for one feed."""
    chosen = [_record(connection, catalog, one) for one in problem_ids]
    by_feed = kind in ("redrive", "mend")
    for department, feed in dict.fromkeys((one.department, one.feed if by_feed else None) for one in chosen):
        mine = [one.problem_id for one in chosen if one.department == department and feed in (None, one.feed)]
        _ask(connection, kind, department, access, reason, feed=feed, problem_ids=mine)


def _ask(
    connection: Connection, kind: RequestKind, department: str, access: ReviewAccess, reason: str, **values: Any
) -> None:
    number = attempt(
        lambda: review_requests.enter_request(connection, kind, department, access.login, reason, **values)
    )
    log.info("%s requested a %s of %s: request %d", access.login, kind, department, number)


def _record(connection: Connection, catalog: Catalog, problem_id: int) -> problems.ProblemRecord:
    found = list(problems.problem_records(connection, catalog, ProblemFilter(problem_id=problem_id)))
    if not found:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "没有这条问题数据。")
    return found[0]
