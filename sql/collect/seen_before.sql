-- The newest batch of each file of a feed, as other runs saw it.
select distinct on (source_name, source_bytes, source_modified_at)
    batch_id,
    source_name,
    source_bytes,
    source_modified_at,
    status
from ledger.batch
where department = %(department)s and feed = %(feed)s and run_id <> %(run_id)s
order by source_name asc, source_bytes asc, source_modified_at asc, batch_id desc
