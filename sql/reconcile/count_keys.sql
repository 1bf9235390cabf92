-- How many keys the compared period has on either side.
select
    (
        select count(*)
        from pg_temp.source_key as c
        where not %(timed)s or c.version_at between %(since)s and %(until)s
    ) as source_count,
    (
        select count(*)
        from {store} as s
        where
            {scope} and s.department = %(department)s and s.feed = %(feed)s
            and s.removal is distinct from 'disappeared'
            and (%(timed)s or s.removal is null)
            and (not %(timed)s or s.version_at between %(since)s and %(until)s)
    ) as store_count
