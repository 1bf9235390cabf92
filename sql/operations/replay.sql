-- name: replayable
-- Deliveries whose landed file can be replayed, in the order of delivery. A repeat has the same file as the delivery
-- that it repeats. Files that we rejected because of our own reading may pass today; deliveries that a person rejected,
-- and files that do not match their manifest, are left out.
select *
from ledger.batch
where
    origin in ('delivery', 'backfill') and repeats_batch_id is null and landing_path is not null
    and (
        status = 'loaded'
        or (
            status = 'rejected' and rule_id not in ('file.digest', 'file.lost')
            and not exists (
                select from ledger.decision as d
                where d.batch_id = batch.batch_id and d.decision = 'rejected'
            )
        )
    )
    and (%(batch_ids)s::bigint[] is null or batch_id = any(%(batch_ids)s::bigint[]))
    and (%(department)s::text is null or department = %(department)s)
    and (%(feed)s::text is null or feed = %(feed)s)
    and (%(since)s::timestamptz is null or recorded_at >= %(since)s)
    and (%(before)s::timestamptz is null or recorded_at < %(before)s)
order by landed_at, batch_id;

-- name: reread_rows
-- The rows of a replayed landed file have the same numbers as before.
insert into quarantine.redriven_row (batch_id, row_no, problem_id)
select
    %(batch_id)s,
    last_row_no,
    min(problem_id)
from quarantine.problem_row
where
    department = %(department)s and feed = %(feed)s and status in ('open', 'returned', 'waived')
    and last_batch_id = %(redrives_batch_id)s
    and (%(problem_ids)s::bigint[] is null or problem_id = any(%(problem_ids)s::bigint[]))
group by last_row_no
on conflict do nothing;
