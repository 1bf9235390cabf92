-- Open problems of a department become part of a return: those that are named, or all.
with returned as (
    update quarantine.problem_row
    set
        status = 'returned',
        return_id = %(return_id)s,
        due_on = %(due_on)s,
        updated_at = now()
    where
        department = %(department)s and status = 'open'
        and (%(problem_ids)s::bigint[] is null or problem_id = any(%(problem_ids)s::bigint[]))
    returning problem_id
)

insert into quarantine.problem_event (problem_id, event, done_by, reason, return_id)
select
    problem_id,
    'returned',
    %(made_by)s,
    %(reason)s,
    %(return_id)s
from returned
