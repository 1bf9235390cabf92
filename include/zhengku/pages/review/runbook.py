"""The runbooks: what to do when something is red, late or wrong."""

from fastapi import APIRouter, HTTPException, Request, Response, status

from zhengku.pages.dag_pages import LONGEST_ID, runbook_of
from zhengku.pages.forms import redirect
from zhengku.pages.frame import Tab, View, settings
from zhengku.pages.host import ReviewVisitor
from zhengku.pages.query import read_text
from zhengku.pages.runbooks import read_runbook, runbook_names

TAB = Tab("runbook", "处理手册", place=130)
router = APIRouter()


@router.get("/runbook")
def list_runbooks(request: Request, access: ReviewVisitor) -> Response:
    """List the runbooks; with `dag`, lead to the one about a DAG, if there is one."""
    view = View(request, access, TAB)
    dag_id = read_text(request.query_params, "dag", LONGEST_ID)
    about = runbook_of(dag_id, view.catalog.departments) if dag_id else None
    if about:
        return redirect(request, f"runbook/{about}")
    folder = settings(request).runbook_folder
    found = [read_runbook(folder, name) for name in runbook_names(folder)]
    return view.page("runbooks.html.j2", runbooks=found)


@router.get("/runbook/{name}")
def show_runbook(request: Request, access: ReviewVisitor, name: str) -> Response:
    """Show a runbook; its headings have anchors."""
    runbook = read_runbook(settings(request).runbook_folder, name)
    if runbook is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "没有这份处理手册。")
    return View(request, access, TAB).page("runbook.html.j2", runbook=runbook)
