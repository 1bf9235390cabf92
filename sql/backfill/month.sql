select *
from ledger.backfill_month
where department = %(department)s and feed = %(feed)s and month = %(month)s
