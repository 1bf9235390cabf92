-- name: seen_before
-- The files of a feed that have a batch, with the state of the newest one. A file whose landed copy was lost is new.
select distinct on (source_name, source_bytes, source_modified_at)
    source_name,
    source_bytes,
    source_modified_at,
    status,
    finished_at,
    config_digest,
    rule_id
from ledger.batch
where department = %(department)s and feed = %(feed)s and rule_id is distinct from 'file.lost'
order by source_name asc, source_bytes asc, source_modified_at asc, batch_id desc;

-- name: first_delivered
-- When these bytes were first delivered, if a batch with them was loaded.
select min(landed_at)
from ledger.batch
where department = %(department)s and feed = %(feed)s and sha256 = %(sha256)s and status = 'loaded';

-- name: landed_of_size
-- For each content of a feed's deliveries with this size, the newest landed file.
select distinct on (sha256)
    sha256,
    landing_path
from ledger.batch
where
    department = %(department)s and feed = %(feed)s and source_bytes = %(source_bytes)s
    and sha256 is not null and landing_path is not null
    and not exists (
        select from ledger.removal as r
        where r.kind = 'landed' and r.name = batch.landing_path
    )
order by sha256 asc, batch_id desc;

-- name: keep_landed
-- Until the end of the transaction the retention decides about no landed file (`retention/landed.lock_out`).
select pg_advisory_xact_lock_shared(hashtextextended('zhengku.landing', 0));

-- name: landed_removal
select
    removal_id,
    rule,
    to_char(recorded_at at time zone 'Asia/Shanghai', 'YYYY-MM-DD') as day
from ledger.removal
where kind = 'landed' and name = %(name)s
order by removal_id desc
limit 1;

-- name: record_batch
-- The same delivery of the same run, collected again by a repeated task, is the existing batch. A file of a drop that
-- was rejected (or lost) and is read again keeps its earlier time: later deliveries must win.
with rejected as (
    select min(landed_at) as landed_at
    from ledger.batch
    where
        department = %(department)s and feed = %(feed)s and status = 'rejected'
        and source_name = %(source_name)s and source_bytes = %(source_bytes)s
        and source_modified_at = %(source_modified_at)s
),

recorded as (
    insert into ledger.batch (
        department, feed, dataset, license_type, run_id, status, source_name, source_bytes, source_modified_at,
        sha256, landing_path, landed_at, manifest, window_start, window_end, position_at, position_key, config_digest,
        absent_fields, rule_id, reason, detail, finished_at, origin, redrives_batch_id, released_by, release_reason,
        backfill_month
    )
    values (
        %(department)s, %(feed)s, %(dataset)s, %(license_type)s, %(run_id)s, %(status)s,
        %(source_name)s, %(source_bytes)s,
        %(source_modified_at)s,
        %(sha256)s,
        %(landing_path)s,
        -- The earlier one, where both are known.
        coalesce(
            least(
                %(landed_at)s::timestamptz,
                (
                    select r.landed_at
                    from rejected as r
                )
            ),
            clock_timestamp()
        ),
        %(manifest)s,
        %(window_start)s,
        %(window_end)s,
        %(position_at)s,
        %(position_key)s::text[],
        %(config_digest)s,
        %(absent_fields)s, %(rule_id)s, %(reason)s, %(detail)s,
        case when %(status)s = 'rejected' then clock_timestamp() end,
        %(origin)s,
        %(redrives_batch_id)s,
        %(released_by)s,
        %(release_reason)s,
        %(backfill_month)s
    )
    on conflict (department, feed, run_id, source_name, sha256) do nothing
    returning *
),

found as (
    select *
    from recorded
    union all
    select *
    from ledger.batch
    where
        department = %(department)s and feed = %(feed)s and run_id = %(run_id)s
        and source_name = %(source_name)s and sha256 = %(sha256)s
)

select * from found;

-- name: take_up_unfinished
-- A killed run left batches behind; no other run would continue them.
update ledger.batch
set taken_up_by = %(run_id)s
where
    department = %(department)s and feed = %(feed)s
    and run_id <> %(run_id)s
    and status in ('landed', 'staged', 'validated')
    -- The backfill continues its own batches: the nightly run does not wait for them.
    and origin <> 'backfill';

-- name: batch_by_id
select * from ledger.batch
where batch_id = %(batch_id)s;

-- name: batches
select *
from ledger.batch
where
    (%(department)s::text is null or department = %(department)s)
    and (%(feed)s::text is null or feed = %(feed)s)
    and (%(run_id)s::text is null or run_id = %(run_id)s or taken_up_by = %(run_id)s)
    and (%(status)s::text is null or status = %(status)s)
order by batch_id desc
limit %(limit)s;

-- name: watermark
select
    position_at,
    position_key
from ledger.watermark
where department = %(department)s and feed = %(feed)s;

-- name: has_older_unfinished
-- Whether an older delivery of this feed may still be loaded: it waits, or is held and may be released.
select exists(
    select from ledger.batch
    where
        department = %(department)s and feed = %(feed)s and batch_id <> %(batch_id)s
        and status in ('landed', 'staged', 'validated', 'held')
        and landed_at < %(landed_at)s
);

-- name: begin_step
-- A step of a batch starts. Where the same step had started before and never ended, it crashed.
update ledger.batch
set
    step_deaths = case
        when begun_step = %(step)s then step_deaths + 1
        when begun_step is null then step_deaths
        else 0
    end,
    begun_step = %(step)s
where batch_id = %(batch_id)s
returning step_deaths;

-- name: end_step
-- A step of a batch ended: it succeeded, or failed with a reason.
update ledger.batch
set
    begun_step = null,
    step_deaths = case when %(done)s then 0 else step_deaths end
where batch_id = %(batch_id)s;

-- name: end_worker
-- End the session of the process that works on a batch (`zhengku.pipeline.batch_lock`): its step is rolled back.
select pg_terminate_backend(pid)
from pg_locks
where
    locktype = 'advisory' and granted and objsubid = 1
    and database = (
        select oid
        from pg_database
        where datname = current_database()
    )
    and ((classid::bigint << 32) | objid::bigint) = hashtextextended('zhengku.batch.' || %(batch_id)s, 0);

-- name: unstage_batch
update ledger.batch
set
    status = 'landed',
    recognised = 0,
    recognised_after = null,
    validated_at = null
where batch_id = %(batch_id)s;
