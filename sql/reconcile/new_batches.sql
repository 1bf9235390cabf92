-- Loaded batches that wrote into a data set and are not in the roll-up yet.
select
    b.dataset,
    array_agg(b.batch_id) as batches
from ledger.batch as b
where
    b.status = 'loaded' and b.inserted + b.updated + b.deleted + b.disappeared > 0
    and not exists (
        select from reconciliation.store_batch as r
        where r.batch_id = b.batch_id
    )
group by b.dataset
order by b.dataset
