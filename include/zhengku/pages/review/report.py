"""The report of a night: its page, its files, and the rows that were loaded with a warning."""

from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response, status

from zhengku.ledger import WARNED_ROWS, Connection
from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.files import hand_over, open_published
from zhengku.pages.forms import Token, check_form
from zhengku.pages.frame import Tab, View, settings, store
from zhengku.pages.host import Reviewer, ReviewVisitor, require
from zhengku.pages.query import read_day, read_number, read_one_of, read_text
from zhengku.review import night as nights
from zhengku.review.night import NightReport
from zhengku.review.night_files import WORDS, file_name, report_folder

TAB = Tab("report", "验证报告", place=20)
router = APIRouter()

_NIGHTS_SHOWN = 60
_WARNED_SHOWN = 1_000


@router.get("/report")
def show_report(request: Request, access: ReviewVisitor) -> Response:
    """Show the report of a night."""
    with store(request) as connection:
        view = View(request, access, TAB)
        report = _chosen_report(request, connection)
        known = nights.nights(connection, _NIGHTS_SHOWN)

        def link(path: str = "problems", **chosen: Any) -> str | None:
            if not access.may_see_problems or report is None:
                return None
            return view.address(path, **{"night": report.night, **chosen})

        newest = dict(known).get(report.night) if report else None
        return view.page("report.html.j2", report=report, nights=known, newest_version=newest, words=WORDS, link=link)


@router.get("/warned")
def show_warned(request: Request, access: Reviewer) -> Response:
    """Show rows of a night that were loaded with a warning: the first of each batch and rule, keys masked."""
    query = request.query_params
    with store(request) as connection:
        view = View(request, access, TAB)
        report = _chosen_report(request, connection)
        if report is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这一夜的报告。")
        rows = nights.warned_rows(
            connection,
            view.catalog,
            report.night,
            department=read_text(query, "department"),
            feed=read_text(query, "feed"),
            rule_id=read_text(query, "rule"),
            limit=_WARNED_SHOWN,
        )
        reasons = {rule.rule_id: rule.reason for rule in report.figures.rules}
        return view.page("warned.html.j2", report=report, rows=rows, reasons=reasons, most=WARNED_ROWS)


@router.post("/report/file")
def download_report(request: Request, access: ReviewVisitor, token: Token) -> Response:
    """Hand over the report of a night as a file: `form` is html or xlsx; both show problem records, masked."""
    form = read_one_of(request.query_params, "form", ("html", "xlsx")) or "html"
    require(access, SEE_PROBLEMS)
    check_form(request, access, token)
    with store(request) as connection:
        report = _chosen_report(request, connection)
        if report is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这一夜的报告。")
        name = file_name(report.night, report.version, form)
        path = report_folder(settings(request), report) / name
        if not path.is_file():
            raise HTTPException(
                status.HTTP_404_NOT_FOUND, "这份报告的文件不在了，可用 zhengku report publish 重新生成。"
            )
        return hand_over(open_published(request, connection, path), name)


def _chosen_report(request: Request, connection: Connection) -> NightReport | None:
    query = request.query_params
    night, version = read_day(query, "night"), read_number(query, "version")
    if night is None:
        # A version belongs to a night.
        version = None
    return nights.report_of(connection, night, version)
