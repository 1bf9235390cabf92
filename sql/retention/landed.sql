-- name: verdicts
-- Every landed file that is too old, with why it stays; null: it may be removed. A file may have several batches: one
-- that must be retained retains it. `settled_before` is the oldest moment to which the database can be restored.
with recursive old_file as (
    select
        landing_path,
        array_agg(batch_id order by batch_id) as batch_ids,
        max(source_bytes) as bytes,
        max(sha256) as sha256,
        max(greatest(recorded_at, landed_at, finished_at)) as newest_at,
        bool_and(status in ('loaded', 'rejected')) as is_settled
    from ledger.batch
    where landing_path is not null
    group by landing_path
    having max(greatest(recorded_at, landed_at, finished_at)) < %(before)s
),

-- The newest register or increment of each feed, as of the oldest moment to which the database can be restored: the
-- comparison with the source reads it.
newest as (
    select distinct on (department, feed) landing_path
    from ledger.batch
    where status = 'loaded' and origin in ('delivery', 'backfill') and finished_at < %(settled_before)s
    order by department asc, feed asc, landed_at desc, batch_id desc
),

-- Rejected, and nothing of the feed was loaded since: the department was asked to deliver again.
awaited as (
    select r.landing_path
    from ledger.batch as r
    where
        r.status = 'rejected' and r.origin in ('delivery', 'backfill') and r.landing_path is not null
        and not exists (
            select from ledger.batch as n
            where
                n.department = r.department and n.feed = r.feed and n.status = 'loaded'
                and n.origin = 'delivery' and n.finished_at > r.finished_at
                and n.finished_at < %(settled_before)s
        )
),

-- What `zhengku problems redrive` and `zhengku replay` read again: the files of the problem records that are not
-- settled, or were not at the oldest moment to which the database can be restored; and of the wrong rows they replaced.
unsettled as (
    select
        problem_id,
        first_batch_id,
        last_batch_id,
        status in ('open', 'returned', 'waived') as is_open
    from quarantine.problem_row
    where status in ('open', 'returned', 'waived') or updated_at >= %(settled_before)s
    union
    select
        q.problem_id,
        q.first_batch_id,
        q.last_batch_id,
        n.is_open
    from unsettled as n
    inner join quarantine.problem_row as q on n.problem_id = q.replaced_by_problem_id
),

in_problem as (
    select
        b.landing_path,
        bool_or(q.is_open) as is_open
    from unsettled as q
    inner join ledger.batch as p on p.batch_id in (q.first_batch_id, q.last_batch_id)
    inner join ledger.batch as b on b.batch_id in (p.batch_id, p.redrives_batch_id)
    group by b.landing_path
)

select *
from (
    select
        f.landing_path as name,
        f.batch_ids,
        f.bytes,
        f.sha256,
        f.newest_at,
        case
            when not f.is_settled then 'unsettled'
            when q.is_open then 'problem'
            when f.landing_path in (select n.landing_path from newest as n) then 'newest'
            when f.landing_path in (select a.landing_path from awaited as a) then 'awaited'
            when q.landing_path is not null then 'backup'
        end as kept
    from old_file as f
    left join in_problem as q on f.landing_path = q.landing_path
    where not exists (
            select from ledger.removal as r
            where r.kind = 'landed' and r.name = f.landing_path
        )
) as judged
where kept is null or not %(only_removable)s
order by newest_at asc, name asc
limit %(limit)s;

-- name: lock_out
-- Until the end of the transaction no batch is recorded (`ledger/batches.keep_landed`): none takes a file up again.
select pg_advisory_xact_lock(hashtextextended('zhengku.landing', 0));
