-- The rows of a list, among `services`: who is unrated at its cut-off, in which section, and since when it stands
-- there, against yesterday's list. `last_before` is the last trunk list of an earlier day, `last_shown` the newest
-- list that was out before the first one of this day.
select
    s.record_key,
    s.version_no,
    s.place_id,
    s.finished_at,
    case when clearance.is_by(s.default_at, %(cutoff_at)s, %(kind)s) then s.default_at end as default_at,
    coalesce(y.since_day, %(day)s::date) as since_day,
    case
        when y.record_key is not null then y.is_reopened
        else
            -- A list that is published late may be the only one before.
            %(last_shown)s::bigint > 0
            and exists (
                select
                from clearance.listings_before(
                        s.record_key, %(last_before)s::bigint, %(day)s::date, %(last_shown)s::bigint
                    )
            )
    end as is_reopened
from {services} as s
left join lateral {yesterday} as y on s.record_key = y.record_key
where
    s.finished_at >= %(oldest_finish)s and s.finished_at <= %(cutoff_at)s
    and clearance.is_by(s.finished_at, %(cutoff_at)s, %(kind)s)
    and clearance.is_by(s.rated_at, %(cutoff_at)s, %(kind)s) is not true
    and not exists (
        select from clearance.archived as a
        where a.record_key = s.record_key and a.cutoff_at <= %(cutoff_at)s
    )
