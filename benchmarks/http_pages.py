"""An HTTP interface → text staging, compared with `requests`, `json` and `executemany` into a text table.

Both read the same pages from the same local server process, into the same embedded PostgreSQL with durability at its
defaults, each in a process of its own, in turns. Ours also lands the pages, checks them, and stores manifest and
position. Typing the rows is shown separately, since the other does not do it. CPU is that of the reading process only
(`cpu` without its imports, `whole` with them and, for ours, with the typing) and that of PostgreSQL.
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import requests
from benchmarks.peak_memory import peak_mb
from benchmarks.text_staging import backend_cpu, collect_and_copy
from psycopg import sql
from ruamel.yaml import YAML

from local_stack.postgres import EmbeddedPostgres
from simulator.business_licenses import write_register
from zhengku.database import upgrade
from zhengku.settings import project_home

PAGE = 1000
LIMIT_RATIO = 0.45
LIMIT_MB = 450


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def serve(register: Path) -> None:
    """Serve the register by pages, which are made before so that neither side pays for it; print the port."""
    pages: list[bytes] = []
    with register.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for start in range(0, len(rows), PAGE):
        page = [
            {"序号": number, **row, "更新时间": f"2026-01-{number % 28 + 1:02d} 08:00:00"}
            for number, row in enumerate(rows[start : start + PAGE], start)
        ]
        answer = {"code": 0, "data": {"total": len(rows), "rows": page}}
        pages.append(json.dumps(answer, ensure_ascii=False).encode())
    empty = json.dumps({"code": 0, "data": {"total": len(rows), "rows": []}}).encode()
    del rows

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Header and body are two writes; without this the delay between them would be most of the time.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            number = int(parse_qs(urlsplit(self.path).query)["page"][0])
            body = pages[number - 1] if number <= len(pages) else empty
            self.send_response(200)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def write_catalog(folder: Path) -> None:
    """Copy the shipped catalogue, with a business license feed that reads an HTTP interface."""
    shutil.copytree(project_home() / "include" / "catalog", folder)
    path = folder / "departments" / "market_supervision.yaml"
    yaml = YAML()
    department = yaml.load(path)
    department["feeds"] = {"business_license": department["feeds"]["business_license"]}
    feed = department["feeds"]["business_license"]
    feed["transport"] = {
        "kind": "http",
        "connection": "bench",
        "path": "licenses",
        "signature": {"kind": "hmac_sha256"},
        "paging": {"kind": "number", "size": PAGE},
        "response": {"total": "data.total", "code": "code"},
        "since_parameter": "since",
        "row_id": ["序号"],
        "requests_per_minute": 100_000,
    }
    feed["window"] = {"kind": "watermark", "column": "更新时间"}
    feed["version"] = "source_updated_at"
    feed["fields"]["source_updated_at"] = {"column": "更新时间"}
    feed["absent"].remove("source_updated_at")
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(department, file)


def report(seconds: dict[str, float], rows: int, cpu: float, server_cpu: float) -> None:
    figures = {"seconds": seconds, "rows": rows, "peak_mb": peak_mb(), "cpu": cpu, "whole": time.process_time()}
    print(json.dumps({**figures, "server_cpu": server_cpu}))


def ours() -> None:
    seconds, rows, cpu, server_cpu = collect_and_copy("market_supervision", "business_license")
    report(seconds, rows, cpu, server_cpu)


def obvious(port: int, url: str) -> None:
    """The first solution that comes to mind: a page, `json`, `executemany`."""
    started, cpu = time.perf_counter(), time.process_time()
    rows = 0
    with requests.Session() as session, psycopg.connect(plain(url)) as connection, connection.cursor() as cursor:
        session.trust_env = False
        insert: sql.Composed | None = None
        number = 1
        while True:
            answer = session.get(f"http://127.0.0.1:{port}/licenses", params={"page": number, "size": PAGE}, timeout=60)
            answer.raise_for_status()
            page = json.loads(answer.content)["data"]["rows"]
            if not page:
                break
            if insert is None:
                names = list(page[0])
                columns = sql.SQL(", ").join(map(sql.Identifier, names))
                cursor.execute(
                    sql.SQL("create unlogged table text_row (row_no bigint, {})").format(
                        sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in names)
                    )
                )
                insert = sql.SQL("insert into text_row (row_no, {}) values ({})").format(
                    columns, sql.SQL(", ").join(sql.Placeholder() * (len(names) + 1))
                )
            cursor.executemany(
                insert,
                [
                    (rows + place, *(None if row.get(name) is None else str(row[name]) for name in names))
                    for place, row in enumerate(page, 1)
                ],
            )
            rows += len(page)
            number += 1
        connection.commit()
        server_cpu = backend_cpu(connection)
    report({"all": time.perf_counter() - started}, rows, time.process_time() - cpu, server_cpu)


def fresh_database(server: EmbeddedPostgres, name: str, *, ours: bool) -> str:
    with psycopg.connect(plain(server.url("postgres")), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        if ours:
            upgrade(server.url(name))
        # Neither side pays for what the other left unwritten.
        connection.execute("checkpoint")
    os.sync()
    return server.url(name)


def run(arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.http_pages", *arguments],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return figures


def shown(figures: dict[str, Any]) -> str:
    seconds = " ".join(f"{name} {value:.1f}" for name, value in figures["seconds"].items())
    return (
        f"{seconds} s; CPU {figures['cpu']:.1f} (whole {figures['whole']:.1f}, server {figures['server_cpu']:.1f}) s; "
        f"peak {figures['peak_mb']:.0f} MB"
    )


def measure(rows: int, rounds: int, folder: Path) -> None:
    register = folder / "register.csv"
    write_register(register, rows, seed=1, template_csv=None)
    write_catalog(folder / "catalog")
    server = EmbeddedPostgres(folder / "postgres", {})
    server.start()
    pages = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.http_pages", "--serve", str(register)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert pages.stdout is not None
        port = int(pages.stdout.readline())
        print(f"{rows:,} rows by pages of {PAGE}, {rounds} round(s)")
        ratios: list[float] = []
        peaks: list[float] = []
        for _ in range(rounds):
            shutil.rmtree(folder / "landing", ignore_errors=True)
            mine = run(
                ["--ours"],
                {
                    "ZHENGKU_DATABASE_URL": fresh_database(server, "ours", ours=True),
                    "ZHENGKU_LANDING_URL": str(folder / "landing"),
                    "ZHENGKU_CATALOG_DIR": str(folder / "catalog"),
                    "ZHENGKU_CONN_BENCH": f"http://bench:bench@127.0.0.1:{port}",
                },
            )
            other = run(["--obvious", str(port), fresh_database(server, "obvious", ours=False)], {})
            if mine["rows"] != rows or other["rows"] != rows:
                sys.exit(f"{rows} rows were served; ours read {mine['rows']}, the other {other['rows']}.")
            ratios.append(mine["seconds"]["all"] / other["seconds"]["all"])
            peaks.append(mine["peak_mb"])
            print(f"  ours    {shown(mine)}\n  obvious {shown(other)}  ratio {ratios[-1]:.2f}", flush=True)
    finally:
        pages.terminate()
        pages.wait()
        server.stop()
    print(f"  ratio median {statistics.median(ratios):.2f} (aim: at most {LIMIT_RATIO})")
    print(f"  peak  {max(peaks):.0f} MB (aim: less than {LIMIT_MB})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--obvious", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(Path(options.serve))
    elif options.ours:
        ours()
    elif options.obvious:
        obvious(int(options.obvious[0]), options.obvious[1])
    else:
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        with tempfile.TemporaryDirectory(prefix="zhengku-bench-") as folder:
            measure(options.rows, options.rounds, Path(folder))


if __name__ == "__main__":
    main()
