"""The nightly report and the pages of the review over 10 million certificates and 500,000 problem records.

`python -m benchmarks.review` runs it, alone on the machine. Rows are made in SQL, straight in the store, for all feeds
of the shipped catalogue; durability is at its defaults. The aims: the report of a night in which 100,000 rows stand in
quarantine, page and workbook, in at most 20 s, its page under 5 MB; and all pages within a second at the 95th
percentile. Report and return are made in processes of their own, whose peak of memory is shown, imports included.
"""

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from benchmarks.first_load import checkpoint, fresh_database, plain, show_settings
from benchmarks.peak_memory import peak_mb
from benchmarks.review_store import TONIGHT, StoreMaker, moment, streams
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from local_stack.postgres import EmbeddedPostgres
from zhengku.catalog import load_catalog
from zhengku.database import statement, store_connection
from zhengku.pages.access import review_access_of
from zhengku.pages.applications import create_review_app
from zhengku.pages.host import Host
from zhengku.review import night as nights
from zhengku.review import problem_ledger, problems
from zhengku.review.night import NightReports
from zhengku.review.night_files import write_night
from zhengku.review.problems import ProblemFilter
from zhengku.review.returns import Returns
from zhengku.settings import Settings, project_home

REPORT_LIMIT = 20.0
PAGE_LIMIT_MB = 5.0
ANSWER_LIMIT = 1.0
RETURNED = 20_000
ROUNDS = 30

EARLIER_NIGHTS = """
insert into review.night_report (night, version, figures)
select r.night - n, 1, r.figures
from review.night_report as r
cross join generate_series(1, 59) as n
"""


def report() -> dict[str, Any]:
    """Publish the report of the night and write its files."""
    settings = Settings.load()
    catalog = load_catalog(settings.catalog_folder)
    figures: dict[str, Any] = {}
    with timed(figures, "publish"):
        published = NightReports(settings, catalog).publish(TONIGHT)
    with timed(figures, "files"):
        page, workbook = write_night(settings, catalog, published)
    figures |= {"html_mb": page.stat().st_size / 1e6, "xlsx_mb": workbook.stat().st_size / 1e6}
    figures["quarantined"] = published.figures.total("quarantined")
    return figures


def give_back(number: int) -> dict[str, Any]:
    """Return so many open records of the department that has most."""
    settings = Settings.load()
    with store_connection(settings.database_url) as connection:
        [(department, _)] = connection.execute(
            "select department, count(*) from quarantine.problem_row where status = 'open'"
            " group by department order by count(*) desc limit 1"
        ).fetchall()
        chosen = connection.execute(
            "select problem_id from quarantine.problem_row where status = 'open' and department = %s"
            " order by problem_id limit %s",
            (department, number),
        ).fetchall()
    figures: dict[str, Any] = {}
    returns = Returns(settings, load_catalog(settings.catalog_folder))
    with timed(figures, "return"):
        made = returns.make(department, "zhang", moment(TONIGHT, 600), [row[0] for row in chosen])
    assert made.files is not None
    figures |= {"problems": made.problems, "files": len(made.files), "mb": sum(f["size"] for f in made.files) / 1e6}
    return figures


def apart(environment: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """Do one thing in a process of its own; return its figures."""
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.review", *arguments],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return found


@contextmanager
def timed(figures: dict[str, Any], name: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    figures[name] = time.perf_counter() - begin


@contextmanager
def shown(name: str) -> Iterator[None]:
    figures: dict[str, Any] = {}
    with timed(figures, name):
        yield
    print(f"  {name:58s} {figures[name]:8.2f} s", flush=True)


def client_of(settings: Settings) -> TestClient:
    """Return the pages, as the big-data section sees them."""

    async def current_user(request: Request) -> str:
        return "zhang"

    app = create_review_app(
        Host(
            current_user=current_user,
            access=lambda user: review_access_of(user, {"data_section"}),
            login_address=lambda back: back,
            signing_key=lambda: "a key",
            is_for_demos=lambda: False,
        )
    )
    app.state.settings = lambda: settings
    airflow = FastAPI()
    airflow.mount("/zhengku/review", app)
    return TestClient(airflow)


def addresses(connection: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Return the addresses to ask for, by kind of page; the first of each kind is that with the most rows."""

    def found(query: str, more: str = "") -> list[str]:
        rows = connection.execute(f"{query} from quarantine.problem_row {more} group by 1 order by count(*) desc")
        return [row[0] for row in rows.fetchall() if row[0] is not None]

    whole = {
        "problems?": problems.count_problems(connection, ProblemFilter(statuses=problems.UNSOLVED)),
        "problems?status=all&": problems.count_problems(connection, ProblemFilter()),
    }
    departments = found("select 'department=' || department")
    feeds = found("select 'department=' || department || '&feed=' || feed")
    types = found("select 'license_type=' || license_type")
    rules = found("select 'rule=' || r.rule_id", "cross join unnest(rules) as r (rule_id)")
    returns = found("select return_id::text")[:ROUNDS]
    ids = found("select problem_id::text", f"where problem_id % {whole['problems?status=all&'] // 40} = 1")[:ROUNDS]
    night_before = TONIGHT - timedelta(days=1)
    nights_shown = [f"night={TONIGHT}", f"night={night_before}", f"night={TONIGHT - timedelta(days=20)}"]
    return {
        "overview": ["", "?state=poor"],
        "report": ["report", f"report?night={night_before}"],
        "problems": ["problems"],
        "problems, page in the middle": [f"{one}page={rows // 200}" for one, rows in whole.items()],
        "problems, last page": [f"{one}page={rows // 100 + 1}" for one, rows in whole.items()],
        "problems by state": [f"problems?status={one}" for one in ("closed", "open", "overdue", "all", "waived")],
        "problems by department": [f"problems?{one}" for one in departments],
        "problems by feed": [f"problems?{one}" for one in (*feeds[:5], *feeds[-5:])],
        "problems by license type": [f"problems?{one}" for one in (*types[:5], *types[-5:])],
        "problems by rule": [f"problems?{one}" for one in (*rules[:5], *rules[-5:])],
        "problems by feed and rule": [f"problems?{one}&{rules[0]}" for one in (*feeds[:5], *feeds[-5:])],
        "problems by night": [f"problems?{one}" for one in nights_shown],
        "problems by night and department": [f"problems?{nights_shown[0]}&{one}" for one in departments],
        "problems by night, feed and rule": [f"problems?{nights_shown[0]}&{one}&{rules[0]}" for one in feeds[:10]],
        "problems by return": [f"problems?return={one}&status=all" for one in returns],
        "problem": [f"problem?problem={one}" for one in ids],
        "batches": ["batches"],
        "returns": ["returns", *(f"returns?{one}" for one in departments[:4])],
        "return": [f"return?return={one}" for one in returns],
        "requests": ["requests"],
        "ledger": ["ledger"],
    }  # fmt: skip


def ask(client: TestClient, pages: Mapping[str, Sequence[str]]) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Ask for each page ROUNDS times in mixed order; return the seconds by kind, and the slowest by address."""
    order = [(kind, paths[n % len(paths)]) for kind, paths in pages.items() for n in range(ROUNDS)]
    random.Random(1).shuffle(order)
    seconds: dict[str, list[float]] = {kind: [] for kind in pages}
    by_address: dict[str, list[float]] = {}
    for kind, path in order:
        begin = time.perf_counter()
        answer = client.get(f"/zhengku/review/{path}")
        spent = time.perf_counter() - begin
        assert answer.status_code == 200, (path, answer.text[-600:])
        seconds[kind].append(spent)
        by_address.setdefault(path, []).append(spent)
    return seconds, {path: statistics.median(found) for path, found in by_address.items()}


def at_95(values: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def show_answers(seconds: Mapping[str, Sequence[float]], by_address: Mapping[str, float]) -> float:
    """Print a table of the pages; return the 95th percentile of the slowest."""
    print(f"  {'page':36s} {'median':>8s} {'95 %':>8s} {'most':>8s}")
    for kind, values in seconds.items():
        print(f"  {kind:36s} {statistics.median(values):8.3f} {at_95(values):8.3f} {max(values):8.3f}")
    everything = [one for values in seconds.values() for one in values]
    print(
        f"  {f'all {len(everything)}':36s} {statistics.median(everything):8.3f} {at_95(everything):8.3f} "
        f"{max(everything):8.3f}"
    )
    slowest = sorted(by_address.items(), key=lambda one: -one[1])[:5]
    print("  slowest: " + ", ".join(f"{path} {spent:.3f}" for path, spent in slowest))
    return max(at_95(values) for values in seconds.values())


def explain(connection: psycopg.Connection[Any]) -> None:
    """Show how pages of problem records are counted and read."""
    for name, one in (
        ("unsolved", ProblemFilter(statuses=problems.UNSOLVED)),
        ("of a department", ProblemFilter(department="market_supervision", statuses=problems.UNSOLVED)),
        ("of a night", ProblemFilter(night=TONIGHT)),
    ):
        for query in ("review/problems.count_problems", "review/problems.problems"):
            print(f"  {query} {name}:")
            values = {**one.parameters(), "limit": 100, "skipped": 0}
            show_plan(connection, problems.filtered_statement(query, one), values)
    print("  tally:")
    days = {"today": TONIGHT, "due_soon_until": TONIGHT, "return_before": moment(TONIGHT)}
    show_plan(connection, statement("review/problems.tally"), days)


def show_plan(connection: psycopg.Connection[Any], query: Any, values: dict[str, Any]) -> None:
    plan = psycopg.sql.SQL("explain (analyze, buffers, costs off) ") + query
    for line in connection.execute(plan, values).fetchall():
        print(f"    {line[0]}")


def measure(options: argparse.Namespace, folder: Path, server_settings: dict[str, str]) -> None:
    needed = options.certificates * 1_000 + options.problems * 8_000
    free = shutil.disk_usage(folder).free
    if free < needed:
        sys.exit(f"As many rows need about {needed / 1e9:.0f} GB in {folder}, {free / 1e9:.0f} GB are free.")
    server = EmbeddedPostgres(folder / "postgres", server_settings)
    server.start()
    try:
        url = fresh_database(server, "review")
        show_settings(server)
        environment = {"ZHENGKU_DATABASE_URL": url, "ZHENGKU_REPORT_DIR": str(folder / "reports")}
        settings = Settings(home=project_home(), environment=environment)
        catalog = load_catalog(settings.catalog_folder)
        maker = StoreMaker(plain(url), catalog, streams(settings, catalog), options.problems)
        connection = maker.connection
        with shown(f"(making {options.certificates:,} certificates)"):
            maker.certificates(options.certificates)
        with shown("(making the batches of 31 nights)"):
            maker.ledger()
        with shown(f"(making {options.problems:,} problem records)"):
            maker.quarantine()
        show_made(connection)
        checkpoint(url)
        with shown("count of the store"), store_connection(url) as counting:
            counting.execute(statement("review/store_counts.count_store"))
        made = apart(environment, "--report")
        print(
            f"  report {made['publish']:.1f} s, files {made['files']:.1f} s; page {made['html_mb']:.2f} MB, workbook "
            f"{made['xlsx_mb']:.1f} MB; peak {made['peak_mb']:.0f} MB; {made['quarantined']:,} rows quarantined",
            flush=True,
        )
        published = nights.report_of(connection, TONIGHT)
        assert published is not None
        connection.execute(EARLIER_NIGHTS)
        with shown("problem ledger"):
            problem_ledger.update_ledger(settings, catalog, published.figures, TONIGHT)
        if options.plans:
            explain(connection)
        client = client_of(settings)
        client.get("/zhengku/review/")
        slowest = show_answers(*ask(client, addresses(connection)))
        given = apart(environment, "--return", str(RETURNED))
        print(
            f"  return of {given['problems']:,} records {given['return']:.1f} s, {given['files']} files, "
            f"{given['mb']:.1f} MB; peak {given['peak_mb']:.0f} MB"
        )
        print(f"  report with its files {made['publish'] + made['files']:.1f} s (at most {REPORT_LIMIT:.0f})")
        print(f"  page of the report {made['html_mb']:.2f} MB (at most {PAGE_LIMIT_MB:.0f})")
        print(f"  slowest page at the 95th percentile {slowest:.2f} s (at most {ANSWER_LIMIT:.0f})")
    finally:
        server.stop()


def show_made(connection: psycopg.Connection[Any]) -> None:
    [(certificates, standing, events, returns, batches)] = connection.execute(
        """
        select
            (select count(*) from store.certificate), (select count(*) from quarantine.problem_row),
            (select count(*) from quarantine.problem_event), (select count(*) from quarantine.problem_return),
            (select count(*) from ledger.batch)
        """
    ).fetchall()
    tonight = problems.count_problems(connection, ProblemFilter(night=TONIGHT))
    states = dict(
        connection.execute("select status, count(*) from quarantine.problem_row group by 1 order by 1").fetchall()
    )
    print(
        f"    {certificates:,} certificates, {standing:,} problem records {states}, of which {tonight:,} stood tonight"
    )
    print(f"    {events:,} events, {returns:,} returns, {batches:,} batches")
    sizes = connection.execute(
        "select relname, pg_size_pretty(pg_total_relation_size(oid)) from pg_class"
        " where relnamespace in ('quarantine'::regnamespace, 'review'::regnamespace) and relkind = 'r'"
        " order by pg_total_relation_size(oid) desc limit 4"
    ).fetchall()
    print("    " + ", ".join(f"{name} {size}" for name, size in sizes), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--return", dest="returned", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--certificates", type=int, default=10_000_000)
    parser.add_argument("--problems", type=int, default=500_000)
    parser.add_argument("--plans", action="store_true", help="Show how records are counted and read.")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="A setting of the server.")
    options = parser.parse_args()
    if options.report or options.returned:
        figures = report() if options.report else give_back(options.returned)
        print(json.dumps({**figures, "peak_mb": peak_mb()}))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    server_settings = dict(pair.split("=", 1) for pair in options.set)
    with tempfile.TemporaryDirectory(prefix="zhengku-bench-") as folder:
        measure(options, Path(folder), server_settings)


if __name__ == "__main__":
    main()
