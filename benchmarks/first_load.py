"""First load of a large register, file → store, compared with COPY of the same clean rows into the same indexed table.

Later deliveries are measured too: the identical file, the same rows in another order, 20,000 changed rows; and what a
user would take in place of zhengku (`other_loads.py`). `make bench` runs it. Rows are made from the real register when
ZHENGKU_REGISTER_DIR names its folder, else they are made up. All take turns on one server with durability at its
defaults; every figure is printed.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import psutil  # type: ignore[import-untyped]
import psycopg
from benchmarks.peak_memory import backends_watched, peak_mb
from psycopg import sql

from local_stack.postgres import EmbeddedPostgres
from simulator.business_licenses import write_register
from zhengku.catalog import load_catalog
from zhengku.database import statement, store_connection, upgrade, use_batch_schema
from zhengku.ledger import batch_by_id
from zhengku.load.merge import classify
from zhengku.load.store_table import StoreTable
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings
from zhengku.transports.source import EARLIEST

SHOWN_SETTINGS = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "wal_compression",
    "shared_buffers",
    "work_mem",
    "maintenance_work_mem",
    "max_wal_size",
    "min_wal_size",
    "checkpoint_timeout",
    "max_parallel_workers_per_gather",
    "max_parallel_maintenance_workers",
    "effective_cache_size",
    "jit",
)
LIMIT = 2.0
CHANGED = 20_000
BLOCK = 1024 * 1024

T = TypeVar("T")

# What a measured process prints: seconds (of each step, or in all), peak memory, counts.
Figures = dict[str, Any]


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def ours(*, warm: bool) -> None:
    """Load a file in this process, and print the seconds of each step and the peak memory, as JSON.

    A warm process has imported Great Expectations before, as Airflow's workers have; a cold one imports it meanwhile.
    """
    if warm:
        import_module("zhengku.validate.run")
    started = time.perf_counter()
    pipeline = Pipeline(Settings.load(), warm_up=True)
    seconds: dict[str, float] = {}

    def timed(name: str, step: Callable[..., T], *arguments: object) -> T:
        started = time.perf_counter()
        result = step(*arguments)
        seconds[name] = time.perf_counter() - started
        return result

    [batch] = timed("collect", pipeline.collect, "market_supervision", "business_license", f"bench-{time.time_ns()}")
    timed("stage", pipeline.stage, batch.batch_id)
    timed("validate", pipeline.validate, batch.batch_id)
    loaded = timed("load", pipeline.load, batch.batch_id)
    seconds["all"] = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "counts": loaded.counts()}))


def run_ours(server: EmbeddedPostgres, folder: Path, register: Path, database: str, mode: str = "--warm") -> Figures:
    """Load the register into a fresh database, in a process of its own."""
    url = fresh_database(server, database)
    shutil.rmtree(folder / "drop", ignore_errors=True)
    shutil.rmtree(folder / "landing", ignore_errors=True)
    return deliver(url, folder, register, "register.csv", 3600, mode, is_whole=True)


def deliver(
    url: str,
    folder: Path,
    content: Path,
    name: str,
    seconds_ago: float,
    mode: str = "--warm",
    *,
    is_whole: bool = False,
) -> Figures:
    """Put a file into the drop and load it into the store, in a process of its own."""
    drop = folder / "drop" / "business_license"
    drop.mkdir(parents=True, exist_ok=True)
    # A copy with its own time of change; the file system shares the bytes where it can.
    shutil.copyfile(content, drop / name)
    moment = time.time() - seconds_ago
    os.utime(drop / name, (moment, moment))
    checkpoint(url)
    if is_whole:
        fill_page_cache()
    environment = {
        **os.environ,
        "ZHENGKU_DATABASE_URL": url,
        "ZHENGKU_LANDING_URL": str(folder / "landing"),
        "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": str(folder / "drop"),
    }
    started = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.first_load", mode],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: Figures = json.loads(result.stdout.strip().splitlines()[-1])
    figures["process"] = time.perf_counter() - started
    return figures


def write_reversed(register: Path, path: Path) -> None:
    """Write the same rows in the opposite order."""
    with register.open(encoding="utf-8", newline="") as source, path.open("w", encoding="utf-8", newline="") as target:
        header, *rows = csv.reader(source)
        csv.writer(target).writerows([header, *reversed(rows)])


def write_changed(register: Path, path: Path, rows: int, word: str) -> None:
    """Write rows from all parts of a register of `rows` rows, with another name of the holder."""
    with register.open(encoding="utf-8", newline="") as source, path.open("w", encoding="utf-8", newline="") as target:
        lines = csv.reader(source)
        writer = csv.writer(target)
        writer.writerow(next(lines))
        step = max(1, rows // CHANGED)
        spread = islice(lines, 0, CHANGED * step, step)
        writer.writerows([f"{holder}（{word}）", *rest] for holder, *rest in spread)


def run_other(server: EmbeddedPostgres, tool: str, register: Path, database: str) -> Figures:
    """Load the register with another tool into a fresh database with the type's table, key and indexes."""
    url = fresh_database(server, database)
    make_partition(url)
    checkpoint(url)
    fill_page_cache()
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.other_loads", tool, str(register), url],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    drop_database(server, database)
    figures: Figures = json.loads(result.stdout.strip().splitlines()[-1])
    return figures


def export_clean_rows(server: EmbeddedPostgres, database: str, path: Path) -> None:
    """Write the rows of the store as COPY text, for the raw COPY (the floor)."""
    with (
        psycopg.connect(plain(server.url(database))) as connection,
        path.open("wb") as file,
        connection.cursor().copy("copy certificate_of.business_license to stdout") as copy,
    ):
        for block in copy:
            file.write(block)


def run_floor(server: EmbeddedPostgres, database: str, rows: Path) -> float:
    """COPY the clean rows directly into the type's table, with its key and two indexes; return the seconds."""
    url = fresh_database(server, database)
    make_partition(url)
    checkpoint(url)
    fill_page_cache()
    with psycopg.connect(plain(url)) as connection, rows.open("rb") as file:
        started = time.perf_counter()
        with connection.cursor().copy("copy certificate_of.business_license from stdin") as copy:
            while block := file.read(BLOCK):
                copy.write(block)
        connection.commit()
        seconds = time.perf_counter() - started
    drop_database(server, database)
    return seconds


def make_partition(url: str) -> None:
    """Make the license type's table with its key and indexes, empty."""
    with psycopg.connect(plain(url)) as connection:
        connection.execute(
            "create table certificate_of.business_license"
            " partition of store.certificate for values in ('business_license')"
        )


def drop_database(server: EmbeddedPostgres, name: str) -> None:
    """Drop a database, so that autovacuum does not process it while the next side is measured."""
    with psycopg.connect(plain(server.url("postgres")), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def fresh_database(server: EmbeddedPostgres, name: str) -> str:
    drop_database(server, name)
    with psycopg.connect(plain(server.url("postgres")), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
    upgrade(server.url(name))
    return server.url(name)


def checkpoint(url: str) -> None:
    """Write all dirty pages, so that no side pays for what the other left unwritten."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("checkpoint")
    os.sync()


def fill_page_cache() -> None:
    """Fill the memory with cached pages of a useless file, as other files fill the memory of a server.

    Called before each side writes a complete register. A virtual machine may return free memory to its host, and the
    next process that needs it waits a second for each GB: the side that writes most would wait longest.
    """
    hole = _hole()
    hole.seek(0)
    while hole.read(BLOCK):
        pass


@cache
def _hole() -> BinaryIO:
    """Return an open sparse file as large as the memory, without blocks on the disk."""
    hole = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open as long as the process: closed, it is not cached
    os.truncate(hole.fileno(), psutil.virtual_memory().total)
    return hole


def vacuum(url: str) -> float:
    """Vacuum the type's table; return the seconds."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        started = time.perf_counter()
        connection.execute("vacuum (analyze) certificate_of.business_license")
        return time.perf_counter() - started


def show_settings(server: EmbeddedPostgres) -> None:
    with psycopg.connect(plain(server.url("postgres"))) as connection:
        for name in SHOWN_SETTINGS:
            for [value] in connection.execute(sql.SQL("show {}").format(sql.Identifier(name))).fetchall():
                print(f"  {name} = {value}")


def rows_read(url: str) -> int:
    """Return how many rows of the type's table were read so far, in any way (a bitmap scan may read all)."""
    with psycopg.connect(plain(url)) as connection:
        connection.execute("select pg_stat_force_next_flush()")
        [[rows]] = connection.execute(
            "select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::bigint from pg_stat_user_tables"
            " where schemaname = 'certificate_of'"
        ).fetchall()
    return int(rows)


def show_plan(url: str, folder: Path, content: Path) -> None:
    """Load changed rows into the store, and print the plan by which PostgreSQL merges them."""
    drop = folder / "drop" / "business_license"
    shutil.copyfile(content, drop / "plan.csv")
    moment = time.time() - 60
    os.utime(drop / "plan.csv", (moment, moment))
    environment = {
        "ZHENGKU_DATABASE_URL": url,
        "ZHENGKU_LANDING_URL": str(folder / "landing"),
        "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": str(folder / "drop"),
    }
    pipeline = Pipeline(Settings(home=Settings.load().home, environment=environment))
    [batch] = pipeline.collect("market_supervision", "business_license", "plan")
    pipeline.validate(batch.batch_id)
    with store_connection(url) as connection:
        batch = batch_by_id(connection, batch.batch_id)
        table = StoreTable.of(batch, load_catalog(pipeline.settings.catalog_folder).standard_fields("certificate"))
        use_batch_schema(connection, batch.batch_id)
        values = {
            "license_type": batch.license_type,
            "batch_id": batch.batch_id,
            "undated": EARLIEST,
            "is_first": False,
            "is_register": False,
            "is_dated": False,
            "department": batch.department,
            "feed": batch.feed,
            "landed_at": batch.landed_at,
        }
        classify(connection, table, values)
        names = {**table.names, "written_rows": statement("load/merge.written_rows")}
        merge = sql.SQL("explain (costs off) {}").format(statement("load/merge.merge").format(**names))
        print("  plan of the merge of the changed rows:")
        for [line] in connection.execute(merge, values).fetchall():
            print(f"    {line}")
        connection.rollback()
    pipeline.load(batch.batch_id)


def show(name: str, values: Sequence[float], unit: str = "s") -> None:
    listed = ", ".join(f"{value:.2f}" for value in values)
    print(f"  {name:34s} median {statistics.median(values):8.2f} {unit}  of {listed}")


@dataclass(frozen=True)
class _Registers:
    """The files of a measurement: the register, the same rows in opposite order, and two with changed rows.

    `clean` gets the rows of the store, which the raw COPY loads.
    """

    register: Path
    reversed: Path
    changed: Path
    changed_again: Path
    clean: Path


class _Notes:
    """The values that were measured, by name; each is printed at once."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def add(self, name: str, value: float) -> float:
        """Record and print a value, and return it."""
        self.values.setdefault(name, []).append(value)
        print(f"    {name} {value:.2f}", flush=True)
        return value


def measure(options: argparse.Namespace, rows: int, rounds: int, folder: Path, template: Path | None) -> None:
    """Take turns, `rounds` times; what `options.set` names comes on top of the settings of `make up`."""
    needed = rows * 6_000
    free = shutil.disk_usage(folder).free
    if free < needed:
        sys.exit(f"{rows:,} rows need about {needed / 1e9:.0f} GB in {folder}, {free / 1e9:.0f} GB are free.")
    delivers_again = rows <= options.again_up_to
    files = _write_registers(folder, rows, template, with_reversed=delivers_again)
    server = EmbeddedPostgres(folder / "postgres", dict(pair.split("=", 1) for pair in options.set))
    server.start()
    loads: list[Figures] = []
    notes = _Notes()
    try:
        origin = "made from the real register" if template else "made up"
        print(f"{rows:,} rows, {files.register.stat().st_size / 1e6:.0f} MB, {origin}, {rounds} round(s)")
        show_settings(server)
        if delivers_again:
            # Not counted: a server that has just been made creates its WAL files during the first load.
            run_ours(server, folder, files.register, "ours")
            export_clean_rows(server, "ours", files.clean)
            run_floor(server, "floor", files.clean)
        for turn in range(rounds):
            load = _measure_ours(server, folder, files, notes, delivers_again=delivers_again)
            loads.append(load)
            if turn == 0:
                show_plan(server.url("ours"), folder, files.changed_again)
            floor = notes.add("floor, s", run_floor(server, "floor", files.clean))
            notes.add("ratio to the floor, warm", load["seconds"]["all"] / floor)
            if turn < options.cold_rounds:
                _measure_cold(server, folder, files, notes)
            for tool in options.others if turn < options.other_rounds else ():
                other = run_other(server, tool, files.register, "other")
                notes.add(f"{tool}, s", other["seconds"])
                notes.add(f"{tool}, MB", other["peak_mb"])
                notes.add(f"{tool}, times ours", other["seconds"] / load["seconds"]["all"])
    finally:
        server.stop()
    print(f"  counts {loads[-1]['counts']}")
    for name in loads[0]["seconds"]:
        show(f"{name}, s", [load["seconds"][name] for load in loads], "")
    for name, values in notes.values.items():
        show(name, values, "")
    print(f"  aims: ratio to the floor at most {LIMIT}; identical 0.05; reordered 0.35; changed rows 5 s; peak 450 MB;")
    print("  pandas at least 2 times ours, dlt more than ours", flush=True)


def _write_registers(folder: Path, rows: int, template: Path | None, *, with_reversed: bool) -> _Registers:
    files = _Registers(
        register=folder / "register.csv",
        reversed=folder / "turned.csv",
        changed=folder / "changed.csv",
        changed_again=folder / "changed_again.csv",
        clean=folder / "clean.copy",
    )
    write_register(files.register, rows, seed=1, template_csv=template)
    write_changed(files.register, files.changed, rows, "更名")
    write_changed(files.register, files.changed_again, rows, "再次更名")
    if with_reversed:
        write_reversed(files.register, files.reversed)
    return files


def _measure_ours(
    server: EmbeddedPostgres, folder: Path, files: _Registers, notes: _Notes, *, delivers_again: bool
) -> Figures:
    """Load the register, and then its later deliveries; return the figures of the first load."""
    # Our runs and the floor take turns, since the run after one of ours pays for freeing the files that it left.
    with backends_watched(server) as backends:
        load = run_ours(server, folder, files.register, "ours")
    print("  " + " ".join(f"{name} {value:.1f}" for name, value in load["seconds"].items()), flush=True)
    ours_seconds = notes.add("warm, s", load["seconds"]["all"])
    notes.add("peak, MB", load["peak_mb"])
    notes.add("peak of PostgreSQL's backends, without shared buffers, MB", backends[0])
    url = server.url("ours")
    if not files.clean.exists():
        export_clean_rows(server, "ours", files.clean)
    # The server's own autovacuum does this within a minute, and the next delivery comes a night later. Without it the
    # first statement that reads the new rows marks each of them as committed, and writes nearly every page anew.
    notes.add("vacuum after the first load, s", vacuum(url))
    if delivers_again:
        identical = deliver(url, folder, files.register, "again.csv", 1800)
        notes.add("the identical file again, of its first load", identical["seconds"]["all"] / ours_seconds)
        reordered = deliver(url, folder, files.reversed, "turned.csv", 900, is_whole=True)
        notes.add("the same rows in another order, of it", reordered["seconds"]["all"] / ours_seconds)
        notes.add("peak of that, MB", reordered["peak_mb"])
    read = rows_read(url)
    change = deliver(url, folder, files.changed, "changed.csv", 300)
    notes.add(f"{CHANGED:,} changed rows, s", change["seconds"]["all"])
    notes.add("rows of the store read for them", rows_read(url) - read)
    return load


def _measure_cold(server: EmbeddedPostgres, folder: Path, files: _Registers, notes: _Notes) -> None:
    """Load the register and its changed rows in processes that have to import Great Expectations first."""
    cold = run_ours(server, folder, files.register, "ours", "--cold")
    notes.add("cold process, s", cold["process"])
    changed = deliver(server.url("ours"), folder, files.changed, "changed.csv", 300, "--cold")
    notes.add(f"{CHANGED:,} changed rows, cold process, s", changed["process"])
    floor = notes.add("floor after it, s", run_floor(server, "floor", files.clean))
    notes.add("ratio to the floor, cold", cold["process"] / floor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warm", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--cold", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold-rounds", type=int, default=5)
    parser.add_argument("--other-rounds", type=int, default=5)
    parser.add_argument("--others", nargs="*", default=["pandas", "dlt"], choices=["pandas", "dlt"])
    parser.add_argument(
        "--again-up-to",
        type=int,
        default=1_000_000,
        metavar="ROWS",
        help="Deliver registers of at most so many rows again",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="A setting of the server, for instance shared_buffers=4GB",
    )
    options = parser.parse_args()
    if options.warm or options.cold:
        ours(warm=options.warm)
        return
    source = os.environ.get("ZHENGKU_REGISTER_DIR", "")
    template = Path(source) / "business_licences_hubei_2019.csv" if source else None
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for rows in options.rows:
        with tempfile.TemporaryDirectory(prefix="zhengku-bench-") as folder:
            measure(options, rows, options.rounds, Path(folder), template)


if __name__ == "__main__":
    main()
