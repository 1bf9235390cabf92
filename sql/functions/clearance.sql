-- The rows of a list, from what is stored of it: the trunk list `base` (null for none), and over it the differences of
-- the versions `corrections`, the latest of which counts. The planner inlines these functions; what is known of the
-- list is passed as arguments, so that it can estimate which part of the trunk is read.

create or replace function clearance.rows_of(base bigint, corrections bigint[])
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
        where c.list_id = any(corrections)
        order by c.record_key, c.list_id desc
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

-- The same for one record, by its key: none or one row. To look up thousands among a million.
create or replace function clearance.row_of(key text, base bigint, corrections bigint[])
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
    select r.record_key, r.version_no, r.place_id, r.finished_at, r.default_at, r.since_day, r.is_reopened
    from (
        (
            select
                c.record_key, c.version_no, c.place_id, c.finished_at, c.default_at, c.since_day, c.is_reopened,
                c.change <> 'removed' as is_listed, 1 as place
            from clearance.correction as c
            where c.record_key = key and c.list_id = any(corrections)
            order by c.list_id desc
            limit 1
        )
        union all
        select
            e.record_key, e.version_no, e.place_id, e.finished_at, e.default_at, e.since_day, e.is_reopened,
            true as is_listed, 2 as place
        from clearance.entry as e
        where e.record_key = key and e.first_list <= base and (e.until_list is null or e.until_list > base)
        order by place
        limit 1
    ) as r
    where r.is_listed
$$;

-- Whether a moment counts for a list. 24:00 of a day is the first moment of the next day and belongs to that, so it
-- does not count for the final list; the working list's cut-off is a time of day like any other, and counts (decision
-- 0042).
create or replace function clearance.is_by(moment timestamptz, cutoff timestamptz, of_kind text)
returns boolean
language sql immutable parallel safe
as $$
    select moment < cutoff or (moment = cutoff and of_kind <> 'final')
$$;

-- Whether a time of day was given, from which seconds can be counted: a date without a time is stored as its last
-- second.
create or replace function clearance.has_time_of_day(moment timestamptz)
returns boolean
language sql stable parallel safe
as $$
    select (moment at time zone 'Asia/Shanghai')::time <> '23:59:59'
$$;

-- Whether a batch had been applied when a list was published; without a list, whether there is a batch at all.
create or replace function clearance.is_known(batch bigint, to_list bigint)
returns boolean
language sql stable parallel safe
as $$
    select
        batch is not null
        and (
            to_list is null
            or exists (
                select from clearance.applied_batch as a
                where a.batch_id = batch and a.before_list <= to_list
            )
        )
$$;

-- The state of a row on a list of a day.
create or replace function clearance.state_of(since_day date, is_reopened boolean, list_day date)
returns text
language sql immutable parallel safe
as $$
    select case when since_day < list_day then 'carried_over' when is_reopened then 'reopened' else 'new' end
$$;

-- A list of an earlier day that contained a record, in any version up to the list `shown_until`; `last_before` is the
-- last trunk list of such a day. No parameter is named like a column of a table in the body: in SQL functions the name
-- means the column (decision 0041).
-- The limits keep it a look-up by key: without them the planner answers the exists by hashing all entries.
create or replace function clearance.listings_before(
    key text, last_before bigint, list_day date, shown_until bigint
)
returns table (list_id bigint)
language sql stable parallel safe
as $$
    (
        select e.first_list as list_id
        from clearance.entry as e
        where e.record_key = key and e.first_list <= last_before
        order by e.first_list
        limit 1
    )
    union all
    (
        select c.list_id
        from clearance.correction as c
        inner join clearance.list as l on l.list_id = c.list_id
        where c.record_key = key and c.change <> 'removed' and c.list_id <= shown_until and l.day < list_day
        order by c.list_id
        limit 1
    )
    limit 1
$$;
