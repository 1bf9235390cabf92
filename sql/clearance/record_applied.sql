insert into clearance.applied_batch (batch_id, applied_at)
select
    b.batch_id,
    now()
from unnest(%(batches)s::bigint[]) as b (batch_id)
