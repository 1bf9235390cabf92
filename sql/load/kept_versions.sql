-- Versions of the store, into the history; which ones, the statement around it says behind.
insert into {history} ({kept}, replaced_by_batch_id, replaced_at)
select
    {kept_of_store},
    %(batch_id)s,
    now()
from {store} as s -- noqa: AL05
