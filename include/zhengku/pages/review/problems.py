"""Problem records: their table, and waiving and closing chosen ones."""

import logging
from collections.abc import Mapping
from typing import Annotated, get_args

from fastapi import APIRouter, Form, Request, Response

from zhengku import clock
from zhengku.catalog.review_config import load_review
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.pages.access import SEE_PROBLEMS
from zhengku.pages.forms import ProblemIds, Reason, Token, attempt, check_done, check_form, redirect
from zhengku.pages.frame import Tab, View, settings, store
from zhengku.pages.host import Decider, Reviewer
from zhengku.pages.paging import PAGE_ROWS, Paging
from zhengku.pages.query import read_day, read_id, read_number, read_one_of, read_text
from zhengku.review import night as nights
from zhengku.review import problems
from zhengku.review.night import NightReport
from zhengku.review.problems import SOLUTION_NAMES, STATUS_NAMES, ProblemFilter, ProblemRecord, Status

log = logging.getLogger(__name__)

TAB = Tab("problems", "问题数据", place=30, right=SEE_PROBLEMS)
router = APIRouter()

STATUSES = get_args(Status)


@router.get("/problems")
def show_problems(request: Request, access: Reviewer) -> Response:
    """Show problem records, a hundred at a time, masked."""
    with store(request) as connection:
        view = View(request, access, TAB)
        query = request.query_params
        chosen, is_unsolved = _chosen_problems(query)
        folder = settings(request).catalog_folder
        calendar = WorkingCalendar.load(folder, clock.today())
        counted = problems.tally(connection, clock.today(), load_review(folder), calendar)
        total = problems.count_problems(connection, chosen)
        paging = Paging(total, read_number(query, "page") or 1)
        rows = list(problems.problem_records(connection, view.catalog, chosen, offset=paging.offset, limit=PAGE_ROWS))
        mine = [one for one in counted if chosen.department in (None, one.department)]
        return view.page(
            "problems.html.j2",
            chosen=chosen,
            is_unsolved=is_unsolved,
            rows=rows,
            paging=paging,
            counts={name: sum(one.number for one in mine if one.status == name) for name in STATUSES},
            overdue=sum(one.overdue for one in mine),
            rules=_rules_to_choose(nights.report_of(connection), chosen, rows),
            solutions=SOLUTION_NAMES,
            statuses=STATUS_NAMES,
            query=query,
            today=clock.today(),
        )


@router.post("/waive")
def waive(
    request: Request,
    access: Decider,
    problem: ProblemIds,
    reason: Reason,
    token: Token,
    until: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Waive records."""
    check_form(request, access, token)
    until_on = read_day({"until": until}, "until")
    with store(request) as connection:
        done = attempt(lambda: problems.waive(connection, problem, access.login, reason, until_on, clock.today()))
    check_done(done)
    log.info("%s waived %d problem records", access.login, done)
    return _back(request, problem)


@router.post("/close")
def close(request: Request, access: Decider, problem: ProblemIds, reason: Reason, token: Token) -> Response:
    """Close records that need no more work."""
    check_form(request, access, token)
    with store(request) as connection:
        done = attempt(lambda: problems.close(connection, problem, access.login, reason))
    check_done(done)
    log.info("%s closed %d problem records", access.login, done)
    return _back(request, problem)


def _back(request: Request, shown: list[int]) -> Response:
    return redirect(request, f"problem?problem={shown[0]}" if len(shown) == 1 else "problems")


def _rules_to_choose(report: NightReport | None, chosen: ProblemFilter, rows: list[ProblemRecord]) -> dict[str, str]:
    """Return the reasons of the newest report's critical rules and of the rows shown, by rule."""
    rules = {
        rule.rule_id: rule.reason
        for rule in (report.figures.rules if report else [])
        if rule.severity == "critical"
        and chosen.department in (None, rule.department)
        and chosen.feed in (None, rule.feed)
    }
    for row in rows:
        rules.update(zip(row.rules, row.reasons, strict=False))
    return rules


def _chosen_problems(query: Mapping[str, str]) -> tuple[ProblemFilter, bool]:
    """Return the records that an address chooses, and whether these are the unsolved ones (the default)."""
    status = read_one_of(query, "status", (*STATUSES, "all", "overdue"))
    night = read_day(query, "night")
    is_unsolved = status is None and night is None
    statuses: tuple[Status, ...] | None
    if is_unsolved:
        statuses = problems.UNSOLVED
    elif status in STATUSES:
        statuses = (status,)
    else:
        statuses = None
    return (
        ProblemFilter(
            department=read_text(query, "department"),
            feed=read_text(query, "feed"),
            license_type=read_text(query, "license_type"),
            statuses=statuses,
            rule_id=read_text(query, "rule"),
            return_id=read_id(query, "return"),
            night=night,
            overdue_on=clock.today() if status == "overdue" else None,
        ),
        is_unsolved,
    )
