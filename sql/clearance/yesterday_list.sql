-- The final list of the last day before one that has one, in the newest version among lists up to `last_shown`.
select *
from clearance.list
where kind = 'final' and day < %(day)s and list_id <= %(last_shown)s
order by day desc, version desc
limit 1
