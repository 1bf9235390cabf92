-- The last trunk list whose cut-off is earlier, of all when none is given.
select *
from clearance.list
where is_trunk and (%(before)s::timestamptz is null or cutoff_at < %(before)s)
order by list_id desc
limit 1
