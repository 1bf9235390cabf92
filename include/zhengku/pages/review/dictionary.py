"""The data dictionary: every data set with its fields, tables, rules and sources."""

from fastapi import APIRouter, Request, Response

from zhengku import clock
from zhengku.pages.files import hand_over_written
from zhengku.pages.forms import Token, check_form
from zhengku.pages.frame import Tab, View, settings, store
from zhengku.pages.host import ReviewVisitor
from zhengku.review.dictionary import dictionary, write_dictionary

TAB = Tab("dictionary", "数据字典", place=120)
router = APIRouter()


@router.get("/dictionary")
def show_dictionary(request: Request, access: ReviewVisitor) -> Response:
    """Show the dictionary; it has no row of any table."""
    view = View(request, access, TAB)
    with store(request) as connection:
        found = dictionary(connection, view.catalog, settings(request).suite_folder)
    return view.page("dictionary.html.j2", found=found)


@router.post("/dictionary/file")
def download_dictionary(request: Request, access: ReviewVisitor, token: Token) -> Response:
    """Hand over the dictionary as a workbook."""
    check_form(request, access, token)
    view = View(request, access, TAB)
    with store(request) as connection:
        found = dictionary(connection, view.catalog, settings(request).suite_folder)
    return hand_over_written(f"数据字典 {clock.today()}.xlsx", lambda path: write_dictionary(path, found))
