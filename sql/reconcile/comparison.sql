-- name: newest_loaded
-- The newest loaded delivery of a feed; it must have a landed file, as a snapshot is needed.
select *
from ledger.batch
where
    department = %(department)s and feed = %(feed)s and origin = 'delivery' and status = 'loaded'
order by landed_at desc, batch_id desc
limit 1;

-- name: lacking_days
-- The days, in Asia/Shanghai, on which rows of a feed are missing in the store, or are in it in an earlier version.
select distinct reconciliation.city_day(coalesce(source_at, found_at)) as day
from reconciliation.difference
where
    department = %(department)s and feed = %(feed)s and settled_at is null
    and kind in ('missing_in_store', 'differs')
order by day;

-- name: source_row
create temporary table source_row (
    record_key text collate "C" not null,
    version_at timestamptz not null
);

-- name: take_staged
-- The newest row of each key; keys cleaned like those of every delivery.
insert into pg_temp.source_row (record_key, version_at)
select
    record_key,
    max(version_at) as version_at
from staged_row
where record_key is not null
group by record_key;

-- name: source_key
create temporary table source_key as
select
    record_key,
    max(version_at) as version_at
from pg_temp.source_row
group by record_key;

-- name: count_found
select
    kind,
    explanation,
    count(*) as number
from pg_temp.found
group by kind, explanation;

-- name: count_keys
-- How many keys the compared period has on either side.
select
    (
        select count(*)
        from pg_temp.source_key as c
        where not %(timed)s or c.version_at between %(since)s and %(until)s
    ) as source_count,
    (
        select count(*)
        from {store} as s
        where
            {scope} and s.department = %(department)s and s.feed = %(feed)s
            and s.removal is distinct from 'disappeared'
            and (%(timed)s or s.removal is null)
            and (not %(timed)s or s.version_at between %(since)s and %(until)s)
    ) as store_count;

-- name: unseen_keys
-- Records that the store has in the compared period and that were not seen at the source, of which only this period was
-- read: their time may have been moved to before it.
select s.record_key
from {store} as s
where
    {scope} and s.department = %(department)s and s.feed = %(feed)s and s.removal is null
    and s.version_at between %(since)s and %(until)s
    and (%(days)s::date[] is null or reconciliation.city_day(s.version_at) = any(%(days)s::date[]))
    and not exists (
        select from pg_temp.source_row as c
        where c.record_key = s.record_key
    );

-- name: settle_differences
-- Differences of the compared period that were not found again; their problem records are corrected, unless a load
-- settled them already. A record of another kind of difference for the same key is no longer valid either.
with gone as (
    update reconciliation.difference as d
    set settled_at = now()
    where
        d.department = %(department)s and d.feed = %(feed)s and d.settled_at is null
        and (not %(timed)s or coalesce(d.source_at, d.store_at) between %(since)s and %(until)s)
        and not exists (
            select from pg_temp.found as f
            where f.record_key = d.record_key and f.explanation is null
        )
),

solved as (
    update quarantine.problem_row as q
    set
        status = 'corrected',
        solution = 'corrected',
        solved_at = now(),
        updated_at = now()
    where
        q.department = %(department)s and q.feed = %(feed)s and q.status in ('open', 'returned', 'waived')
        and q.rules && %(own_rules)s::text[]
        and (not %(timed)s or q.version_at between %(since)s and %(until)s)
        and not exists (
            select from pg_temp.found as f
            where
                f.record_key = q.record_key and f.explanation is null
                and q.rules = array['reconciliation.' || f.kind]
        )
    returning q.problem_id
)

insert into quarantine.problem_event (problem_id, event)
select
    problem_id,
    'corrected'
from solved;

-- name: record_comparison_batch
-- The batch of a reconciliation's problem records: all of its rows are problem records.
insert into ledger.batch (
    department, feed, dataset, license_type, run_id, status, source_name, source_bytes, source_modified_at, landed_at,
    config_digest, origin, fetched, staged, quarantined, finished_at
)
select
    %(department)s,
    %(feed)s,
    %(dataset)s,
    %(license_type)s,
    %(run_id)s,
    'loaded',
    '比对',
    0,
    %(begun)s,
    %(begun)s,
    %(config_digest)s,
    'reconciliation',
    count(*) as fetched,
    count(*) as staged,
    count(*) as quarantined,
    clock_timestamp()
from pg_temp.found
where explanation is null
having count(*) > 0
returning batch_id;

-- name: enter_problems
-- The same difference found again is the same problem record, with one more sighting.
insert into quarantine.problem_row as q (
    department, feed, dataset, license_type, record_key, first_batch_id, first_row_no, last_batch_id, last_row_no,
    rules, reasons, payload, fingerprint, version_at, opened_at, first_opened_at, updated_at
)
select
    %(department)s,
    %(feed)s,
    %(dataset)s,
    %(license_type)s,
    f.record_key,
    %(batch_id)s,
    row_number() over (order by f.record_key),
    %(batch_id)s,
    row_number() over (order by f.record_key),
    array['reconciliation.' || f.kind],
    array[%(reasons)s::jsonb ->> f.kind],
    jsonb_build_object(
        '记录标识', f.record_key,
        '来源时间', to_char(f.source_at at time zone 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS.US'),
        '库中时间', to_char(f.store_at at time zone 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS.US')
    ),
    md5('reconciliation.' || f.kind || '|' || f.record_key),
    coalesce(f.source_at, f.store_at),
    now(),
    now(),
    now()
from pg_temp.found as f
where f.explanation is null
order by f.record_key
on conflict (department, feed, fingerprint) where status in ('open', 'returned', 'waived')
do update set
    last_batch_id = excluded.last_batch_id,
    last_row_no = excluded.last_row_no,
    payload = excluded.payload,
    version_at = excluded.version_at,
    times_seen = q.times_seen + 1,
    updated_at = now();

-- name: enter_differences
insert into reconciliation.difference as d (
    department, feed, dataset, license_type, record_key, kind, source_at, store_at, problem_id
)
select
    %(department)s,
    %(feed)s,
    %(dataset)s,
    %(license_type)s,
    f.record_key,
    f.kind,
    f.source_at,
    f.store_at,
    q.problem_id
from pg_temp.found as f
inner join quarantine.problem_row as q
    on
        q.department = %(department)s and q.feed = %(feed)s and q.status in ('open', 'returned', 'waived')
        and q.fingerprint = md5('reconciliation.' || f.kind || '|' || f.record_key)
where f.explanation is null
on conflict (department, feed, record_key) where settled_at is null
do update set
    kind = excluded.kind,
    source_at = excluded.source_at,
    store_at = excluded.store_at,
    problem_id = excluded.problem_id,
    seen_at = now();

-- name: record_run
insert into reconciliation.run (
    department, feed, since, until, compared_until, method, started_at, source_count, store_count, days, unequal_days,
    explained, missing_in_store, missing_at_source, differs, note
)
values (
    %(department)s, %(feed)s, %(since)s, %(until)s, %(compared_until)s, %(method)s, %(started_at)s,
    %(source_count)s, %(store_count)s, %(days)s, %(unequal_days)s, %(explained)s, %(missing_in_store)s,
    %(missing_at_source)s, %(differs)s, %(note)s
);

-- name: newest_runs
select n.*
from (
    select distinct on (department, feed) *
    from reconciliation.run
    order by department asc, feed asc, run_id desc
) as n
order by n.missing_in_store + n.missing_at_source + n.differs desc, n.department asc, n.feed asc;
