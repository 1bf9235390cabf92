-- Unchanged rows are not written. But while an older delivery waits, what this one confirmed must outlive it.
update store.certificate as s
set version_at = c.version_at
from certificate as c
inner join outcome as o on c.row_no = o.row_no
where
    s.license_type = %(license_type)s and s.certificate_key = c.certificate_key
    and o.outcome = 'unchanged' and s.version_at < c.version_at
