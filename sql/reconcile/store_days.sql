select
    day,
    number,
    checksum
from reconciliation.store_day
where
    department = %(department)s and feed = %(feed)s
    and (%(since)s::date is null or day >= %(since)s::date)
    and (%(until)s::date is null or day <= %(until)s::date)
