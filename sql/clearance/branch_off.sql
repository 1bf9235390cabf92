-- A list that is published late: how its rows differ from those of the trunk list before its day. Returns its counts.
with base as (
    select r.*
    from clearance.rows_of(%(base_list)s::bigint, null) as r
),

difference as (
    select
        coalesce(w.record_key, b.record_key) as record_key,
        case when b.record_key is null then 'added' when w.record_key is null then 'removed' else 'changed' end
            as change,
        coalesce(w.version_no, b.version_no) as version_no,
        coalesce(w.place_id, b.place_id) as place_id,
        coalesce(w.finished_at, b.finished_at) as finished_at,
        case when w.record_key is null then b.default_at else w.default_at end as default_at,
        coalesce(w.since_day, b.since_day) as since_day,
        coalesce(w.is_reopened, b.is_reopened) as is_reopened
    from wanted as w
    full join base as b on w.record_key = b.record_key
    where
        (w.version_no, w.default_at, w.since_day, w.is_reopened)
        is distinct from (b.version_no, b.default_at, b.since_day, b.is_reopened)
),

written as (
    insert into clearance.correction (
        list_id, record_key, change, version_no, place_id, finished_at, default_at, since_day, is_reopened
    )
    select
        %(list_id)s,
        d.record_key,
        d.change,
        d.version_no,
        d.place_id,
        d.finished_at,
        d.default_at,
        d.since_day,
        d.is_reopened
    from difference as d
)

select
    count(*) filter (where default_at is null) as unrated,
    count(*) filter (where default_at is not null) as default_rated,
    count(*) filter (where since_day = %(day)s and not is_reopened) as new,
    count(*) filter (where since_day < %(day)s) as carried_over,
    count(*) filter (where since_day = %(day)s and is_reopened) as reopened
from wanted
