-- name: list_rows
-- Rows of a list in its order, each with the content of the version of its case that was known when it was listed.
with place as (
    select
        p.*,
        row_number() over (
            order by
                p.district = '', p.district, p.handling_department = '', p.handling_department, p.hall = '', p.hall,
                p."window" = '', p."window", p.handler = '', p.handler
        ) as position
    from clearance.place as p
    where
        (%(districts)s::text[] is null or p.district = any(%(districts)s))
        and (%(handling_department)s::text is null or p.handling_department = %(handling_department)s)
        and (%(hall)s::text is null or p.hall = %(hall)s)
),

page as (
    select
        r.record_key,
        r.version_no,
        r.finished_at,
        r.default_at,
        r.change,
        r.rated_at,
        p.position,
        p.district,
        p.handling_department,
        p.hall,
        p."window",
        p.handler,
        case when r.default_at is null then 'unrated' else 'default_rated' end as section,
        clearance.state_of(r.since_day, r.is_reopened, %(day)s) as state
    from ({listed}) as r
    inner join place as p on r.place_id = p.place_id
    where
        (%(record_key)s::text is null or r.record_key = %(record_key)s)
        and (%(finished_before)s::timestamptz is null or r.finished_at < %(finished_before)s)
        and (%(section)s::text is null or (r.default_at is null) = (%(section)s = 'unrated'))
        and (%(state)s::text is null or clearance.state_of(r.since_day, r.is_reopened, %(day)s) = %(state)s)
    order by p.position, r.finished_at, r.record_key
    limit %(limit)s offset %(skipped)s
)

select
    g.record_key,
    g.section,
    g.state,
    g.finished_at,
    g.default_at,
    g.change,
    g.rated_at,
    due.day as deadline,
    nullif(g.district, '') as district,
    nullif(g.handling_department, '') as handling_department,
    nullif(g.hall, '') as hall,
    nullif(g."window", '') as "window",
    nullif(g.handler, '') as handler,
    coalesce(c.case_number, h.case_number) as case_number,
    coalesce(c.service_number, h.service_number) as service_number,
    coalesce(c.service_item_code, h.service_item_code) as service_item_code,
    coalesce(c.service_item_name, h.service_item_name) as service_item_name,
    coalesce(c.applicant, h.applicant) as applicant,
    coalesce(c.phone, h.phone) as phone,
    greatest(today.working_days - finished.working_days, 0) as age_working_days
from page as g
left join store.service_case as c on g.record_key = c.record_key and g.version_no = c.version_no
left join store.service_case_history as h
    on g.record_key = h.record_key and g.version_no = h.version_no and c.record_key is null
inner join clearance.calendar_day as today on today.calendar_id = %(calendar_id)s and today.day = %(day)s
inner join clearance.calendar_day as finished
    on
        finished.calendar_id = %(calendar_id)s
        and greatest((g.finished_at at time zone 'Asia/Shanghai')::date, %(calendar_begin)s) = finished.day
inner join clearance.calendar_day as due
    on
        due.calendar_id = %(calendar_id)s and due.is_working
        and finished.working_days + %(deadline_working_days)s = due.working_days
order by g.position, g.finished_at, g.record_key;

-- name: rows_listed
-- For list_rows.sql: the rows of a version of a list.
select
    r.*,
    null::text as change,
    null::timestamptz as rated_at
from clearance.rows_of(%(base_list)s::bigint, %(corrections)s::bigint[]) as r;

-- name: rows_changed
-- For list_rows.sql: how a version differs from an earlier one, a removed row with its earlier content; `changed_lists`
-- are the versions after the earlier one. Services that appeared and left between the two are not shown.
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
    or (o.was_there and n.change <> 'removed' and o.was_unrated <> (n.default_at is null));

-- name: rows_cleared
-- For list_rows.sql: the rows whose service has an own effective evaluation by now.
select
    r.*,
    null::text as change,
    s.rated_at
from clearance.rows_of(%(base_list)s::bigint, %(corrections)s::bigint[]) as r
inner join clearance.service as s on r.record_key = s.record_key
where s.rated_at is not null;

-- name: rows_left
-- For list_rows.sql: who was on yesterday's list and is not on this one, with the content of that list; `change` is the
-- reason.
select
    y.*,
    d.reason as change,
    null::timestamptz as rated_at
from clearance.departure as d
cross join
    lateral clearance.row_of(
        d.record_key, %(yesterday_base)s::bigint, %(yesterday_corrections)s::bigint[]
    ) as y
where d.list_id = %(list_id)s;

-- name: archived_soon
-- A service that finished before this moment and stays unrated is archived within some working days after a list's day.
select min(c.day)::timestamp at time zone 'Asia/Shanghai' as finished_before
from clearance.calendar_day as c
inner join clearance.calendar_day as today on today.calendar_id = %(calendar_id)s and today.day = %(day)s
where
    c.calendar_id = %(calendar_id)s
    and c.working_days >= today.working_days - %(archive_after_working_days)s + %(within)s;

-- name: count_rows
-- The number of rows of a list under the same filters as in list_rows.sql.
select count(*)
from clearance.rows_of(%(base_list)s::bigint, %(corrections)s::bigint[]) as r
inner join clearance.place as p on r.place_id = p.place_id
where
    (%(districts)s::text[] is null or p.district = any(%(districts)s))
    and (%(handling_department)s::text is null or p.handling_department = %(handling_department)s)
    and (%(hall)s::text is null or p.hall = %(hall)s)
    and (%(section)s::text is null or (r.default_at is null) = (%(section)s = 'unrated'))
    and (%(finished_before)s::timestamptz is null or r.finished_at < %(finished_before)s)
    and (%(state)s::text is null or clearance.state_of(r.since_day, r.is_reopened, %(day)s) = %(state)s);

-- name: group_counts
-- Rows of a list by district, department and hall.
with counted as (
    select
        r.place_id,
        count(*) filter (where r.default_at is null) as unrated,
        count(*) filter (where r.default_at is not null) as default_rated,
        count(*) filter (where r.since_day = %(day)s and not r.is_reopened) as new,
        count(*) filter (where r.since_day < %(day)s) as carried_over,
        count(*) filter (where r.since_day = %(day)s and r.is_reopened) as reopened
    from clearance.rows_of(%(base_list)s::bigint, %(corrections)s::bigint[]) as r
    group by r.place_id
)

select
    nullif(p.district, '') as district,
    nullif(p.handling_department, '') as handling_department,
    nullif(p.hall, '') as hall,
    sum(c.unrated)::bigint as unrated,
    sum(c.default_rated)::bigint as default_rated,
    sum(c.new)::bigint as new,
    sum(c.carried_over)::bigint as carried_over,
    sum(c.reopened)::bigint as reopened
from counted as c
inner join clearance.place as p on c.place_id = p.place_id
where %(districts)s::text[] is null or p.district = any(%(districts)s)
group by p.district, p.handling_department, p.hall
order by
    p.district = '', p.district, p.handling_department = '', p.handling_department, p.hall = '', p.hall;
