-- Records that stand in the compared period and were not seen at the source, where it was read in this period alone: it
-- may have moved their time to before it.
select s.record_key
from {store} as s
where
    {scope} and s.department = %(department)s and s.feed = %(feed)s and s.removal is null
    and s.version_at between %(since)s and %(until)s
    and (%(days)s::date[] is null or reconciliation.city_day(s.version_at) = any(%(days)s::date[]))
    and not exists (
        select from pg_temp.source_row as c
        where c.record_key = s.record_key
    )
