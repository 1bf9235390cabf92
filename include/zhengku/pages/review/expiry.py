"""The certificates that are about to expire or expired, as counted last."""

from fastapi import APIRouter, Request, Response

from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.forms import Token, check_form
from zhengku.pages.frame import Tab, View, store
from zhengku.pages.host import Reviewer
from zhengku.pages.stock_lists import hand_over_list, stock_lists
from zhengku.stock.expiry import expiry_file, newest_expiry

TAB = Tab("expiry", "临期与过期", place=110, right=SEE_PROBLEMS)
router = APIRouter()


@router.get("/expiry")
def show_expiry(request: Request, access: Reviewer) -> Response:
    """Show the numbers of certificates about to expire and expired, by department and type."""
    with store(request) as connection:
        counted = newest_expiry(connection)
    return View(request, access, TAB).page(
        "expiry.html.j2", counted=counted, listed=stock_lists(request, counted, expiry_file)
    )


@router.post("/expiry/file")
def download_expiry(request: Request, access: Reviewer, token: Token) -> Response:
    """Hand over the newest list of a department's certificates about to expire and expired."""
    check_form(request, access, token)
    with store(request) as connection:
        counted = newest_expiry(connection)
        found = stock_lists(request, counted, expiry_file)
        return hand_over_list(request, connection, found, "没有这个部门的临期与过期证照清单。")
