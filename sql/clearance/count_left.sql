-- Who was on yesterday's list and is not on this one, and why: archived, rated, or no longer to be rated at all. Only
-- who left the trunk between the two, or stands in a correction of either, can be among them.
with moved as (
    select record_key
    from clearance.entry
    where until_list > %(yesterday_base)s and until_list <= %(base_list)s
    union
    select c.record_key
    from clearance.correction as c
    inner join clearance.list as l on c.list_id = l.list_id
    where (l.day, l.kind) in ((%(yesterday_day)s, %(yesterday_kind)s), (%(day)s, %(kind)s))
),

left_behind as (
    select m.record_key
    from moved as m
    where
        exists (
            select
            from
                clearance.rows_of(
                    %(yesterday_base)s::bigint,
                    %(yesterday_day)s::date,
                    %(yesterday_kind)s::text,
                    %(yesterday_version)s::integer
                ) as y
            where y.record_key = m.record_key
        )
        and not exists (
            select
            from
                clearance.rows_of(
                    %(base_list)s::bigint, %(day)s::date, %(kind)s::text, %(version)s::integer
                ) as r
            where r.record_key = m.record_key
        )
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
