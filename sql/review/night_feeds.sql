-- name: night_feeds
-- What each feed delivered on a night, and in the 7 and 30 nights before. A night is a day in Asia/Shanghai.
with delivered as (
    select
        b.*,
        (b.recorded_at at time zone 'Asia/Shanghai')::date as night
    from ledger.batch as b
    where
        b.origin = 'delivery'
        and b.recorded_at >= %(history_begin)s and b.recorded_at < %(night_end)s
),

by_night as (
    select
        department,
        feed,
        night,
        sum(fetched) as fetched
    from delivered
    where night < %(night)s and night = any(%(like_nights)s::date[]) and status = 'loaded'
    group by department, feed, night
),

usual as (
    select
        department,
        feed,
        percentile_cont(0.5) within group (order by fetched) as fetched
    from by_night
    group by department, feed
    having count(*) >= 3
),

known as (
    select
        department,
        feed,
        max(recorded_at) as last_seen_at,
        max(finished_at) filter (where status = 'loaded') as last_loaded_at,
        max(finished_at) filter (where status = 'loaded' and repeats_batch_id is null) as last_new_at
    from ledger.batch
    where origin = 'delivery' and recorded_at < %(night_end)s
    group by department, feed
),

tonight as (
    select
        department,
        feed,
        count(*) filter (where night = %(night)s) as batches,
        count(*) filter (where night = %(night)s and status = 'loaded') as loaded_batches,
        count(*) filter (where night = %(night)s and status = 'held') as held_batches,
        count(*) filter (where night = %(night)s and status = 'rejected') as rejected_batches,
        count(*) filter (
            where night = %(night)s and status not in ('loaded', 'held', 'rejected')
        ) as unfinished_batches,
        coalesce(sum(fetched) filter (where night = %(night)s), 0) as fetched,
        coalesce(sum(inserted + updated + deleted) filter (where night = %(night)s), 0) as loaded,
        coalesce(sum(unchanged + superseded + duplicate) filter (where night = %(night)s), 0) as unchanged,
        coalesce(sum(quarantined) filter (where night = %(night)s), 0) as quarantined,
        coalesce(sum(warned) filter (where night = %(night)s), 0) as warned,
        coalesce(sum(held) filter (where night = %(night)s), 0) as held,
        coalesce(sum(disappeared) filter (where night = %(night)s), 0) as disappeared,
        coalesce(
            sum(quarantined) filter (where night >= %(week_begin)s and night < %(night)s and status = 'loaded'), 0
        ) as quarantined_7,
        coalesce(
            sum(fetched) filter (where night >= %(week_begin)s and night < %(night)s and status = 'loaded'), 0
        ) as fetched_7,
        coalesce(sum(quarantined) filter (where night < %(night)s and status = 'loaded'), 0) as quarantined_30,
        coalesce(sum(fetched) filter (where night < %(night)s and status = 'loaded'), 0) as fetched_30
    from delivered
    group by department, feed
)

select
    k.department,
    k.feed,
    k.last_seen_at,
    k.last_loaded_at,
    k.last_new_at,
    u.fetched as usual_rows,
    coalesce(t.batches, 0) as batches,
    coalesce(t.loaded_batches, 0) as loaded_batches,
    coalesce(t.held_batches, 0) as held_batches,
    coalesce(t.rejected_batches, 0) as rejected_batches,
    coalesce(t.unfinished_batches, 0) as unfinished_batches,
    coalesce(t.fetched, 0) as fetched,
    coalesce(t.loaded, 0) as loaded,
    coalesce(t.unchanged, 0) as unchanged,
    coalesce(t.quarantined, 0) as quarantined,
    coalesce(t.warned, 0) as warned,
    coalesce(t.held, 0) as held,
    coalesce(t.disappeared, 0) as disappeared,
    coalesce(t.quarantined_7, 0) as quarantined_7,
    coalesce(t.fetched_7, 0) as fetched_7,
    coalesce(t.quarantined_30, 0) as quarantined_30,
    coalesce(t.fetched_30, 0) as fetched_30
from known as k
left join tonight as t on k.department = t.department and k.feed = t.feed
left join usual as u on k.department = u.department and k.feed = u.feed
order by k.department asc, k.feed asc;
