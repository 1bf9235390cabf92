select
    channel,
    item,
    handed_over_by,
    handed_over_at
from quarantine.hand_over
where return_id = %(return_id)s
order by hand_over_id
