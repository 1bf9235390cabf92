-- A problem whose record came right later, or further down in the same delivery, is corrected; one whose record was
-- deleted is closed.
update quarantine.problem_row as q
set
    status = case when c.removes then 'closed' else 'corrected' end,
    corrected_by_batch_id = %(batch_id)s,
    updated_at = now()
from staged_row as c
inner join outcome as o on c.row_no = o.row_no
where
    q.department = %(department)s and q.feed = %(feed)s and q.status in ('open', 'returned')
    and (q.version_at < c.version_at or (q.version_at = c.version_at and q.last_batch_id < %(batch_id)s))
    and q.record_key = c.record_key
    and o.outcome in ('inserted', 'updated', 'unchanged', 'deleted')
