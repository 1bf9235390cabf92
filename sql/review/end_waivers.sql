-- A waiver that ran out without the record having come right: the problem stands open again.
with ended as (
    update quarantine.problem_row
    set
        status = 'open',
        waived_until = null,
        return_id = null,
        due_on = null,
        updated_at = now()
    where status = 'waived' and waived_until < %(today)s::date
    returning problem_id
)

insert into quarantine.problem_event (problem_id, event)
select
    problem_id,
    'waiver_ended'
from ended
