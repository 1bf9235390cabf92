-- For ending_rows.sql: what candidates stand on the last trunk list. By key, however many there are: the planner would
-- rather read all entries.
select e.*
from candidate as c
cross join
    lateral (
        select s.*
        from clearance.entry as s
        where s.record_key = c.record_key and s.until_list is null
        order by s.first_list
        limit 1
    ) as e
