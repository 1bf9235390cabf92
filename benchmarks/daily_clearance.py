"""The lists of daily clearance over 5 million cases and 5 million evaluations, of which a million cases are unrated.

`python -m benchmarks.daily_clearance` runs it, alone on the machine. Rows are made in SQL, straight in the store;
durability is at its defaults. The limit of age is set so that the million stays on the list. The aims: a final list of
the whole city from scratch in at most 6 s, and after an ordinary night at most 2 s from the loaded batches to the
published list. A plain anti-join over the store stands beside.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from benchmarks.first_load import checkpoint, fresh_database, plain, show_settings
from psycopg import sql

from local_stack.postgres import EmbeddedPostgres
from zhengku.catalog import load_catalog
from zhengku.catalog.clearance_config import load_clearance
from zhengku.clearance.list_rows import group_counts, listed_rows
from zhengku.clearance.list_versions import ListRecord, ListVersion, list_record
from zhengku.clearance.publish import DailyClearance
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import SESSION_OPTIONS, statement
from zhengku.settings import Settings, project_home

SCRATCH_LIMIT = 6.0
NIGHT_LIMIT = 2.0
FIRST_DAY = date(2026, 6, 1)
SPAN_DAYS = 730
SOURCES = {"service_case": "service_cases", "evaluation": "evaluations"}

# Every fifth case is unrated in the end, see `fill`; finished evenly over the span.
CASES = """
insert into store.service_case (
    record_key, case_number, service_number, service_item_code, service_item_name, case_kind, case_state, is_internal,
    case_channel, applicant, phone, accepted_at, finished_at, district, handling_department, hall, "window", handler,
    source_updated_at, extension, district_delivered, version_at, version_no, row_hash, department, feed, batch_id,
    row_no, loaded_at
)
select
    '4207' || lpad(n::text, 14, '0') || '|1', '4207' || lpad(n::text, 14, '0'), '1',
    '42070' || n %% 200, '虚构事项第' || n %% 200 || '号', 'instant', 'finished', 'no', 'window',
    '张' || chr((19968 + n %% 5000)::integer) || '某', '1' || lpad((3800000000 + n %% 99999999)::text, 10, '0'),
    finished_at - interval '20 minutes', finished_at,
    (array['echeng', 'huarong', 'liangzihu', 'gedian', 'linkong'])[1 + n %% 5],
    '鄂州市虚构第' || n %% 40 || '局', '虚构大厅' || n %% 5, n %% 12 || '号窗口', '经办' || n %% 240,
    finished_at, '{}', '鄂城区', finished_at, 1, n, 'unified_acceptance', 'service_cases', %(batch_id)s, n, now()
from (
    select
        n,
        %(first)s::timestamptz + (%(last)s::timestamptz - %(first)s::timestamptz) * ((n - %(from)s)::float / %(count)s)
            as finished_at
    from generate_series(%(from)s::bigint, %(from)s::bigint + %(count)s - 1) as n
) as made
"""
EVALUATIONS = """
insert into store.evaluation (
    record_key, evaluation_number, case_number, service_number, level, evaluation_channel, is_default, is_effective,
    is_real_name, evaluated_at, device, evaluation_window, source_updated_at, extension, version_at, version_no,
    row_hash, department, feed, batch_id, row_no, loaded_at
)
select
    'E' || %(prefix)s || n, 'E' || %(prefix)s || n, c.case_number, c.service_number,
    case when n %% 1500 = 0 then 'dissatisfied' when n %% 9 = 0 then 'satisfied' else 'very_satisfied' end,
    'terminal', %(is_default)s, %(is_effective)s, 'yes', c.finished_at + made.delay, 'D' || n %% 400, 'W' || n %% 60,
    c.finished_at + made.delay, '{}', c.finished_at + made.delay, 1, n, 'service_evaluation', 'evaluations',
    %(batch_id)s, n, now()
from generate_series(%(from)s::bigint, %(from)s::bigint + %(count)s - 1) as n
cross join lateral (select make_interval(mins => (1 + n %% %(minutes)s)::integer) as delay) as made
inner join store.service_case as c on c.record_key = '4207' || lpad(n::text, 14, '0') || '|1'
where n %% 10 = any(%(tenths)s)
"""
BATCH = """
insert into ledger.batch (
    department, feed, dataset, run_id, status, source_name, source_bytes, source_modified_at, sha256, landing_path,
    landed_at, config_digest, fetched, finished_at
)
values (
    %(department)s, %(feed)s, %(dataset)s, gen_random_uuid(), 'loaded', 'made up', 0, %(at)s, 'x', 'x', %(at)s, 'x', 0,
    now()
)
returning batch_id
"""


class Maker:
    """Fills the store."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(plain(url), options=SESSION_OPTIONS, autocommit=True)
        self.made = 0
        self.evaluations = 0

    def batch(self, dataset: str, at: datetime) -> int:
        """Enter a loaded batch; return its number."""
        values = {"dataset": dataset, "feed": SOURCES[dataset], "at": at}
        department = "unified_acceptance" if dataset == "service_case" else "service_evaluation"
        row = self.connection.execute(BATCH, {**values, "department": department}).fetchone()
        assert row is not None
        return int(row[0])

    def cases(self, count: int, first: datetime, last: datetime) -> int:
        """Make cases finished from one moment to another; return the number of the first."""
        begin = self.made + 1
        values = {"from": begin, "count": count, "first": first, "last": last}
        self.connection.execute(CASES, {**values, "batch_id": self.batch("service_case", last)})
        self.made += count
        return begin

    def evaluate(self, begin: int, count: int, tenths: list[int], minutes: int, at: datetime, **what: str) -> None:
        """Rate the cases whose number ends with one of `tenths`, up to so many minutes after they finished."""
        self.evaluations += 1
        values = {"from": begin, "count": count, "tenths": tenths, "minutes": minutes, "prefix": f"{self.evaluations}-"}
        what = {"is_default": "no", "is_effective": "yes", **what}
        self.connection.execute(EVALUATIONS, {**values, **what, "batch_id": self.batch("evaluation", at)})


def midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), CITY_TIME_ZONE)


def fill(maker: Maker, count: int) -> None:
    """Make the cases and evaluations of the years before the first list."""
    end = midnight(FIRST_DAY) + timedelta(hours=16)
    begin = maker.cases(count, end - timedelta(days=SPAN_DAYS), end)
    maker.evaluate(begin, count, [1, 2, 3, 4, 6, 7, 8, 9], 60 * 48, end)
    # A second time, by default, and void: no own rating comes of these.
    maker.evaluate(begin, count, [1], 60 * 72, end)
    maker.evaluate(begin, count // 2, [5], 60 * 72, end, is_default="yes")
    maker.evaluate(begin, count // 2, [0], 60 * 72, end, is_effective="no")
    for table in ("service_case", "evaluation"):
        maker.connection.execute(sql.SQL("vacuum analyze {}").format(sql.Identifier("store", table)))


def night(maker: Maker, day: date, count: int) -> None:
    """Make as many new cases and evaluations: same-day ratings, listed cases rated, a few ratings that come late."""
    begin = maker.cases(count, midnight(day) + timedelta(hours=8), midnight(day) + timedelta(hours=18))
    at = midnight(day) + timedelta(hours=24)
    maker.evaluate(begin, count, [1, 2, 3, 4, 6, 7], 60, at)
    # Of the cases of the last weeks: rated today, and rated before yesterday's list, which therefore gets a correction.
    minutes = int((at - midnight(FIRST_DAY - timedelta(days=30))).total_seconds() / 60)
    maker.evaluate(begin - 60_000 * count // 20_000, 60_000 * count // 20_000, [0], minutes, at)
    maker.evaluate(begin - 80_000 * count // 20_000, 20_000 * count // 20_000, [5], 30, at)


@contextmanager
def timed(figures: dict[str, float], name: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    figures[name] = time.perf_counter() - begin
    print(f"  {name:58s} {figures[name]:8.2f} s", flush=True)


def explain(connection: psycopg.Connection[Any], kept: ListRecord, catalog_values: dict[str, Any]) -> None:
    """Show how the first page of the list is read."""
    query = statement("clearance/list_rows.list_rows").format(listed=statement("clearance/list_rows.rows_listed"))
    values = {
        **kept.members,
        "calendar_id": kept.calendar_id,
        "calendar_begin": date(2019, 1, 1),
        "deadline_working_days": kept.deadline_working_days,
        **catalog_values,
    }
    for line in connection.execute(sql.SQL("explain (analyze, buffers, costs off) ") + query, values).fetchall():
        print(f"    {line[0]}")


def measure(cases: int, changed: int, folder: Path, server_settings: dict[str, str], *, plans: bool) -> None:
    needed = cases * 2_500
    free = shutil.disk_usage(folder).free
    if free < needed:
        sys.exit(f"{cases:,} cases need about {needed / 1e9:.0f} GB in {folder}, {free / 1e9:.0f} GB are free.")
    server = EmbeddedPostgres(folder / "postgres", server_settings)
    server.start()
    figures: dict[str, float] = {}
    try:
        url = fresh_database(server, "clearance")
        show_settings(server)
        settings = Settings(home=project_home(), environment={"ZHENGKU_DATABASE_URL": url})
        config = load_clearance_for(settings)
        catalog = load_catalog(settings.catalog_folder)
        clearance = DailyClearance(settings, catalog, config)
        maker = Maker(url)
        with timed(figures, f"(making {cases:,} cases and as many evaluations)"):
            fill(maker, cases)
        checkpoint(url)
        connection = maker.connection
        with timed(figures, "first build of the kept state"), connection.transaction():
            clearance.refresh(connection)
        connection.execute("vacuum analyze clearance.service")
        checkpoint(url)
        with timed(figures, "final list of the whole city from scratch"):
            first = clearance.publish(FIRST_DAY, "final", config.latest(FIRST_DAY, "final"))
        print(f"    {first.counts}")
        connection.execute("vacuum analyze clearance.entry")
        anti_join(connection, first, figures)
        reading(connection, catalog, first, figures, plans=plans)
        day = FIRST_DAY
        for number in range(1, 4):
            day += timedelta(days=1)
            night(maker, day, changed)
            checkpoint(url)
            with timed(figures, f"night {number}: from the loaded batches to the published list"):
                published = clearance.publish(day, "final", config.latest(day, "final"))
            print(f"    {published.counts}")
            corrected = connection.execute("select count(*) from clearance.list where version > 1").fetchone()
            print(f"    versions of earlier lists so far: {corrected}")
        with timed(figures, "the same list asked for again"):
            assert clearance.publish(day, "final", config.latest(day, "final")) == published
        with timed(figures, "rates: every day, the first time"):
            clearance.refresh_rates()
        night(maker, day + timedelta(days=1), changed)
        with timed(figures, "rates: after an ordinary night, with its refresh"):
            clearance.refresh_rates()
        with timed(figures, "late list of the whole city"):
            late = day - timedelta(days=1)
            clearance.publish(late, "working", config.latest(day, "final"))
        assert published.counts.unrated > 0
        sizes(connection)
    finally:
        server.stop()
    slowest = max(value for name, value in figures.items() if name.startswith("night"))
    print(f"  from scratch {figures['final list of the whole city from scratch']:.1f} s (at most {SCRATCH_LIMIT})")
    print(f"  slowest night {slowest:.1f} s (at most {NIGHT_LIMIT})")


def load_clearance_for(settings: Settings) -> Any:
    config = load_clearance(settings.catalog_folder)
    return config.model_copy(update={"archive_after_working_days": 5_000})


def anti_join(connection: psycopg.Connection[Any], first: ListVersion, figures: dict[str, float]) -> None:
    """Search the store for the unrated cases without the kept state."""
    query = """
        select count(*) from store.service_case as c
        where
            c.case_state = 'finished' and c.finished_at <= %(at)s and c.removal is null
            and not exists (
                select from store.evaluation as e
                where
                    e.case_number = c.case_number and e.service_number = c.service_number and e.is_effective = 'yes'
                    and e.removal is null and e.is_default = 'no' and e.evaluated_at <= %(at)s
            )
    """
    with timed(figures, "(a plain anti-join that only counts them)"):
        row = connection.execute(query, {"at": first.cutoff_at}).fetchone()
    assert row == (first.counts.unrated + first.counts.default_rated,)


def reading(
    connection: psycopg.Connection[Any],
    catalog: Any,
    first: ListVersion,
    figures: dict[str, float],
    *,
    plans: bool,
) -> None:
    """Read pages of the list as the pages and the workbooks do."""
    with timed(figures, "first page of 100 rows"):
        list(listed_rows(connection, catalog, first, limit=100))
    with timed(figures, "page in the middle"):
        list(listed_rows(connection, catalog, first, limit=100, offset=first.counts.unrated // 2))
    with timed(figures, "first page of a district"):
        list(listed_rows(connection, catalog, first, limit=100, districts=["huarong"]))
    with timed(figures, "first page of a department's hall"):
        list(
            listed_rows(connection, catalog, first, limit=100, handling_department="鄂州市虚构第5局", hall="虚构大厅0")
        )
    with timed(figures, "counts by district, department and hall"):
        group_counts(connection, first)
    with timed(figures, "all rows, streamed and masked"), connection.transaction():
        rows = sum(1 for _ in listed_rows(connection, catalog, first))
    print(f"    {rows:,} rows")
    if plans:
        kept = list_record(connection, "clearance/lists.list_by_id", {"list_id": first.list_id})
        assert kept is not None
        filters = dict.fromkeys(("record_key", "section", "districts", "handling_department", "hall", "state"))
        explain(connection, kept, {**filters, "skipped": 0, "limit": 100})
        explain(connection, kept, {**filters, "skipped": 0, "limit": None})


def sizes(connection: psycopg.Connection[Any]) -> None:
    found = connection.execute(
        "select relname, pg_size_pretty(pg_total_relation_size(oid)) from pg_class"
        " where relnamespace = 'clearance'::regnamespace and relkind = 'r'"
        " order by pg_total_relation_size(oid) desc limit 6"
    ).fetchall()
    print("  " + ", ".join(f"{name} {size}" for name, size in found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5_000_000)
    parser.add_argument("--changed", type=int, default=20_000, help="New cases of a night, and evaluations.")
    parser.add_argument("--plans", action="store_true", help="Show how a list is read.")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="A setting of the server.")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    server_settings = dict(pair.split("=", 1) for pair in options.set)
    with tempfile.TemporaryDirectory(prefix="zhengku-bench-") as folder:
        measure(options.cases, options.changed, Path(folder), server_settings, plans=options.plans)


if __name__ == "__main__":
    main()
