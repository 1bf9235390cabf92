-- Problems of a feed that the whole register, as it was delivered, no longer holds.
with gone as (
    update quarantine.problem_row
    set
        status = 'closed',
        solution = 'gone',
        corrected_by_batch_id = %(batch_id)s,
        solved_at = now(),
        closed_at = now(),
        updated_at = now()
    where
        department = %(department)s and feed = %(feed)s and status in ('open', 'returned', 'waived')
        and last_batch_id < %(batch_id)s
    returning problem_id
)

insert into quarantine.problem_event (problem_id, event, batch_id)
select
    problem_id,
    'gone',
    %(batch_id)s
from gone
