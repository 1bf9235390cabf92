"""What is out of order now, and the messages that people got of it."""

from fastapi import APIRouter, Request, Response

from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.frame import Tab, View, store
from zhengku.pages.host import Reviewer
from zhengku.watch.finding import KINDS, URGENCIES
from zhengku.watch.paths import runbook_path
from zhengku.watch.state import looked_at, messages, standing
from zhengku.watch.telling import URGENCY_NAMES

TAB = Tab("notices", "当前异常", place=15, right=SEE_PROBLEMS)
MESSAGES_SHOWN = 50
router = APIRouter()


@router.get("/notices")
def show_notices(request: Request, access: Reviewer) -> Response:
    """Show what is out of order, the most urgent first, when it was looked at, and the newest messages."""
    with store(request) as connection:
        found = standing(connection)
        looked = looked_at(connection, "airflow")
        sent = messages(connection, MESSAGES_SHOWN)
    return View(request, access, TAB).page(
        "notices.html.j2",
        found=[(urgency, [one for one in found if one.urgency == urgency]) for urgency in URGENCIES],
        looked=looked,
        sent=sent,
        kinds=KINDS,
        runbook=runbook_path,
        urgency_names=URGENCY_NAMES,
    )
