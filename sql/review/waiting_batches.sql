-- Batches that somebody has to look at: held ones, whenever they came, and those of a night that were rejected.
select
    batch_id,
    department,
    feed,
    status,
    source_name,
    fetched,
    rule_id,
    reason,
    recorded_at
from ledger.batch
where
    recorded_at < %(night_end)s
    and (status = 'held' or (status = 'rejected' and recorded_at >= %(night_begin)s))
order by status asc, batch_id asc
