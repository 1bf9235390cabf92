-- How many batches have written to what a batch will write to; and whether this feed wrote any of it, so that rows
-- may be recognised.
select
    count(*) as writing_batches,
    coalesce(bool_or(department = %(department)s and feed = %(feed)s), false) as has_written
from ledger.batch
where
    dataset = %(dataset)s and license_type is not distinct from %(license_type)s and status = 'loaded'
    and inserted + updated + deleted + disappeared + quarantined > 0
