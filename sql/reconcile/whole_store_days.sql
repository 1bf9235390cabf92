-- The sums of one data set by day, from all of its rows. What disappeared is no longer in a register, and not compared.
-- A table of its own, because PostgreSQL reads in parallel for it, which it does not for an insert.
create temporary table store_sum on commit drop as
select
    {type_of} as license_type,
    s.department,
    s.feed,
    reconciliation.city_day(s.version_at) as day,
    count(*) as number,
    sum(reconciliation.hash(s.record_key, s.version_at)) as checksum
from {store} as s
where s.removal is distinct from 'disappeared'
group by {type_of}, s.department, s.feed, reconciliation.city_day(s.version_at)
