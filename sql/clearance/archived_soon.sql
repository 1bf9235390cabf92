-- Who finished before this moment and stays unrated is archived within some working days after a list's day.
select min(c.day)::timestamp at time zone 'Asia/Shanghai' as finished_before
from clearance.calendar_day as c
inner join clearance.calendar_day as today on today.calendar_id = %(calendar_id)s and today.day = %(day)s
where
    c.calendar_id = %(calendar_id)s
    and c.working_days >= today.working_days - %(archive_after_working_days)s + %(within)s
