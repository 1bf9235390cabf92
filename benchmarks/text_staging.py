"""Collect and copy into text staging, with the seconds of each part; for the benchmarks of transports."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from zhengku.database import store_connection
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings
from zhengku.stage.staging import copy_rows, type_rows


def backend_cpu(connection: psycopg.Connection[Any]) -> float:
    """Return the CPU seconds of the PostgreSQL backend of a connection on this machine (Linux), without children."""
    row = connection.execute("select pg_backend_pid()").fetchone()
    assert row is not None
    stat = Path(f"/proc/{row[0]}/stat")
    if not stat.exists():
        return float("nan")
    # utime and stime are fields 14 and 15, in ticks of 1/100 s; the second field ends with the last parenthesis.
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def collect_and_copy(department: str, feed_id: str) -> tuple[dict[str, float], int, float, float]:
    """Collect, copy, then type; return seconds (`all` without typing), rows, and CPU of both sides without typing."""
    pipeline = Pipeline(Settings.load())
    # The catalogue is read before: the other side has none, and the nightly process reads it only once.
    feed = pipeline.catalog.feed(department, feed_id)
    started, cpu = time.perf_counter(), time.process_time()
    [batch] = pipeline.collect(department, feed_id, "bench")
    collected = time.perf_counter()
    if batch.status != "landed" or batch.landing_path is None:
        sys.exit(f"The batch is {batch.status}: {batch.detail}")
    with store_connection(pipeline.settings.database_url) as connection:
        with connection.transaction(), pipeline.landing.open(batch.landing_path) as content:
            staged = copy_rows(connection, batch, feed, content)
        copied, spent = time.perf_counter(), time.process_time() - cpu
        server_cpu = backend_cpu(connection)
        typing = time.perf_counter()
        with connection.transaction():
            type_rows(connection, batch, feed, pipeline.catalog, staged)
        typed = time.perf_counter() - typing
    seconds = {
        "collect": collected - started,
        "copy": copied - collected,
        "all": copied - started,
        "typing": typed,
    }
    return seconds, staged.staged, spent, server_cpu
