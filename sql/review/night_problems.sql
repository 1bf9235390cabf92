-- The problem records that stood in what was collected on a night, by feed.
select
    q.problem_id,
    q.department,
    q.feed,
    q.rules,
    q.reasons,
    q.payload,
    q.payload_length,
    q.status,
    q.attempts,
    q.times_seen,
    q.last_batch_id,
    q.last_row_no,
    q.first_opened_at
from ({chosen}) as q
order by q.department asc, q.feed asc, q.problem_id asc
