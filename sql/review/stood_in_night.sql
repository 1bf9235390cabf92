-- The problem records that stood in what was collected on a night.
select p.*
from quarantine.problem_row as p
where exists (
        select
        from ledger.batch as b
        where
            b.department = p.department and b.feed = p.feed and b.origin = 'delivery'
            and b.recorded_at >= %(night_begin)s::timestamptz and b.recorded_at < %(night_end)s::timestamptz
            and coalesce(b.repeats_batch_id, b.batch_id) between p.first_batch_id and p.last_batch_id
    )
