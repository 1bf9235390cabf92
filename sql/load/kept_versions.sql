-- Of the records in `gone`, which are marked behind it: the version that stands, into the history.
insert into {history} ({kept}, replaced_by_batch_id, replaced_at)
select
    {kept_of_store},
    %(batch_id)s,
    now()
from {store} as s
where {scope} and s.record_key in (select g.record_key from gone as g)
