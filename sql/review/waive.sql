with waived as (
    update quarantine.problem_row
    set
        status = 'waived',
        waived_until = %(until_on)s,
        updated_at = now()
    where problem_id = any(%(problem_ids)s::bigint[]) and status in ('open', 'returned')
    returning problem_id
)

insert into quarantine.problem_event (problem_id, event, done_by, reason, until_on)
select
    problem_id,
    'waived',
    %(done_by)s,
    %(reason)s,
    %(until_on)s
from waived
