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
    p.district = '', p.district, p.handling_department = '', p.handling_department, p.hall = '', p.hall
