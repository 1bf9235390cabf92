"""The demo: a night of all made-up departments is processed by a real Airflow, and the terminal shows the outcome."""

import json
import os
import time
from collections.abc import Collection, Iterator

from local_stack.airflow import AirflowApi, TaskState
from local_stack.stack import LocalStack, Progress
from simulator import services
from zhengku import clock
from zhengku.catalog.catalog import department_files
from zhengku.errors import ZhengkuError
from zhengku.settings import Settings

ROWS = 60
"""Certificates of each feed on the first night."""

SEED = 2019
RUN_SECONDS = 600.0
SIGN_SECONDS = 10.0
OWN_RUN_SECONDS = 30.0

# The DAGs of the demo defer nothing, so no triggerer is needed.
_COMPONENTS = ("api-server", "scheduler", "dag-processor")

_FINISHED = ("success", "failed")
_FAILED_TASK_STATES = ("failed", "up_for_retry")


def run_demo(stack: LocalStack, progress: Progress, rows: int = ROWS, seed: int = SEED) -> None:
    """Publish a night of the made-up departments, run their DAGs, and print the outcome and the list of cases.

    The next call runs the next night. What the demo started, it stops at the end. Raises `ZhengkuError` when a run does
    not succeed within `RUN_SECONDS`.
    """
    already = {name for name, runs in stack.running().items() if runs}
    try:
        stack.up(_COMPONENTS)
        night, collection = stack.city.pass_night(rows, seed)
        progress(f"night {night.number} of the made-up city is in {stack.city.places.folder}, with its truth")
        with stack.api() as api:
            runs = run_departments(stack, api, sorted(_departments(stack, api)), progress)
        os.environ.update(stack.environment())
        settings = Settings.load()
        _print_summary(settings, set(runs.values()))
        _publish_list(settings, collection)
        _publish_report(settings)
    finally:
        started = {name for name, runs in stack.running().items() if runs} - already
        if started:
            progress("stopping what the demo started; `make up` starts it all again, with Airflow's pages")
            stack.down(only=started)


def _departments(stack: LocalStack, api: AirflowApi) -> set[str]:
    """Return the departments' DAGs; raises `ZhengkuError` when a file of any DAG could not be read."""
    broken = api.import_errors()
    if broken:
        raise ZhengkuError("; ".join(f"{file}: {error}" for file, error in broken.items()))
    return api.dags().keys() & {file.stem for file in department_files(stack.home / "include" / "catalog")}


def run_departments(stack: LocalStack, api: AirflowApi, dag_ids: Collection[str], progress: Progress) -> dict[str, str]:
    """Run departments' DAGs once, in parallel, and return the run of each; `progress` gets each state of a run.

    Raises `ZhengkuError` when a run failed, or all take longer than `RUN_SECONDS`.
    """
    unknown = sorted(set(dag_ids) - api.dags().keys())
    if unknown:
        raise ZhengkuError(f"No file in {stack.airflow.dags_folder} defines the DAGs {', '.join(unknown)}.")
    started_at = last_sign = time.monotonic()
    started = _start_runs(api, dag_ids)
    if len(started) == 1:
        [(dag_id, run_id)] = started.items()
        progress(f"the DAG {dag_id} runs: {stack.address}/dags/{dag_id}/runs/{run_id}")
    else:
        progress(f"{len(started)} DAGs run: {stack.address}/dags")
    # Where the scheduler started a run of its own nevertheless, either may have the delivery: wait for both.
    states = {(dag_id, run_id): "queued" for dag_id, run_id in started.items()}
    reported: set[tuple[str, str, TaskState]] = set()
    while not all(state in _FINISHED for state in states.values()):
        if time.monotonic() - started_at > RUN_SECONDS:
            late = ", ".join(dag_id for (dag_id, _), state in states.items() if state not in _FINISHED)
            raise ZhengkuError(
                f"Not finished after {RUN_SECONDS:.0f} s: {late}. The logs of the tasks are in "
                f"{stack.airflow.task_log_folder}"
            )
        time.sleep(1)
        # One request for all runs: the API server shares the two cores.
        active = {run for run in api.active_runs() if run[0] in started}
        states.update((run, "running") for run in active)
        for dag_id, run_id in [run for run, state in states.items() if state not in _FINISHED and run not in active]:
            states[dag_id, run_id] = state = api.run_state(dag_id, run_id)
            for task in api.task_states(dag_id, run_id) if state == "failed" else ():
                if task.state in _FAILED_TASK_STATES and (dag_id, run_id, task) not in reported:
                    reported.add((dag_id, run_id, task))
                    progress(f"{dag_id}, {task.name}: {task.state.replace('_', ' ')}")
                    for line in _complaint(stack, dag_id, run_id, task):
                        progress(f"    {line}")
            if state in _FINISHED:
                done = sum(state in _FINISHED for state in states.values())
                progress(f"{dag_id}: {state} ({done} of {len(states)})")
                last_sign = time.monotonic()
        if time.monotonic() - last_sign > SIGN_SECONDS:
            progress(f"{sum(state in _FINISHED for state in states.values())} of {len(states)} are done")
            last_sign = time.monotonic()
    failed = sorted({dag_id for (dag_id, _), state in states.items() if state == "failed"})
    if failed:
        raise ZhengkuError(f"Failed: {', '.join(failed)}; the logs of the tasks are in {stack.airflow.task_log_folder}")
    return started


def _start_runs(api: AirflowApi, dag_ids: Collection[str]) -> dict[str, str]:
    """Start a run of each DAG and return its id."""
    started: dict[str, str] = {}
    switched_on = {dag_id for dag_id in dag_ids if api.is_paused(dag_id)}
    for dag_id in switched_on:
        api.unpause(dag_id)
    # An unpaused DAG runs for its last date by itself, and a second run would find nothing left to fetch.
    deadline = time.monotonic() + OWN_RUN_SECONDS
    while switched_on - started.keys() and time.monotonic() < deadline:
        time.sleep(0.2)
        for dag_id, run_id in sorted(api.active_runs()):
            if dag_id in switched_on:
                started.setdefault(dag_id, run_id)
    for dag_id in dag_ids:
        if dag_id not in started:
            run_id = f"manual__{clock.now().isoformat(timespec='milliseconds')}"
            api.trigger(dag_id, run_id)
            started[dag_id] = run_id
    return started


def _print_summary(settings: Settings, run_ids: Collection[str]) -> None:
    from zhengku.cli.summary import print_night

    print_night(settings, run_ids)


def _publish_list(settings: Settings, collection: services.Collection) -> None:
    """Publish the list of the cases and evaluations: their days are in the past, which the DAGs do not look at."""
    from zhengku.clearance.delivery import write_workbooks
    from zhengku.clearance.publish import DailyClearance
    from zhengku.cli.summary import print_list
    from zhengku.database import store_connection

    now = clock.now()
    clearance = DailyClearance(settings)
    published = clearance.publish(collection.day, collection.kind, now)
    clearance.refresh_rates(now)
    with store_connection(settings.database_url) as connection:
        workbooks = write_workbooks(connection, clearance.catalog, published, settings.report_folder)
    print_list(settings, published, workbooks)


def _publish_report(settings: Settings) -> None:
    """Publish the validation report of the night that was collected."""
    from zhengku.cli.summary import print_report
    from zhengku.review.daily import publish_nights
    from zhengku.review.night_files import report_folder

    report = publish_nights(settings, clock.now())[-1]
    print_report(report, report_folder(settings, report))


def _complaint(stack: LocalStack, dag_id: str, run_id: str, task: TaskState) -> Iterator[str]:
    """Return the error that a failed task logged, and the place of its log."""
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
