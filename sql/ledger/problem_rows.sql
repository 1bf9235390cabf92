select *
from quarantine.problem_row
where %(batch_id)s in (first_batch_id, last_batch_id)
order by last_batch_id desc, last_row_no asc
limit %(limit)s
