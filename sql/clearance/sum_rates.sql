-- name: sum_rates
-- The rates of a span of days, each as two sums with its definition; `by` groups them: city, day or month (of the city;
-- a month is its first day), district, department (in its district) or item (service item).
with chosen as (
    select
        r.effective,
        r.effective_positive,
        r.own,
        r.own_positive,
        r.evaluable,
        r.evaluable_own,
        r.evaluable_any,
        r.day_unrated,
        r.day_cleared,
        r.early_unrated,
        r.early_cleared,
        r.bad_due,
        r.bad_rectified,
        r.bad_called_and_rectified,
        case %(by)s::text when 'day' then r.day when 'month' then date_trunc('month', r.day)::date end as day,
        case when %(by)s in ('district', 'department') then r.district end as district,
        case when %(by)s = 'department' then r.handling_department end as handling_department,
        case when %(by)s = 'item' then r.service_item_code end as service_item_code
    from clearance.rate_count as r
    where
        r.day between %(first_day)s and %(last_day)s
        and (%(districts)s::text[] is null or r.district = any(%(districts)s))
    union all
    -- The city has its rates also on days without any count.
    select
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
        0 as bad_due,
        0 as bad_rectified,
        0 as bad_called_and_rectified,
        case %(by)s when 'day' then span.day when 'month' then date_trunc('month', span.day) end::date as day,
        null as district,
        null as handling_department,
        null as service_item_code
    from
        generate_series(
            %(first_day)s::date,
            case when %(by)s = 'city' then %(first_day)s::date else %(last_day)s::date end,
            interval '1 day'
        ) as span (day)
    where %(by)s in ('city', 'day', 'month')
),

summed as (
    select
        c.day,
        c.district,
        c.handling_department,
        c.service_item_code,
        sum(c.effective)::bigint as effective,
        sum(c.effective_positive)::bigint as effective_positive,
        sum(c.own)::bigint as own,
        sum(c.own_positive)::bigint as own_positive,
        sum(c.evaluable)::bigint as evaluable,
        sum(c.evaluable_own)::bigint as evaluable_own,
        sum(c.evaluable_any)::bigint as evaluable_any,
        sum(c.day_unrated)::bigint as day_unrated,
        sum(c.day_cleared)::bigint as day_cleared,
        sum(c.early_unrated)::bigint as early_unrated,
        sum(c.early_cleared)::bigint as early_cleared,
        sum(c.bad_due)::bigint as bad_due,
        sum(c.bad_rectified)::bigint as bad_rectified,
        sum(c.bad_called_and_rectified)::bigint as bad_called_and_rectified
    from chosen as c
    group by c.day, c.district, c.handling_department, c.service_item_code
)

select
    s.day,
    s.district,
    s.handling_department,
    s.service_item_code,
    i.service_item_name,
    r.name_zh,
    r.definition_zh,
    r.numerator,
    r.denominator,
    r.without_zh
from summed as s
left join clearance.service_item as i on s.service_item_code = i.service_item_code
cross join
    lateral (
        values
        (
            1,
            '满意率（含默认）',
            '评价等级为非常满意、满意或基本满意的有效评价 ÷ 全部有效评价（含系统默认评价），按评价时间统计',
            s.effective_positive,
            s.effective,
            '无数据'
        ),
        (
            2,
            '满意率（不含默认）',
            '评价等级为非常满意、满意或基本满意的本人有效评价 ÷ 全部本人有效评价（不含系统默认评价），按评价时间统计',
            s.own_positive,
            s.own,
            '无数据'
        ),
        (
            3,
            '主动评价率',
            '已有本人有效评价的可评价办件服务 ÷ 全部可评价办件服务，按办结时间统计',
            s.evaluable_own,
            s.evaluable,
            '无数据'
        ),
        (
            4,
            '评价率',
            '已有有效评价（本人或系统默认）的可评价办件服务 ÷ 全部可评价办件服务，按办结时间统计',
            s.evaluable_any,
            s.evaluable,
            '无数据'
        ),
        (
            5,
            '日清率',
            '分母中当日24时之前已由本人评价的 ÷ 当日办结且工作清单截止时未评（截止后办结的，当日24时未评）的可评价办件服务；'
            || '截止后办结的只会计入分母',
            s.day_cleared,
            s.day_unrated,
            '无数据'
        ),
        (
            6,
            '日清率（截止前办结）',
            '分母中当日24时之前已由本人评价的 ÷ 当日工作清单截止前办结、截止时未评的可评价办件服务；截止后办结的不计',
            s.early_cleared,
            s.early_unrated,
            '无数据'
        ),
        (
            7,
            '实名差评回访整改率',
            '回访和整改均按期完成的 ÷ 整改到期的实名差评，按整改到期日统计',
            s.bad_called_and_rectified,
            s.bad_due,
            '无差评'
        ),
        (
            8,
            '按期整改率',
            '整改按期完成的 ÷ 整改到期的实名差评，按整改到期日统计',
            s.bad_rectified,
            s.bad_due,
            '无差评'
        )
    ) as r (place, name_zh, definition_zh, numerator, denominator, without_zh)
order by s.day, s.district nulls last, s.handling_department nulls last, s.service_item_code nulls last, r.place;
