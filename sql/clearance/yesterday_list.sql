-- The final list of the last day before one that has one, in its newest version.
select *
from clearance.list
where kind = 'final' and day < %(day)s
order by day desc, version desc
limit 1
