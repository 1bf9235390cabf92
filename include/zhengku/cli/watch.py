"""`zhengku watch`: what is out of order, for a monitoring that does not depend on Airflow."""

import socket
from dataclasses import asdict
from datetime import datetime, timedelta

import typer

from zhengku import clock
from zhengku.catalog import load_catalog
from zhengku.catalog.notices_config import load_notices
from zhengku.cli.common import AsJson, clock_text, out, print_json
from zhengku.database import store_connection
from zhengku.settings import Settings
from zhengku.watch import state
from zhengku.watch.finding import KINDS, Finding
from zhengku.watch.late import find_late
from zhengku.watch.machine import find_on_machine
from zhengku.watch.store import find_in_store
from zhengku.watch.telling import URGENCY_NAMES

SILENT_AFTER = timedelta(minutes=20)
"""So long after its last look the DAG `watch`, which looks every five minutes, does not run."""


def watch(as_json: AsJson = False) -> None:
    """Print what is out of order. Status 1 when anything is urgent or a problem; reminders are printed only.

    Looks at batches, lists, feeds and this machine itself; of runs it says what the DAG `watch` saw last. Changes
    nothing.
    """
    settings = Settings.load()
    catalog = load_catalog(settings.catalog_folder)
    config = load_notices(settings.catalog_folder)
    now = clock.now()
    with store_connection(settings.database_url) as connection:
        findings = [
            *_watch_is_silent(state.looked_at(connection, "airflow"), now),
            *find_late(connection, settings, now),
            *state.seen_by(connection, "airflow"),
            *find_in_store(connection, catalog, now),
        ]
    findings += find_on_machine(settings, config, socket.gethostname(), now)
    if as_json:
        print_json([{**asdict(one), "urgency": one.how_urgent} for one in findings])
    else:
        for one in findings:
            print(f"{URGENCY_NAMES[one.how_urgent]} {KINDS[one.kind].name_zh}: {one.text}")  # noqa: T201
        if not findings:
            out.print("Nothing is out of order.")
    if any(one.how_urgent != "reminder" for one in findings):
        raise typer.Exit(1)


def _watch_is_silent(looked_at: datetime | None, now: datetime) -> list[Finding]:
    if looked_at is not None and now - looked_at < SILENT_AFTER:
        return []
    last = f"上次检查 {clock_text(looked_at)}" if looked_at else "从未检查"
    return [Finding("watch_silent", "watch", f"任务流 watch 未在运行，{last}：部门任务的失败无人告知")]
