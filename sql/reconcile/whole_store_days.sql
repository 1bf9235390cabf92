-- The roll-up of one data set from all of its rows. What disappeared is no longer in a register, and not compared.
insert into reconciliation.store_day (dataset, license_type, department, feed, day, number, checksum)
select
    %(dataset)s,
    {license_type} as license_type,
    s.department,
    s.feed,
    reconciliation.city_day(s.version_at) as day,
    count(*) as number,
    sum(reconciliation.hash(s.record_key, s.version_at)::numeric) as checksum
from {store} as s
where s.removal is distinct from 'disappeared'
group by license_type, s.department, s.feed, day
