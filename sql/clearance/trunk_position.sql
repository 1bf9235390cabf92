-- Where a list of a day stands: the last trunk list of an earlier day, the number of the next list of any kind, and the
-- newest list that was out before the first one of the day, which is `newest_before` when there is none yet.
select
    max(list_id) filter (where is_trunk and day < %(day)s) as last_before,
    coalesce(max(list_id), 0) + 1 as next_list,
    coalesce(min(last_shown) filter (where day = %(day)s), %(newest_before)s) as last_shown
from clearance.list
