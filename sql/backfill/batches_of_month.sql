-- The batches of the newest try at a month; those that a killed try left belong to it.
select *
from ledger.batch
where
    department = %(department)s and feed = %(feed)s and backfill_month = %(month)s
    and (run_id = %(run_id)s or status in ('landed', 'staged', 'validated', 'held'))
order by batch_id
