select *
from ledger.batch
where
    (%(department)s::text is null or department = %(department)s)
    and (%(feed)s::text is null or feed = %(feed)s)
    and (%(run_id)s::text is null or run_id = %(run_id)s or taken_up_by = %(run_id)s)
    and (%(status)s::text is null or status = %(status)s)
order by batch_id desc
limit %(limit)s
