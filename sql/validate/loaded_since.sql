-- The deliveries that were loaded since a moment. What only repeats another batch, or walked its road again, is not
-- looked at twice.
select *
from ledger.batch
where
    status = 'loaded'
    and origin = 'delivery'
    and repeats_batch_id is null
    and landing_path is not null
    and recorded_at >= %(since)s
order by batch_id
