delete from clearance.rate_count
where day = any(%(days)s::date[])
