insert into quarantine.problem_event (problem_id, event, done_by, reason, batch_id)
select
    problem_id,
    'redriven',
    %(done_by)s,
    %(reason)s,
    %(batch_id)s
from quarantine.redriven_row
where batch_id = %(batch_id)s
