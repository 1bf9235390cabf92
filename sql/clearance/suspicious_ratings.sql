-- Own effective evaluations that look as if nobody from the public made them: seconds after finishing, or many from one
-- device or one window within minutes. A burst may begin before the first day or end after the last. Of a day without a
-- time nothing is known within minutes.
with own as (
    select
        e.evaluation_number,
        e.case_number,
        e.service_number,
        e.level,
        e.evaluation_channel,
        e.evaluated_at,
        e.device,
        e.evaluation_window,
        e.case_number || '|' || e.service_number as record_key
    from store.evaluation as e
    where
        e.is_effective = 'yes' and e.removal is null and coalesce(e.is_default, '') <> 'yes'
        and clearance.has_time_of_day(e.evaluated_at)
        and e.evaluated_at >= %(first_day)s::timestamp at time zone 'Asia/Shanghai' - %(burst)s::interval
        and e.evaluated_at < (%(last_day)s::date + 1)::timestamp at time zone 'Asia/Shanghai' + %(burst)s::interval
),

followed as (
    select
        o.*,
        count(*) over (
            partition by o.device
            order by o.evaluated_at range between current row and %(burst)s following
        ) as on_device,
        count(*) over (
            partition by o.evaluation_window
            order by o.evaluated_at range between current row and %(burst)s following
        ) as at_window
    from own as o
),

-- A rating is in a burst when some span of that length which holds it has enough of them.
counted as (
    select
        f.*,
        max(f.on_device) over (
            partition by f.device
            order by f.evaluated_at range between %(burst)s preceding and current row
        ) as device_ratings,
        max(f.at_window) over (
            partition by f.evaluation_window
            order by f.evaluated_at range between %(burst)s preceding and current row
        ) as window_ratings
    from followed as f
)

select
    k.evaluation_number,
    k.record_key,
    k.case_number,
    k.service_number,
    k.level,
    k.evaluation_channel,
    k.evaluated_at,
    k.device,
    k.evaluation_window,
    c.district,
    c.handling_department,
    c.hall,
    c."window",
    c.handler,
    c.service_item_name,
    c.finished_at,
    s.kind,
    s.ratings
from counted as k
left join store.service_case as c on k.record_key = c.record_key
cross join
    lateral (
        values
        (
            'seconds_after_finishing',
            1,
            k.evaluated_at >= c.finished_at and k.evaluated_at <= c.finished_at + %(seconds)s::interval
        ),
        ('device_burst', k.device_ratings, k.device is not null and k.device_ratings >= %(burst_ratings)s),
        (
            'window_burst',
            k.window_ratings,
            k.evaluation_window is not null and k.window_ratings >= %(burst_ratings)s
        )
    ) as s (kind, ratings, is_suspicious)
where
    s.is_suspicious
    and k.evaluated_at >= %(first_day)s::timestamp at time zone 'Asia/Shanghai'
    and k.evaluated_at < (%(last_day)s::date + 1)::timestamp at time zone 'Asia/Shanghai'
order by s.kind, k.evaluated_at, k.evaluation_number
