"""Migration 0018: lists that are out stay, and it is known of each which batches it knew."""

import psycopg
from tests.support.schema_at_revision import at_revision

from zhengku.database import upgrade

BEFORE = """
insert into clearance.calendar (digest, kept_at) values ('x', now());
insert into ledger.batch (
    department, feed, dataset, run_id, status, source_name, source_bytes, source_modified_at, sha256, landing_path,
    landed_at, config_digest, fetched, finished_at, rule_id, reason
)
select 'x', 'x', 'evaluation', n::text, 'loaded', 'x', 0, now(), 'x', 'x', now(), 'x', 0, now(), 'x', 'x'
from generate_series(1, 3) as s (n);
insert into clearance.list (
    list_id, day, kind, version, cutoff_at, published_at, is_trunk, base_list, corrections, last_shown, oldest_finish,
    calendar_id, archive_after_working_days, deadline_working_days, stale
)
select n, date '2026-03-01' + n, 'final', 1, now(), timestamptz '2026-03-02 06:00+08' + n * interval '1 day', true, n,
    '{}', n - 1, now(), 1, 60, 5, '[]'
from generate_series(1, 2) as s (n);
insert into clearance.applied_batch (batch_id, applied_at)
select batch_id, timestamptz '2026-03-03 05:00+08' + (batch_id - 1) * interval '1 day' from ledger.batch;
insert into clearance.rate_count values ('2026-03-02', 'echeng', 'x', 'y', 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
"""


def test_lists_stay_and_their_days_are_counted_anew(empty_database_url: str) -> None:
    address = empty_database_url.replace("+psycopg", "")
    at_revision(empty_database_url, "0017")
    with psycopg.connect(address) as connection:
        # As the functions were before.
        connection.execute(
            "create function clearance.listings_before(key text, last_before bigint, list_day date, last_shown bigint)"
            " returns table (list_id bigint) language sql stable as 'select 1::bigint'"
        )
        connection.execute(BEFORE)
        lists = connection.execute("select *, published_at from clearance.list order by list_id").fetchall()
    upgrade(empty_database_url)
    with psycopg.connect(address) as connection:
        assert connection.execute("select * from clearance.list order by list_id").fetchall() == lists
        known = connection.execute("select before_list from clearance.applied_batch order by batch_id").fetchall()
        assert known == [(1,), (2,), (3,)]
        touched = connection.execute("select day::text from clearance.touched_day").fetchall()
        assert touched == [("2026-03-02",)]
        names = connection.execute("select proargnames from pg_proc where proname = 'listings_before'").fetchall()
        assert ["shown_until" in name for (name,) in names] == [True]
