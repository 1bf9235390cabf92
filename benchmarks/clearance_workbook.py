"""A list of the daily clearance → a workbook: seconds and peak memory, imports included.

`python -m benchmarks.clearance_workbook` runs it, each round in a process of its own. The rows are generated one by one
while they are written, as a server-side cursor would return them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

from benchmarks.peak_memory import peak_mb

from zhengku.clearance.evaluations import BadReview
from zhengku.clearance.list_rows import ListRow
from zhengku.clearance.list_versions import ListCounts, ListVersion
from zhengku.clearance.rates import GroupRates, Rate
from zhengku.clearance.workbook import write_workbook
from zhengku.clock import CITY_TIME_ZONE

LIMIT_SECONDS = 10
LIMIT_MB = 300
DAY = date(2026, 10, 15)
DEFAULT_RATED_SHARE = 0.2
DISTRICTS = (("echeng", "鄂城区"), ("huarong", "华容区"), ("liangzihu", "梁子湖区"), ("gedian", "葛店经开区"))


def made_up(count: int, section: Literal["unrated", "default_rated"]) -> Iterator[ListRow]:
    first_moment = datetime(2026, 7, 20, 9, tzinfo=CITY_TIME_ZONE)
    for number in range(count):
        district, district_name = DISTRICTS[number * len(DISTRICTS) // count]
        finished_at = first_moment + timedelta(minutes=number * 17 % 120_000)
        yield ListRow(
            record_key=f"EZ{number:012d}|1",
            section=section,
            state=("carried_over", "carried_over", "new", "reopened")[number % 4],
            district=district,
            district_name=district_name,
            handling_department=f"{district_name}虚构第{number % 17}局",
            hall=f"{district_name}政务服务中心",
            window=f"综合{number % 40}号窗",
            handler="虚构某",
            case_number=f"EZ{number:012d}",
            service_number="1",
            service_item_code=f"4207{number % 300:08d}",
            service_item_name=f"虚构事项第{number % 300}项的申请、变更与注销登记",
            applicant="张**",
            phone="138****0000",
            finished_at=finished_at,
            age_working_days=number % 60,
            deadline=finished_at.date() + timedelta(days=7),
            overdue=number % 3 == 0,
            default_at=finished_at + timedelta(days=8) if section == "default_rated" else None,
        )


def write(path: Path, rows: int) -> None:
    default_rated = int(rows * DEFAULT_RATED_SHARE)
    counts = ListCounts(rows - default_rated, default_rated, rows // 4, rows // 2, rows // 4, 900, 12, 30, 4_000)
    published = ListVersion(
        list_id=1,
        day=DAY,
        kind="final",
        version=1,
        cutoff_at=datetime(2026, 10, 16, tzinfo=CITY_TIME_ZONE),
        published_at=datetime(2026, 10, 16, 1, 5, tzinfo=CITY_TIME_ZONE),
        counts=counts,
        stale=(),
        calendar_note=None,
    )
    bad_reviews: list[BadReview] = []
    rates = [GroupRates(key, name, None, (Rate("评价率", "虚构口径", 99, 100, "99.00%"),)) for key, name in DISTRICTS]
    write_workbook(
        path,
        published,
        "鄂州市政务服务未评办件日清日结清单",
        made_up(rows - default_rated, "unrated"),
        made_up(default_rated, "default_rated"),
        bad_reviews,
        rates,
    )


def ours(rows: int) -> None:
    """Write one workbook in this process."""
    with tempfile.TemporaryDirectory(prefix="zhengku-bench-") as name:
        path = Path(name) / "list.xlsx"
        started, cpu = time.perf_counter(), time.process_time()
        write(path, rows)
        seconds, spent = time.perf_counter() - started, time.process_time() - cpu
        peak = peak_mb()
        print(json.dumps({"all": seconds, "cpu": spent, "peak_mb": peak, "mb": path.stat().st_size / 1e6}))


def measure(rows: int, rounds: int) -> None:
    print(f"{rows:,} rows, {rounds} round(s)")
    seconds = []
    for _ in range(rounds):
        result = subprocess.run(
            [sys.executable, "-m", "benchmarks.clearance_workbook", "--ours", "--rows", str(rows)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        figures = json.loads(result.stdout)
        seconds.append(figures["all"])
        print(
            f"  {figures['all']:.1f} s, CPU {figures['cpu']:.1f} s, peak {figures['peak_mb']:.0f} MB, "
            f"file {figures['mb']:.1f} MB",
            flush=True,
        )
    print(f"  median {statistics.median(seconds):.1f} s (at most {LIMIT_SECONDS}); peak at most {LIMIT_MB} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.ours:
        ours(options.rows)
    else:
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        measure(options.rows, options.rounds)


if __name__ == "__main__":
    main()
