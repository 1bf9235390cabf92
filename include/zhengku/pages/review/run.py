"""A run of a DAG: its report, its batches, and where to read what to do. Airflow shows it at the DAG and at the run.

The report is that of the ledger as of now, in the form in which the task `conclude` writes it to a file.
"""

from collections.abc import Sequence
from itertools import groupby

from fastapi import APIRouter, HTTPException, Request, Response, status

from zhengku import ledger
from zhengku.errors import CatalogError
from zhengku.installation import Installation
from zhengku.ledger import Batch, Connection
from zhengku.pages.dag_pages import DEPARTMENT_RUNBOOK, ELSEWHERE, LISTS, LONGEST_ID
from zhengku.pages.frame import Tab, View, settings, store
from zhengku.pages.host import ReviewVisitor
from zhengku.pages.query import read_text
from zhengku.report.run_report import RUN_WORDS, RunReport, build_report

TAB = Tab("run", "运行报告", place=18)
router = APIRouter()

_BATCHES_SHOWN = 1_000
_RUNS_SHOWN = 30


@router.get("/run")
def show_run(request: Request, access: ReviewVisitor) -> Response:
    """Show a run, `dag` and `run` being Airflow's ids; without `run`, the last runs of the DAG, or of all."""
    dag_id = read_text(request.query_params, "dag", LONGEST_ID)
    run_id = read_text(request.query_params, "run", LONGEST_ID)
    view = View(request, access, TAB)
    with store(request) as connection:
        if dag_id and run_id and dag_id in view.catalog.departments:
            report = _report(request, connection, view, dag_id, run_id)
            return view.page(
                "run.html.j2",
                report=report,
                words=RUN_WORDS,
                runbook=DEPARTMENT_RUNBOOK,
                shows_rows=access.may_see_problems,
            )
        if dag_id is None or dag_id in view.catalog.departments:
            runs = _runs(ledger.batches(connection, department=dag_id, limit=_BATCHES_SHOWN))
            return view.page("runs.html.j2", dag_id=dag_id, runs=runs, statuses=RUN_WORDS["statuses"])
        # Batches of a run over several departments: of the backfill, of a replay.
        batches = ledger.batches(connection, run_id=run_id, limit=_BATCHES_SHOWN) if run_id else []
    elsewhere = ELSEWHERE.get(dag_id)
    tabs = [
        tab
        for tab in request.app.state.tabs
        if elsewhere and tab.path in elsewhere.tabs and (tab.right is None or tab.right.is_held(access))
    ]
    return view.page(
        "run_elsewhere.html.j2",
        dag_id=dag_id,
        run_id=run_id,
        elsewhere=elsewhere,
        is_of_lists=elsewhere is LISTS,
        links=tabs,
        runs=_runs(batches),
        statuses=RUN_WORDS["statuses"],
    )


def _report(request: Request, connection: Connection, view: View, department: str, run_id: str) -> RunReport:
    installation = Installation(settings(request))
    try:
        return build_report(connection, view.catalog, installation.reasons(department), department, run_id)
    except CatalogError:
        raise HTTPException(
            status.HTTP_404_NOT_FOUND,
            "这次运行的某个来源已不在目录中，不能再生成报告；运行时写出的报告文件仍在服务器的报告目录内。",
        ) from None


def _runs(batches: Sequence[Batch]) -> list[tuple[str, str, list[Batch]]]:
    """Return the batches by department and run, the newest run first, at most `_RUNS_SHOWN` runs."""

    def place(batch: Batch) -> tuple[str, str]:
        return batch.department, batch.run_id

    by_run = [(*key, list(found)) for key, found in groupby(sorted(batches, key=place), place)]
    return sorted(by_run, key=lambda run: max(batch.batch_id for batch in run[2]), reverse=True)[:_RUNS_SHOWN]
