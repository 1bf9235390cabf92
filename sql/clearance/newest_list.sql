-- The list of the latest cut-off, in its newest version.
select *
from clearance.list
order by cutoff_at desc, version desc
limit 1
