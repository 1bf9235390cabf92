"""One problem record: what was received, what is expected, and its history."""

import logging
from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Request, Response, status

from zhengku import clock
from zhengku.catalog import Catalog
from zhengku.errors import CatalogError
from zhengku.pages.frame import View, settings, store
from zhengku.pages.host import Reviewer
from zhengku.pages.query import read_id
from zhengku.pages.review.problems import TAB
from zhengku.review import problems
from zhengku.review.problems import EVENT_NAMES, SOLUTION_NAMES, STATUS_NAMES, ProblemFilter
from zhengku.settings import Settings
from zhengku.validate.guidance import expected, right_example, wrong_columns
from zhengku.validate.suites import Rule, load_suites

log = logging.getLogger(__name__)

router = APIRouter()


@router.get("/problem")
def show_problem(request: Request, access: Reviewer) -> Response:
    """Show one problem record, masked."""
    problem_id = read_id(request.query_params, "problem")
    with store(request) as connection:
        view = View(request, access, TAB)
        found = list(problems.problem_records(connection, view.catalog, ProblemFilter(problem_id=problem_id)))
        if problem_id is None or not found:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "没有这条问题数据。")
        [record] = found
        return view.page(
            "problem.html.j2",
            record=record,
            mistakes=_mistakes(settings(request), view.catalog, record),
            events=problems.problem_events(connection, record.problem_id),
            event_names=EVENT_NAMES,
            solutions=SOLUTION_NAMES,
            statuses=STATUS_NAMES,
            today=clock.today(),
        )


@dataclass(frozen=True)
class _Mistake:
    """What is wrong with a record, in the department's words."""

    reason: str
    rule_id: str
    columns: tuple[str, ...]
    expected: str
    example: str


def _mistakes(settings: Settings, catalog: Catalog, record: problems.ProblemRecord) -> list[_Mistake]:
    rules: dict[str, Rule] = {}
    feed = None
    try:
        feed = catalog.feed(record.department, record.feed)
        suites = load_suites(settings.suite_folder, feed.suites)
        rules = {rule.rule_id: rule for suite in suites for rule in suite.rules}
    except CatalogError as error:
        # The feed or a rule of the record was removed from the catalogue; the reasons are stored in the record.
        log.info("%s", error)
    mistakes = []
    for rule_id, reason in zip(record.rules, record.reasons, strict=False):
        rule = rules.get(rule_id)
        if rule is None or feed is None:
            mistakes.append(_Mistake(reason, rule_id, (), "", ""))
        else:
            columns = wrong_columns(rule_id, feed, rules)
            words, example = expected(rule, feed, catalog), right_example(rule, feed, catalog)
            mistakes.append(_Mistake(reason, rule_id, columns, words, example))
    return mistakes
