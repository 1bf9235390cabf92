-- name: record_removal
insert into ledger.removal (kind, name, batch_ids, files, bytes, sha256, removed_rows, newest_at, rule)
values (
    %(kind)s, %(name)s, %(batch_ids)s, %(files)s, %(bytes)s, %(sha256)s, %(removed_rows)s, %(newest_at)s, %(rule)s
)
returning removal_id;

-- name: complete
update ledger.removal
set removed_at = clock_timestamp()
where removal_id = any(%(removal_ids)s);

-- name: unfinished
-- What a run that was killed had recorded, and perhaps removed.
select
    removal_id,
    kind,
    name,
    newest_at
from ledger.removal
where removed_at is null and kind = any(%(kinds)s)
order by removal_id
limit %(limit)s;

-- name: unfinished_of_airflow
select removal_id
from ledger.removal
where removed_at is null and kind = 'airflow';

-- name: by_day
-- What was removed, by day, kind and rule, the newest first.
select
    kind,
    rule,
    (recorded_at at time zone 'Asia/Shanghai')::date as day,
    coalesce(sum(files), 0)::bigint as files,
    coalesce(sum(bytes), 0)::bigint as bytes,
    coalesce(sum(removed_rows), 0)::bigint as removed_rows,
    count(*) filter (where removed_at is null) as unfinished
from ledger.removal
group by (recorded_at at time zone 'Asia/Shanghai')::date, kind, rule
order by (recorded_at at time zone 'Asia/Shanghai')::date desc, kind asc, rule asc
limit %(limit)s;

-- name: open_returns
-- The returns with problem records that are not settled: their departments may ask for the files.
select distinct return_id
from quarantine.problem_row
where return_id is not null and status in ('open', 'returned', 'waived');
