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
order by g.position, g.finished_at, g.record_key
