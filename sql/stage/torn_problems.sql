-- Unsolved problems of a feed that were no records: the bytes that came.
select
    problem_id,
    payload_bytes
from quarantine.problem_row
where
    department = %(department)s and feed = %(feed)s and status in ('open', 'returned', 'waived')
    and payload is null
