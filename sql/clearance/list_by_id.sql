select *
from clearance.list
where list_id = %(list_id)s
