-- Of the standing differences that the source has no more, how many are still so in the store, and how many
-- certificates of the feed stand in all.
select
    count(*) filter (
        where exists (
            select from reconciliation.difference as d
            where
                d.department = %(department)s and d.feed = %(feed)s and d.record_key = s.record_key
                and d.kind = 'missing_at_source' and d.settled_at is null
                and (d.store_at is null or d.store_at = s.version_at)
                and (%(problem_ids)s::bigint[] is null or d.problem_id = any(%(problem_ids)s::bigint[]))
        )
    ) as withdrawable,
    count(*) as standing
from {store} as s
where {scope} and s.department = %(department)s and s.feed = %(feed)s and s.removal is null
