-- name: enter_list
-- A version of a list before its rows; count_list.sql completes it in the same transaction.
insert into clearance.list (
    list_id, day, kind, version, cutoff_at, published_at, is_trunk, base_list, corrections, yesterday_list,
    last_shown, oldest_finish, calendar_id, calendar_note, archive_after_working_days, deadline_working_days, stale
)
values (
    %(list_id)s, %(day)s, %(kind)s, %(version)s, %(cutoff_at)s, %(published_at)s, %(is_trunk)s, %(base_list)s,
    %(corrections)s, %(yesterday_list)s, %(last_shown)s, %(oldest_finish)s, %(calendar_id)s, %(calendar_note)s,
    %(archive_after_working_days)s, %(deadline_working_days)s, %(stale)s
);

-- name: count_left
-- Store and count who was on yesterday's list and is not on this one, with the reason: archived (by then, or too old
-- for this list and unrated at its cut-off, whichever list archived it), rated, or no longer evaluable. Only services
-- that left the trunk between the two lists, or are in a correction of either, can be among them.
with left_behind as (
    select e.record_key
    from clearance.entry as e
    -- It may still be on the list with other content. The limits keep these look-ups by key, however many there are.
    left join
        lateral (
            select n.first_list
            from clearance.entry as n
            where
                n.record_key = e.record_key and n.first_list <= %(base_list)s
                and (n.until_list is null or n.until_list > %(base_list)s)
            order by n.first_list
            limit 1
        ) as still
        on true
    left join
        lateral (
            select c.list_id
            from clearance.correction as c
            where
                c.record_key = e.record_key
                and c.list_id = any(%(yesterday_corrections)s::bigint[] || %(corrections)s::bigint[])
            order by c.list_id
            limit 1
        ) as corrected
        on true
    where
        e.until_list > %(yesterday_base)s and e.until_list <= %(base_list)s and e.first_list <= %(yesterday_base)s
        and still.first_list is null and corrected.list_id is null
    union all
    select c.record_key
    from (
        select distinct record_key
        from clearance.correction
        where list_id = any(%(yesterday_corrections)s::bigint[] || %(corrections)s::bigint[])
    ) as c
    inner join
        lateral clearance.row_of(
            c.record_key, %(yesterday_base)s::bigint, %(yesterday_corrections)s::bigint[]
        ) as y
        on c.record_key = y.record_key
    left join
        lateral clearance.row_of(c.record_key, %(base_list)s::bigint, %(corrections)s::bigint[]) as r
        on c.record_key = r.record_key
    where r.record_key is null
),

reason as (
    select
        b.record_key,
        case
            when a.record_key is not null then 'archived'
            when clearance.is_by(s.rated_at, %(cutoff_at)s, %(kind)s) then 'cleared'
            when s.finished_at < %(oldest_finish)s then 'archived'
            else 'withdrawn'
        end as reason
    from left_behind as b
    inner join clearance.service as s on b.record_key = s.record_key
    left join clearance.archived as a on b.record_key = a.record_key and a.cutoff_at <= %(cutoff_at)s
),

kept as (
    insert into clearance.departure (list_id, record_key, reason)
    select
        %(list_id)s,
        r.record_key,
        r.reason
    from reason as r
    returning reason
)

select
    count(*) filter (where reason = 'cleared') as cleared,
    count(*) filter (where reason = 'withdrawn') as withdrawn,
    count(*) filter (where reason = 'archived') as archived
from kept;

-- name: count_list
update clearance.list
set
    unrated = %(unrated)s,
    default_rated = %(default_rated)s,
    new = %(new)s,
    carried_over = %(carried_over)s,
    reopened = %(reopened)s,
    cleared = %(cleared)s,
    withdrawn = %(withdrawn)s,
    archived = %(archived)s,
    archived_total = %(archived_total)s
where list_id = %(list_id)s
returning *;
