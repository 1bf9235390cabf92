-- What a list held, from what is kept of it. The planner inlines it; so the facts of the list come as arguments, from
-- which it sees how much of the trunk is meant.

create or replace function clearance.rows_of(base bigint, list_day date, list_kind text, list_version integer)
returns table (
    record_key text,
    version_no integer,
    place_id integer,
    finished_at timestamptz,
    default_at timestamptz,
    since_day date,
    is_reopened boolean
)
language sql stable parallel safe
as $$
    with correction as (
        select distinct on (c.record_key) c.*
        from clearance.correction as c
        inner join clearance.list as l on l.list_id = c.list_id
        where l.day = list_day and l.kind = list_kind and l.version <= list_version
        order by c.record_key, l.version desc
    )
    select e.record_key, e.version_no, e.place_id, e.finished_at, e.default_at, e.since_day, e.is_reopened
    from clearance.entry as e
    where
        e.first_list <= base and (e.until_list is null or e.until_list > base)
        and not exists (select from correction as c where c.record_key = e.record_key)
    union all
    select c.record_key, c.version_no, c.place_id, c.finished_at, c.default_at, c.since_day, c.is_reopened
    from correction as c
    where c.change <> 'removed'
$$;
