-- Of a landed file that goes the road again, the rows have the numbers that they had.
insert into quarantine.redriven_row (batch_id, row_no, problem_id)
select
    %(batch_id)s,
    last_row_no,
    min(problem_id)
from quarantine.problem_row
where
    department = %(department)s and feed = %(feed)s and status in ('open', 'returned', 'waived')
    and last_batch_id = %(redrives_batch_id)s
    and (%(problem_ids)s::bigint[] is null or problem_id = any(%(problem_ids)s::bigint[]))
group by last_row_no
on conflict do nothing
