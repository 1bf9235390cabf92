-- name: replayable
-- Deliveries whose landed file can go the whole pipeline again, in the order in which they came. One that only repeats
-- another has the same file. What was rejected by our own reading of it may pass today; not what a person gave back,
-- and not a file that is not the one of its manifest.
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
-- Of a landed file that goes the pipeline again, the rows have the numbers that they had.
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
