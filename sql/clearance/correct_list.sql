-- The next version of a list, as its difference. A row that is added has the state that it has against what was shown
-- before the list's day. Returns by how much each count changes.
with written as (
    insert into clearance.correction (
        list_id, record_key, change, version_no, place_id, finished_at, default_at, since_day, is_reopened
    )
    select
        %(list_id)s,
        d.record_key,
        d.change,
        d.version_no,
        d.place_id,
        d.finished_at,
        d.default_at,
        coalesce(d.since_day, y.since_day, %(day)s),
        coalesce(
            d.is_reopened,
            y.is_reopened,
            exists (
                select
                from clearance.listings_before(
                        d.record_key, %(last_before)s::bigint, %(day)s::date, %(last_shown)s::bigint
                    )
            )
        )
    from difference as d
    left join
        lateral clearance.row_of(
            d.record_key, %(yesterday_base)s::bigint, %(yesterday_corrections)s::bigint[]
        ) as y
        on d.record_key = y.record_key
    where d.list_id = %(corrected_list)s
    returning *
),

moved as (
    select
        w.is_reopened,
        w.since_day = %(day)s as is_of_day,
        case w.change when 'added' then 1 when 'removed' then -1 else 0 end as number,
        (w.change <> 'removed' and w.default_at is null)::integer
        - (w.change <> 'added' and d.default_before is null)::integer as unrated,
        (w.change <> 'removed' and w.default_at is not null)::integer
        - (w.change <> 'added' and d.default_before is not null)::integer as default_rated
    from written as w
    inner join difference as d on w.record_key = d.record_key and d.list_id = %(corrected_list)s
)

select
    coalesce(sum(unrated), 0) as unrated,
    coalesce(sum(default_rated), 0) as default_rated,
    coalesce(sum(number) filter (where is_of_day and not is_reopened), 0) as new,
    coalesce(sum(number) filter (where not is_of_day), 0) as carried_over,
    coalesce(sum(number) filter (where is_of_day and is_reopened), 0) as reopened
from moved
