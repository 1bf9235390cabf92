-- name: count_store
-- How many certificates the store holds, counted once a night: ten million take seconds.
with counted as (
    select
        license_type,
        department,
        count(*) filter (where removal is null) as standing,
        count(*) filter (where removal is not null) as removed
    from store.certificate
    group by license_type, department
),

forgotten as (
    delete from review.store_count as s
    where not exists (
            select from counted as c
            where c.license_type = s.license_type and c.department = s.department
        )
)

insert into review.store_count (license_type, department, standing, removed, counted_at)
select
    c.license_type,
    c.department,
    c.standing,
    c.removed,
    now()
from counted as c
on conflict (license_type, department)
do update
    set
        standing = excluded.standing,
        removed = excluded.removed,
        counted_at = excluded.counted_at;

-- name: store_counts
select
    license_type,
    sum(standing)::bigint as standing,
    sum(removed)::bigint as removed,
    max(counted_at) as counted_at
from review.store_count
group by license_type;
