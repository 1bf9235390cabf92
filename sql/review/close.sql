-- Written off by a person: what came right, and what is waived for good.
with closed as (
    update quarantine.problem_row
    set
        status = 'closed',
        solution = coalesce(solution, 'waived'),
        solved_at = coalesce(solved_at, now()),
        closed_at = now(),
        updated_at = now()
    where
        problem_id = any(%(problem_ids)s::bigint[])
        and (status = 'corrected' or (status = 'waived' and waived_until is null))
    returning problem_id
)

insert into quarantine.problem_event (problem_id, event, done_by, reason)
select
    problem_id,
    'closed',
    %(done_by)s,
    %(reason)s
from closed
