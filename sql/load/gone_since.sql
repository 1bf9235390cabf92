-- A register that is loaded behind newer ones does not hold what the first of these no longer held either: that is gone
-- since this one. What came between the two is nobody's, so it was in neither.
with stood as (
    select
        s.record_key,
        s.version_no,
        b.landed_at
    from {history} as s
    inner join ledger.batch as b on s.batch_id = b.batch_id
    where {scope} and s.removal is null
),

gone as (
    select s.record_key
    from {store} as s
    inner join stood as h on s.record_key = h.record_key and s.version_no = h.version_no + 1
    where
        {scope} and s.department = %(department)s and s.feed = %(feed)s
        and s.removal = 'disappeared' and s.removed_at = %(overtaken_at)s
        and h.landed_at < %(landed_at)s
        and not exists (
            select from staged_row as c
            where c.record_key = s.record_key
        )
),

kept as (
    {kept_versions}
)

update {store} as s
set
    removed_at = %(landed_at)s,
    version_no = s.version_no + 1,
    batch_id = %(batch_id)s,
    loaded_at = now()
where {scope} and s.record_key in (select g.record_key from gone as g)
