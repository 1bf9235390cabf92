-- The versions that this batch is about to replace.
insert into {history} ({kept}, replaced_by_batch_id, replaced_at)
select
    {kept_of_store},
    %(batch_id)s,
    now()
from {store} as s
inner join staged_row as c on s.record_key = c.record_key
inner join outcome as o on c.row_no = o.row_no
where {scope} and o.is_known and o.outcome in ('updated', 'deleted')
