-- For list_rows.sql: how a version differs from an earlier one, a row that was removed as it was; `changed_lists` are
-- the versions behind the earlier one. Who came and went between the two is not told.
with step as (
    select *
    from clearance.correction
    where list_id = any(%(changed_lists)s::bigint[])
),

first_step as (
    select distinct on (record_key)
        record_key,
        change <> 'added' as was_there,
        (default_at is null) <> (change = 'changed') as was_unrated
    from step
    order by record_key asc, list_id asc
),

last_step as (
    select distinct on (record_key) *
    from step
    order by record_key asc, list_id desc
)

select
    n.record_key,
    n.version_no,
    n.place_id,
    n.finished_at,
    n.default_at,
    n.since_day,
    n.is_reopened,
    null::timestamptz as rated_at,
    case when not o.was_there then 'added' when n.change = 'removed' then 'removed' else 'changed' end as change
from last_step as n
inner join first_step as o on n.record_key = o.record_key
where
    o.was_there <> (n.change <> 'removed')
    or (o.was_there and n.change <> 'removed' and o.was_unrated <> (n.default_at is null))
