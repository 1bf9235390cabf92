"""Twenty rules over a million rows: in the database with every failing row marked, compared with the plain ways.

These are one hand-written SQL pass that only counts, and Great Expectations on a DataFrame, which marks nothing. They
take turns on the same staged rows; `make bench` runs it.
"""

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
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
from benchmarks.first_load import fresh_database, plain, show_settings
from benchmarks.peak_memory import peak_mb
from psycopg import sql

from local_stack.postgres import EmbeddedPostgres
from simulator.business_licenses import write_register
from zhengku.database import batch_schema, store_connection
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings

CREDIT_CODE = "^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$"
DAYS = ("1949-10-01", "2026-11-26")

RULES: tuple[tuple[str, dict[str, Any], str], ...] = (
    *(
        ("expect_column_values_to_not_be_null", {"column": name}, f"{name} is null")
        for name in ("record_key", "certificate_number", "holder", "holder_code", "issue_date", "district", "validity")
    ),
    *(
        (
            "expect_column_values_to_match_regex",
            {"column": name, "regex": pattern},
            f"{name} is not null and {name} !~ '{pattern}'",
        )
        for name, pattern in (
            ("certificate_number", CREDIT_CODE),
            ("holder_code", "^9[1-3][0-9A-Z]{16}$"),
            ("holder", "^[^?]*$"),
            ("license_type_code", "^[0-9A-Z]{21}$"),
            ("record_key", "^[0-9A-Z]+$"),
        )
    ),
    *(
        (
            "expect_column_value_lengths_to_be_between",
            {"column": name, "min_value": low, "max_value": high},
            f"{name} is not null and length({name}) not between {low} and {high}",
        )
        for name, low, high in (
            ("certificate_number", 15, 18),
            ("holder", 4, 60),
            ("certificate_name", 2, 30),
            ("holder_code", 18, 18),
        )
    ),
    *(
        (
            "expect_column_values_to_be_in_set",
            {"column": name, "value_set": list(values)},
            f"{name} is not null and {name} not in ({', '.join(repr(value) for value in values)})",
        )
        for name, values in (
            ("district", ("ezhou", "echeng", "huarong", "liangzihu", "gedian", "linkong")),
            ("holder_code_type", ("001", "099", "111")),
            ("certificate_name", ("营业执照",)),
        )
    ),
    (
        "expect_column_values_to_be_between",
        {"column": "issue_date", "min_value": DAYS[0], "max_value": DAYS[1]},
        f"issue_date is not null and issue_date not between '{DAYS[0]}' and '{DAYS[1]}'",
    ),
)
"""Expectation, its arguments, and the SQL condition of a row that fails it."""


def write_suite(folder: Path) -> None:
    """Write the rules as a suite file, in the form of those in `expectations/`."""
    entries = [
        {
            "type": name,
            "kwargs": arguments,
            "severity": "critical" if place % 3 else "warning",
            "meta": {
                "rule_id": f"bench.rule.r{place}",
                "reason_zh": "测试规则",
                "standard": "zhengku",
                "example": "甲",
                "right_example": "乙",
                "fields": [arguments["column"]],
            },
        }
        for place, (name, arguments, _) in enumerate(RULES)
    ]
    content = {"name": "bench", "notes": "二十条规则。", "expectations": entries}
    (folder / "bench.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def ours(url: str, suites: Path) -> None:
    """Validate and mark in this process, with Great Expectations imported before; print seconds and counts."""
    run, marks = import_module("zhengku.validate.run"), import_module("zhengku.validate.marks")
    suite_files = import_module("zhengku.validate.suites")
    suite = suite_files.load_suites(suites, ["bench"])
    started = time.perf_counter()
    found = run.validate_rows(url, batch_schema(1), "staged_row", suite, {})
    validated = time.perf_counter() - started
    with store_connection(url) as connection:
        marks.mark_rows(connection, batch_schema(1), {"staged_row": found})
    counts = {rule.rule_id: rule.failed_rows for rule in found.rules}
    by_rule = [counts[f"bench.rule.r{place}"] for place in range(len(RULES))]
    report({"validated": validated, "seconds": time.perf_counter() - started, "counts": by_rule})


def on_dataframe(url: str) -> None:
    """Read the rows into a DataFrame and validate them there; print seconds."""
    pandas, gx = import_module("pandas"), import_module("great_expectations")
    sqlalchemy = import_module("sqlalchemy")
    engine = sqlalchemy.create_engine(url)
    started = time.perf_counter()
    columns = ", ".join(sorted({arguments["column"] for _, arguments, _ in RULES}))
    frame = pandas.read_sql(f"select {columns} from {batch_schema(1)}.staged_row", engine)  # noqa: S608
    frame["issue_date"] = pandas.to_datetime(frame["issue_date"])
    read = time.perf_counter() - started
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("frame").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
    classes = import_module("great_expectations.expectations.registry")
    expectations = []
    for place, (name, given, _) in enumerate(RULES):
        arguments = {**given, "meta": {"place": place}}
        if arguments["column"] == "issue_date" and "min_value" in arguments:
            arguments |= {key: pandas.Timestamp(arguments[key]) for key in ("min_value", "max_value")}
        expectations.append(classes.get_expectation_impl(name)(**arguments))
    suite = gx.ExpectationSuite(name="bench", expectations=expectations)
    results = batch.validate(suite, result_format="BASIC").results
    # Great Expectations returns the results in its own order.
    counted = {one.expectation_config.meta["place"]: one.result.get("unexpected_count") for one in results}
    by_rule = [counted[place] for place in range(len(RULES))]
    report({"read": read, "seconds": time.perf_counter() - started, "counts": by_rule})


def report(figures: dict[str, Any]) -> None:
    print(json.dumps({**figures, "peak_mb": peak_mb()}))


def by_hand(url: str) -> dict[str, Any]:
    """Count with one statement, as a person would write it."""
    counted = ", ".join(f"sum(case when {failing} then 1 else 0 end)" for _, _, failing in RULES)
    with psycopg.connect(plain(url)) as connection:
        started = time.perf_counter()
        statement = f"select {counted} from {batch_schema(1)}.staged_row"  # noqa: S608 - the rules above
        counts = connection.execute(statement.encode()).fetchone()
        return {"seconds": time.perf_counter() - started, "counts": list(counts or ())}


def in_process(mode: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.validation", mode, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def staged(server: EmbeddedPostgres, folder: Path, rows: int, template: Path | None) -> Iterator[str]:
    """Stage a register in a fresh database; yield its address."""
    url = fresh_database(server, "validation")
    drop = folder / "drop" / "business_license"
    drop.mkdir(parents=True)
    write_register(drop / "register.csv", rows, seed=1, template_csv=template)
    moment = time.time() - 3600
    os.utime(drop / "register.csv", (moment, moment))
    environment = {
        "ZHENGKU_DATABASE_URL": url,
        "ZHENGKU_LANDING_URL": str(folder / "landing"),
        "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": str(folder / "drop"),
    }
    pipeline = Pipeline(Settings(home=Settings.load().home, environment=environment))
    [batch] = pipeline.collect("market_supervision", "business_license", "bench")
    pipeline.stage(batch.batch_id)
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute(sql.SQL("vacuum analyze {}").format(sql.Identifier(batch_schema(1), "staged_row")))
    yield url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", nargs="?", choices=["ours", "dataframe"], help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.mode == "ours":
        ours(options.arguments[0], Path(options.arguments[1]))
        return
    if options.mode == "dataframe":
        on_dataframe(options.arguments[0])
        return
    source = os.environ.get("ZHENGKU_REGISTER_DIR", "")
    template = Path(source) / "business_licences_hubei_2019.csv" if source else None
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {options.rows:,} rows")
    with tempfile.TemporaryDirectory(prefix="zhengku-bench-") as name:
        folder = Path(name)
        write_suite(folder)
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            show_settings(server)
            for url in staged(server, folder, options.rows, template):
                turns(url, folder, options.rounds)
        finally:
            server.stop()


def turns(url: str, suites: Path, rounds: int) -> None:
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        hand = by_hand(url)
        marked = in_process("ours", url, str(suites))
        frame = in_process("dataframe", url)
        assert hand["counts"] == marked["counts"] == frame["counts"], (hand, marked, frame)
        for key, value in (
            ("by hand, counts only, s", hand["seconds"]),
            ("Great Expectations in the database, s", marked["validated"]),
            ("and every failing row marked, s", marked["seconds"]),
            ("  peak, MB", marked["peak_mb"]),
            ("Great Expectations on a DataFrame, s", frame["seconds"]),
            ("  of which reading, s", frame["read"]),
            ("  peak, MB ", frame["peak_mb"]),
            ("validated and marked, times by hand", marked["seconds"] / hand["seconds"]),
            ("DataFrame, times validated and marked", frame["seconds"] / marked["seconds"]),
        ):
            found.setdefault(key, []).append(value)
    print(f"  failing rows by rule {marked['counts']}")
    for key, values in found.items():
        print(f"  {key:40s} median {statistics.median(values):8.2f}  of {', '.join(f'{v:.2f}' for v in values)}")
    print("  aims: at most 4 times by hand; the DataFrame at least 5 times ours")


if __name__ == "__main__":
    main()
