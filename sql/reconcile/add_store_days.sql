-- What batches that are not in the roll-up yet changed: their rows as they are now come in, and what stood when the
-- roll-up was made goes out. That is the one version of a key that such a batch replaced and none of them wrote.
with moved as (
    select
        {type_of} as license_type,
        s.department,
        s.feed,
        s.record_key,
        s.version_at,
        1 as sign
    from {store} as s
    where s.batch_id = any(%(batches)s::bigint[]) and s.removal is distinct from 'disappeared'
    union all
    select
        {type_of} as license_type,
        s.department,
        s.feed,
        s.record_key,
        s.version_at,
        -1 as sign
    from {history} as s
    where
        s.replaced_by_batch_id = any(%(batches)s::bigint[]) and s.batch_id <> all(%(batches)s::bigint[])
        and s.removal is distinct from 'disappeared'
)

insert into reconciliation.store_day as d (dataset, license_type, department, feed, day, number, checksum)
select
    %(dataset)s,
    m.license_type,
    m.department,
    m.feed,
    reconciliation.city_day(m.version_at) as day,
    sum(m.sign) as number,
    sum(m.sign * reconciliation.hash(m.record_key, m.version_at)) as checksum
from moved as m
group by m.license_type, m.department, m.feed, reconciliation.city_day(m.version_at)
on conflict (department, feed, license_type, day)
do update set number = d.number + excluded.number, checksum = d.checksum + excluded.checksum
