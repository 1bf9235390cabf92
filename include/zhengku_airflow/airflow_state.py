"""What Airflow tells a running task of the other DAGs: paused or missing ones, runs that did not start or that failed.

A task asks by the messages of the Task SDK, which the API server answers: no task reads Airflow's database.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time.comms import GetPreviousDagRun, PreviousDagRunResult
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from zhengku.catalog.notices_config import NoticesConfig
from zhengku.clock import CITY_TIME_ZONE
from zhengku.ledger import Connection
from zhengku.watch import state
from zhengku.watch.finding import Finding, KindName, Link
from zhengku.watch.paths import airflow_run_path, dag_path, run_path
from zhengku.watch.state import FailedTask

_ACTIVE = ["queued", "running"]
_SHOWN_TASKS = 5

WATCH_DAG = "watch"
"""Its next run does what a failed one has left; that none succeeds is told by `zhengku watch`."""

CONCLUSION = "conclude"
"""The last task of a department's DAG: red when a person has to look."""


@dataclass(frozen=True)
class DagState:
    """One DAG as Airflow has it; `last_failed` is its newest run by logical date, where that run failed."""

    dag_id: str
    is_missing: bool = False
    is_paused: bool = False
    is_active: bool = False
    next_run: datetime | None = None
    last_failed: str | None = None
    failed_tasks: tuple[str, ...] = ()


def read_dag(dag_id: str, now: datetime) -> DagState:
    """Ask Airflow for the state of a DAG."""
    try:
        dag = RuntimeTaskInstance.get_dag(dag_id)
    except AirflowRuntimeError as error:
        if not _is_not_found(error):
            raise
        return DagState(dag_id, is_missing=True)
    found = DagState(
        dag_id,
        is_paused=dag.is_paused,
        is_active=RuntimeTaskInstance.get_dr_count(dag_id, states=_ACTIVE) > 0,
        next_run=dag.next_dagrun,
    )
    run = _newest_run(dag_id, now)
    if run is None or run.state != "failed":
        return found
    states = RuntimeTaskInstance.get_task_states(dag_id, run_ids=[run.run_id]).get(run.run_id, {})
    failed = tuple(sorted(name for name, task_state in states.items() if task_state == "failed"))
    return replace(found, last_failed=run.run_id, failed_tasks=failed)


def _newest_run(dag_id: str, now: datetime) -> Any:
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    # A run that was started by hand has the moment of its start as logical date.
    asked = GetPreviousDagRun(dag_id=dag_id, logical_date=now + timedelta(minutes=1), state=None)
    answer = SUPERVISOR_COMMS.send(asked)
    assert isinstance(answer, PreviousDagRunResult)
    return answer.dag_run


def is_quiet(states: Sequence[DagState], departments: Mapping[str, str], config: NoticesConfig, now: datetime) -> bool:
    """Return whether no run of a department is active, and none is due soon."""
    soon = now + timedelta(minutes=config.quiet_minutes)
    ours = [one for one in states if one.dag_id in departments]
    return not any(one.is_active or (not one.is_paused and _is_due(one, now, soon)) for one in ours)


def _is_due(one: DagState, now: datetime, soon: datetime) -> bool:
    # The scheduler makes the run some seconds after its hour.
    return one.next_run is not None and now - timedelta(minutes=1) <= one.next_run <= soon


def find_in_airflow(
    states: Sequence[DagState],
    titles: Mapping[str, str],
    departments: Mapping[str, str],
    config: NoticesConfig,
    failed: Sequence[FailedTask],
    now: datetime,
) -> list[Finding]:
    """Return what is out of order among the DAGs of `titles` (id → Chinese title); `departments` are some.

    `failed` are the tasks that told of their failure themselves, with reasons.
    """
    looked_for = [one for one in states if one.dag_id not in config.may_be_paused]
    missing = [one.dag_id for one in looked_for if one.is_missing]
    paused = [one.dag_id for one in looked_for if one.is_paused]
    found = [
        *_listed("dag_missing", missing, titles, "未加载（文件有误或已删除），不会运行"),
        *_listed("paused", paused, titles, "已暂停，不会按时运行"),
    ]
    overdue = now - timedelta(minutes=config.overdue_minutes)
    for one in states:
        link = Link("任务流", dag_path(one.dag_id))
        if one.next_run is not None and not one.is_paused and not one.is_active and one.next_run < overdue:
            moment = one.next_run.astimezone(CITY_TIME_ZONE)
            text = f"{titles[one.dag_id]}：{moment:%m-%d %H:%M} 应运行而未运行"
            found.append(Finding("not_run", one.dag_id, text, links=(link,)))
        if one.dag_id != WATCH_DAG:
            found += _failed_runs(one, titles, departments, [task for task in failed if task.dag_id == one.dag_id])
    return found


def _listed(kind: KindName, dag_ids: Sequence[str], titles: Mapping[str, str], what: str) -> Iterator[Finding]:
    """Return one finding for all DAGs of a kind: after an installation, thirty are paused."""
    if dag_ids:
        names = "、".join(titles[dag_id] for dag_id in dag_ids)
        yield Finding(kind, "dags", f"{len(dag_ids)} 个任务流{what}：{names}", state=" ".join(sorted(dag_ids)))


def _failed_runs(
    one: DagState, titles: Mapping[str, str], departments: Mapping[str, str], failed: Sequence[FailedTask]
) -> Iterator[Finding]:
    """Return a finding for each DAG with failed tasks: what they told themselves, else what Airflow has."""
    run_id = failed[-1].run_id if failed else one.last_failed
    if run_id is None:
        return
    told = [(_state_name(task), task.label, task.reason) for task in failed]
    if one.last_failed == run_id:
        known = {_state_name(task) for task in failed if task.run_id == run_id}
        # Killed, or stopped by Airflow: such a task could not tell of itself.
        told += [(name, name, "进程中断，原因见日志") for name in one.failed_tasks if name not in known]
    # What another task says is why the conclusion is red.
    causes = [task for task in told if task[0] != CONCLUSION] or told
    parts = [f"{label}：{reason}" for _, label, reason in causes]
    more = f"等 {len(parts)} 项" if len(parts) > _SHOWN_TASKS else ""
    yield Finding(
        "task_failed" if one.dag_id in departments else "section_task",
        one.dag_id,
        f"{titles[one.dag_id]}：{'；'.join(parts[:_SHOWN_TASKS])}{more}",
        state=" ".join(sorted({name for name, _, _ in told})),
        links=(Link("运行", airflow_run_path(one.dag_id, run_id)), Link("报告", run_path(one.dag_id, run_id))),
    )


def _state_name(task: FailedTask) -> str:
    """Return the name of a task as Airflow's states have it."""
    return task.task_id if task.map_index < 0 else f"{task.task_id}_{task.map_index}"


def settle_runs(connection: Connection, failed: Sequence[FailedTask]) -> list[FailedTask]:
    """Forget the failures of runs that succeeded after all or are gone; return the others."""
    left = []
    for dag_id, run_id in dict.fromkeys((task.dag_id, task.run_id) for task in failed):
        if _is_settled(dag_id, run_id):
            state.settle_run(connection, dag_id, run_id)
        else:
            left += [task for task in failed if (task.dag_id, task.run_id) == (dag_id, run_id)]
    return left


def _is_settled(dag_id: str, run_id: str) -> bool:
    try:
        return RuntimeTaskInstance.get_dagrun_state(dag_id, run_id) == "success"
    except AirflowRuntimeError as error:
        if not _is_not_found(error):
            raise
        return True


def _is_not_found(error: AirflowRuntimeError) -> bool:
    return (error.error.detail or {}).get("status_code") == HTTPStatus.NOT_FOUND
