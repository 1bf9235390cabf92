insert into clearance.calendar_day (calendar_id, day, is_working, working_days, is_assumed)
select
    %(calendar_id)s,
    d.day,
    d.is_working,
    d.working_days,
    d.is_assumed
from
    unnest(
        %(days)s::date[], %(is_working)s::boolean[], %(working_days)s::integer[], %(is_assumed)s::boolean[]
    ) as d (day, is_working, working_days, is_assumed)
