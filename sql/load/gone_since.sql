-- A register that is loaded behind newer ones does not hold what the first of these no longer held either: that is gone
-- since this one. What came between the two is nobody's, so it was in neither.
with gone_later as (
    select s.record_key
    from {store} as s
    where
        {scope} and s.department = %(department)s and s.feed = %(feed)s
        and s.removal = 'disappeared' and s.removed_at = %(overtaken_at)s
        and not exists (
            select from staged_row as c
            where c.record_key = s.record_key
        )
),

-- How it stood last: behind that, it may have been said to be gone more than once, each time since a register before.
stood as (
    select distinct on (s.record_key)
        s.record_key,
        b.landed_at
    from {history} as s
    inner join gone_later as l on s.record_key = l.record_key
    inner join ledger.batch as b on s.batch_id = b.batch_id
    where {scope} and s.removal is null
    order by s.record_key asc, s.version_no desc
),

gone as (
    select h.record_key
    from stood as h
    where h.landed_at < %(landed_at)s
),

kept as (
    {kept_versions}
    where {scope} and s.record_key in (select g.record_key from gone as g)
)

update {store} as s
set
    removed_at = %(landed_at)s,
    version_no = s.version_no + 1,
    batch_id = %(batch_id)s,
    loaded_at = now()
where {scope} and s.record_key in (select g.record_key from gone as g)
