select
    problem_id,
    payload
from quarantine.problem_row
where
    department = %(department)s and feed = %(feed)s and status in ('open', 'returned', 'waived')
    and last_batch_id = %(batch_id)s and payload is not null
    and (%(problem_ids)s::bigint[] is null or problem_id = any(%(problem_ids)s::bigint[]))
order by last_row_no asc, problem_id asc
