"""The weekly counts of the stock: collection rate and validity, with their lists.

`python -m benchmarks.stock [--rows N]`; the store is filled by SQL, in an embedded PostgreSQL of its own. Six of ten
certificates were produced by a case; the certificate of every fiftieth result is missing.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from benchmarks.peak_memory import peak_mb
from psycopg import sql

from local_stack.postgres import EmbeddedPostgres
from zhengku.catalog import Catalog, load_catalog
from zhengku.database import open_store, upgrade
from zhengku.settings import Settings
from zhengku.stock.collection_rate import publish_collection
from zhengku.stock.expiry import publish_expiry

TYPES = ("business_license", "social_security_card", "residence_permit", "food_business_license")
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB"}
DAY = date(2026, 11, 24)
LACKING_EVERY = 50

CERTIFICATES = """
insert into {} (
    license_type, record_key, certificate_number, certificate_name, holder, issue_date, valid_to, status, extension,
    version_at, version_no, row_hash, department, feed, batch_id, row_no, loaded_at
)
select
    {}, 'N' || n, 'N' || n, '虚构证照', '张某某', date '2012-01-01' + (n %% 5000)::integer,
    case when n %% 3 > 0 then date '2022-01-01' + (n %% 3000)::integer end,
    case when n %% 9 > 0 then 'valid' else 'cancelled' end, '{{}}', now(), 1, n, 'made_up', {}, 1, n, now()
from generate_series(1::bigint, %(rows)s) as n
"""

RESULTS = """
insert into store.case_result (
    record_key, case_number, result_number, result_type, certificate_name, certificate_number, issuing_authority,
    produced_at, extension, version_at, version_no, row_hash, department, feed, batch_id, row_no, loaded_at
)
select
    %(type)s || n, %(type)s || n, '1', 'certificate', %(name)s,
    case when n %% %(lacking_every)s = 0 then 'M' || n else 'N' || n end, '虚构局',
    timestamptz '2019-01-01' + (n %% 2700) * interval '1 day', '{}', now(), 1, n, 'unified_acceptance', 'case_results',
    1, n, now()
from generate_series(1::bigint, %(rows)s * 6 / 10) as n
"""


def _fill(connection: psycopg.Connection[Any], catalog: Catalog, rows: int) -> None:
    for kind in TYPES:
        table, name = sql.Identifier("certificate_of", kind), sql.Literal(kind)
        values = {
            "rows": rows // len(TYPES),
            "type": kind,
            "name": catalog.license_types[kind].name_zh,
            "lacking_every": LACKING_EVERY,
        }
        connection.execute(sql.SQL("create table {} (like store.certificate including constraints)").format(table))
        connection.execute(sql.SQL(CERTIFICATES).format(table, name, name), values)
        connection.execute(
            sql.SQL("alter table store.certificate attach partition {} for values in ({})").format(table, name)
        )
        connection.execute(RESULTS.encode(), values)
    connection.commit()
    connection.autocommit = True
    connection.execute("vacuum analyze store.certificate")
    connection.execute("vacuum analyze store.case_result")


def main() -> None:
    """Measure, and print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    catalog = load_catalog(Settings.load().catalog_folder)
    with tempfile.TemporaryDirectory(prefix="zhengku-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", SETTINGS)
        server.start()
        try:
            url = server.url("postgres")
            upgrade(url)
            with open_store(url) as connection:
                _fill(connection, catalog, rows)
            print(f"{rows:,} certificates, {platform.platform()}, settings {SETTINGS}", flush=True)
            settings = Settings(
                home=Settings.load().home,
                environment={"ZHENGKU_DATABASE_URL": url, "ZHENGKU_REPORT_DIR": f"{folder}/reports"},
            )
            found = _measure("collection rate", lambda: publish_collection(settings, catalog, DAY))
            lacking = sum(each.lacking for each in found)
            expected = len(TYPES) * (rows // len(TYPES) * 6 // 10 // LACKING_EVERY)
            assert lacking == expected, f"{lacking:,} lack, expected {expected:,}"
            print(f"  {sum(each.due for each in found):,} due, {lacking:,} lacking and listed", flush=True)
            counted = _measure("validity", lambda: publish_expiry(settings, catalog, DAY))
            print(f"  {sum(each.expiring for each in counted):,} about to expire", flush=True)
        finally:
            server.stop()


def _measure(what: str, publish: Callable[[], list[Any]]) -> list[Any]:
    started = time.monotonic()
    found = publish()
    print(f"{what}: {time.monotonic() - started:.1f} s, peak {peak_mb():.0f} MB", flush=True)
    return found


if __name__ == "__main__":
    main()
