-- For ending_rows.sql: what stands on the last trunk list.
select e.*
from clearance.entry as e
where e.until_list is null
