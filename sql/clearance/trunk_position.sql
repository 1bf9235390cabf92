-- The last trunk list of an earlier day, and the number of the next list of any kind.
select
    max(list_id) filter (where is_trunk and day < %(day)s) as last_before,
    coalesce(max(list_id), 0) + 1 as next_list
from clearance.list
