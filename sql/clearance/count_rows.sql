-- How many rows of a list the same filters leave as in list_rows.sql.
select count(*)
from clearance.rows_of(%(base_list)s::bigint, %(corrections)s::bigint[]) as r
inner join clearance.place as p on r.place_id = p.place_id
where
    (%(districts)s::text[] is null or p.district = any(%(districts)s))
    and (%(handling_department)s::text is null or p.handling_department = %(handling_department)s)
    and (%(hall)s::text is null or p.hall = %(hall)s)
    and (%(section)s::text is null or (r.default_at is null) = (%(section)s = 'unrated'))
    and (%(finished_before)s::timestamptz is null or r.finished_at < %(finished_before)s)
    and (%(state)s::text is null or clearance.state_of(r.since_day, r.is_reopened, %(day)s) = %(state)s)
