-- Unchanged rows are not written. But while an older delivery waits, what this one confirmed must outlive it.
update {store} as s
set version_at = c.version_at
from staged_row as c
inner join outcome as o on c.row_no = o.row_no
where
    {scope} and s.record_key = c.record_key
    and o.outcome = 'unchanged' and s.version_at < c.version_at
