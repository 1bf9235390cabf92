-- A full comparison of keys: what the store has of this feed and the whole register no longer holds is marked.
-- A quarantined row is there all the same.
with gone as (
    select s.record_key
    from {store} as s
    where
        {scope}
        -- As in stage/recognise: not for the planner to guess at. Of a feed that the statistics do not know it would
        -- expect next to nothing, and look through the whole delivery for every certificate.
        and coalesce(
            s.department = %(department)s and s.feed = %(feed)s
            and s.removal is null
            and s.batch_id <> %(batch_id)s,
            false
        )
        and not exists (
            select from staged_row as c
            where c.record_key = s.record_key
        )
        and not exists (
            select from recognised_row as r
            where r.record_key = s.record_key
        )
),

kept as (
    {kept_versions}
    where {scope} and s.record_key in (select g.record_key from gone as g)
)

update {store} as s
set
    removed_at = %(landed_at)s,
    removal = 'disappeared',
    version_no = s.version_no + 1,
    batch_id = %(batch_id)s,
    loaded_at = now()
where {scope} and s.record_key in (select g.record_key from gone as g)
