-- All versions of the lists of a day, in the order of their cut-offs.
select *
from clearance.list
where day = %(day)s
order by cutoff_at, version
