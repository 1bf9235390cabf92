select
    event,
    happened_at,
    done_by,
    reason,
    batch_id,
    return_id,
    until_on
from quarantine.problem_event
where problem_id = %(problem_id)s
order by event_id
