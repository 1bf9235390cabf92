-- When these bytes were first delivered, if a batch with them was loaded.
select min(landed_at)
from ledger.batch
where department = %(department)s and feed = %(feed)s and sha256 = %(sha256)s and status = 'loaded'
