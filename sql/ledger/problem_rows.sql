select *
from quarantine.problem_row
where
    (%(batch_id)s::bigint is null or %(batch_id)s in (first_batch_id, last_batch_id))
    and (%(department)s::text is null or department = %(department)s)
    and (%(status)s::text is null or status = %(status)s)
order by last_batch_id desc, last_row_no asc
limit %(limit)s
