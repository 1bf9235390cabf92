"""A night of all departments in the real scheduler: how long it takes, and which part of it is Airflow's own.

The same made-up night runs twice: only the steps, in one process, and by Airflow. Processor seconds are counted for
complete process trees, PostgreSQL included; Airflow's share is what the second run needs in addition to the first.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
from benchmarks.peak_memory import server_process

from local_stack.city import ALL_SYSTEMS, MadeUpCity
from local_stack.demo import run_departments
from local_stack.postgres import EmbeddedPostgres
from local_stack.processes import BackgroundProgram, stop_programs
from local_stack.stack import LocalStack
from zhengku.catalog.catalog import department_files
from zhengku.database import upgrade
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings, project_home


def cpu_seconds(processes: list[psutil.Process], *, ended: bool = True) -> float:
    """Return the processor seconds of processes so far, with those of their children that have `ended`."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if ended:
            total += times.children_user + times.children_system
    return total


def server_processes(server: EmbeddedPostgres) -> list[psutil.Process]:
    parent = server_process(server)
    return [parent, *parent.children(recursive=True)]


def counted(url: str) -> str:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(
            "select count(*), sum(fetched), sum(inserted + updated + deleted) from ledger.batch"
        ).fetchone()
    assert row is not None
    return f"{row[0]} batches, {row[1]:,} rows, {row[2]:,} written"


def by_steps(folder: Path, rows: int) -> tuple[float, float]:
    """Return wall and processor seconds of the night when only the steps run."""
    from zhengku.validate import run

    assert run  # imported before, as Airflow's task processes inherit it
    postgres = EmbeddedPostgres(folder / "postgres")
    program = BackgroundProgram("simulator", folder, folder)
    try:
        postgres.start()
        postgres.create_database("zhengku")
        url = postgres.url("zhengku")
        upgrade(url)
        city = MadeUpCity(folder / "simulator", postgres, program)
        city.start(os.environ)
        city.pass_night(rows, 1)
        environment = {
            "ZHENGKU_DATABASE_URL": url,
            "ZHENGKU_LANDING_URL": str(folder / "landing"),
            "ZHENGKU_REPORT_DIR": str(folder / "reports"),
            **city.connections(),
        }
        used = cpu_seconds([psutil.Process(), *server_processes(postgres)])
        started = time.monotonic()
        for department in dict.fromkeys(system.department for system in ALL_SYSTEMS):
            pipeline = Pipeline(Settings(home=project_home(), environment=environment))
            for system in ALL_SYSTEMS:
                if system.department == department:
                    pipeline.collect(department, system.feed, "steps")
            pipeline.load_run(department, "steps", last_try=False)
            pipeline.conclude(department, "steps")
        wall = time.monotonic() - started
        used = cpu_seconds([psutil.Process(), *server_processes(postgres)]) - used
        print(f"only the steps: wall {wall:.1f} s, processor {used:.1f} s; {counted(url)}", flush=True)
        return wall, used
    finally:
        stop_programs([program])
        postgres.stop()


def by_part(stack: LocalStack) -> dict[str, float]:
    """Return the processor seconds of each part of the stack so far; tasks and the scheduler separately."""
    components = stack.processes()
    main, *below = components.pop("scheduler")
    parts = {
        **components,
        "scheduler": [main],
        "task processes": below,
        "PostgreSQL": server_processes(stack.postgres),
    }
    return {name: cpu_seconds(processes, ended=name != "scheduler") for name, processes in parts.items()}


def by_airflow(folder: Path, rows: int) -> tuple[float, float]:
    """Return wall and processor seconds of the night by the real scheduler, started and idle before."""
    stack = LocalStack(project_home(), folder, print)
    try:
        stack.up(("api-server", "scheduler", "dag-processor"))
        stack.city.pass_night(rows, 1)
        with stack.api() as api:
            before = by_part(stack)
            started = time.monotonic()
            departments = {file.stem for file in department_files(stack.home / "include" / "catalog")}
            run_departments(stack, api, sorted(departments), print)
            wall = time.monotonic() - started
            parts = {name: used - before[name] for name, used in by_part(stack).items()}
        used = sum(parts.values())
        shown = ", ".join(f"{name} {seconds:.1f}" for name, seconds in parts.items())
        print(
            f"Airflow: wall {wall:.1f} s, processor {used:.1f} s ({shown}); {counted(stack.postgres.url('zhengku'))}",
            flush=True,
        )
        return wall, used
    finally:
        stack.down()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400, help="certificates of each feed")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="zhengku-night-", ignore_cleanup_errors=True) as folder:
        _, ours = by_steps(Path(folder), rows)
    with tempfile.TemporaryDirectory(prefix="zhengku-night-", ignore_cleanup_errors=True) as folder:
        _, everything = by_airflow(Path(folder), rows)
    print(f"Airflow's own share of the processor time: {1 - ours / everything:.0%}")


if __name__ == "__main__":
    main()
