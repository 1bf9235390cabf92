"""The pages of the review: 归集总览, 验证报告, 问题数据, and what belongs to them, for the big-data section.

It knows nothing of Airflow: who is logged in, and what he may see and do, it is told (`Host`). Personal data is masked
on every page. What writes files or takes minutes is asked for here and done by a worker.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Any, get_args
from urllib.parse import quote, urlencode

from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response, status
from fastapi.responses import FileResponse, RedirectResponse
from starlette.background import BackgroundTask

from zhengku import clock, ledger
from zhengku.catalog import Catalog
from zhengku.catalog.review_config import load_review
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clearance.delivery import remove_folder
from zhengku.database import store_connection
from zhengku.errors import CatalogError, ConfigurationError
from zhengku.ledger import WARNED_ROWS, Connection
from zhengku.operations.backfill import (
    FIRST_MONTH,
    STATE_NAMES,
    STATE_SIGNS,
    months_between,
    progress,
    table_of_progress,
)
from zhengku.operations.reconcile.results import EXPLANATION_NAMES, METHOD_NAMES, newest_runs
from zhengku.pages.application import new_app
from zhengku.pages.choice import read_day, read_number, read_one_of, read_text
from zhengku.pages.host import check_form, form_token, visitor
from zhengku.pages.rendering import HEADERS, page
from zhengku.report.run_report import SEVERITY_NAMES
from zhengku.review import decisions, problem_ledger, problems
from zhengku.review import night as nights
from zhengku.review import requests as review_requests
from zhengku.review import returns as problem_returns
from zhengku.review.night import FEED_STATE_NAMES, NightReport
from zhengku.review.night_files import WORDS, file_name, report_folder
from zhengku.review.overview import TYPE_STATE_NAMES, overview
from zhengku.review.problems import EVENT_NAMES, SOLUTION_NAMES, STATUS_NAMES, ProblemFilter, Status
from zhengku.review.requests import REQUEST_NAMES, RequestKind
from zhengku.review.returns import CHANNEL_NAMES, Returns
from zhengku.review.roles import ReviewAccess
from zhengku.settings import Settings
from zhengku.stock.collection_rate import KeptCollectionRate, lacking_file, newest_collection, rate, sum_of, summed
from zhengku.stock.expiry import KeptExpiry, expiry_file, newest_expiry
from zhengku.validate.guidance import expected, right_example, wrong_columns
from zhengku.validate.suites import Rule, load_suites

log = logging.getLogger(__name__)

TITLE = "归集校验"
REFUSAL = (
    "您的账号没有查看归集校验的角色。请联系系统管理员授予“data_section”（大数据科）或“section”（电子政务科）角色。"
)

PAGE_ROWS = 100
LONGEST_REASON = 500
STATUSES = get_args(Status)
_REQUESTS_SHOWN = 50
_RETURNS_SHOWN = 100
_BATCHES_SHOWN = 100
_NIGHTS_SHOWN = 60
_WARNED_SHOWN = 1_000


@dataclass(frozen=True)
class Tab:
    """One of the pages."""

    path: str
    title: str
    of_problems: bool = True


OVERVIEW = Tab("", "归集总览", of_problems=False)
REPORT = Tab("report", "验证报告", of_problems=False)
PROBLEMS = Tab("problems", "问题数据")
BATCHES = Tab("batches", "待审批次")
RETURNS = Tab("returns", "退回")
REQUESTS = Tab("requests", "处理请求")
LEDGER = Tab("ledger", "问题台账")
RECONCILIATION = Tab("reconciliation", "比对")
BACKFILL = Tab("backfill", "回溯进度")
COLLECTION = Tab("collection", "归集率")
EXPIRY = Tab("expiry", "临期与过期")
TABS = (OVERVIEW, REPORT, PROBLEMS, BATCHES, RETURNS, REQUESTS, LEDGER, RECONCILIATION, BACKFILL, COLLECTION, EXPIRY)

Visitor = Annotated[ReviewAccess, Depends(visitor)]


def _sees_problems(access: Visitor) -> ReviewAccess:
    if not access.may_see_problems:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "问题数据仅供大数据科查看。")
    return access


def _acts(access: Visitor) -> ReviewAccess:
    if not access.may_act:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "只有大数据科可以办理。")
    return access


Reviewer = Annotated[ReviewAccess, Depends(_sees_problems)]
Decider = Annotated[ReviewAccess, Depends(_acts)]
Reason = Annotated[str, Form(max_length=LONGEST_REASON)]
Token = Annotated[str, Form(max_length=200)]
Numbers = Annotated[list[int], Form(max_length=PAGE_ROWS)]
Place = Annotated[str, Form(max_length=100)]


def create_review_app(host: Any) -> FastAPI:
    """Return the application; nobody sees a page of it, or that it has one, without being logged in."""
    app = new_app(TITLE, host, REFUSAL)
    for path, route in (
        ("/", show_overview),
        ("/report", show_report),
        ("/warned", show_warned),
        ("/report/file", download_report),
        ("/problems", show_problems),
        ("/problem", show_problem),
        ("/batches", show_batches),
        ("/returns", show_returns),
        ("/return", show_return),
        ("/return/file", download_return),
        ("/requests", show_requests),
        ("/ledger", show_ledger),
        ("/ledger/file", download_ledger),
        ("/reconciliation", show_reconciliation),
        ("/backfill", show_backfill),
        ("/collection", show_collection),
        ("/collection/file", download_lacking),
        ("/expiry", show_expiry),
        ("/expiry/file", download_expiry),
    ):
        app.add_api_route(path, route, methods=["GET"], response_model=None)
    actions: dict[str, Callable[..., Response]] = {
        "/waive": waive,
        "/close": close,
        "/ask": ask,
        "/reject": reject,
        "/notify": notify,
    }
    for path, action in actions.items():
        app.add_api_route(path, action, methods=["POST"], response_model=None)
    return app


# ---- what is seen


def show_overview(request: Request, access: Visitor) -> Response:
    """Show every license type: collected, fresh, good."""
    with _store(request) as connection:
        view = _View(request, access, OVERVIEW)
        report = nights.report_of(connection)
        found = overview(connection, view.catalog, report)
        chosen = read_one_of(request.query_params, "state", TYPE_STATE_NAMES)
        types = [one for one in found.types if chosen in (None, one.state)]
        return view.page(
            "overview.html.j2",
            overview=found,
            types=types,
            report=report,
            chosen_state=chosen,
            type_states=TYPE_STATE_NAMES,
            feed_states=FEED_STATE_NAMES,
        )


def show_report(request: Request, access: Visitor) -> Response:
    """Show the report of a night."""
    with _store(request) as connection:
        view = _View(request, access, REPORT)
        report = _chosen_report(request, connection)
        known = nights.nights(connection, _NIGHTS_SHOWN)

        def link(path: str = "problems", **chosen: Any) -> str | None:
            if not access.may_see_problems or report is None:
                return None
            return view.address(path, **{"night": report.night, **chosen})

        newest = dict(known).get(report.night) if report else None
        return view.page("report.html.j2", report=report, nights=known, newest_version=newest, words=WORDS, link=link)


def show_warned(request: Request, access: Reviewer) -> Response:
    """Show rows of a night that were loaded with a warning: of each batch and rule the first, their keys masked."""
    query = request.query_params
    with _store(request) as connection:
        view = _View(request, access, REPORT)
        report = _chosen_report(request, connection)
        if report is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这一夜的报告。")
        rule_id = read_text(query, "rule")
        rows = nights.warned_rows(
            connection,
            report.night,
            department=read_text(query, "department"),
            feed=read_text(query, "feed"),
            rule_id=rule_id,
            limit=_WARNED_SHOWN,
        )
        told = {rule.rule_id: rule.reason for rule in report.figures.rules}
        return view.page("warned.html.j2", report=report, rows=rows, told=told, most=WARNED_ROWS)


def download_report(request: Request, access: Visitor) -> Response:
    """Hand over the report of a night as a file: `form` is html or xlsx; the workbook has problem records."""
    form = read_one_of(request.query_params, "form", ("html", "xlsx")) or "html"
    # Both show rows, masked.
    _sees_problems(access)
    with _store(request) as connection:
        report = _chosen_report(request, connection)
    if report is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这一夜的报告。")
    name = file_name(report.night, report.version, form)
    path = report_folder(request.app.state.settings(), report) / name
    if not path.is_file():
        raise HTTPException(status.HTTP_404_NOT_FOUND, "这份报告的文件不在了，可用 zhengku report publish 重新生成。")
    return FileResponse(path, filename=name, headers=HEADERS)


def show_problems(request: Request, access: Reviewer) -> Response:
    """Show problem records, a hundred at a time, masked."""
    with _store(request) as connection:
        view = _View(request, access, PROBLEMS)
        query = request.query_params
        chosen, is_unsolved = _chosen_problems(query)
        folder = request.app.state.settings().catalog_folder
        calendar = WorkingCalendar.load(folder, clock.today())
        counted = problems.tally(connection, clock.today(), load_review(folder), calendar)
        total = problems.count_problems(connection, chosen)
        number = min(read_number(query, "page") or 1, max(-(-total // PAGE_ROWS), 1))
        offset = (number - 1) * PAGE_ROWS
        rows = list(problems.problems(connection, view.catalog, chosen, offset=offset, limit=PAGE_ROWS))
        report = nights.report_of(connection)
        figures = report.figures.rules if report else []
        rules = {
            rule.rule_id: rule.reason
            for rule in figures
            if rule.severity == "critical"
            and chosen.department in (None, rule.department)
            and chosen.feed in (None, rule.feed)
        }
        for row in rows:
            rules.update(zip(row.rules, row.reasons, strict=False))
        mine = [one for one in counted if chosen.department in (None, one.department)]
        return view.page(
            "problems.html.j2",
            chosen=chosen,
            is_unsolved=is_unsolved,
            rows=rows,
            total=total,
            number=number,
            pages=max(-(-total // PAGE_ROWS), 1),
            first_row=offset + 1,
            last_row=min(offset + PAGE_ROWS, total),
            counts={name: sum(one.number for one in mine if one.status == name) for name in STATUSES},
            overdue=sum(one.overdue for one in mine),
            rules=rules,
            token=form_token(request, access) if access.may_act else "",
            query=query,
            today=clock.today(),
        )


def show_problem(request: Request, access: Reviewer) -> Response:
    """Show one problem record: what came, what is expected, and all that happened to it."""
    problem_id = read_number(request.query_params, "problem")
    with _store(request) as connection:
        view = _View(request, access, PROBLEMS)
        found = list(problems.problems(connection, view.catalog, ProblemFilter(problem_id=problem_id)))
        if problem_id is None or not found:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "没有这条问题数据。")
        [record] = found
        return view.page(
            "problem.html.j2",
            record=record,
            told=_told(request.app.state.settings(), view.catalog, record),
            events=problems.events(connection, record.problem_id),
            event_names=EVENT_NAMES,
            token=form_token(request, access) if access.may_act else "",
            today=clock.today(),
        )


def show_batches(request: Request, access: Reviewer) -> Response:
    """Show the batches that are held, those that were rejected last, and the files that no feed takes."""
    with _store(request) as connection:
        view = _View(request, access, BATCHES)
        held = ledger.batches(connection, status="held", limit=_BATCHES_SHOWN)
        rejected = ledger.batches(connection, status="rejected", limit=_BATCHES_SHOWN)
        waiting = {
            one.batch_id: one for one in review_requests.requests(connection, waiting=True) if one.kind == "release"
        }
        return view.page(
            "batches.html.j2",
            held=held,
            rejected=rejected,
            untaken=ledger.untaken(connection),
            waiting=waiting,
            decided={batch.batch_id: ledger.decisions(connection, batch.batch_id) for batch in (*held, *rejected)},
            decision_names=decisions.DECISION_NAMES,
            token=form_token(request, access) if access.may_act else "",
        )


def show_returns(request: Request, access: Reviewer) -> Response:
    """Show the returns, the newest first."""
    with _store(request) as connection:
        view = _View(request, access, RETURNS)
        department = read_text(request.query_params, "department")
        found = problem_returns.returns(connection, department=department, limit=_RETURNS_SHOWN)
        return view.page("returns.html.j2", returns=found, department=department, today=clock.today())


def show_return(request: Request, access: Reviewer) -> Response:
    """Show one return: its files, and each time that something of it was handed over."""
    return_id = read_number(request.query_params, "return")
    with _store(request) as connection:
        view = _View(request, access, RETURNS)
        try:
            made = problem_returns.one_return(connection, return_id or 0)
        except ConfigurationError:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "没有这份退回单。") from None
        return view.page(
            "return.html.j2",
            made=made,
            hand_overs=problem_returns.hand_overs(connection, made.return_id),
            channels=CHANNEL_NAMES,
            today=clock.today(),
        )


def download_return(request: Request, access: Decider) -> Response:
    """Hand over a file of a return, unmasked, to be passed on to its department; that is recorded."""
    return_id = read_number(request.query_params, "return")
    name = read_text(request.query_params, "file") or ""
    settings: Settings = request.app.state.settings()
    try:
        path = Returns(settings, request.app.state.catalog()).hand_over(return_id or 0, name, access.login)
    except ConfigurationError:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "没有这个文件。") from None
    return FileResponse(path, filename=name, headers=HEADERS)


def show_requests(request: Request, access: Reviewer) -> Response:
    """Show what was asked for, and what came of it."""
    with _store(request) as connection:
        view = _View(request, access, REQUESTS)
        found = review_requests.requests(connection, limit=_REQUESTS_SHOWN)
        return view.page("requests.html.j2", requests=found, request_names=REQUEST_NAMES)


def show_ledger(request: Request, access: Reviewer) -> Response:
    """Show the problem ledger."""
    with _store(request) as connection:
        view = _View(request, access, LEDGER)
        return view.page(
            "ledger.html.j2",
            entries=problem_ledger.entries(connection),
            entry_names=problem_ledger.ENTRY_NAMES,
            responsible=lambda entry: problem_ledger.responsible(view.catalog, entry),
            token=form_token(request, access) if access.may_act else "",
        )


def show_reconciliation(request: Request, access: Reviewer) -> Response:
    """Show what the newest comparison of each feed with its source found."""
    with _store(request) as connection:
        view = _View(request, access, RECONCILIATION)
        return view.page(
            "reconciliation.html.j2",
            runs=newest_runs(connection),
            method_names=METHOD_NAMES,
            explanation_names=EXPLANATION_NAMES,
            catalog=view.catalog,
        )


def show_backfill(request: Request, access: Reviewer) -> Response:
    """Show how far the backfill is, departments by month."""
    with _store(request) as connection:
        known = progress(connection)
    months = months_between(FIRST_MONTH, clock.today().replace(day=1))
    view = _View(request, access, BACKFILL)
    return view.page(
        "backfill.html.j2",
        lines=table_of_progress(view.catalog, known, months),
        years=sorted({month.year for month in months}),
        state_names=STATE_NAMES,
        signs=STATE_SIGNS,
        wrong=[each for each in known if each.state in ("failed", "held")],
        catalog=view.catalog,
    )


def show_collection(request: Request, access: Reviewer) -> Response:
    """Show how much of what should be in the store is there, as it was counted last."""
    with _store(request) as connection:
        counted = newest_collection(connection)
    view = _View(request, access, COLLECTION)
    department = read_text(request.query_params, "department")
    chosen = [each for each in counted if department in (None, each.department)]
    return view.page(
        "collection.html.j2",
        counted=counted,
        chosen_department=department,
        whole=summed(chosen, "year"),
        total=sum_of(chosen),
        by_department=summed(counted, "department"),
        by_type=summed(chosen, "license_type"),
        rate=rate,
        listed=_lists(request, counted, lacking_file),
    )


def download_lacking(request: Request, access: Reviewer) -> Response:
    """Hand over the newest list of what lacks of a department."""
    with _store(request) as connection:
        lists = _lists(request, newest_collection(connection), lacking_file)
    return _list_of_department(request, lists, "没有这个部门的待归集清单。")


def show_expiry(request: Request, access: Reviewer) -> Response:
    """Show how long the stock is still valid, as it was counted last."""
    with _store(request) as connection:
        counted = newest_expiry(connection)
    return _View(request, access, EXPIRY).page(
        "expiry.html.j2", counted=counted, listed=_lists(request, counted, expiry_file)
    )


def download_expiry(request: Request, access: Reviewer) -> Response:
    """Hand over the newest list of a department's certificates about to expire and expired."""
    with _store(request) as connection:
        lists = _lists(request, newest_expiry(connection), expiry_file)
    return _list_of_department(request, lists, "没有这个部门的临期与过期证照清单。")


def _lists(
    request: Request,
    counted: Sequence[KeptCollectionRate] | Sequence[KeptExpiry],
    place: Callable[[Settings, Catalog, str, date], Path],
) -> dict[str, Path]:
    """Return the lists that lie there of the departments that were counted, each of its day."""
    settings, catalog = request.app.state.settings(), request.app.state.catalog()
    days = {each.department: each.day for each in counted}
    places = {department: place(settings, catalog, department, day) for department, day in days.items()}
    return {department: path for department, path in places.items() if path.is_file()}


def _list_of_department(request: Request, lists: Mapping[str, Path], missing: str) -> Response:
    """Hand over the list of the department that is asked for."""
    # The name is looked up and never made of what was asked: it leads to a place in the file system.
    path = lists.get(read_text(request.query_params, "department") or "")
    if path is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, missing)
    return FileResponse(path, filename=path.name, headers=HEADERS)


def download_ledger(request: Request, access: Reviewer) -> Response:
    """Hand over the problem ledger as the annex's table."""
    with _store(request) as connection:
        listed = problem_ledger.entries(connection)
    folder = Path(mkdtemp(prefix="zhengku-"))
    now = clock.now()
    try:
        problem_ledger.write_ledger(folder / "ledger.xlsx", request.app.state.catalog(), listed, now)
    except BaseException:
        remove_folder(folder)
        raise
    return FileResponse(
        folder / "ledger.xlsx",
        filename=f"问题台账_{now:%Y-%m-%d}.xlsx",
        headers=HEADERS,
        background=BackgroundTask(remove_folder, folder),
    )


# ---- what is done


def waive(
    request: Request,
    access: Decider,
    problem: Numbers,
    reason: Reason,
    token: Token,
    until: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Waive records."""
    check_form(request, access, token)
    until_on = read_day({"until": until}, "until")
    with _store(request) as connection:
        _do(lambda: problems.waive(connection, problem, access.login, reason, until_on, clock.today()))
    log.info("%s waived %d problem records", access.login, len(problem))
    return _back(request, problem)


def close(request: Request, access: Decider, problem: Numbers, reason: Reason, token: Token) -> Response:
    """Write records off."""
    check_form(request, access, token)
    with _store(request) as connection:
        _do(lambda: problems.close(connection, problem, access.login, reason))
    log.info("%s wrote %d problem records off", access.login, len(problem))
    return _back(request, problem)


def ask(
    request: Request,
    access: Decider,
    kind: Annotated[RequestKind, Form()],
    reason: Reason,
    token: Token,
    department: Place = "",
    feed: Place = "",
    batch: Annotated[int | None, Form()] = None,
    problem: Annotated[list[int] | None, Form(max_length=PAGE_ROWS)] = None,
) -> Response:
    """Enter a request: return records, redrive them, mend what a comparison found, or release a batch."""
    check_form(request, access, token)
    catalog: Catalog = request.app.state.catalog()
    with _store(request) as connection:
        if kind == "release":
            held = _do(lambda: ledger.batch_by_id(connection, batch or 0))
            department, feed = held.department, held.feed
        elif problem and not department:
            # Chosen on a page of all departments: each gets a request of its own.
            chosen = [_record(connection, catalog, one) for one in problem]
            by_feed = kind in ("redrive", "mend")
            places = dict.fromkeys((one.department, one.feed if by_feed else None) for one in chosen)
            for place in places:
                mine = [one.problem_id for one in chosen if one.department == place[0] and place[1] in (None, one.feed)]
                _ask(connection, kind, place[0], access, reason, feed=place[1], problem_ids=mine)
            return _see(request, "requests")
        elif kind == "redrive":
            _do(lambda: catalog.feed(department, feed))
        else:
            _do(lambda: catalog.department(department))
        _ask(connection, kind, department, access, reason, feed=feed or None, batch_id=batch, problem_ids=problem)
    return _see(request, "requests")


def reject(request: Request, access: Decider, batch: Annotated[int, Form()], reason: Reason, token: Token) -> Response:
    """Give a held batch back."""
    check_form(request, access, token)
    settings: Settings = request.app.state.settings()
    _do(lambda: decisions.reject(settings, request.app.state.catalog(), batch, access.login, reason))
    log.info("%s rejected batch %d", access.login, batch)
    return _see(request, "batches")


def notify(request: Request, access: Decider, entry: Annotated[str, Form(max_length=40)], token: Token) -> Response:
    """Record that a department was told of an entry of the problem ledger."""
    check_form(request, access, token)
    with _store(request) as connection:
        _do(lambda: problem_ledger.notify(connection, entry, access.login, clock.today()))
    return _see(request, "ledger")


def _ask(
    connection: Connection, kind: RequestKind, department: str, access: ReviewAccess, reason: str, **values: Any
) -> None:
    number = _do(lambda: review_requests.ask(connection, kind, department, access.login, reason, **values))
    log.info("%s asked for a %s of %s: request %d", access.login, kind, department, number)


def _do(act: Callable[[], Any]) -> Any:
    """Do something that may be refused: a reason is missing, or there is nothing of that kind."""
    try:
        return act()
    except (ConfigurationError, CatalogError) as error:
        log.info("refused: %s", error)
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST, "未能办理：请填写事由，并核对所选数据的状态（可能已被他人处理）。"
        ) from None


def _record(connection: Connection, catalog: Catalog, problem_id: int) -> problems.ProblemRecord:
    found = list(problems.problems(connection, catalog, ProblemFilter(problem_id=problem_id)))
    if not found:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "没有这条问题数据。")
    return found[0]


def _back(request: Request, shown: list[int]) -> Response:
    return _see(request, f"problem?problem={shown[0]}" if len(shown) == 1 else "problems")


def _see(request: Request, path: str) -> Response:
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/{path}", status.HTTP_303_SEE_OTHER, HEADERS)


# ---- what a page is made of


class _View:
    """A page for a visitor."""

    def __init__(self, request: Request, access: ReviewAccess, tab: Tab) -> None:
        self.request = request
        self.access = access
        self.tab = tab
        self.catalog: Catalog = request.app.state.catalog()

    def address(self, path: str, **parts: object) -> str:
        """Return the address of a page with its parts; those that are None or blank are left out."""
        root = self.request.scope.get("root_path", "")
        query = urlencode({name: value for name, value in parts.items() if value not in (None, "")}, quote_via=quote)
        return f"{root}/{path}" + (f"?{query}" if query else "")

    def changed(self, **parts: object) -> str:
        """Return the address of this page with some parts changed."""
        kept: dict[str, object] = dict(self.request.query_params)
        return self.address(self.tab.path, **{**kept, **parts})

    def feed_title(self, department: str, feed: str) -> str:
        """Return the title of a feed, its id when the catalogue does not have it any more."""
        known = self.catalog.departments.get(department)
        found = known.feeds.get(feed) if known else None
        return found.title if found else feed

    def page(self, template: str, **values: Any) -> Response:
        """Return the page."""
        shared = {
            "access": self.access,
            "address": self.address,
            "changed": self.changed,
            "catalog": self.catalog,
            "department_name": self.catalog.department_name,
            "feed_title": self.feed_title,
            "is_for_demos": self.request.app.state.host.is_for_demos(),
            "severities": SEVERITY_NAMES,
            "solutions": SOLUTION_NAMES,
            "statuses": STATUS_NAMES,
            "tab": self.tab,
            "tabs": [tab for tab in TABS if self.access.may_see_problems or not tab.of_problems],
            "title": TITLE,
            "type_name": self.catalog.license_type_name,
        }
        return page(self.request, template, **{**shared, **values})


def _store(request: Request) -> Any:
    return store_connection(request.app.state.settings().database_url)


def _chosen_report(request: Request, connection: Connection) -> NightReport | None:
    query = request.query_params
    night, version = read_day(query, "night"), read_number(query, "version")
    if night is None:
        # A version belongs to a night.
        version = None
    return nights.report_of(connection, night, version)


def _chosen_problems(query: Mapping[str, str]) -> tuple[ProblemFilter, bool]:
    """Return which records an address asks for, and whether they are the unsolved ones, as without a state."""
    wanted = read_one_of(query, "status", (*STATUSES, "all", "overdue"))
    night = read_day(query, "night")
    is_unsolved = wanted is None and night is None
    statuses: tuple[Status, ...] | None
    if is_unsolved:
        statuses = problems.UNSOLVED
    elif wanted in STATUSES:
        statuses = (wanted,)
    else:
        statuses = None
    return (
        ProblemFilter(
            department=read_text(query, "department"),
            feed=read_text(query, "feed"),
            license_type=read_text(query, "license_type"),
            statuses=statuses,
            rule_id=read_text(query, "rule"),
            return_id=read_number(query, "return"),
            night=night,
            overdue_on=clock.today() if wanted == "overdue" else None,
        ),
        is_unsolved,
    )


@dataclass(frozen=True)
class _Told:
    """What is wrong with a record, in the department's words."""

    reason: str
    rule_id: str
    columns: tuple[str, ...]
    expected: str
    example: str


def _told(settings: Settings, catalog: Catalog, record: problems.ProblemRecord) -> list[_Told]:
    rules: dict[str, Rule] = {}
    feed = None
    try:
        feed = catalog.feed(record.department, record.feed)
        suites = load_suites(settings.suite_folder, feed.suites)
        rules = {rule.rule_id: rule for suite in suites for rule in suite.rules}
    except CatalogError as error:
        # The record is of a feed or a rule that is no longer there: its reasons were kept.
        log.info("%s", error)
    told = []
    for rule_id, reason in zip(record.rules, record.reasons, strict=False):
        rule = rules.get(rule_id)
        if rule is None or feed is None:
            told.append(_Told(reason, rule_id, (), "", ""))
        else:
            columns = wrong_columns(rule_id, feed, rules)
            words, example = expected(rule, feed, catalog), right_example(rule, feed, catalog)
            told.append(_Told(reason, rule_id, columns, words, example))
    return told
