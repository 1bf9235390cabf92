-- name: period_of_problems
-- How many of these are unsolved records of a comparison, and the first and last time of their differences.
select
    count(*) as problems,
    min(least(d.source_at, d.store_at)) as since,
    max(greatest(d.source_at, d.store_at)) as until
from quarantine.problem_row as q
inner join reconciliation.difference as d on q.problem_id = d.problem_id and d.settled_at is null
where
    q.department = %(department)s and q.feed = %(feed)s
    and q.problem_id = any(%(problem_ids)s::bigint[]) and q.status in ('open', 'returned', 'waived');

-- name: count_withdrawable
-- Of the current differences that the source no longer has, how many are still so in the store, and how many valid
-- certificates the feed has in all.
select
    count(*) filter (
        where exists (
            select from reconciliation.difference as d
            where
                d.department = %(department)s and d.feed = %(feed)s and d.record_key = s.record_key
                and d.kind = 'missing_at_source' and d.settled_at is null
                and (d.store_at is null or d.store_at = s.version_at)
                and (%(problem_ids)s::bigint[] is null or d.problem_id = any(%(problem_ids)s::bigint[]))
        )
    ) as withdrawable,
    count(*) as standing
from {store} as s
where {scope} and s.department = %(department)s and s.feed = %(feed)s and s.removal is null;

-- name: record_withdrawal
-- The batch by which certificates are withdrawn: no row was received.
insert into ledger.batch (
    department, feed, dataset, license_type, run_id, status, source_name, source_bytes, source_modified_at, landed_at,
    config_digest, origin, fetched, staged, finished_at
)
values (
    %(department)s,
    %(feed)s,
    %(dataset)s,
    %(license_type)s,
    %(run_id)s,
    'loaded',
    '比对撤下',
    0,
    %(begun)s,
    %(begun)s,
    %(config_digest)s,
    'reconciliation',
    0,
    0,
    clock_timestamp()
)
returning batch_id;

-- name: withdraw
-- A person's decision about certificates that their source no longer has: they are marked like those that a complete
-- register no longer contains, their version is written to the history, and the problem records are closed with the
-- person and the reason.
with gone as (
    select
        d.difference_id,
        d.problem_id,
        s.record_key
    from reconciliation.difference as d
    inner join {store} as s on d.record_key = s.record_key
    where
        d.department = %(department)s and d.feed = %(feed)s
        and d.kind = 'missing_at_source' and d.settled_at is null
        and (%(problem_ids)s::bigint[] is null or d.problem_id = any(%(problem_ids)s::bigint[]))
        and {scope} and s.department = %(department)s and s.feed = %(feed)s
        and s.removal is null
        -- If it was written since, it is not the version that was compared.
        and (d.store_at is null or d.store_at = s.version_at)
),

kept as (
    {kept_versions}
    where {scope} and s.record_key in (select g.record_key from gone as g)
),

withdrawn as (
    update {store} as s
    set
        removed_at = %(begun)s,
        removal = 'disappeared',
        version_no = s.version_no + 1,
        batch_id = %(batch_id)s,
        loaded_at = now()
    where {scope} and s.record_key in (select g.record_key from gone as g)
),

settled as (
    update reconciliation.difference
    set settled_at = now()
    where difference_id in (select g.difference_id from gone as g)
),

closed as (
    update quarantine.problem_row
    set
        status = 'closed',
        solution = 'gone',
        corrected_by_batch_id = %(batch_id)s,
        solved_at = now(),
        closed_at = now(),
        updated_at = now()
    where
        problem_id in (select g.problem_id from gone as g)
        and status in ('open', 'returned', 'waived')
    returning problem_id
),

told as (
    insert into quarantine.problem_event (problem_id, event, batch_id, done_by, reason)
    select
        c.problem_id,
        'gone',
        %(batch_id)s,
        %(done_by)s,
        %(reason)s
    from closed as c
)

update ledger.batch
set disappeared = (select count(*) from gone)
where batch_id = %(batch_id)s
returning disappeared;
