-- The days, in Asia/Shanghai, in which rows of a feed are missing in the store, or stand in it as they were before.
select distinct reconciliation.city_day(coalesce(source_at, found_at)) as day
from reconciliation.difference
where
    department = %(department)s and feed = %(feed)s and settled_at is null
    and kind in ('missing_in_store', 'differs')
order by day
