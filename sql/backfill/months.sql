select *
from ledger.backfill_month
where (%(department)s::text is null or department = %(department)s)
order by department, feed, month
