"""The collection rate: the share of due certificates that are in the store, as counted last."""

from fastapi import APIRouter, Request, Response

from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.forms import Token, check_form
from zhengku.pages.frame import Tab, View, store
from zhengku.pages.host import Reviewer
from zhengku.pages.query import read_text
from zhengku.pages.stock_lists import hand_over_list, stock_lists
from zhengku.stock.collection_rate import lacking_file, newest_collection, rate, sum_of, summed

TAB = Tab("collection", "归集率", place=100, right=SEE_PROBLEMS)
router = APIRouter()


@router.get("/collection")
def show_collection(request: Request, access: Reviewer) -> Response:
    """Show the collection rate by department, type and year, of all departments or a chosen one."""
    with store(request) as connection:
        counted = newest_collection(connection)
    view = View(request, access, TAB)
    department = read_text(request.query_params, "department")
    chosen = [each for each in counted if department in (None, each.department)]
    return view.page(
        "collection.html.j2",
        counted=counted,
        chosen_department=department,
        by_year=summed(chosen, "year"),
        total=sum_of(chosen),
        by_department=summed(counted, "department"),
        by_type=summed(chosen, "license_type"),
        rate=rate,
        listed=stock_lists(request, counted, lacking_file),
    )


@router.post("/collection/file")
def download_lacking(request: Request, access: Reviewer, token: Token) -> Response:
    """Hand over the newest list of a department's missing certificates."""
    check_form(request, access, token)
    with store(request) as connection:
        counted = newest_collection(connection)
        found = stock_lists(request, counted, lacking_file)
        return hand_over_list(request, connection, found, "没有这个部门的待归集清单。")
