-- Every day that has a count, or may have one: the store was counted for the first time, or the definitions changed.
insert into clearance.touched_day (day)
select day
from clearance.rate_count
union
select (finished_at at time zone 'Asia/Shanghai')::date as day
from clearance.service
where finished_at is not null
union
select (evaluated_at at time zone 'Asia/Shanghai')::date as day
from store.evaluation
where evaluated_at is not null
union
select due.day
from store.evaluation as e
inner join clearance.calendar_day as made
    on made.calendar_id = %(calendar_id)s and (e.evaluated_at at time zone 'Asia/Shanghai')::date = made.day
inner join clearance.calendar_day as due
    on
        due.calendar_id = %(calendar_id)s and due.is_working
        and made.working_days + %(rectification_working_days)s = due.working_days
where e.level in ('dissatisfied', 'very_dissatisfied')
