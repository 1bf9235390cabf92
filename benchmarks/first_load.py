"""First load of a large register, file → store, beside a raw COPY of the same clean rows into the same indexed table.

`make bench` runs it. Rows are made from the real register when ZHENGKU_REGISTER_DIR names its folder, else from made-up
ones. Ours and the floor take turns on one server with durability at its defaults; every figure is printed.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

import psycopg
from psycopg import sql

from local_stack.postgres import EmbeddedPostgres
from simulator.business_licenses import write_register
from zhengku.database import upgrade
from zhengku.road import Road
from zhengku.settings import Settings

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
    "effective_cache_size",
    "jit",
)
LIMIT = 2.5


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def ours(*, warm: bool) -> None:
    """Walk the road in this process and print the seconds of each step and the peak memory, as JSON.

    A warm process has Great Expectations imported, as Airflow's workers have; a cold one imports it on the way.
    """
    if warm:
        import_module("zhengku.validate.run")
    started = time.perf_counter()
    road = Road(Settings.load(), warm_up=True)
    seconds: dict[str, float] = {}

    def timed(name, step, *arguments):
        begin = time.perf_counter()
        result = step(*arguments)
        seconds[name] = time.perf_counter() - begin
        return result

    [batch] = timed("collect", road.collect, "market_supervision", "business_license", "bench")
    timed("stage", road.stage, batch.batch_id)
    timed("validate", road.validate, batch.batch_id)
    loaded = timed("load", road.load, batch.batch_id)
    seconds["all"] = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "counts": loaded.counts()}))


def run_ours(server: EmbeddedPostgres, folder: Path, register: Path, database: str, mode: str = "--warm") -> dict:
    """Load the register into a fresh database, in a process of its own."""
    url = fresh_database(server, database)
    drop = folder / "drop" / "business_license"
    drop.mkdir(parents=True, exist_ok=True)
    delivered = drop / "register.csv"
    if not delivered.exists():
        os.link(register, delivered)
    moment = time.time() - 3600
    os.utime(delivered, (moment, moment))
    landing = folder / "landing"
    shutil.rmtree(landing, ignore_errors=True)
    checkpoint(url)
    environment = {
        **os.environ,
        "ZHENGKU_DATABASE_URL": url,
        "ZHENGKU_LANDING_URL": str(landing),
        "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": str(folder / "drop"),
    }
    begin = time.perf_counter()
    result = subprocess.run(
        [sys.executable, __file__, mode], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    figures = json.loads(result.stdout.strip().splitlines()[-1])
    figures["process"] = time.perf_counter() - begin
    return figures


def export_clean_rows(server: EmbeddedPostgres, database: str, path: Path) -> None:
    """Write what the store holds as COPY text: the very rows that the floor loads."""
    with (
        psycopg.connect(plain(server.url(database))) as connection,
        path.open("wb") as file,
        connection.cursor().copy("copy certificate_of.business_license to stdout") as copy,
    ):
        for block in copy:
            file.write(block)


def run_floor(server: EmbeddedPostgres, database: str, rows: Path) -> float:
    """COPY the clean rows straight into the type's table, with its key and its two indexes; return the seconds."""
    url = fresh_database(server, database)
    with psycopg.connect(plain(url)) as connection:
        connection.execute(
            "create table certificate_of.business_license"
            " partition of store.certificate for values in ('business_license')"
        )
    checkpoint(url)
    with psycopg.connect(plain(url)) as connection, rows.open("rb") as file:
        begin = time.perf_counter()
        with connection.cursor().copy("copy certificate_of.business_license from stdin") as copy:
            while block := file.read(1024 * 1024):
                copy.write(block)
        connection.commit()
        return time.perf_counter() - begin


def fresh_database(server: EmbeddedPostgres, name: str) -> str:
    with psycopg.connect(plain(server.url("postgres")), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
    upgrade(server.url(name))
    return server.url(name)


def checkpoint(url: str) -> None:
    """Let neither side pay for what the other left to be written."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("checkpoint")
    os.sync()


def show_settings(server: EmbeddedPostgres) -> None:
    with psycopg.connect(plain(server.url("postgres"))) as connection:
        for name in SHOWN_SETTINGS:
            [value] = connection.execute(sql.SQL("show {}").format(sql.Identifier(name))).fetchone()
            print(f"  {name} = {value}")


def measure(rows: int, rounds: int, folder: Path, template: Path | None, server_settings: dict[str, str]) -> None:
    """Take turns, `rounds` times; `server_settings` come on top of those that the embedded server has for `make up`."""
    needed = rows * 6_000
    free = shutil.disk_usage(folder).free
    if free < needed:
        sys.exit(f"{rows:,} rows need about {needed / 1e9:.0f} GB in {folder}, {free / 1e9:.0f} GB are free.")
    register = folder / "register.csv"
    write_register(register, rows, seed=1, template_csv=template)
    clean = folder / "clean.copy"
    server = EmbeddedPostgres(folder / "postgres", server_settings)
    server.start()
    try:
        origin = "made from the real register" if template else "made up"
        print(f"{rows:,} rows, {register.stat().st_size / 1e6:.0f} MB, {origin}, {rounds} round(s)")
        show_settings(server)
        loads, colds, floors, cold_floors = [], [], [], []
        # Not counted: a server that has just been made creates its WAL files during the first load.
        run_ours(server, folder, register, "ours")
        export_clean_rows(server, "ours", clean)
        run_floor(server, "floor", clean)
        for _ in range(rounds):
            # Each of our runs comes after a floor and each floor after one of ours: whoever follows a run of ours pays
            # for the files that it left to be freed.
            loads.append(run_ours(server, folder, register, "ours"))
            floors.append(run_floor(server, "floor", clean))
            colds.append(run_ours(server, folder, register, "ours", "--cold"))
            cold_floors.append(run_floor(server, "floor", clean))
            seconds = " ".join(f"{name} {value:.1f}" for name, value in loads[-1]["seconds"].items())
            print(
                f"  warm {seconds} s; peak {loads[-1]['peak_mb']:.0f} MB  floor {floors[-1]:.1f} s  "
                f"ratio {loads[-1]['seconds']['all'] / floors[-1]:.2f}  "
                f"cold {colds[-1]['process']:.1f} s  floor {cold_floors[-1]:.1f} s  "
                f"ratio {colds[-1]['process'] / cold_floors[-1]:.2f}",
                flush=True,
            )
    finally:
        server.stop()
    print(f"  counts {loads[-1]['counts']}")
    for name in loads[0]["seconds"]:
        print(f"  {name:9s} median {statistics.median(load['seconds'][name] for load in loads):6.1f} s")
    print(f"  floor     median {statistics.median([*floors, *cold_floors]):6.1f} s")
    warm = statistics.median(load["seconds"]["all"] / floor for load, floor in zip(loads, floors, strict=True))
    cold = statistics.median(load["process"] / floor for load, floor in zip(colds, cold_floors, strict=True))
    print(f"  ratio     median {warm:6.2f}  file → store in a warm process (at most {LIMIT})")
    print(f"  ratio     median {cold:6.2f}  the whole cold process, its start and all imports included")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warm", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--cold", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000, 3_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="A setting of the server, for instance shared_buffers=4GB",
    )
    options = parser.parse_args()
    server_settings = dict(pair.split("=", 1) for pair in options.set)
    if options.warm or options.cold:
        ours(warm=options.warm)
        return
    source = os.environ.get("ZHENGKU_REGISTER_DIR", "")
    template = Path(source) / "business_licences_hubei_2019.csv" if source else None
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for place, rows in enumerate(options.rows):
        with tempfile.TemporaryDirectory(prefix="zhengku-bench-") as folder:
            # The larger sizes are there for memory and growth; one round shows them.
            measure(rows, options.rounds if place == 0 else 1, Path(folder), template, server_settings)


if __name__ == "__main__":
    main()
