"""Cleaning Airflow's own tables by its own command, `airflow db clean`, from a task.

Airflow keeps its database from the code of tasks: it replaces the address in the environment of a task. The command is
a process of its own, whose environment has the address as the worker has it (docs/decisions/0068).
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from zhengku.catalog.retention_config import RetentionConfig
from zhengku.database import store_connection
from zhengku.errors import NotRemoved
from zhengku.retention.removal import complete, record_rows, unfinished_of_airflow

TABLES: Final = (
    "asset_event",
    "callback",
    "celery_taskmeta",
    "dag_run",
    "job",
    "log",
    "session",
    "task_instance",
    "task_instance_history",
    "task_reschedule",
    "xcom",
)
"""Tables that grow with the runs. The last scheduled run of a DAG stays; Airflow adds tables that refer to these."""

ROWS = 10_000
"""Rows that Airflow removes in one transaction."""

LONGEST = timedelta(minutes=50)

_BLOCKED = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN")
_ADDRESS = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET")


class AddressUnknown(NotRemoved):
    """A task cannot know Airflow's database here; people have to clean its tables in another way."""


def clean_airflow_tables(url: str, config: RetentionConfig, now: datetime, *, dry_run: bool) -> dict[str, int]:
    """Remove what is too old from Airflow's tables, and record it in the store at `url`; return rows by table.

    With `dry_run`, count only. Raises `AddressUnknown` where the address of Airflow's database is not given by a
    command or a secret, `NotRemoved` when Airflow's command fails.
    """
    before = now - timedelta(days=config.airflow_days)
    environment = environment_of_command(os.environ)
    counted = _clean(environment, before, dry_run=True)
    if dry_run:
        return counted
    rule = f"airflow_days: {config.airflow_days}"
    with store_connection(url) as connection:
        for name, rows in counted.items():
            if rows:
                record_rows(connection, "airflow", rule, name, rows)
    _clean(environment, before, dry_run=False)
    # What a command that was killed had moved aside.
    _run(environment, "drop-archived", "--yes")
    with store_connection(url) as connection:
        # Those of a run that was killed are among them.
        complete(connection, unfinished_of_airflow(connection))
    return counted


def environment_of_command(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a task with the address of Airflow's database as the worker has it."""
    if not any(environment.get(name) for name in _ADDRESS):
        raise AddressUnknown(
            f"Airflow's own tables are not cleaned: expected {_ADDRESS[0]} in the environment of the workers, got "
            "none. Set it as docker-compose.yml does, or let the machine of the scheduler run `airflow db clean` by "
            "its own timer (docs/runbooks/retention.md)."
        )
    return {name: value for name, value in environment.items() if name not in _BLOCKED}


def counts_of(output: str) -> dict[str, int]:
    """Return the rows by table that `airflow db clean` printed. Raises `NotRemoved` when it printed none."""
    found = re.findall(r"^Checking table (\w+)\s*\nFound (\d+) rows meeting deletion criteria", output, re.MULTILINE)
    if not found:
        raise NotRemoved(
            "Expected that `airflow db clean` tells how many rows of each table are too old, got none of these lines: "
            "this version of Airflow says it in another way. Its tables were not cleaned."
        )
    return {name: int(rows) for name, rows in found}


def _clean(environment: Mapping[str, str], before: datetime, *, dry_run: bool) -> dict[str, int]:
    return counts_of(
        _run(
            environment,
            "clean",
            "--clean-before-timestamp",
            before.isoformat(),
            "--tables",
            ",".join(TABLES),
            "--batch-size",
            str(ROWS),
            "--skip-archive",
            "--error-on-cleanup-failure",
            "--yes",
            *(("--dry-run",) if dry_run else ()),
        )
    )


def _run(environment: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "airflow", "db", *arguments]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=LONGEST.total_seconds(), check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotRemoved(
            f"`airflow db {arguments[0]}` did not end within {LONGEST}; the next run continues."
        ) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise NotRemoved(f"`airflow db {arguments[0]}` ended with status {done.returncode}: {said:.300}")
    return done.stdout
