-- name: touch_all_days
-- Every day that has a count, or may have one: for the first count of the store, or after a change of the definitions.
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
where e.level in ('dissatisfied', 'very_dissatisfied');

-- name: touch_days
-- The days whose rates may have changed: days of services that changed, and of evaluations that batches wrote or
-- replaced.
with evaluation as (
    select
        e.evaluated_at,
        e.level
    from store.evaluation as e
    where e.batch_id = any(%(batches)s::bigint[])
    union all
    select
        e.evaluated_at,
        e.level
    from store.evaluation_history as e
    where e.replaced_by_batch_id = any(%(batches)s::bigint[])
    union all
    -- District, department and item of a service count for its evaluations too.
    select
        e.evaluated_at,
        e.level
    from changed as c
    inner join store.evaluation as e on c.case_number = e.case_number and c.service_number = e.service_number
    where c.is_new_version
),

evaluation_day as (
    select
        (e.evaluated_at at time zone 'Asia/Shanghai')::date as day,
        bool_or(e.level in ('dissatisfied', 'very_dissatisfied')) as has_bad
    from evaluation as e
    where e.evaluated_at is not null
    group by 1
)

insert into clearance.touched_day (day)
select e.day
from evaluation_day as e
union
select (c.finished_at at time zone 'Asia/Shanghai')::date as day
from changed as c
where c.finished_at is not null
union
select (c.finished_before at time zone 'Asia/Shanghai')::date as day
from changed as c
where c.finished_before is not null
union
select due.day
from evaluation_day as e
inner join clearance.calendar_day as made on made.calendar_id = %(calendar_id)s and e.day = made.day
inner join clearance.calendar_day as due
    on
        due.calendar_id = %(calendar_id)s and due.is_working
        and made.working_days + %(rectification_working_days)s = due.working_days
where e.has_bad;

-- name: take_days
-- The days whose rates are counted again; services that change from here on are counted next time.
delete from clearance.touched_day
where touch_id in (
        select t.touch_id
        from clearance.touched_day as t
    )
returning day;

-- name: forget_rates
delete from clearance.rate_count
where day = any(%(days)s::date[]);
