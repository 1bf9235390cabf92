"""A table of MariaDB → text staging, compared with pandas (`read_sql`, `to_sql`) into a table of text.

`python -m benchmarks.exchange_rows` runs it. Both read the same table of 18 columns from the same MariaDB and write to
the same embedded PostgreSQL with durability at its defaults; they take turns, each in a process of its own. Ours also
lands the rows, checks them, and stores manifest and position. Typing the rows is shown separately, since pandas does
not do it. CPU is that of the measured process without its imports.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from benchmarks.first_load import checkpoint, fresh_database
from benchmarks.peak_memory import peak_mb
from benchmarks.text_staging import collect_and_copy

from local_stack.postgres import EmbeddedPostgres
from simulator.business_licenses import credit_code
from zhengku.settings import project_home

if TYPE_CHECKING:
    from tests.support.exchange_servers import ExchangeServer

LIMIT = 0.15
LIMIT_MB = 450
MORE = ("登记机关", "经营期限", "行业门类", "备注")
COLUMNS = (
    *("id", "cd_batch", "cd_operation", "cd_time", "企业名称", "统一社会信用代码", "注册日期", "企业类型", "法人代表"),
    *("注册资金", "经营范围", "所在省份", "地区", "注册地址", *MORE),
)
TRANSPORT = """    transport:
      kind: exchange_database
      connection: bench_front
      table: license
      row_id: [id]
    window: {kind: watermark, column: cd_time}
    operation: {column: cd_operation}
"""


def write_catalog(folder: Path) -> None:
    """Copy the shipped catalogue, with a feed that reads the table and maps every column."""
    shutil.copytree(project_home() / "include" / "catalog", folder)
    for other in (folder / "departments").glob("*.yaml"):
        if other.stem != "market_supervision":
            other.unlink()
    path = folder / "departments" / "market_supervision.yaml"
    text = path.read_text(encoding="utf-8")
    start, end = text.index("    transport:\n"), text.index("    deliveries:")
    text = text[:start] + TRANSPORT + text[end : text.index("    ignored_columns:")]
    more = "".join(f"      {name}: {{column: {name}}}\n" for name in (*MORE, "所在省份", "cd_batch"))
    text = text.replace("    extension:\n", f"    extension:\n{more}").replace("      - source_updated_at\n", "")
    text = text.replace("      district:", "      source_updated_at: {column: cd_time}\n      district:")
    text = text.replace("    version: delivery ", "    version: source_updated_at ")
    path.write_text(text, encoding="utf-8")


def made_up(count: int) -> Iterator[dict[str, object]]:
    start = datetime(2024, 1, 1)
    for number in range(1, count + 1):
        values = (
            *(number, f"B{number // 10_000}", "I", start + timedelta(seconds=number // 7)),
            *(f"鄂州市虚构第{number}号商贸有限公司", credit_code(number), "2020-05-01", "有限责任公司", "张某某"),
            *("100万元人民币", "虚构货物的批发、零售；虚构技术的开发、咨询与服务", "湖北", "鄂州"),
            *(f"鄂州市鄂城区虚构路{number}号", "虚构登记机关", "长期", "批发和零售业", None),
        )
        yield dict(zip(COLUMNS, values, strict=True))


def fill(server: ExchangeServer, count: int) -> None:
    server.run(
        "create table license (id int primary key, cd_batch varchar(20), cd_operation char(1), cd_time datetime,"
        + ", ".join(f"`{name}` {'date' if name == '注册日期' else 'varchar(200)'}" for name in COLUMNS[4:])
        + ", index (cd_time, id))"
    )
    part: list[dict[str, object]] = []
    for row in made_up(count):
        part.append(row)
        if len(part) == 10_000:
            server.fill("license", part)
            part = []
    if part:
        server.fill("license", part)


def figures(started: float, cpu: float, rows: int, **seconds: float) -> None:
    peak = peak_mb()
    print(json.dumps({"all": time.perf_counter() - started, "rows": rows, "peak_mb": peak, "cpu": cpu, **seconds}))


def ours() -> None:
    """Collect and copy in this process."""
    seconds, rows, cpu, _ = collect_and_copy("market_supervision", "business_license")
    figures(0.0, cpu, rows, **seconds)


def theirs() -> None:
    """Read and write with pandas in this process."""
    import pandas  # type: ignore[import-untyped]

    started, cpu = time.perf_counter(), time.process_time()
    source = sa.create_engine(os.environ["ZHENGKU_CONN_BENCH_FRONT"])
    target = sa.create_engine(os.environ["ZHENGKU_DATABASE_URL"])
    frame = pandas.read_sql("select * from license", source)
    read = time.perf_counter()
    frame.to_sql("text_row", target, index=False, dtype=dict.fromkeys(frame.columns, sa.Text()))
    figures(started, time.process_time() - cpu, len(frame), read=read - started, write=time.perf_counter() - read)


def run(side: str, server: EmbeddedPostgres, folder: Path, front: ExchangeServer) -> dict[str, float]:
    """Take one side's turn on a fresh database."""
    url = fresh_database(server, side)
    landing = folder / "landing"
    shutil.rmtree(landing, ignore_errors=True)
    checkpoint(url)
    environment = {
        **os.environ,
        "ZHENGKU_DATABASE_URL": url,
        "ZHENGKU_LANDING_URL": str(landing),
        "ZHENGKU_CATALOG_DIR": str(folder / "catalog"),
        "ZHENGKU_CONN_BENCH_FRONT": front.address,
    }
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.exchange_rows", f"--{side}"],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return dict(json.loads(result.stdout.strip().splitlines()[-1]))


def measure(rows: int, rounds: int) -> None:
    # Imported here, since the tests' module needs memory and removes the store's address from the environment, which
    # the measured processes must not suffer from.
    from tests.support.exchange_servers import mariadb_database, mariadb_server

    with (
        tempfile.TemporaryDirectory(prefix="zhengku-bench-") as name,
        mariadb_server() as mariadb,
        mariadb_database(mariadb) as front,
    ):
        folder = Path(name)
        write_catalog(folder / "catalog")
        fill(front, rows)
        server = EmbeddedPostgres(folder / "postgres", {})
        server.start()
        try:
            print(f"{rows:,} rows x {len(COLUMNS)} columns, {rounds} round(s), {front.run('select version()')[0][0]}")
            ratios = []
            for _ in range(rounds):
                mine, other = run("ours", server, folder, front), run("theirs", server, folder, front)
                assert mine["rows"] == other["rows"] == rows
                ratios.append(mine["all"] / other["all"])
                print(
                    f"  ours {mine['all']:.1f} s (collect {mine['collect']:.1f}, copy {mine['copy']:.1f}; typing "
                    f"{mine['typing']:.1f}), CPU {mine['cpu']:.1f} s, peak {mine['peak_mb']:.0f} MB  pandas "
                    f"{other['all']:.1f} s (read {other['read']:.1f}, write {other['write']:.1f}), CPU "
                    f"{other['cpu']:.1f} s, peak {other['peak_mb']:.0f} MB  ratio {ratios[-1]:.2f}",
                    flush=True,
                )
            print(f"  ratio median {statistics.median(ratios):.2f} (at most {LIMIT:.2f}); peak at most {LIMIT_MB} MB")
        finally:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--theirs", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.ours:
        ours()
    elif options.theirs:
        theirs()
    else:
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        measure(options.rows, options.rounds)


if __name__ == "__main__":
    main()
