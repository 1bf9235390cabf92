"""One telephone number in full, after login and reason were recorded."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response, status
from fastapi.responses import JSONResponse

from zhengku.catalog.clearance_config import load_clearance
from zhengku.clearance import reveal
from zhengku.clearance.reveal import SHORTEST_REASON, RevealRefused
from zhengku.pages.access import REVEAL, ClearanceAccess
from zhengku.pages.choice import Chosen, read_choice
from zhengku.pages.clearance.list import TAB
from zhengku.pages.errors import wants_json
from zhengku.pages.forms import Token, check_form
from zhengku.pages.frame import catalog, settings, store
from zhengku.pages.host import ClearanceVisitor, require
from zhengku.pages.list_view import ListView
from zhengku.pages.query import read_text
from zhengku.pages.rendering import HEADERS

router = APIRouter()

LONGEST_REASON, LONGEST_KEY = 200, 400


@router.get("/reveal")
def ask_for_phone(request: Request, choice: Chosen) -> Response:
    """Ask for the reason to see a telephone number, for a browser without scripts."""
    require(choice.access, REVEAL)
    with store(request) as connection:
        view = ListView(request, connection, choice, TAB)
        if view.published is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这张清单。")
        return view.page(
            "reveal.html.j2",
            phone=None,
            record_key=read_text(request.query_params, "record_key", LONGEST_KEY) or "",
        )


@router.post("/reveal")
def reveal_phone(
    request: Request,
    access: ClearanceVisitor,
    record_key: Annotated[str, Form(max_length=LONGEST_KEY)],
    reason: Annotated[str, Form(max_length=LONGEST_REASON)],
    token: Token,
    day: Annotated[str, Form(max_length=20)],
    kind: Annotated[str, Form(max_length=20)],
    version: Annotated[str, Form(max_length=20)],
) -> Response:
    """Show one telephone number, after login and reason were recorded."""
    require(access, REVEAL)
    check_form(request, access, token)
    requested = {"day": day, "kind": kind, "version": version}
    choice = read_choice(requested, access, catalog(request).districts)
    with store(request) as connection:
        view = ListView(request, connection, choice, TAB)
        if view.published is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这张清单。")
        limit = load_clearance(settings(request).catalog_folder).reveals_per_hour
        try:
            phone = reveal.reveal_phone(
                connection, view.published, record_key, access.districts, access.login, reason, limit
            )
        except RevealRefused as error:
            raise _answer(error, access, limit) from None
        if wants_json(request):
            return JSONResponse({"phone": phone}, headers=HEADERS)
        return view.page("reveal.html.j2", phone=phone, record_key=record_key)


def _answer(error: RevealRefused, access: ClearanceAccess, limit: int) -> HTTPException:
    """Return what the visitor is told about a refused try."""
    if error.refusal == "over_limit":
        return HTTPException(
            status.HTTP_429_TOO_MANY_REQUESTS,
            f"您一小时内查看的号码已达上限（{limit} 个），本次未显示，已留痕并提示大数据科。请稍后再试。",
        )
    if error.refusal == "no_reason":
        return HTTPException(
            status.HTTP_400_BAD_REQUEST, f"请填写查看事由（至少 {SHORTEST_REASON} 个可见字符）；本次未显示，已留痕。"
        )
    return HTTPException(
        status.HTTP_404_NOT_FOUND if access.is_whole_city else status.HTTP_403_FORBIDDEN,
        "清单中没有这一办件，或不属于您的区划，或没有登记联系电话。",
    )
