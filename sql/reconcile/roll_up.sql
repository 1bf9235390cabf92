-- name: has_store_days
select exists(select from reconciliation.store_batch);

-- name: forget_store_batches
-- Without its batches, the next reconciliation builds the roll-up by day again.
delete from reconciliation.store_batch;

-- name: forget_store_days
delete from reconciliation.store_day;

-- name: whole_store_days
-- The sums of one data set by day, from all of its rows. Disappeared records are in no register any more, and are not
-- compared.
-- A table of its own, because PostgreSQL reads in parallel for it, but not for an insert.
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
group by {type_of}, s.department, s.feed, reconciliation.city_day(s.version_at);

-- name: keep_store_sums
insert into reconciliation.store_day (dataset, license_type, department, feed, day, number, checksum)
select
    %(dataset)s,
    license_type,
    department,
    feed,
    day,
    number,
    checksum
from pg_temp.store_sum;

-- name: loaded_batches
-- All loaded batches: the roll-up that was made from all rows contains them.
insert into reconciliation.store_batch (batch_id)
select b.batch_id
from ledger.batch as b
where b.status = 'loaded';

-- name: uncounted_batches
-- Loaded batches that wrote into a data set and are not in the roll-up yet.
select
    b.dataset,
    array_agg(b.batch_id) as batches
from ledger.batch as b
where
    b.status = 'loaded' and b.inserted + b.updated + b.deleted + b.disappeared > 0
    and not exists (
        select from reconciliation.store_batch as r
        where r.batch_id = b.batch_id
    )
group by b.dataset
order by b.dataset;

-- name: add_store_days
-- The changes of batches that are not in the roll-up yet: their rows as they are now are added, and the versions that
-- were valid when the roll-up was made are subtracted. That is the one version of a key that such a batch replaced and
-- none of them wrote.
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
do update set number = d.number + excluded.number, checksum = d.checksum + excluded.checksum;

-- name: keep_batches
insert into reconciliation.store_batch (batch_id)
select unnest(%(batches)s::bigint[]);

-- name: forget_empty_days
delete from reconciliation.store_day
where number = 0;

-- name: store_days
select
    day,
    number,
    checksum
from reconciliation.store_day
where
    department = %(department)s and feed = %(feed)s
    and (%(since)s::date is null or day >= %(since)s::date)
    and (%(until)s::date is null or day <= %(until)s::date);

-- name: kept_day
create temporary table kept_day on commit drop as
select *
from reconciliation.store_day;

-- name: recounted_days
-- Where the maintained roll-up differed from the table.
select
    coalesce(k.department, d.department) as department,
    coalesce(k.feed, d.feed) as feed,
    coalesce(k.license_type, d.license_type) as license_type,
    coalesce(k.day, d.day) as day,
    coalesce(k.number, 0) as kept,
    coalesce(d.number, 0) as counted
from pg_temp.kept_day as k
full join reconciliation.store_day as d
    on
        k.department = d.department and k.feed = d.feed and k.license_type = d.license_type and k.day = d.day
where k.number is distinct from d.number or k.checksum is distinct from d.checksum
order by department, feed, license_type, day;
