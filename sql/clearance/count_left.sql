-- Who was on yesterday's list and is not on this one, and why: archived, rated, or no longer to be rated at all. Only
-- who left the trunk between the two, or stands in a correction of either, can be among them.
with moved as (
    select record_key
    from clearance.entry
    where until_list > %(yesterday_base)s and until_list <= %(base_list)s
    union
    select record_key
    from clearance.correction
    where list_id = any(%(yesterday_corrections)s::bigint[] || %(corrections)s::bigint[])
),

left_behind as (
    select m.record_key
    from moved as m
    inner join
        lateral clearance.row_of(
            m.record_key, %(yesterday_base)s::bigint, %(yesterday_corrections)s::bigint[]
        ) as y
        on m.record_key = y.record_key
    left join
        lateral clearance.row_of(m.record_key, %(base_list)s::bigint, %(corrections)s::bigint[]) as r
        on m.record_key = r.record_key
    where r.record_key is null
),

reason as (
    select
        case
            when a.record_key is not null then 'archived'
            when s.rated_at <= %(cutoff_at)s then 'cleared'
            else 'withdrawn'
        end as reason
    from left_behind as b
    inner join clearance.service as s on b.record_key = s.record_key
    left join clearance.archived as a on b.record_key = a.record_key and a.cutoff_at <= %(cutoff_at)s
)

select
    count(*) filter (where reason = 'cleared') as cleared,
    count(*) filter (where reason = 'withdrawn') as withdrawn,
    count(*) filter (where reason = 'archived') as archived
from reason
