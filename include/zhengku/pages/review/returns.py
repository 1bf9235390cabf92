"""The returns to departments: their table, one return with its files, and one file."""

from fastapi import APIRouter, HTTPException, Request, Response, status

from zhengku import clock
from zhengku.errors import RecordNotFound
from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.files import hand_over, opened
from zhengku.pages.forms import Token, check_form
from zhengku.pages.frame import Tab, View, catalog, settings, store
from zhengku.pages.host import Decider, Reviewer
from zhengku.pages.query import read_id, read_text
from zhengku.review.return_records import CHANNEL_NAMES, hand_overs, list_returns, return_by_id
from zhengku.review.returns import Returns

TAB = Tab("returns", "退回", place=50, right=SEE_PROBLEMS)
router = APIRouter()

_RETURNS_SHOWN = 100


@router.get("/returns")
def show_returns(request: Request, access: Reviewer) -> Response:
    """Show the returns, the newest first."""
    with store(request) as connection:
        view = View(request, access, TAB)
        department = read_text(request.query_params, "department")
        found = list_returns(connection, department=department, limit=_RETURNS_SHOWN)
        return view.page("returns.html.j2", returns=found, department=department, today=clock.today())


@router.get("/return")
def show_return(request: Request, access: Reviewer) -> Response:
    """Show one return: its files, and each hand-over of them."""
    return_id = read_id(request.query_params, "return")
    with store(request) as connection:
        view = View(request, access, TAB)
        try:
            made = return_by_id(connection, return_id or 0)
        except RecordNotFound:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "没有这份退回单。") from None
        return view.page(
            "return.html.j2",
            made=made,
            hand_overs=hand_overs(connection, made.return_id),
            channels=CHANNEL_NAMES,
            today=clock.today(),
        )


@router.post("/return/file")
def download_return(request: Request, access: Decider, token: Token) -> Response:
    """Hand over a file of a return, unmasked, for its department; the hand-over is recorded."""
    check_form(request, access, token)
    return_id = read_id(request.query_params, "return")
    name = read_text(request.query_params, "file") or ""
    returns = Returns(settings(request), catalog(request))
    try:
        file = opened(request, lambda: returns.hand_over(return_id or 0, name, access.login))
    except RecordNotFound:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "没有这个文件。") from None
    return hand_over(file, name)
