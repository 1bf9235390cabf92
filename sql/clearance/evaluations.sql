-- name: bad_reviews
-- Bad reviews made up to the end of a day, with their terms and their state at a moment, overdue ones first: as known
-- now, or as known when the list `known_to` was published.
with evaluation as (
    select
        e.evaluation_number,
        e.case_number,
        e.service_number,
        e.level,
        e.evaluated_at,
        e.reason,
        e.called_back_at,
        e.rectified_at,
        e.is_default,
        e.is_real_name,
        e.removal
    from store.evaluation as e
    where
        e.level in ('dissatisfied', 'very_dissatisfied') and e.is_effective = 'yes'
        and clearance.is_known(e.batch_id, %(known_to)s)
    union all
    select
        h.evaluation_number,
        h.case_number,
        h.service_number,
        h.level,
        h.evaluated_at,
        h.reason,
        h.called_back_at,
        h.rectified_at,
        h.is_default,
        h.is_real_name,
        h.removal
    from store.evaluation_history as h
    where
        %(known_to)s::bigint is not null
        and h.level in ('dissatisfied', 'very_dissatisfied') and h.is_effective = 'yes'
        and clearance.is_known(h.batch_id, %(known_to)s)
        and not clearance.is_known(h.replaced_by_batch_id, %(known_to)s)
),

review as (
    select
        e.evaluation_number,
        e.case_number,
        e.service_number,
        e.level,
        e.evaluated_at,
        e.reason,
        c.district,
        c.handling_department,
        c.hall,
        c."window",
        c.handler,
        c.service_item_name,
        call.day as callback_due,
        rectify.day as rectification_due,
        e.called_back_at,
        e.rectified_at,
        e.case_number || '|' || e.service_number as record_key,
        (call.day + 1)::timestamp at time zone 'Asia/Shanghai' as callback_ends_at,
        (rectify.day + 1)::timestamp at time zone 'Asia/Shanghai' as rectification_ends_at
    from evaluation as e
    inner join clearance.calendar_day as made
        on
            made.calendar_id = %(calendar_id)s
            and greatest((e.evaluated_at at time zone 'Asia/Shanghai')::date, %(calendar_begin)s) = made.day
    inner join clearance.calendar_day as call
        on
            call.calendar_id = %(calendar_id)s and call.is_working
            and made.working_days + %(callback_working_days)s = call.working_days
    inner join clearance.calendar_day as rectify
        on
            rectify.calendar_id = %(calendar_id)s and rectify.is_working
            and made.working_days + %(rectification_working_days)s = rectify.working_days
    left join
        lateral (
            select v.*
            from (
                select
                    s.district,
                    s.handling_department,
                    s.hall,
                    s."window",
                    s.handler,
                    s.service_item_name,
                    s.batch_id,
                    null::bigint as replaced_by_batch_id
                from store.service_case as s
                where s.record_key = e.case_number || '|' || e.service_number
                union all
                select
                    s.district,
                    s.handling_department,
                    s.hall,
                    s."window",
                    s.handler,
                    s.service_item_name,
                    s.batch_id,
                    s.replaced_by_batch_id
                from store.service_case_history as s
                where s.record_key = e.case_number || '|' || e.service_number and %(known_to)s::bigint is not null
            ) as v
            where
                clearance.is_known(v.batch_id, %(known_to)s)
                and not clearance.is_known(v.replaced_by_batch_id, %(known_to)s)
            order by v.batch_id desc
            limit 1
        ) as c
        on true
    where
        e.removal is null
        and e.is_real_name = 'yes' and coalesce(e.is_default, '') <> 'yes'
        and e.evaluated_at < (%(day)s::date + 1)::timestamp at time zone 'Asia/Shanghai'
        and (%(districts)s::text[] is null or c.district = any(%(districts)s))
),

judged as (
    select
        r.*,
        case
            when r.called_back_at is null and r.callback_ends_at <= %(moment)s then 'callback_overdue'
            when r.rectified_at is null and r.rectification_ends_at <= %(moment)s then 'rectification_overdue'
            when r.called_back_at is null or r.rectified_at is null then 'open'
            when r.called_back_at >= r.callback_ends_at or r.rectified_at >= r.rectification_ends_at then 'done_late'
            else 'done'
        end as state
    from review as r
)

select
    j.evaluation_number,
    j.record_key,
    j.district,
    j.handling_department,
    j.hall,
    j."window",
    j.handler,
    j.case_number,
    j.service_number,
    j.service_item_name,
    j.level,
    j.evaluated_at,
    j.reason,
    j.callback_due,
    j.called_back_at,
    j.rectification_due,
    j.rectified_at,
    j.state
from judged as j
order by
    array_position(array['callback_overdue', 'rectification_overdue', 'open', 'done_late', 'done'], state),
    rectification_due,
    evaluated_at,
    evaluation_number;

-- name: suspicious_ratings
-- Own effective evaluations that were probably not made by the public: seconds after finishing, or many from one device
-- or one window within minutes. A burst may start before the first day or end after the last. Evaluations without a
-- time of day cannot be compared within minutes.
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

-- A rating belongs to a burst when some span of the given length that contains it has enough ratings.
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
order by s.kind, k.evaluated_at, k.evaluation_number;
