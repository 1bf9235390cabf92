-- Known to every list from the next one on.
insert into clearance.applied_batch (batch_id, applied_at, before_list)
select
    b.batch_id,
    now(),
    (
        select coalesce(max(l.list_id), 0) + 1
        from clearance.list as l
    )
from unnest(%(batches)s::bigint[]) as b (batch_id)
