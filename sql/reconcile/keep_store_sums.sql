insert into reconciliation.store_day (dataset, license_type, department, feed, day, number, checksum)
select
    %(dataset)s,
    license_type,
    department,
    feed,
    day,
    number,
    checksum
from pg_temp.store_sum
