"""The roll-up of a reconciliation by feed and day: of the complete store, and after 20,000 changed rows.

`python -m benchmarks.reconcile [--rows N]`; the store is filled by SQL, in an embedded PostgreSQL of its own.
"""

import argparse
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from local_stack.postgres import EmbeddedPostgres
from zhengku.catalog import Catalog, load_catalog
from zhengku.database import open_store, upgrade
from zhengku.load.store_table import StoreTable
from zhengku.operations.reconcile.roll_up import refresh
from zhengku.settings import Settings

TYPES = ("business_license", "social_security_card", "residence_permit", "motor_vehicle_license")
CHANGED = 20_000
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB"}

BATCH = """
insert into ledger.batch (
    department, feed, dataset, license_type, run_id, status, source_name, source_bytes, source_modified_at, sha256,
    landing_path, landed_at, config_digest, fetched, staged, {outcome}, finished_at
)
values (
    'made_up', %(type)s, 'certificate', %(type)s, %(run)s, 'loaded', 'made up', 1, now(), %(run)s, 'made_up', now(), '',
    %(rows)s, %(rows)s, %(rows)s, now()
)
returning batch_id
"""

ROWS = """
insert into {} (
    license_type, record_key, holder, extension, version_at, version_no, row_hash, department, feed, batch_id, row_no,
    loaded_at
)
select
    {}, 'C' || lpad(n::text, 17, '0'), '张某某', '{{}}', timestamptz '2019-01-01' + (n %% 2700) * interval '1 day'
    + (n %% 86400) * interval '1 second', 1, n, 'made_up', {}, %(batch)s, n, now()
from generate_series(1::bigint, %(rows)s) as n
"""

OLD_VERSIONS = """
insert into store.certificate_history ({kept}, replaced_by_batch_id, replaced_at)
select {kept_of_store}, %(batch)s, now() from store.certificate as s
where s.license_type = %(type)s and s.row_no > %(behind)s and s.row_no <= %(behind)s::bigint + %(rows)s
"""

CHANGES = """
update store.certificate as s
set version_at = timestamptz '2026-10-01' + (s.row_no %% 7) * interval '1 day', version_no = 2, batch_id = %(batch)s
where s.license_type = %(type)s and s.row_no > %(behind)s and s.row_no <= %(behind)s::bigint + %(rows)s
"""


def _fill(connection: psycopg.Connection[Any], rows: int) -> None:
    for kind in TYPES:
        table = sql.Identifier("certificate_of", kind)
        values: dict[str, Any] = {"type": kind, "run": kind, "rows": rows // len(TYPES)}
        [batch] = connection.execute(_batch("inserted"), values).fetchone() or [None]
        connection.execute(sql.SQL("create table {} (like store.certificate including constraints)").format(table))
        name = sql.Literal(kind)
        connection.execute(sql.SQL(ROWS).format(table, name, name), {**values, "batch": batch})
        connection.execute(
            sql.SQL("alter table store.certificate attach partition {} for values in ({})").format(table, name)
        )
    connection.commit()
    connection.autocommit = True
    connection.execute("vacuum analyze store.certificate")
    connection.autocommit = False


def _change(connection: psycopg.Connection[Any], catalog: Catalog, turn: int) -> None:
    names = StoreTable("certificate", TYPES[0], tuple(catalog.standard_fields("certificate"))).names
    values: dict[str, Any] = {"type": TYPES[0], "run": f"change {turn}", "rows": CHANGED, "behind": turn * CHANGED}
    [batch] = connection.execute(_batch("updated"), values).fetchone() or [None]
    connection.execute(sql.SQL(OLD_VERSIONS).format(**names), {**values, "batch": batch})
    connection.execute(CHANGES.encode(), {**values, "batch": batch})
    connection.commit()


def _batch(outcome: str) -> sql.Composed:
    return sql.SQL(BATCH).format(outcome=sql.Identifier(outcome))


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
                _fill(connection, rows)
                print(f"{rows:,} certificates, {platform.platform()}, settings {SETTINGS}", flush=True)
                _measure("complete roll-up", url, catalog, rebuild=True)
                for turn in range(3):
                    _change(connection, catalog, turn)
                    _measure(f"after {CHANGED:,} changed rows", url, catalog, rebuild=False)
                query = "select day, license_type, number, checksum from reconciliation.store_day order by 1, 2"
                updated = connection.execute(query).fetchall()
                connection.commit()
                _measure("complete roll-up again", url, catalog, rebuild=True)
                assert connection.execute(query).fetchall() == updated, "the roll-up after changes is wrong"
        finally:
            server.stop()


def _measure(what: str, url: str, catalog: Catalog, *, rebuild: bool) -> None:
    started = time.monotonic()
    refresh(url, catalog, rebuild=rebuild)
    print(f"{what}: {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
