-- The newest delivery of a feed that was loaded; with a landed file, as a snapshot is needed.
select *
from ledger.batch
where
    department = %(department)s and feed = %(feed)s and origin = 'delivery' and status = 'loaded'
order by landed_at desc, batch_id desc
limit 1
