-- How much of what each department brought in seven nights was quarantined.
select
    department,
    sum(fetched) as fetched,
    sum(quarantined) as quarantined
from ledger.batch
where
    origin = 'delivery' and status = 'loaded'
    and recorded_at >= %(begin)s and recorded_at < %(night_end)s
group by department
having sum(fetched) >= %(rows)s and sum(quarantined) > %(share)s * sum(fetched)
order by department
