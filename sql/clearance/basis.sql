-- name: calendar_by_digest
select calendar_id
from clearance.calendar
where digest = %(digest)s;

-- name: keep_calendar
insert into clearance.calendar (digest, kept_at)
values (%(digest)s, now())
returning calendar_id;

-- name: keep_calendar_days
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
    ) as d (day, is_working, working_days, is_assumed);

-- name: keep_basis
-- No row when calendar and settings are those that were used last.
insert into clearance.basis as b (calendar_id, numbers)
values (%(calendar_id)s, %(numbers)s)
on conflict (is_only)
do update
    set
        calendar_id = excluded.calendar_id,
        numbers = excluded.numbers
    where (b.calendar_id, b.numbers) is distinct from (excluded.calendar_id, excluded.numbers)
returning calendar_id;

-- name: basis
select
    calendar_id,
    numbers
from clearance.basis;
