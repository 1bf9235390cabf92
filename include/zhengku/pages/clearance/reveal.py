"""One telephone number in full, after login and reason were recorded."""

import logging
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response, status
from fastapi.responses import JSONResponse

from zhengku.clearance import reveal
from zhengku.clearance.reveal import RevealRefused
from zhengku.pages.access import REVEAL
from zhengku.pages.choice import Chosen, read_choice
from zhengku.pages.clearance.list import TAB
from zhengku.pages.errors import wants_json
from zhengku.pages.forms import Token, check_form, form_token
from zhengku.pages.frame import catalog, store
from zhengku.pages.host import ClearanceVisitor, require
from zhengku.pages.list_view import ListView
from zhengku.pages.rendering import HEADERS

log = logging.getLogger(__name__)

router = APIRouter()

SHORTEST_REASON, LONGEST_REASON = 2, 200


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
            record_key=request.query_params.get("record_key", ""),
            token=form_token(request, choice.access),
        )


@router.post("/reveal")
def reveal_phone(
    request: Request,
    access: ClearanceVisitor,
    record_key: Annotated[str, Form(max_length=400)],
    reason: Annotated[str, Form(max_length=LONGEST_REASON)],
    token: Token,
    day: Annotated[str, Form(max_length=20)],
    kind: Annotated[str, Form(max_length=20)],
    version: Annotated[str, Form(max_length=20)],
) -> Response:
    """Show one telephone number, after login and reason were recorded."""
    require(access, REVEAL)
    check_form(request, access, token)
    if len(reason.strip()) < SHORTEST_REASON:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "请填写查看事由。")
    requested = {"day": day, "kind": kind, "version": version}
    choice = read_choice(requested, access, catalog(request).districts)
    with store(request) as connection:
        view = ListView(request, connection, choice, TAB)
        if view.published is None or "\0" in record_key + reason:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这张清单。")
        try:
            phone = reveal.reveal_phone(connection, view.published, record_key, access.districts, access.login, reason)
        except RevealRefused:
            log.warning("%s was refused a telephone number of the list %s", access.login, view.published.list_id)
            raise HTTPException(
                status.HTTP_404_NOT_FOUND if access.is_whole_city else status.HTTP_403_FORBIDDEN,
                "清单中没有这一办件，或不属于您的区划，或没有登记联系电话。",
            ) from None
        if wants_json(request):
            return JSONResponse({"phone": phone}, headers=HEADERS)
        return view.page("reveal.html.j2", phone=phone, record_key=record_key, token="")
