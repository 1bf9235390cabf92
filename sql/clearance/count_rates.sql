-- name: count_rates
-- The counts of which the rates are quotients, for the given days, each with the working cut-off of that day: by
-- district, handling department and service item of the service, blank where the service is not known. sum_rates.sql
-- divides them.
with day as (
    select
        d.day,
        d.working_cutoff_at,
        d.day::timestamp at time zone 'Asia/Shanghai' as starts_at,
        (d.day + 1)::timestamp at time zone 'Asia/Shanghai' as ends_at
    from unnest(%(days)s::date[], %(working_cutoffs)s::timestamptz[]) as d (day, working_cutoff_at)
),

-- 有效评价，按评价时间计日；满意 = 非常满意、满意、基本满意；本人 = 非系统默认。
evaluated as (
    select
        d.day,
        s.service_item_code,
        nullif(p.district, '') as district,
        nullif(p.handling_department, '') as handling_department,
        coalesce(e.is_default, '') <> 'yes' as is_own,
        coalesce(e.level in ('very_satisfied', 'satisfied', 'basically_satisfied'), false) as is_positive
    from day as d
    inner join store.evaluation as e on d.starts_at <= e.evaluated_at and d.ends_at > e.evaluated_at
    left join clearance.service as s on e.case_number || '|' || e.service_number = s.record_key
    left join clearance.place as p on s.place_id = p.place_id
    where e.is_effective = 'yes' and e.removal is null
),

evaluated_count as (
    select
        day,
        district,
        handling_department,
        service_item_code,
        count(*) as effective,
        count(*) filter (where is_positive) as effective_positive,
        count(*) filter (where is_own) as own,
        count(*) filter (where is_own and is_positive) as own_positive
    from evaluated
    group by day, district, handling_department, service_item_code
),

-- 可评价的办件服务，按办结时间计日。日清的分母：工作截止前办结、截止时未评的，加截止后办结、当日 24 时未评的；
-- 分子：分母中当日 24 时之前已由本人评价的。另有一种只计工作截止前办结的。24 时是次日的开始，属次日。
finished as (
    select
        d.day,
        s.service_item_code,
        nullif(p.district, '') as district,
        nullif(p.handling_department, '') as handling_department,
        s.rated_at is not null as is_own,
        s.rated_at is not null or s.default_at is not null as is_any,
        s.finished_at <= d.working_cutoff_at as is_early,
        coalesce(
            case
                when s.finished_at <= d.working_cutoff_at then s.rated_at > d.working_cutoff_at
                else s.rated_at >= d.ends_at
            end,
            true
        ) as is_unrated,
        coalesce(s.rated_at < d.ends_at, false) as is_cleared
    from day as d
    inner join clearance.service as s on d.starts_at <= s.finished_at and d.ends_at > s.finished_at
    inner join clearance.place as p on s.place_id = p.place_id
),

finished_count as (
    select
        day,
        district,
        handling_department,
        service_item_code,
        count(*) as evaluable,
        count(*) filter (where is_own) as evaluable_own,
        count(*) filter (where is_any) as evaluable_any,
        count(*) filter (where is_unrated) as day_unrated,
        count(*) filter (where is_unrated and is_cleared) as day_cleared,
        count(*) filter (where is_unrated and is_early) as early_unrated,
        count(*) filter (where is_unrated and is_early and is_cleared) as early_cleared
    from finished
    group by day, district, handling_department, service_item_code
),

-- 实名差评，按整改到期日计日；按期 = 在到期日 24 时之前完成。
bad as (
    select
        d.day,
        s.service_item_code,
        nullif(p.district, '') as district,
        nullif(p.handling_department, '') as handling_department,
        coalesce(e.rectified_at < d.ends_at, false) as is_rectified,
        coalesce(e.called_back_at < (call.day + 1)::timestamp at time zone 'Asia/Shanghai', false) as is_called
    from day as d
    inner join clearance.calendar_day as due
        on d.day = due.day and due.calendar_id = %(calendar_id)s and due.is_working
    inner join clearance.calendar_day as made
        on
            made.calendar_id = %(calendar_id)s
            and due.working_days - %(rectification_working_days)s = made.working_days
    inner join clearance.calendar_day as call
        on
            call.calendar_id = %(calendar_id)s and call.is_working
            and made.working_days + %(callback_working_days)s = call.working_days
    inner join store.evaluation as e
        on
            e.evaluated_at >= made.day::timestamp at time zone 'Asia/Shanghai'
            and e.evaluated_at < (made.day + 1)::timestamp at time zone 'Asia/Shanghai'
            and e.level in ('dissatisfied', 'very_dissatisfied') and e.is_effective = 'yes'
    left join clearance.service as s on e.case_number || '|' || e.service_number = s.record_key
    left join clearance.place as p on s.place_id = p.place_id
    where e.removal is null and e.is_real_name = 'yes' and coalesce(e.is_default, '') <> 'yes'
),

bad_count as (
    select
        day,
        district,
        handling_department,
        service_item_code,
        count(*) as bad_due,
        count(*) filter (where is_rectified) as bad_rectified,
        count(*) filter (where is_called and is_rectified) as bad_called_and_rectified
    from bad
    group by day, district, handling_department, service_item_code
)

insert into clearance.rate_count (
    day, district, handling_department, service_item_code, effective, effective_positive, own, own_positive,
    evaluable, evaluable_own, evaluable_any, day_unrated, day_cleared, early_unrated, early_cleared, bad_due,
    bad_rectified, bad_called_and_rectified
)
select
    day,
    district,
    handling_department,
    service_item_code,
    effective,
    effective_positive,
    own,
    own_positive,
    0 as evaluable,
    0 as evaluable_own,
    0 as evaluable_any,
    0 as day_unrated,
    0 as day_cleared,
    0 as early_unrated,
    0 as early_cleared,
    0 as bad_due,
    0 as bad_rectified,
    0 as bad_called_and_rectified
from evaluated_count
union all
select
    day,
    district,
    handling_department,
    service_item_code,
    0 as effective,
    0 as effective_positive,
    0 as own,
    0 as own_positive,
    evaluable,
    evaluable_own,
    evaluable_any,
    day_unrated,
    day_cleared,
    early_unrated,
    early_cleared,
    0 as bad_due,
    0 as bad_rectified,
    0 as bad_called_and_rectified
from finished_count
union all
select
    day,
    district,
    handling_department,
    service_item_code,
    0 as effective,
    0 as effective_positive,
    0 as own,
    0 as own_positive,
    0 as evaluable,
    0 as evaluable_own,
    0 as evaluable_any,
    0 as day_unrated,
    0 as day_cleared,
    0 as early_unrated,
    0 as early_cleared,
    bad_due,
    bad_rectified,
    bad_called_and_rectified
from bad_count;
