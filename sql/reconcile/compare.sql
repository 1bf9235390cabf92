-- name: compare
-- Key by key: where source and store do not agree, and the explanation. `days` were read completely, where it is given;
-- on other days the checksums were equal, so the source has what the store has.
create temporary table found as
with stored as (
    select
        s.record_key,
        s.version_at,
        s.removal,
        s.loaded_at,
        s.department = %(department)s and s.feed = %(feed)s as is_own
    from {store} as s
    where
        {scope}
        and (
            (s.department = %(department)s and s.feed = %(feed)s)
            or s.record_key in (select k.record_key from pg_temp.source_key as k)
        )
),

pair as (
    select
        coalesce(c.record_key, s.record_key) as record_key,
        c.version_at as source_at,
        s.version_at as store_at,
        s.loaded_at,
        s.removal,
        s.record_key is not null and not s.is_own as is_others,
        case
            when s.record_key is null then 'missing_in_store'
            when c.record_key is null then 'missing_at_source'
            when s.removal = 'disappeared' then 'missing_in_store'
            else 'differs'
        end as kind
    from pg_temp.source_key as c
    full join stored as s on c.record_key = s.record_key
    where
        s.record_key is null
        or (c.record_key is null and s.is_own and s.removal is null)
        or (c.record_key is not null and s.removal = 'disappeared')
        or (%(timed)s and c.version_at <> s.version_at)
),

scoped as (
    select p.*
    from pair as p
    where
        not %(timed)s
        or (
            (
                p.source_at between %(since)s and %(until)s
                or p.store_at between %(since)s and %(until)s
            )
            and (
                p.source_at > p.store_at or p.store_at is null
                or %(days)s::date[] is null or reconciliation.city_day(p.store_at) = any(%(days)s::date[])
            )
        )
)

select
    p.record_key,
    p.kind,
    p.source_at,
    p.store_at,
    case
        when p.loaded_at >= %(begun)s or p.source_at > %(horizon)s then 'changed_since'
        when p.is_others and (p.store_at >= p.source_at or not %(timed)s) then 'other_feed'
        when
            p.kind <> 'missing_at_source'
            and exists (
                select from quarantine.problem_row as q
                where
                    q.record_key = p.record_key and q.department = %(department)s and q.feed = %(feed)s
                    and q.status in ('open', 'returned', 'waived') and not q.rules && %(own_rules)s::text[]
            )
            then 'problem_record'
        when
            p.kind <> 'missing_at_source'
            and exists (
                select from ledger.batch as b
                where
                    b.department = %(department)s and b.feed = %(feed)s and b.origin in ('delivery', 'backfill')
                    and b.status <> 'loaded'
                    and (
                        not %(timed)s
                        or (
                            (b.window_start is null or b.window_start <= p.source_at)
                            and (b.window_end is null or b.window_end >= p.source_at)
                        )
                    )
                    and not exists (
                        select from ledger.batch as l
                        where
                            l.department = b.department and l.feed = b.feed and l.status = 'loaded'
                            and l.origin in ('delivery', 'backfill') and l.batch_id > b.batch_id
                            and (l.window_start is null or l.window_start <= p.source_at)
                            and (l.window_end is null or l.window_end >= p.source_at)
                    )
            )
            then 'waiting_batch'
    end as explanation
from scoped as p;
