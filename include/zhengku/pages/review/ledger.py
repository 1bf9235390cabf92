"""The problem ledger, also as the table of the plan's annex, and the record that a department was notified."""

import logging
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from zhengku import clock
from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.files import hand_over_written
from zhengku.pages.forms import Token, attempt, check_form, redirect
from zhengku.pages.frame import Tab, View, catalog, store
from zhengku.pages.host import Decider, Reviewer
from zhengku.review import problem_ledger

log = logging.getLogger(__name__)

TAB = Tab("ledger", "问题台账", place=70, right=SEE_PROBLEMS)
router = APIRouter()


@router.get("/ledger")
def show_ledger(request: Request, access: Reviewer) -> Response:
    """Show the problem ledger."""
    with store(request) as connection:
        view = View(request, access, TAB)
        return view.page(
            "ledger.html.j2",
            entries=problem_ledger.entries(connection),
            entry_names=problem_ledger.ENTRY_NAMES,
            responsible=lambda entry: problem_ledger.responsible_department(view.catalog, entry),
        )


@router.post("/ledger/file")
def download_ledger(request: Request, access: Reviewer, token: Token) -> Response:
    """Hand over the problem ledger as the table of the plan's annex."""
    check_form(request, access, token)
    with store(request) as connection:
        listed = problem_ledger.entries(connection)
    now = clock.now()
    return hand_over_written(
        f"问题台账_{now:%Y-%m-%d}.xlsx",
        lambda path: problem_ledger.write_ledger(path, catalog(request), listed, now),
    )


@router.post("/notify")
def notify(request: Request, access: Decider, entry: Annotated[str, Form(max_length=40)], token: Token) -> Response:
    """Record that a department was notified of an entry of the problem ledger."""
    check_form(request, access, token)
    with store(request) as connection:
        attempt(lambda: problem_ledger.record_notification(connection, entry, access.login, clock.today()))
    return redirect(request, "ledger")
