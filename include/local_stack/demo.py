"""The demo: made-up licenses go the whole road, run by a real Airflow, and the terminal shows what became of them."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from local_stack.airflow import AirflowApi, TaskState
from local_stack.stack import LocalStack, Progress
from zhengku.errors import ZhengkuError
from zhengku.settings import CITY_TIME_ZONE, Settings

DAG_ID = "market_supervision"
ROWS = 2_000
SEED = 2019
RUN_SECONDS = 180.0
SIGN_SECONDS = 10.0
OWN_RUN_SECONDS = 3.0

# The demo's DAG defers nothing, so nobody would miss the triggerer.
_COMPONENTS = ("api-server", "scheduler", "dag-processor")

_FINISHED = ("success", "failed")
_FAILED_TASK_STATES = ("failed", "up_for_retry", "upstream_failed")
# What tells nobody anything: a task passes through these within a second.
_SILENT_TASK_STATES = ("waiting", "scheduled", "queued")


def run_demo(stack: LocalStack, progress: Progress, rows: int = ROWS, seed: int = SEED) -> None:
    """Lay out a delivery of `rows` made-up licenses, run the department's DAG for it, and print the summary.

    What the demo started it stops again. Raises `ZhengkuError` when the run does not succeed within `RUN_SECONDS`.
    """
    already = {name for name, runs in stack.running().items() if runs}
    try:
        with ThreadPoolExecutor(1) as pool:
            laid_out = pool.submit(_lay_out_delivery, stack.drop_folder, rows, seed)
            stack.up(_COMPONENTS)
            laid_out.result()
        progress(f"a delivery of made-up licenses lies in {stack.drop_folder}")
        with stack.api() as api:
            run_department(stack, api, DAG_ID, progress)
        _print_summary(stack)
    finally:
        started = {name for name, runs in stack.running().items() if runs} - already
        if started:
            progress("stopping what the demo started; `make up` starts it all again, with Airflow's pages")
            stack.down(only=started)


def run_department(stack: LocalStack, api: AirflowApi, dag_id: str, progress: Progress) -> str:
    """Run a department's DAG once and return the run's id; `progress` is told every change of its tasks.

    Raises `ZhengkuError` when the DAG was not read, the run failed, or it takes longer than `RUN_SECONDS`.
    """
    broken = api.import_errors()
    if dag_id not in api.dags():
        reason = "; ".join(f"{file}: {error}" for file, error in broken.items()) or "no file there defines it"
        raise ZhengkuError(f"The DAG {dag_id} was not found in {stack.airflow.dags_folder}: {reason}")
    logs = stack.airflow.task_log_folder / f"dag_id={dag_id}"
    begin = last_sign = time.monotonic()
    run_id = _begin_run(api, dag_id)
    progress(f"the DAG {dag_id} runs: {stack.address}/dags/{dag_id}/runs/{run_id}")
    # Where the DAG's own run came all the same, the delivery may be in either: both are shown and waited for.
    states = {run_id: "queued"}
    seen: set[tuple[str, TaskState]] = set()
    while not all(state in _FINISHED for state in states.values()):
        if time.monotonic() - begin > RUN_SECONDS:
            raise ZhengkuError(
                f"The DAG {dag_id} has not finished after {RUN_SECONDS:.0f} s (it is {states[run_id]}); "
                f"the logs of its tasks are in {logs}"
            )
        time.sleep(0.3)
        states = {run: api.run_state(dag_id, run) for run in states.keys() | api.active_runs(dag_id)}
        for run in states:
            for task in api.task_states(dag_id, run):
                if (run, task) not in seen and task.state not in _SILENT_TASK_STATES:
                    progress(f"{task.name}: {task.state.replace('_', ' ')}{'' if run == run_id else f' ({run})'}")
                    for line in _complaint(stack, dag_id, run, task):
                        progress(f"    {line}")
                    last_sign = time.monotonic()
                seen.add((run, task))
        if time.monotonic() - last_sign > SIGN_SECONDS:
            progress(f"the run is {states[run_id]}")
            last_sign = time.monotonic()
    failed = [run for run, state in states.items() if state == "failed"]
    if failed:
        raise ZhengkuError(f"The DAG {dag_id} failed; the logs of its tasks are in {logs / f'run_id={failed[0]}'}")
    return run_id


def _begin_run(api: AirflowApi, dag_id: str) -> str:
    """Start a run of the DAG and return its id."""
    if api.is_paused(dag_id):
        api.unpause(dag_id)
        # Switched on, a DAG runs for its last date by itself, and a second run would find nothing left to fetch.
        deadline = time.monotonic() + OWN_RUN_SECONDS
        while time.monotonic() < deadline:
            if own := api.active_runs(dag_id):
                return min(own)
            time.sleep(0.2)
    run_id = f"manual__{datetime.now(CITY_TIME_ZONE).isoformat(timespec='milliseconds')}"
    api.trigger(dag_id, run_id)
    return run_id


def _lay_out_delivery(folder: Path, rows: int, seed: int) -> None:
    from simulator.business_licenses import write_file_drop

    write_file_drop(folder, rows, seed)


def _print_summary(stack: LocalStack) -> None:
    from zhengku.report.summary import print_summary

    os.environ.update(stack.environment())
    print_summary(Settings.load())


def _complaint(stack: LocalStack, dag_id: str, run_id: str, task: TaskState) -> Iterator[str]:
    """Return what a failed task wrote about its error, and where its log is."""
    if task.state not in _FAILED_TASK_STATES or task.state == "upstream_failed":
        return
    log = stack.airflow.task_log_folder / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task.task_id}"
    if task.map_index >= 0:
        log /= f"map_index={task.map_index}"
    log /= f"attempt={task.try_number}.log"
    try:
        entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        entries = []
    for entry in entries:
        for error in entry.get("error_detail") or ():
            yield f"{error['exc_type']}: {error['exc_value']}"
    yield f"see {log}"
