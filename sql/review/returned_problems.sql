-- The problems of a return, by feed, for its files; each stays part of it whatever becomes of it later.
select
    q.problem_id,
    q.feed,
    q.rules,
    q.reasons,
    q.payload,
    q.payload_bytes,
    q.payload_length,
    q.attempts,
    q.first_opened_at,
    q.last_row_no,
    b.source_name
from quarantine.problem_event as e
inner join quarantine.problem_row as q on e.problem_id = q.problem_id
inner join ledger.batch as b on q.last_batch_id = b.batch_id
where e.return_id = %(return_id)s and e.event = 'returned' and q.feed = %(feed)s
order by q.problem_id
