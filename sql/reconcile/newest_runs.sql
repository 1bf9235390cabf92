select n.*
from (
    select distinct on (department, feed) *
    from reconciliation.run
    order by department asc, feed asc, run_id desc
) as n
order by n.missing_in_store + n.missing_at_source + n.differs desc, n.department asc, n.feed asc
