-- From the last trunk list to the next: stays that end or change are closed, and new ones begin. What stays is not
-- written. Returns how many rows left and came: of either section, and of each state on the new list's day.
with closed as (
    update clearance.entry as e
    set until_list = %(list_id)s
    from ending as n
    where e.record_key = n.record_key and e.first_list = n.first_list
),

opened as (
    insert into clearance.entry (
        record_key, first_list, version_no, place_id, finished_at, default_at, since_day, is_reopened
    )
    select
        w.record_key,
        %(list_id)s,
        w.version_no,
        w.place_id,
        w.finished_at,
        w.default_at,
        w.since_day,
        w.is_reopened
    from wanted as w
    where
        not exists (
            select from clearance.entry as e
            where
                e.record_key = w.record_key and e.until_list is null and e.version_no = w.version_no
                and e.since_day = w.since_day and e.is_reopened = w.is_reopened
                and e.default_at is not distinct from w.default_at
        )
    -- A million at once are written fastest in the order of their key.
    order by w.record_key
    returning
        default_at,
        since_day,
        is_reopened
),

moved as (
    select
        -1 as number,
        c.default_at is null as is_unrated,
        c.since_day = %(day)s as is_of_day,
        c.is_reopened
    from ending as c
    union all
    select
        1 as number,
        o.default_at is null as is_unrated,
        o.since_day = %(day)s as is_of_day,
        o.is_reopened
    from opened as o
)

select
    coalesce(sum(number) filter (where is_unrated), 0) as unrated,
    coalesce(sum(number) filter (where not is_unrated), 0) as default_rated,
    coalesce(sum(number) filter (where is_of_day and not is_reopened), 0) as new,
    coalesce(sum(number) filter (where not is_of_day), 0) as carried_over,
    coalesce(sum(number) filter (where is_of_day and is_reopened), 0) as reopened
from moved
