-- Written off by the pipeline: what came right before a moment.
with closed as (
    update quarantine.problem_row
    set
        status = 'closed',
        closed_at = now(),
        updated_at = now()
    where status = 'corrected' and solved_at < %(solved_before)s
    returning problem_id
)

insert into quarantine.problem_event (problem_id, event)
select
    problem_id,
    'closed'
from closed
